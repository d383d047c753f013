"""Whose turn it is. Nobody hands out the slots: each process finds out by itself, and one that dies leaves its slot with it."""

from __future__ import annotations

import math
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from genlab.jobs.limits import Demand, require_within_limits
from genlab.jobs.processes import detach, send
from genlab.jobs.records import JobError, Row, connection, new_folder, output_path, row_of, rows_of, save, transaction

SLOTS = 1  # a training uses every core
_QUEUE_POLL_SECONDS = 0.2
_ORPHAN_SECONDS = 30.0  # a process that the database does not know after this long was never entered there
_AROUND_SECONDS = 10.0  # a training takes beside its budget: loading before it, the last checkpoint after it
NICENESS = 10  # the page that watches must stay quick


def turns(database: sqlite3.Connection) -> tuple[list[str], list[str]]:
    """The names of the jobs without a slot: those whose turn it is, and those who have to wait, the next one first."""
    alive = [row for row in rows_of(database, "pid IS NOT NULL") if row.is_alive]
    without = [row.name for row in alive if row.begun is None]
    free = max(0, SLOTS - (len(alive) - len(without)))
    return without[:free], without[free:]


def seconds_to_wait(database: sqlite3.Connection, name: str) -> float | None:
    """How long a job that waits will wait at most, by the budgets of those before it; None if one of these has none."""
    alive = [row for row in rows_of(database, "pid IS NOT NULL") if row.is_alive]
    place = next((at for at, row in enumerate(alive) if row.name == name), 0)
    before = [row for at, row in enumerate(alive) if row.begun is not None or at < place]
    if any(row.minutes is None for row in before):
        return None
    spent = [0.0 if row.begun is None else time.time() - row.begun for row in before]
    return sum(max(60 * (row.minutes or 0) - gone, 0) + _AROUND_SECONDS for row, gone in zip(before, spent, strict=True)) / SLOTS


def queue_in_words(database: sqlite3.Connection) -> dict[str, str]:
    """Those who have to wait, the next one first, each with its place and how long that takes."""
    return {name: f"number {at} in the queue{_until(seconds_to_wait(database, name))}" for at, name in enumerate(turns(database)[1], 1)}


def _until(seconds: float | None) -> str:
    if seconds is None:
        return ", behind one without a budget of time"
    minutes = math.ceil(seconds / 60)
    return f"; its turn comes within {minutes} minute{'s' * (minutes != 1)}"


def training_command(arguments: Sequence[str]) -> list[str]:
    """What a job's process becomes once it is its turn. Tests put a stub in its place."""
    return [sys.executable, "-m", "genlab", "train", *arguments]


def launch(database: sqlite3.Connection, row: Row, arguments: Sequence[str], *, said: str | None = None) -> None:
    """Start the process of a job and note which one it is, and the event that the run had `said` last before."""
    started = time.time()
    try:
        with output_path(row.name).open("wb") as output:
            command = [sys.executable, "-m", "genlab", row.verb, *arguments] if row.verb else training_command(arguments)
            process = detach([sys.executable, "-m", "genlab.jobs", "work", row.name, str(NICENESS), *command], output)
    except OSError as error:
        raise JobError(f"the process of job {row.name} could not be started: {error.strerror}") from error
    try:
        database.execute(
            "UPDATE jobs SET pid = ?, born = ?, started = ?, said = ?, turn = (SELECT COALESCE(MAX(turn), 0) + 1 FROM jobs), "
            "begun = NULL, stop_requested = NULL WHERE name = ?",
            (process.pid, process.born, started, said, row.name),
        )
    except BaseException:
        send(process.pid, process.born, signal.SIGKILL)
        raise


def enter(
    folder: tuple[str, str],
    arguments: Sequence[str],
    *,
    verb: str | None = None,
    key: str | None = None,
    visitor: str | None = None,
    demand: Demand | None = None,
) -> str:
    """Queue a new job in a new folder, and start its process; returns its name. Nothing is left behind where that fails.

    Args:
        folder: What the folder is named after, the kind of work and its data.
        arguments: Of the command line, but for ``--out``.
        verb: What of the command line the process becomes; None for a training.
        key: Names the request: a second call with the same key starts nothing and returns the name of the first one's job.
        visitor: Who asks; `LIMITS` then hold, and nobody else may change the job.
        demand: What it will need, to be held against the limits.

    Raises:
        JobError: A limit would be passed, or the database or the disk refuses.
    """
    with transaction() as database:
        known = database.execute("SELECT name FROM jobs WHERE key = ?", (key,)).fetchone() if key else None
        if known:
            return str(known[0])
        if visitor is not None:
            require_within_limits(database, visitor, demand or Demand())
        path, now = new_folder(*folder), time.time()
        minutes = demand.minutes if demand else None
        row = Row(path.name, tuple(arguments), created=now, started=now, key=key, visitor=visitor, verb=verb, minutes=minutes)
        try:
            save(database, row)
            launch(database, row, ["--out", str(path), *row.arguments])
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            output_path(path.name).unlink(missing_ok=True)
            raise
    return row.name


def ask_to_end(pid: int, born: str, grace: float) -> None:
    """Ask a job's process to write a checkpoint and end.

    A process of its own keeps the promise that it ends after the `grace`, even if this one is gone before that.
    """
    send(pid, born, signal.SIGTERM)
    detach([sys.executable, "-m", "genlab.jobs", "end", str(pid), born, str(grace)], subprocess.DEVNULL)


def work(name: str, niceness: int, command: list[str]) -> None:
    """What a job's process does: step back behind the page, wait for its turn, and become the training under the same id."""
    os.nice(niceness)
    with suppress(OSError):
        # Linux may weigh whole sessions against each other, and then only this makes one lighter.
        Path("/proc/self/autogroup").write_text(str(niceness))
    _wait_for_turn(name)
    os.execv(command[0], command)


def _wait_for_turn(name: str) -> None:
    """Return when this process has its slot; it ends here if the database never knew it, or knows it no more."""
    known_at, problem = time.monotonic(), f"job {name} was never entered into the database"
    while True:
        try:
            if _is_entered(name):
                known_at, problem = time.monotonic(), f"job {name} is no longer in the database"
                if _take_slot(name):
                    return
        except JobError as error:
            problem = str(error)  # a database that is busy now will not be for ever
        if time.monotonic() - known_at > _ORPHAN_SECONDS:
            raise SystemExit(f"genlab: error: {problem}")
        time.sleep(_QUEUE_POLL_SECONDS)


def _is_entered(name: str) -> bool:
    """Whether the database knows this very process as the job's."""
    with connection() as database:
        row = row_of(database, name)
    return row is not None and row.pid == os.getpid()


def _take_slot(name: str) -> bool:
    """Whether it is this process's turn; its slot is then noted."""
    with connection() as database:
        if name not in turns(database)[0]:
            return False
    with transaction() as database:
        if name not in turns(database)[0]:
            return False
        database.execute("UPDATE jobs SET begun = ? WHERE name = ?", (time.time(), name))
    return True
