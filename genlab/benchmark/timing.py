"""The timing core: every framework in a process of its own, agreement first, then rounds A B C A B C … through all sides.

On a shared machine the clock drifts by tens of percent within a minute. Sides that take turns drift alike, so that ratios of their
medians hold where the medians themselves do not.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from safetensors.numpy import load_file

from genlab.benchmark.table import Case, CaseResult, Check, Effort, Side, SideResult, Table
from genlab.errors import GenlabError

# What would bend a NumPy baseline (OpenBLAS compiled for many processors picks the fastest by itself) or give a framework another
# number of threads than the rest.
_UNSET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "GOTO_NUM_THREADS")

# A turn is long enough for clock and caches to settle: other frameworks' idle threads spin on for a few milliseconds.
_WARM_SECONDS = 0.01
_TURN_SECONDS = 0.02
_MOST_CALLS = 50
_TELLING_SECONDS = 1.0


class WorkerError(GenlabError):
    """A framework raised or its process ended; the message says what it said."""


class Worker:
    """The process of one framework, spoken to line by line; see `genlab.benchmark.worker`."""

    def __init__(self, process: subprocess.Popen[str], errors: IO[str]) -> None:
        self._process = process
        self._errors = errors

    @classmethod
    @contextmanager
    def start(cls, environment: Mapping[str, str]) -> Iterator[Worker]:
        """A new process, ended with the block."""
        command = [sys.executable, "-m", "genlab.benchmark.worker"]
        pipe = subprocess.PIPE
        with (
            tempfile.TemporaryFile(mode="w+", encoding="utf-8", errors="replace") as errors,
            subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors, text=True, env=dict(environment)) as process,
        ):
            try:
                yield cls(process, errors)
            finally:
                process.kill()
                # Closes the pipes as well, whatever is left in them.
                process.communicate()

    def send(self, request: str, **values: Any) -> None:
        """Asks for something; the answer waits for `receive`, so that several workers can be busy at once."""
        assert self._process.stdin is not None
        # Of a process that has ended, `receive` tells.
        with suppress(BrokenPipeError):
            print(json.dumps({"request": request, **values}), file=self._process.stdin, flush=True)

    def receive(self) -> list[float]:
        """The answer to the oldest request without one: seconds, or bytes."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise WorkerError(self._last_words())
        answer = json.loads(line)
        if "failure" in answer:
            raise WorkerError(answer["failure"])
        return list(answer["bytes" if "bytes" in answer else "seconds"])

    def time(self, side: str, *, warm: int, calls: int, whole: bool = True) -> list[float]:
        """Seconds of each of `calls` runs of a prepared side, after `warm` runs; of a `whole` computation, if a run is a part of it."""
        self.send("time", side=side, warm=warm, calls=calls, whole=whole)
        return self.receive()

    def _last_words(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return f"its process ended with code {code}" + (f": {lines[-1]}" if lines else "")


def clean_environment(threads: int) -> dict[str, str]:
    """The environment of every worker: this one's, with the same number of threads for all and nothing that slows one down."""
    environment = {name: value for name, value in os.environ.items() if name not in _UNSET}
    return {**environment, "OMP_NUM_THREADS": str(threads)}


def start_workers(table: Table, cases: Sequence[Case], stack: ExitStack, *, threads: int) -> dict[str, Worker]:
    """One worker for every framework that the cases name; they end with `stack`."""
    sides = [table.sides[name] for case in cases for name in case.sides]
    frameworks = {side.process: side.threads or threads for side in sides}
    return {name: stack.enter_context(Worker.start(clean_environment(number))) for name, number in frameworks.items()}


def measure(
    table: Table, case: Case, workers: Mapping[str, Worker], effort: Effort, ready: Callable[[Case], None] | None = None
) -> CaseResult:
    """Checks that all sides of a case agree with the truth, calls `ready`, and times them if they do.

    A side that fails, such as a compiled one without a compiler, is reported and left out. One that disagrees ends the case. A
    measurement that was disturbed is taken again, and the calmest one counts.
    """
    prepared = _prepare(table, case, workers)
    refusal = _refusal(prepared)
    if refusal:
        return CaseResult(case, [replace(side, seconds=()) for side in prepared], refusal)
    waiting = {side.side: workers[side.process] for side in prepared if not side.failure and not side.seconds}
    takes: list[CaseResult] = []
    if ready:
        ready(case)
    while not takes or (takes[-1].disturbed and len(takes) <= effort.retakes):
        seconds = _take_turns(waiting, effort)
        take = CaseResult(case, [replace(side, seconds=seconds.get(side.side, side.seconds)) for side in prepared])
        takes.append(replace(take, impossible=_is_impossible(table, take)))
    return min(takes, key=lambda take: (take.impossible, take.unrest))


def _is_impossible(table: Table, take: CaseResult) -> bool:
    """Whether native seems to do more than the peak that was measured beside it."""
    has_peak = any(side.role == "context" and side.seconds for side in take.sides) and bool(take.native.seconds)
    return has_peak and any(figure.impossible for figure in table.figures([take]))


def weigh(table: Table, case: Case, *, threads: int, runs: int) -> CaseResult:
    """The same for a table of bytes: every side in a process of its own, one after the other, so that no memory is shared."""
    check = table.check(case.settings)
    found = []
    for name in case.sides:
        side = table.sides[name]
        with tempfile.TemporaryDirectory() as folder, Worker.start(clean_environment(side.threads or threads)) as worker:
            file = Path(folder, "outputs.safetensors")
            worker.send("prepare", module=table.module, side=name, settings=dict(case.settings), outputs=str(file), limit=side.limit)
            result = _checked(name, side, {side.process: worker}, file, check)
            if not result.failure and not _refusal([result]):
                worker.send("weigh", side=name, calls=runs)
                try:
                    result = replace(result, bytes=[int(number) for number in worker.receive()])
                except WorkerError as error:
                    result = replace(result, failure=str(error))
        found.append(result)
    refusal = _refusal(found)
    return CaseResult(case, [replace(side, bytes=()) for side in found] if refusal else found, refusal)


def _prepare(table: Table, case: Case, workers: Mapping[str, Worker]) -> list[SideResult]:
    """All sides checked, those that run once also timed.

    Workers prepare at the same time, since compiling takes long; a side that is timed by its only run has the machine to itself.
    """
    check = table.check(case.settings)
    together = [name for name in case.sides if not table.sides[name].once]
    alone = [[name] for name in case.sides if table.sides[name].once]
    found: dict[str, SideResult] = {}
    with tempfile.TemporaryDirectory() as folder:
        for group in (together, *alone):
            files = {name: Path(folder, f"{position}.safetensors") for position, name in enumerate(group)}
            for name, file in files.items():
                worker = workers[table.sides[name].process]
                side = table.sides[name]
                worker.send("prepare", module=table.module, side=name, settings=dict(case.settings), outputs=str(file), limit=side.limit)
            for name, file in files.items():
                found[name] = _checked(name, table.sides[name], workers, file, check)
    return [found[name] for name in case.sides]


def _checked(name: str, side: Side, workers: Mapping[str, Worker], file: Path, check: Check) -> SideResult:
    """What became of a side's preparation."""
    try:
        seconds = workers[side.process].receive()
    except WorkerError as error:
        return SideResult(name, side.process, side.role, failure=str(error))
    return SideResult(name, side.process, side.role, tuple(check(load_file(file))), seconds if side.once else ())


def _refusal(sides: Sequence[SideResult]) -> str | None:
    """The sentence about the first result that is not the truth."""
    for side in sides:
        for agreement in side.agreements:
            if not agreement.holds:
                return (
                    f"not timed: {agreement.quantity} of side {side.side!r} must lie within {agreement.tolerance:.3g} of the truth; "
                    f"got a deviation of {agreement.deviation:.3g}"
                )
    return None


def _take_turns(workers: Mapping[str, Worker], effort: Effort) -> dict[str, list[float]]:
    """Seconds of each run of each side, timed in rounds through all sides."""
    turns = {name: _turn(_first_runs(name, worker), effort) for name, worker in workers.items()}
    seconds: dict[str, list[float]] = {name: [] for name in workers}
    for position in range(effort.rounds):
        for name, worker in workers.items():
            warm, calls, rounds = turns[name]
            if position < rounds:
                seconds[name] += worker.time(name, warm=warm, calls=calls)
    return seconds


def _first_runs(name: str, worker: Worker) -> list[float]:
    """Seconds of runs that tell how long they take: after one to warm up, unless that one is so long that it tells enough."""
    first = worker.time(name, warm=0, calls=1, whole=False)
    return first if first[0] > _TELLING_SECONDS else worker.time(name, warm=0, calls=2, whole=False)


def _turn(first_runs: Sequence[float], effort: Effort) -> tuple[int, int, int]:
    """Runs to warm up, runs to time, and rounds, for a side whose first runs took so many seconds."""
    estimate = max(min(first_runs), 1e-7)
    calls = min(max(1, round(_TURN_SECONDS / estimate)), _MOST_CALLS)
    # A run that outlasts the warming up by far needs none.
    warm = 0 if estimate > 10 * _WARM_SECONDS else math.ceil(_WARM_SECONDS / estimate)
    rounds = min(max(3, int(effort.seconds / (estimate * calls))), effort.rounds)
    return warm, calls, rounds
