"""The process of one framework: prepares sides and times them, as the lines of its standard input ask.

Every line is a JSON object, answered by one line. Outputs go through safetensors files. Nothing that a framework prints can be taken
for an answer: what was standard output is standard error to it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from time import perf_counter
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from genlab.benchmark.table import Contender, Table

Contenders = dict[str, Contender]


@contextmanager
def at_most(seconds: float | None) -> Iterator[None]:
    """Raises a TimeoutError in a block that takes longer, wherever Python then is."""
    if seconds is None:
        yield
        return

    def end(*_: object) -> None:
        raise TimeoutError(f"not ready within {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def prepare(
    contenders: Contenders, module: str, side: str, settings: dict[str, Any], outputs: str, limit: float | None = None
) -> dict[str, Any]:
    """Makes a side ready for a case, writes its outputs to a file, and answers how long they took."""
    table: Table = import_module(module).TABLE
    with at_most(limit):
        contender = table.sides[side].prepare(**settings)
        start = perf_counter()
        arrays = contender.outputs()
        seconds = perf_counter() - start
    contenders[side] = contender
    save_file({name: np.require(array, requirements="C") for name, array in arrays.items()}, outputs)
    return {"seconds": [seconds]}


def time(contenders: Contenders, side: str, warm: int, calls: int, whole: bool) -> dict[str, Any]:
    """Runs a side `warm` times for nothing, then `calls` times against the clock; scaled to the `whole` computation, or not."""
    run, scale = contenders[side].run, contenders[side].scale if whole else 1.0
    for _ in range(warm):
        run()
    seconds = []
    for _ in range(calls):
        start = perf_counter()
        run()
        seconds.append(scale * (perf_counter() - start))
    return {"seconds": seconds}


def weigh(contenders: Contenders, side: str, calls: int) -> dict[str, Any]:
    """Runs a side that weighs itself, `calls` times."""
    return {"bytes": [int(contenders[side].run()) for _ in range(calls)]}


REQUESTS: dict[str, Callable[..., dict[str, Any]]] = {"prepare": prepare, "time": time, "weigh": weigh}


def answer(contenders: Contenders, request: str, **values: Any) -> dict[str, Any]:
    """What comes of a request; whatever a framework raises belongs into its row of the table."""
    try:
        return REQUESTS[request](contenders, **values)
    except Exception as error:
        message = str(error).strip().splitlines() or ["no message"]
        return {"failure": f"{type(error).__name__}: {message[0]}"}


def main() -> None:
    """Answers requests until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    contenders: Contenders = {}
    for line in sys.stdin:
        print(json.dumps(answer(contenders, **json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
