"""Training in the background: start, watch, stop and resume. Each training is a detached process of its own.

A job is a row in a small database: which process was started for which run folder. Whether that process lives is asked of the
kernel each time (its id plus the time it was born, so that a reused id deceives nobody), and how it ended is read from the run
folder. No state is stored, so none can go stale: a restarted server finds everything as it is.

Knows nothing of any user interface. Leaves out a queue: while one training is active, a second one is refused.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread, Timer
from typing import Literal

from genlab.errors import GenlabError, RunError
from genlab.runs import Run, list_runs, new_run_path, runs_folder

State = Literal["starting", "running", "stopping", "stopped", "finished", "failed", "lost"]
ACTIVE: frozenset[State] = frozenset({"starting", "running", "stopping"})
RESUMABLE: frozenset[State] = frozenset({"stopped", "failed", "lost"})

SLOTS = 1
STOP_GRACE_SECONDS = 20.0  # a stop request waits for the step under way and writes a checkpoint
_NICENESS = 5  # the page that watches must stay quick
_BUSY_SECONDS = 10.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    name TEXT PRIMARY KEY,      -- of the run folder
    key TEXT UNIQUE,            -- the start request it answers; asking twice starts once
    arguments TEXT NOT NULL,    -- JSON list, what follows `genlab train`
    pid INTEGER,
    born TEXT,                  -- see _born
    created REAL NOT NULL,      -- Unix times
    started REAL NOT NULL,
    stop_requested REAL
)
"""


class JobError(GenlabError, RuntimeError):
    """A job that cannot be started, stopped or resumed as things stand."""


@dataclass(frozen=True)
class Job:
    """A run as seen from outside, at one moment.

    Attributes:
        run: The run folder.
        state: One of `State`; `ACTIVE` and `RESUMABLE` group them.
        message: What happened, in a sentence; empty if there is nothing to say.
        pid: The process that trains, or None.
        created: When the run was asked for, Unix time.
    """

    run: Run
    state: State
    message: str
    pid: int | None
    created: float

    @property
    def name(self) -> str:
        """The run folder's name."""
        return self.run.name

    @property
    def is_active(self) -> bool:
        """Whether a process is at work on it."""
        return self.state in ACTIVE


@dataclass(frozen=True)
class _Row:
    """What the database remembers of a job."""

    name: str
    arguments: tuple[str, ...]
    pid: int | None
    born: str | None
    created: float
    started: float
    stop_requested: float | None

    @property
    def is_alive(self) -> bool:
        return self.pid is not None and _born(self.pid) == self.born


def start(model: str, data: str, options: Sequence[str] = (), *, key: str | None = None) -> Job:
    """Start ``genlab train MODEL --data DATA OPTIONS`` as a detached process, in a new run folder.

    Args:
        model: A name of `genlab.list_models`.
        data: A dataset's name or path.
        options: Further options of the command line.
        key: Names the request: a second call with the same key returns the job that the first one started.

    Raises:
        JobError: Another training is active.
    """
    with _transaction() as database:
        known = database.execute("SELECT name FROM jobs WHERE key = ?", (key,)).fetchone() if key else None
        if known is None:
            _require_free_slot(database)
            path, now = new_run_path(model, data).resolve(), time.time()
            row = _Row(path.name, (model, "--data", data, *options), None, None, created=now, started=now, stop_requested=None)
            _save(database, row, key)
            _launch(database, row, ["--out", str(path), *row.arguments])
        name = known[0] if known else row.name
    return get(name)


def resume(name: str) -> Job:
    """Go on with a run from its last checkpoint. A run that is active is left alone.

    Raises:
        JobError: There is no such run, it cannot be resumed, or another training is active.
    """
    job = get(name)
    if job.is_active:
        return job
    if job.state not in RESUMABLE:
        raise JobError(f"run {name} cannot be resumed: it is {job.state}")
    with _transaction() as database:
        _require_free_slot(database)
        row = _row_of(database, name)
        out = ["--out", str(job.run.path.resolve())]
        has_begun = (job.run.path / "config.json").exists()
        now = time.time()
        row = row or _Row(name, ("--resume",), None, None, created=job.created, started=now, stop_requested=None)
        _save(database, row)
        _launch(database, row, [*out, "--resume"] if has_begun else [*out, *row.arguments])
    return get(name)


def stop(name: str, *, grace: float = STOP_GRACE_SECONDS) -> Job:
    """Ask a training to write a checkpoint and end; it is killed if it still lives `grace` seconds later. Returns at once.

    Asking twice, or asking a run that is not active, changes nothing.

    Raises:
        JobError: There is no such run.
    """
    job = get(name)
    if job.state in {"starting", "running"} and job.pid and (born := _born(job.pid)):
        with _transaction() as database:
            now = time.time()
            row = _row_of(database, name) or _Row(name, ("--resume",), job.pid, born, job.created, job.created, None)
            _save(database, row)
            database.execute("UPDATE jobs SET stop_requested = ? WHERE name = ?", (now, name))
        _signal(job.pid, born, signal.SIGTERM)
        later = Timer(grace, _signal, (job.pid, born, signal.SIGKILL))
        later.daemon = True
        later.start()
    return get(name)


def get(name: str) -> Job:
    """The job of a run, whoever started it.

    Raises:
        JobError: There is no such run.
    """
    with _connection() as database:
        row = _row_of(database, name)
    # A name is only ever compared with names that exist: nothing a visitor types becomes a path.
    if row is None and name not in {run.name for run in list_runs()}:
        raise JobError(f"run must be one of the runs in {runs_folder()}; got {name!r}")
    return _observe(Run(runs_folder() / name), row)


def list_names() -> list[str]:
    """The names of all runs in the runs folder, the newest first; also of those that were started elsewhere."""
    with _connection() as database:
        asked = {row.name: row.created for row in map(_read, database.execute(f"SELECT {_COLUMNS} FROM jobs"))}
    created = {run.name: _config_time(run) for run in list_runs()}
    created |= {name: time for name, time in asked.items() if (runs_folder() / name).is_dir()}
    return sorted(created, key=lambda name: created[name], reverse=True)


def list_jobs() -> list[Job]:
    """All runs of the runs folder, the newest first."""
    return [get(name) for name in list_names()]


def _observe(run: Run, row: _Row | None) -> Job:
    """The job as it is right now, from the kernel and the run folder."""
    pid = row.pid if row and row.is_alive else run.holder
    created = row.created if row else _config_time(run)
    try:
        events = run.metrics("event")
    except RunError as error:
        return Job(run, "failed", str(error), pid, created)
    last = events[-1] if events else None
    if row and last and last["time"] < row.started:
        last = None  # said by an earlier process
    message = str(last.get("message") or "") if last else ""
    if pid is not None:
        state: State = "stopping" if row and row.stop_requested else "running" if last else "starting"
        return Job(run, state, message, pid, created)
    if last is None and row and row.stop_requested:
        return Job(run, "stopped", "stopped before the first step", None, created)
    if last is None and row:
        return Job(run, "failed", _last_line(run.name), None, created)
    state = run.state()  # type: ignore[assignment]
    if last is None or state not in {"stopped", "finished", "failed"}:
        return Job(run, "lost", "the process ended without a word: it was killed, or the computer went down", None, created)
    return Job(run, state, message, None, created)


def _config_time(run: Run) -> float:
    return (run.path / "config.json").stat().st_mtime


def _require_free_slot(database: sqlite3.Connection) -> None:
    rows = map(_read, database.execute(f"SELECT {_COLUMNS} FROM jobs ORDER BY created"))
    active = [row.name for row in rows if row.is_alive]
    if len(active) >= SLOTS:
        raise JobError(f"only {SLOTS} training can be active at a time; stop {', '.join(active)} or wait until it ends")


def _launch(database: sqlite3.Connection, row: _Row, arguments: list[str]) -> None:
    """Start the process of a job and note which one it is."""
    started = time.time()
    with _output_path(row.name).open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "genlab", "train", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # neither Ctrl-C in the server's terminal nor the server's end reaches it
        )
    os.setpriority(os.PRIO_PROCESS, process.pid, _NICENESS)
    born = _born(process.pid)
    # Whoever starts a process has to collect it, or it remains as a zombie.
    Thread(target=process.wait, daemon=True).start()
    database.execute(
        "UPDATE jobs SET pid = ?, born = ?, started = ?, stop_requested = NULL WHERE name = ?", (process.pid, born, started, row.name)
    )


def _signal(pid: int, born: str, number: signal.Signals) -> None:
    """Send a signal to that very process, and to no later one that was given the same id."""
    if _born(pid) == born:
        os.kill(pid, number)


def _born(pid: int) -> str | None:
    """When the process was born, in words that no other process shares; None if it is dead, zombies included."""
    if not Path("/proc/self/stat").exists():
        return _born_by_ps(pid)
    try:
        # The second field is the program's name in brackets and may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    state, clock_ticks = fields[0], fields[19]
    return None if state in "ZX" else f"{boot} {clock_ticks}"


def _born_by_ps(pid: int) -> str | None:
    """The same where there is no /proc, as on macOS."""
    answer = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    state, _, born = answer.strip().partition(" ")
    return born.strip() if state and not state.startswith("Z") else None


def _output_path(name: str) -> Path:
    """What the process printed, beside the run: it may fail before the run folder holds anything."""
    return _jobs_folder() / f"{name}.txt"


def _last_line(name: str) -> str:
    try:
        lines = _output_path(name).read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        lines = []
    return next((line.strip() for line in reversed(lines) if line.strip()), "the process ended before it said anything")


def _jobs_folder() -> Path:
    folder = runs_folder() / ".jobs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JobError(f"the folder of jobs, {folder}, could not be made: {error.strerror}") from error
    return folder


_COLUMNS = "name, arguments, pid, born, created, started, stop_requested"


def _row_of(database: sqlite3.Connection, name: str) -> _Row | None:
    found = database.execute(f"SELECT {_COLUMNS} FROM jobs WHERE name = ?", (name,)).fetchone()
    return _read(found) if found else None


def _read(record: tuple[str, str, int | None, str | None, float, float, float | None]) -> _Row:
    name, arguments, pid, born, created, started, stop_requested = record
    return _Row(name, tuple(json.loads(arguments)), pid, born, created, started, stop_requested)


def _save(database: sqlite3.Connection, row: _Row, key: str | None = None) -> None:
    """Insert a row, unless the job has one."""
    database.execute(
        f"INSERT INTO jobs ({_COLUMNS}, key) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
        (row.name, json.dumps(row.arguments), row.pid, row.born, row.created, row.started, row.stop_requested, key),
    )


@contextmanager
def _connection() -> Iterator[sqlite3.Connection]:
    """A connection for a moment: nothing is kept open between two calls, in whatever thread they come."""
    file = _jobs_folder() / "jobs.sqlite"
    try:
        with closing(sqlite3.connect(file, timeout=_BUSY_SECONDS, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(_SCHEMA)
            yield database
    except sqlite3.Error as error:
        raise JobError(f"the database of jobs, {file}, could not be used: {error}") from error


@contextmanager
def _transaction() -> Iterator[sqlite3.Connection]:
    """All or nothing, and one at a time: two visitors cannot both find the last slot free."""
    with _connection() as database:
        database.execute("BEGIN IMMEDIATE")
        try:
            yield database
        except BaseException:
            database.execute("ROLLBACK")
            raise
        database.execute("COMMIT")
