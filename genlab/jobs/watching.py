"""A run as seen from outside, at one moment: from the kernel, the lock and the run folder, whoever started it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from genlab.errors import RunError
from genlab.jobs.queue import queue_in_words
from genlab.jobs.records import JobError, Row, connection, last_line, row_of, rows_of
from genlab.runs import Run, list_runs, runs_folder

State = Literal["queued", "starting", "running", "stopping", "stopped", "finished", "failed", "lost"]
ACTIVE: frozenset[State] = frozenset({"queued", "starting", "running", "stopping"})
RESUMABLE: frozenset[State] = frozenset({"stopped", "failed", "lost"})
_ENDS: dict[str, State] = {"finished": "finished", "stopped": "stopped", "failed": "failed"}
_LOST = "the process ended without a word: it was killed, or the computer went down"


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
        except OSError:
            return None

    def is_open_to(self, visitor: str | None) -> bool:
        """Whether that visitor may change it: those who asked for it may, and everybody if nobody in particular did."""
        return visitor is None or self.visitor in (None, visitor)


def get(name: str) -> Job:
    """The job of a run, whoever started it.

    Raises:
        JobError: There is no such run.
    """
    with connection() as database:
        row = row_of(database, name)
        queue = queue_in_words(database) if row and row.begun is None else {}
        # A name is only ever compared with names that exist: nothing a visitor types becomes a path.
        if name not in _times([row] if row else []):
            raise JobError(f"run must be one of the runs in {runs_folder()}; got {name!r}")
    return _observe(Run(runs_folder() / name), row, queue)


def list_names() -> list[str]:
    """The names of all runs in the runs folder, the newest first; also of those that were started elsewhere."""
    with connection() as database:
        return list(_times(rows_of(database)))


def list_jobs() -> list[Job]:
    """All runs of the runs folder, the newest first."""
    with connection() as database:
        rows = {row.name: row for row in rows_of(database)}
        queue = queue_in_words(database)
        names = list(_times(rows.values()))
    return [_observe(Run(runs_folder() / name), rows.get(name), queue) for name in names]


def own(name: str, visitor: str | None, verb: str) -> Job:
    """The job, if that visitor may change it."""
    job = get(name)
    require_owner(name, job.visitor, visitor, verb)
    return job


def require_owner(name: str, owner: str | None, visitor: str | None, verb: str) -> None:
    """Refuse the verb to whoever is not the owner."""
    if None not in (owner, visitor) and owner != visitor:
        raise JobError(f"run {name} belongs to another visitor: you can watch it, but not {verb} it")


def _times(rows: Iterable[Row]) -> dict[str, float]:
    """The names of all runs and when they were asked for, the newest first."""
    created = {run.name: _config_time(run) for run in list_runs()}
    trainings = [row for row in rows if row.verb is None and row.removed is None]
    created |= {row.name: row.created for row in trainings if (runs_folder() / row.name).is_dir()}
    return dict(sorted(created.items(), key=lambda item: item[1], reverse=True))


def _observe(run: Run, row: Row | None, queue: Mapping[str, str]) -> Job:
    """The job as it is right now, from the kernel and the run folder; a damaged folder is a job that failed, and hides no other."""
    known: dict[str, Any] = {"created": row.created if row else _config_time(run), "visitor": row.visitor if row else None}
    is_alive = row is not None and row.is_alive
    place = list(queue).index(run.name) + 1 if run.name in queue else 0
    last: dict[str, Any] | None = None
    damage = ""
    try:
        known["pid"] = row.pid if row and is_alive else run.holder
        last = _last_event(run)
    except RunError as error:
        damage = str(error)
    except OSError as error:
        damage = f"{error.filename or run.path} could not be read: {error.strerror}"
    if row and last and row.said == _as_said(last):
        last = None  # by an earlier process
    message = str(last.get("message") or "") if last else damage
    if known.setdefault("pid", None) is not None:
        if row and row.stop_requested and is_alive:
            return Job(run, "stopping", message, **known)
        if place:
            return Job(run, "queued", queue[run.name], place=place, **known)
        return Job(run, "running" if last or damage else "starting", message, **known)
    if damage:
        return Job(run, "failed", damage, **known)
    if last is None and row and row.stop_requested:
        return Job(run, "stopped", "stopped before the first step", **known)
    if last is None and row and (line := last_line(run.name)):
        return Job(run, "failed", line, **known)
    state = _ENDS.get(str(last.get("event"))) if last else None
    return Job(run, state, message, **known) if state else Job(run, "lost", _LOST, **known)


def last_said(run: Run) -> str | None:
    """The run's last event, by which what an earlier process said is told from what a new one says; no clock is asked."""
    try:
        last = _last_event(run)
    except (RunError, OSError):
        return None
    return _as_said(last) if last else None


def _as_said(event: Mapping[str, Any]) -> str:
    return json.dumps(event, sort_keys=True)


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


def _config_time(run: Run) -> float:
    try:
        return (run.path / "config.json").stat().st_mtime
    except OSError:
        return 0.0  # removed this very moment, or not for us to see
