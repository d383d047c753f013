"""``genlab bench`` in the background: one detached process at a time, how far it is, and the last results of every table in a file.

The folder is locked by the process that measures, from before it starts until it ends, however it ends: two at once would measure each
other. Knows no user interface.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from genlab import benchmark
from genlab.benchmark.report import FORMAT
from genlab.errors import GenlabError, InputError, unknown_name
from genlab.runs import Run, runs_folder

_PLAN, _OUTPUT = "plan.json", "output.txt"


class BenchmarkError(GenlabError, RuntimeError):
    """A benchmark that cannot be started as things stand, or results that cannot be read."""


@dataclass(frozen=True)
class Progress:
    """The benchmark that runs, or the last one that did.

    Attributes:
        tables: What was asked for, in order.
        quick: Whether smaller cases were asked for.
        cases: The names of all its cases, in order; empty until the process has drawn up its plan.
        done: How many of them have been printed.
        output: What it printed.
        started: Unix time.
        is_active: Whether it is at work.
    """

    tables: tuple[str, ...]
    quick: bool
    cases: tuple[str, ...]
    done: int
    output: str
    started: float
    is_active: bool

    @property
    def is_complete(self) -> bool:
        """Whether every case was printed."""
        return bool(self.cases) and self.done == len(self.cases)


def start(tables: Sequence[str], *, quick: bool = True) -> None:
    """Measure these tables, one after another, in a process that outlives this one.

    Raises:
        InputError: No table, or an unknown one.
        BenchmarkError: Another benchmark is at work, or the folder cannot be written.
    """
    if not tables:
        raise InputError(f"tables must name at least one of {', '.join(benchmark.TABLES)}; got none")
    for name in tables:
        if name not in benchmark.TABLES:
            raise unknown_name("tables", name, benchmark.TABLES)
    try:
        _folder().mkdir(parents=True, exist_ok=True)
        lock = os.open(_folder() / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise BenchmarkError(f"the folder of benchmarks, {_folder()}, could not be written: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(lock, 0)  # no longer the id of an earlier process, which may be anybody's by now
        _launch(lock, list(dict.fromkeys(tables)), quick)
    except BlockingIOError:
        raise BenchmarkError("only one benchmark can be at work at a time; stop it or wait until it ends") from None
    except OSError as error:
        raise BenchmarkError(f"the benchmark could not be started: {error.strerror}") from error
    finally:
        # The process has a share in the lock that ends with itself.
        os.close(lock)


def _launch(lock: int, tables: Sequence[str], quick: bool) -> None:
    request = {"tables": tables, "quick": quick, "started": time.time(), "cases": []}
    _write(_folder() / _PLAN, request)
    with (_folder() / _OUTPUT).open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "genlab.benchmark.background", str(_folder())],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # neither Ctrl-C in the server's terminal nor the server's end reaches it
            pass_fds=(lock,),
        )
    os.pwrite(lock, str(process.pid).encode(), 0)
    # Whoever starts a process has to collect it, or it remains as a zombie.
    Thread(target=process.wait, daemon=True).start()


def stop() -> None:
    """End the benchmark that is at work, if there is one, with the processes of its frameworks. Finished tables keep their results."""
    # The lock is held, so the process lives; it leads the group of all its processes.
    if holder := Run(_folder()).holder:
        with suppress(ProcessLookupError):
            os.killpg(holder, signal.SIGTERM)


def progress() -> Progress | None:
    """How far the benchmark is, or how the last one ended; None if there never was one.

    Raises:
        BenchmarkError: The folder's files are torn.
    """
    # Asked first: what ends meanwhile then reads as still at work, and not as ended too early.
    is_active = Run(_folder()).holder is not None
    plan = _read(_folder() / _PLAN)
    if plan is None:
        return None
    try:
        output = (_folder() / _OUTPUT).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        output = ""
    cases = tuple(plan["cases"])
    printed = output.split("\n")[:-1]
    done = sum(printed.count(case) for case in dict.fromkeys(cases))
    return Progress(tuple(plan["tables"]), plan["quick"], cases, min(done, len(cases)), output, plan["started"], is_active)


def results() -> dict[str, dict[str, Any]]:
    """The last results of every table that was measured: documents as ``genlab bench --json`` writes them, by name.

    Raises:
        BenchmarkError: A file is torn, or of another format.
    """
    found = {name: _read(_folder() / f"{name}.json") for name in benchmark.TABLES}
    documents = {name: document for name, document in found.items() if document is not None}
    for name, document in documents.items():
        if document.get("format") != FORMAT:
            raise BenchmarkError(f"{_folder() / name}.json must be of format {FORMAT}; got {document.get('format')!r}")
    return documents


def main(folder: Path) -> int:
    """The process itself: draw up the plan, then ``genlab bench TABLE --json`` for one table after another."""
    plan = _read(folder / _PLAN)
    assert plan is not None
    cases = [case.name for name in plan["tables"] for table in benchmark.load_tables(name) for case in table.cases(plan["quick"])]
    _write(folder / _PLAN, {**plan, "cases": cases})
    return max(benchmark.main(name, plan["quick"], folder / f"{name}.json") for name in plan["tables"])


def _folder() -> Path:
    return runs_folder().resolve() / ".bench"


def _read(file: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise BenchmarkError(f"{file} could not be read: {error}") from error
    return dict(content)


def _write(file: Path, content: Mapping[str, Any]) -> None:
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    aside.write_text(json.dumps(content), encoding="utf-8")
    aside.replace(file)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
