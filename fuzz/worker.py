"""The child that reads mutated inputs, one after another, within limits of memory and time. It dies of what it finds; its parent lives."""

from __future__ import annotations

import faulthandler
import random
import resource
import sys
import time
import traceback
import warnings
from pathlib import Path

from fuzz.targets import TARGETS, emptied

MEMORY = 3 << 29  # bytes of address space above what it has when it begins
RESIDENT = 3 << 28  # and of memory that it may have touched
SECONDS = 60  # that one input may take, on a machine that does other things too
FOUND = 70  # exit code
ENDED = 0


def work(name: str, seed: int, first: int, seconds: float, folder: Path) -> int:
    """Reads inputs from number `first` on; writes the present one to ``input`` and its number to ``number`` before it is read.

    Returns:
        `ENDED`, or `FOUND` with the reason on standard error.
    """
    target = TARGETS[name]
    corpus = target.corpus()
    warnings.simplefilter("ignore")
    _read(name, corpus[0], folder)  # loads what is needed, before there is a limit
    _limit_memory()
    at_first = _peak()
    end, number, refused = time.monotonic() + seconds, first, 0
    while number == first or time.monotonic() < end:
        content = input_of(name, seed, number, corpus)
        (folder / "input").write_bytes(content)
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        try:
            refused += not _read(name, content, folder)
        except BaseException:
            traceback.print_exc()
            return FOUND
        faulthandler.cancel_dump_traceback_later()
        number += 1
        (folder / "number").write_text(f"{number} {refused}")
        grown = _peak() - at_first
        if grown > RESIDENT:
            sys.stderr.write(f"it took {grown >> 20} MiB of memory\n")
            return FOUND
    return ENDED


def input_of(name: str, seed: int, number: int, corpus: list[bytes]) -> bytes:
    """Input `number` of a target: a function of nothing else and the seed."""
    rng = random.Random(f"{name} {seed} {number}")
    return TARGETS[name].mutate(rng.choice(corpus), corpus, rng)


def _read(name: str, content: bytes, folder: Path) -> bool:
    """Whether an input was taken, not refused."""
    target = TARGETS[name]
    try:
        target.read(content, emptied(folder / "scratch"))
    except target.refusals as error:
        str(error).encode()
        return False
    return True


def _peak() -> int:
    """The most memory this process ever touched, in bytes; getrusage's figure begins with the parent's."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    faulthandler.enable()
    name, seed, first, seconds, folder = sys.argv[1:]
    sys.exit(work(name, int(seed), int(first), float(seconds), Path(folder)))
