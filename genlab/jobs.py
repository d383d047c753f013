"""Training in the background: queue, watch, stop, resume. Each training is a detached process of its own.

A job is a row in a small database: which process was started for which run folder, and for whom. Whether that process lives is asked
of the kernel each time (its id plus the time it was born, so that a reused id deceives nobody), and how it ended is read from the
run folder. No state is stored, so none can go stale: a restarted server finds everything as it is.

Nobody hands out the slots. A job's process starts at once, waits for its turn itself and then becomes ``genlab train``, so a queue
moves on with no server and no page open; a process that dies leaves its slot with it.

Knows nothing of any user interface. Leaves out trainings started in a terminal: they are watched, and take no slot.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Thread
from typing import Any, Literal

from genlab.errors import GenlabError, RunError
from genlab.runs import Run, is_run, list_runs, new_run_path, request_learning_rate, runs_folder, write_label

State = Literal["queued", "starting", "running", "stopping", "stopped", "finished", "failed", "lost"]
ACTIVE: frozenset[State] = frozenset({"queued", "starting", "running", "stopping"})
RESUMABLE: frozenset[State] = frozenset({"stopped", "failed", "lost"})

SLOTS = 1  # a training uses every core
STOP_GRACE_SECONDS = 20.0  # a stop request waits for the step under way and writes a checkpoint
_LAST_GRACE_SECONDS = 2.0  # between the signal that can be caught and the one that cannot
_QUEUE_POLL_SECONDS = 0.2
_ORPHAN_SECONDS = 30.0  # a process that the database does not know after this long was never entered there
_KEEP_REMOVED_SECONDS = 24 * 3600.0
_NICENESS = 10  # the page that watches must stay quick
_BUSY_SECONDS = 5.0

_COLUMNS = {
    "name": "TEXT PRIMARY KEY",  # of the run folder
    "key": "TEXT UNIQUE",  # the start request it answers; asking twice starts once
    "arguments": "TEXT NOT NULL",  # JSON list, what follows `genlab train`
    "pid": "INTEGER",
    "born": "TEXT",  # see _born
    "created": "REAL NOT NULL",  # Unix times
    "started": "REAL NOT NULL",  # started or resumed last; also the order of the queue
    "stop_requested": "REAL",
    "begun": "REAL",  # got its slot
    "visitor": "TEXT",  # who asked for it, NULL for the library and the command line
    "removed": "REAL",  # moved to the trash
}


class JobError(GenlabError, RuntimeError):
    """A job that cannot be started, stopped or resumed as things stand."""


@dataclass(frozen=True)
class Limits:
    """What one visitor may ask for; the library and the command line have no such limits.

    Attributes:
        jobs: Trainings at work or in the queue at the same time.
        minutes: The largest budget of training time.
        steps: The most steps of one training.
        parameters: The most parameters of a model.
        disk: Bytes in all run folders of the visitor, deleted ones that can still be brought back included.
        spare: Bytes that must stay free on the disk.
    """

    jobs: int = 4
    minutes: float = 240
    steps: int = 2_000_000
    parameters: int = 10_000_000
    disk: int = 4 * 2**30
    spare: int = 256 * 2**20


LIMITS = Limits()


@dataclass(frozen=True)
class Demand:
    """What a training will need; None where it is not known.

    Attributes:
        minutes: Budget of training time.
        steps: Steps in all.
        parameters: Parameters of the model.
    """

    minutes: float | None = None
    steps: int | None = None
    parameters: int | None = None


@dataclass(frozen=True)
class Job:
    """A run as seen from outside, at one moment.

    Attributes:
        run: The run folder.
        state: One of `State`; `ACTIVE` and `RESUMABLE` group them.
        message: What happened, in a sentence; empty if there is nothing to say.
        pid: The process that trains or waits, or None.
        created: When the run was asked for, Unix time.
        place: Its place in the queue, from 1; 0 if it doesn't wait.
        visitor: Who asked for it, or None.
    """

    run: Run
    state: State
    message: str
    pid: int | None
    created: float
    place: int = 0
    visitor: str | None = None

    @property
    def name(self) -> str:
        """The run folder's name."""
        return self.run.name

    @property
    def is_active(self) -> bool:
        """Whether a process is at work on it or waits to be."""
        return self.state in ACTIVE

    @property
    def heartbeat(self) -> float | None:
        """Unix time of the last record of its training, or None before the first."""
        try:
            return (self.run.path / "metrics.jsonl").stat().st_mtime
        except FileNotFoundError:
            return None

    def is_open_to(self, visitor: str | None) -> bool:
        """Whether that visitor may change it: those who asked for it may, and everybody if nobody in particular did."""
        return visitor is None or self.visitor in (None, visitor)


@dataclass(frozen=True)
class _Row:
    """What the database remembers of a job."""

    name: str
    arguments: tuple[str, ...]
    created: float
    started: float
    key: str | None = None
    pid: int | None = None
    born: str | None = None
    stop_requested: float | None = None
    begun: float | None = None
    visitor: str | None = None
    removed: float | None = None

    @property
    def is_alive(self) -> bool:
        return self.pid is not None and _born(self.pid) == self.born


def start(
    model: str,
    data: str,
    options: Sequence[str] = (),
    *,
    key: str | None = None,
    visitor: str | None = None,
    demand: Demand | None = None,
) -> Job:
    """Queue ``genlab train MODEL --data DATA OPTIONS`` as a detached process, in a new run folder.

    Args:
        model: A name of `genlab.list_models`.
        data: A dataset's name or path.
        options: Further options of the command line.
        key: Names the request: a second call with the same key returns the job that the first one started.
        visitor: Who asks; `LIMITS` then hold, and nobody else may change the job.
        demand: What the training will need, to be held against the limits.

    Raises:
        JobError: A limit would be passed, or the database or the disk refuses. Nothing is left behind then.
    """
    with _transaction() as database:
        known = database.execute("SELECT name FROM jobs WHERE key = ?", (key,)).fetchone() if key else None
        if known is None:
            if visitor is not None:
                _require_within_limits(database, visitor, demand or Demand())
            path, now = _new_folder(model, data), time.time()
            row = _Row(path.name, (model, "--data", data, *options), created=now, started=now, key=key, visitor=visitor)
            try:
                _save(database, row)
                _launch(database, row, ["--out", str(path), *row.arguments])
            except BaseException:
                shutil.rmtree(path, ignore_errors=True)
                raise
        name = known[0] if known else row.name
    return get(name)


def resume(name: str, *, visitor: str | None = None) -> Job:
    """Go on with a run from its last checkpoint, as soon as a slot is free. A run that is active is left alone.

    Raises:
        JobError: There is no such run, it is another visitor's, or it cannot be resumed.
    """
    job = _own(name, visitor, "resume")
    if job.is_active:
        return job
    if job.state not in RESUMABLE:
        raise JobError(f"run {name} cannot be resumed: it is {job.state}")
    with _transaction() as database:
        row = _row_of(database, name) or _Row(name, ("--resume",), created=job.created, started=job.created)
        if row.is_alive:
            return job  # another click was quicker
        if visitor is not None:
            _require_within_limits(database, visitor, Demand())
        out = ["--out", str(job.run.path.resolve())]
        has_begun = is_run(job.run.path)
        _save(database, row)
        _launch(database, row, [*out, "--resume"] if has_begun else [*out, *row.arguments])
    return get(name)


def stop(name: str, *, grace: float = STOP_GRACE_SECONDS, visitor: str | None = None) -> Job:
    """Ask a training to write a checkpoint and end. Returns at once.

    If it still lives `grace` seconds later, a second SIGTERM ends it in the middle of its step, and soon after SIGKILL does; the last
    checkpoint remains. Asking twice, or asking a run that is not active, changes nothing. One that waits leaves the queue.

    Raises:
        JobError: There is no such run, or it is another visitor's.
    """
    job = _own(name, visitor, "stop")
    if job.is_active and job.state != "stopping" and job.pid and (born := _born(job.pid)):
        with _transaction() as database:
            row = _Row(name, ("--resume",), job.created, job.created, pid=job.pid, born=born, begun=job.created)
            _save(database, _row_of(database, name) or row)
            database.execute("UPDATE jobs SET stop_requested = ? WHERE name = ?", (time.time(), name))
        _signal(job.pid, born, signal.SIGTERM)
        # A process of its own keeps the promise even if this one is gone before the grace is over.
        _detach([sys.executable, "-m", "genlab.jobs", "end", str(job.pid), born, str(grace)], subprocess.DEVNULL)
    return get(name)


def rename(name: str, label: str, *, visitor: str | None = None) -> Job:
    """Give a run a label for people to read. The folder keeps its name.

    Raises:
        JobError: There is no such run, or it is another visitor's.
        InputError: The label is too long.
        RunError: The disk is full or refuses.
    """
    job = _own(name, visitor, "rename")
    write_label(job.run, label)
    return job


def change_learning_rate(name: str, rate: float, *, visitor: str | None = None) -> Job:
    """Ask a training to go on with another learning rate from its next step on.

    Raises:
        JobError: There is no such run, it is another visitor's, or it is not being trained.
        InputError: The rate is out of its bounds.
        RunError: The disk is full or refuses.
    """
    job = _own(name, visitor, "change")
    if job.state != "running":
        raise JobError(f"run {name} has no learning rate to change: it is {job.state}")
    request_learning_rate(job.run, rate)
    return job


def remove(name: str, *, visitor: str | None = None) -> None:
    """Move a run to the trash, from where :func:`restore` brings it back for a day.

    Raises:
        JobError: There is no such run, it is another visitor's, or it is active.
        RunError: A process is training into it.
    """
    job = _own(name, visitor, "delete")
    if job.is_active:
        raise JobError(f"run {name} cannot be deleted: it is {job.state}; stop it first")
    with _transaction() as database, job.run.lock():
        _save(database, _row_of(database, name) or _Row(name, ("--resume",), created=job.created, started=job.created))
        database.execute("UPDATE jobs SET removed = ? WHERE name = ?", (time.time(), name))
        _move(job.run.path, _trash_folder() / name)
    _empty_trash()


def restore(name: str, *, visitor: str | None = None) -> Job:
    """Bring a removed run back as it was.

    Raises:
        JobError: No such run is in the trash, it is another visitor's, or there is a run of that name again.
    """
    with _transaction() as database:
        row = _row_of(database, name)
        if row is None or row.removed is None or name not in _names_in(_trash_folder()):
            raise JobError(f"run must be one of the deleted runs; got {name!r}")
        _require_owner(name, row.visitor, visitor, "restore")
        if name in _names_in(runs_folder()):
            raise JobError(f"run {name} cannot be brought back: there is a run of that name again")
        database.execute("UPDATE jobs SET removed = NULL WHERE name = ?", (name,))
        _move(_trash_folder() / name, runs_folder() / name)
    return get(name)


def list_removed(visitor: str | None = None) -> list[str]:
    """The names of the runs that this visitor can bring back, the one removed last first."""
    kept = _names_in(_trash_folder())
    with _connection() as database:
        rows = [
            row
            for row in _rows(database, "removed IS NOT NULL")
            if row.name in kept and (visitor is None or row.visitor in (None, visitor))
        ]
    return [row.name for row in sorted(rows, key=lambda row: row.removed or 0.0, reverse=True)]


def get(name: str) -> Job:
    """The job of a run, whoever started it.

    Raises:
        JobError: There is no such run.
    """
    with _connection() as database:
        row = _row_of(database, name)
        queue = _queue(database)[1] if row and row.begun is None else []
    # A name is only ever compared with names that exist: nothing a visitor types becomes a path.
    if (row is None or row.removed is not None) and name not in {run.name for run in list_runs()}:
        raise JobError(f"run must be one of the runs in {runs_folder()}; got {name!r}")
    return _observe(Run(runs_folder() / name), row, queue)


def list_names() -> list[str]:
    """The names of all runs in the runs folder, the newest first; also of those that were started elsewhere."""
    with _connection() as database:
        return list(_times(_rows(database)))


def list_jobs() -> list[Job]:
    """All runs of the runs folder, the newest first."""
    with _connection() as database:
        rows = {row.name: row for row in _rows(database)}
        queue = _queue(database)[1]
    return [_observe(Run(runs_folder() / name), rows.get(name), queue) for name in _times(rows.values())]


def _times(rows: Iterable[_Row]) -> dict[str, float]:
    """The names of all runs and when they were asked for, the newest first."""
    created = {run.name: _config_time(run) for run in list_runs()}
    created |= {row.name: row.created for row in rows if row.removed is None and (runs_folder() / row.name).is_dir()}
    return dict(sorted(created.items(), key=lambda item: item[1], reverse=True))


def _observe(run: Run, row: _Row | None, queue: Sequence[str]) -> Job:
    """The job as it is right now, from the kernel and the run folder."""
    pid = row.pid if row and row.is_alive else run.holder
    place = queue.index(run.name) + 1 if run.name in queue else 0
    known: dict[str, Any] = {"pid": pid, "created": row.created if row else _config_time(run), "visitor": row.visitor if row else None}
    try:
        last = _last_event(run)
    except RunError as error:
        return Job(run, "failed", str(error), **known)
    if row and last and _time_of(last) < row.started:
        last = None  # said by an earlier process
    message = str(last.get("message") or "") if last else ""
    if pid is not None:
        if row and row.stop_requested:
            return Job(run, "stopping", message, **known)
        if place:
            return Job(run, "queued", f"number {place} in the queue", place=place, **known)
        return Job(run, "running" if last else "starting", message, **known)
    if last is None and row and row.stop_requested:
        return Job(run, "stopped", "stopped before the first step", **known)
    if last is None and row and (line := _last_line(run.name)):
        return Job(run, "failed", line, **known)
    state = run.state()
    if last is None or state not in ("stopped", "finished", "failed"):
        return Job(run, "lost", "the process ended without a word: it was killed, or the computer went down", **known)
    return Job(run, state, message, **known)


def _last_event(run: Run) -> dict[str, Any] | None:
    """The last event of a run; its records are read anew only if they have changed, since a page with many runs asks every second."""
    try:
        file = (run.path / "metrics.jsonl").stat()
    except FileNotFoundError:
        return None
    return _last_event_of(run, file.st_mtime_ns, file.st_size)


@lru_cache(maxsize=1024)
def _last_event_of(run: Run, *_: int) -> dict[str, Any] | None:
    events = run.metrics("event")
    return events[-1] if events else None


def _time_of(event: Mapping[str, Any]) -> float:
    time = event.get("time")
    return time if isinstance(time, int | float) else math.inf  # a damaged file is told of elsewhere


def _config_time(run: Run) -> float:
    try:
        return (run.path / "config.json").stat().st_mtime
    except FileNotFoundError:
        return 0.0  # removed this very moment


# Who may do what --------------------------------------------------------------------------------------------------------------


def _own(name: str, visitor: str | None, verb: str) -> Job:
    """The job, if that visitor may change it."""
    job = get(name)
    _require_owner(name, job.visitor, visitor, verb)
    return job


def _require_owner(name: str, owner: str | None, visitor: str | None, verb: str) -> None:
    if None not in (owner, visitor) and owner != visitor:
        raise JobError(f"run {name} belongs to another visitor: you can watch it, but not {verb} it")


def _require_within_limits(database: sqlite3.Connection, visitor: str, demand: Demand) -> None:
    for what, asked, most in (
        ("minutes", demand.minutes, LIMITS.minutes),
        ("steps", demand.steps, LIMITS.steps),
        ("parameters", demand.parameters, LIMITS.parameters),
    ):
        if asked is not None and asked > most:
            raise JobError(f"{what} must be at most {most:,} for a visitor; this training asks for {asked:,}")
    rows = _rows(database, "visitor = ?", visitor)
    active = [row.name for row in rows if row.is_alive]
    if len(active) >= LIMITS.jobs:
        raise JobError(f"a visitor can have {LIMITS.jobs} trainings at work or in the queue; stop one of {', '.join(active)} or wait")
    used = sum(_bytes_below(folder / row.name) for row in rows for folder in (runs_folder(), _trash_folder()))
    if used > LIMITS.disk:
        raise JobError(f"your runs take {used / 2**20:,.0f} MB of disk, the limit is {LIMITS.disk / 2**20:,.0f} MB; delete some")
    free = shutil.disk_usage(_jobs_folder()).free
    if free < LIMITS.spare:
        raise JobError(f"the disk is nearly full: {free / 2**20:,.0f} MB are free, {LIMITS.spare / 2**20:,.0f} MB must stay free")


def _bytes_below(folder: Path) -> int:
    total = 0
    for parent, _, files in os.walk(folder):
        for file in files:
            with suppress(FileNotFoundError):  # a checkpoint is renamed at any moment
                total += (Path(parent) / file).lstat().st_size
    return total


# The queue --------------------------------------------------------------------------------------------------------------------


def _queue(database: sqlite3.Connection) -> tuple[list[str], list[str]]:
    """The names of the jobs without a slot: those whose turn it is, and those who have to wait, the next one first."""
    alive = [row for row in _rows(database, "pid IS NOT NULL") if row.is_alive]
    without = [row.name for row in alive if row.begun is None]
    free = max(0, SLOTS - (len(alive) - len(without)))
    return without[:free], without[free:]


def _take_slot(name: str) -> bool:
    """Whether it is this process's turn; its slot is then noted."""
    with _connection() as database:
        if name not in _queue(database)[0]:
            return False
    with _transaction() as database:
        if name not in _queue(database)[0]:
            return False
        database.execute("UPDATE jobs SET begun = ? WHERE name = ?", (time.time(), name))
    return True


def _is_entered(name: str) -> bool:
    """Whether the database knows this very process as the job's."""
    with _connection() as database:
        row = _row_of(database, name)
    return row is not None and row.pid == os.getpid()


def _wait_for_turn(name: str) -> None:
    """Return when this process has its slot; it ends here if whoever started it failed to enter it."""
    begun, entered = time.monotonic(), False
    while True:
        with suppress(JobError):  # a database that is busy now will not be for ever
            entered = entered or _is_entered(name)
            if entered and _take_slot(name):
                return
        if not entered and time.monotonic() - begun > _ORPHAN_SECONDS:
            raise SystemExit(f"genlab: error: job {name} was never entered into the database")
        time.sleep(_QUEUE_POLL_SECONDS)


def _launch(database: sqlite3.Connection, row: _Row, arguments: list[str]) -> None:
    """Start the process of a job and note which one it is."""
    started = time.time()
    try:
        with _output_path(row.name).open("wb") as output:
            process = _detach([sys.executable, "-m", "genlab.jobs", "work", row.name, *arguments], output)
    except OSError as error:
        raise JobError(f"the process of job {row.name} could not be started: {error.strerror}") from error
    try:
        database.execute(
            "UPDATE jobs SET pid = ?, born = ?, started = ?, begun = NULL, stop_requested = NULL WHERE name = ?",
            (process.pid, _born(process.pid), started, row.name),
        )
    except BaseException:
        process.kill()
        raise


def _detach(command: list[str], output: Any) -> subprocess.Popen[bytes]:
    """Start a process that neither Ctrl-C in the server's terminal nor the server's end reaches."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    # Whoever starts a process has to collect it, or it remains as a zombie.
    Thread(target=process.wait, daemon=True).start()
    return process


def _work(name: str, arguments: list[str]) -> None:
    """What a job's process does: step back behind the page, wait for its turn, and become ``genlab train`` under the same id."""
    os.nice(_NICENESS)
    with suppress(OSError):
        # Linux may weigh whole sessions against each other, and then only this makes one lighter.
        Path("/proc/self/autogroup").write_text(str(_NICENESS))
    _wait_for_turn(name)
    os.execv(sys.executable, [sys.executable, "-m", "genlab", "train", *arguments])


def _end(pid: int, born: str, grace: float) -> None:
    """End a process that was asked to end: by a second SIGTERM once `grace` seconds are over, then by SIGKILL."""
    for seconds, number in ((grace, signal.SIGTERM), (_LAST_GRACE_SECONDS, signal.SIGKILL)):
        deadline = time.monotonic() + seconds
        while _born(pid) == born and time.monotonic() < deadline:
            time.sleep(0.05)
        _signal(pid, born, number)


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
    """What the process said before it ended; empty if nothing."""
    try:
        lines = _output_path(name).read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        lines = []
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


# Files ------------------------------------------------------------------------------------------------------------------------


def _new_folder(model: str, data: str) -> Path:
    try:
        return new_run_path(model, data).resolve()
    except OSError as error:
        raise JobError(f"a run folder in {runs_folder()} could not be made: {error.strerror}") from error


def _jobs_folder() -> Path:
    folder = runs_folder() / ".jobs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JobError(f"the folder of jobs, {folder}, could not be made: {error.strerror}") from error
    return folder


def _trash_folder() -> Path:
    return _jobs_folder() / "trash"


def _names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def _move(source: Path, target: Path) -> None:
    try:
        target.parent.mkdir(exist_ok=True)
        source.rename(target)
    except OSError as error:
        raise JobError(f"{source} could not be moved to {target}: {error.strerror}") from error


def _empty_trash() -> None:
    """Delete for good what was removed long ago."""
    kept = _names_in(_trash_folder())
    with _transaction() as database:
        for row in _rows(database, "removed < ?", time.time() - _KEEP_REMOVED_SECONDS):
            if row.name in kept:
                shutil.rmtree(_trash_folder() / row.name, ignore_errors=True)
            _output_path(row.name).unlink(missing_ok=True)
            database.execute("DELETE FROM jobs WHERE name = ?", (row.name,))


# The database -----------------------------------------------------------------------------------------------------------------


def _row_of(database: sqlite3.Connection, name: str) -> _Row | None:
    return next(iter(_rows(database, "name = ?", name)), None)


def _rows(database: sqlite3.Connection, condition: str = "1", *values: object) -> list[_Row]:
    """The rows that meet a condition, in the order of the queue."""
    found = database.execute(f"SELECT {', '.join(_COLUMNS)} FROM jobs WHERE {condition} ORDER BY started, name", values)
    return [_read(dict(zip(_COLUMNS, record, strict=True))) for record in found]


def _read(record: Mapping[str, Any]) -> _Row:
    return _Row(**{**record, "arguments": tuple(json.loads(record["arguments"]))})


def _save(database: sqlite3.Connection, row: _Row) -> None:
    """Insert a row, unless the job has one."""
    values = {name: getattr(row, name) for name in _COLUMNS} | {"arguments": json.dumps(row.arguments)}
    places = ", ".join(f":{name}" for name in _COLUMNS)
    database.execute(f"INSERT INTO jobs ({', '.join(_COLUMNS)}) VALUES ({places}) ON CONFLICT (name) DO NOTHING", values)


def _prepare(database: sqlite3.Connection) -> None:
    """Make the table, or add the columns that an older genlab did not have. Only reads if there is nothing to do."""
    if database.execute("PRAGMA user_version").fetchone() == (len(_COLUMNS),):
        return
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("BEGIN IMMEDIATE")
    database.execute(f"CREATE TABLE IF NOT EXISTS jobs ({', '.join(f'{name} {kind}' for name, kind in _COLUMNS.items())})")
    present = {column[1] for column in database.execute("PRAGMA table_info(jobs)")}
    for name in _COLUMNS.keys() - present:
        database.execute(f"ALTER TABLE jobs ADD COLUMN {name} {_COLUMNS[name]}")
    database.execute(f"PRAGMA user_version = {len(_COLUMNS)}")
    database.execute("COMMIT")


@contextmanager
def _connection() -> Iterator[sqlite3.Connection]:
    """A connection for a moment: nothing is kept open between two calls, in whatever thread they come."""
    file = _jobs_folder() / "jobs.sqlite"
    try:
        with closing(sqlite3.connect(file, timeout=_BUSY_SECONDS, isolation_level=None)) as database:
            _prepare(database)
            yield database
    except sqlite3.Error as error:
        if "locked" in str(error):
            reason = f"another process has kept it locked for {_BUSY_SECONDS:g} s. Nothing was changed; try again"
            raise JobError(f"the database of jobs, {file}, is busy: {reason}") from error
        raise JobError(f"the database of jobs, {file}, could not be used: {error}") from error


@contextmanager
def _transaction() -> Iterator[sqlite3.Connection]:
    """All or nothing, and one at a time: two visitors cannot both find the last slot free."""
    with _connection() as database:
        database.execute("BEGIN IMMEDIATE")
        try:
            yield database
            database.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # a full disk rolls back by itself
                database.execute("ROLLBACK")
            raise


def _main(verb: str, *arguments: str) -> None:
    """The two errands a process of this module is sent on."""
    if verb == "work":
        _work(arguments[0], list(arguments[1:]))
    else:
        _end(int(arguments[0]), arguments[1], float(arguments[2]))


if __name__ == "__main__":
    _main(*sys.argv[1:])
