"""``genlab ablate`` and ``genlab compare`` in the background: one job in the queue, in a folder of its own that holds its trainings."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from genlab.jobs.limits import Demand, require_within_limits
from genlab.jobs.queue import ask_to_end, enter, launch, queue_in_words
from genlab.jobs.records import JobError, Row, connection, last_line, row_of, rows_of, save, transaction
from genlab.runs import runs_folder

FILES = {"ablate": "ablation.json", "compare": "comparison.json"}
"""Where a study of each verb is kept in its folder."""
_STOP_GRACE_SECONDS = 20.0


@dataclass(frozen=True)
class Study:
    """A study as seen from outside, at one moment.

    Attributes:
        name: Of its folder below the runs.
        path: The folder.
        verb: Of the command line, in `FILES`.
        is_active: Whether a process is at work on it or waits to be.
        is_stopping: Whether that one was asked to end.
        place: Its place in the queue, from 1; 0 if it does not wait.
        message: What its process said last, or while it waits its place in the queue.
        visitor: Who asked for it, or None.
    """

    name: str
    path: Path
    verb: str
    is_active: bool = False
    is_stopping: bool = False
    place: int = 0
    message: str = ""
    visitor: str | None = None

    def is_open_to(self, visitor: str | None) -> bool:
        """Whether that visitor may change it."""
        return visitor is None or self.visitor in (None, visitor)


def start_study(
    data: str,
    options: Sequence[str],
    *,
    verb: str = "ablate",
    key: str | None = None,
    visitor: str | None = None,
    demand: Demand | None = None,
) -> Study:
    """Queue ``genlab VERB --data DATA OPTIONS`` in a new folder.

    Args:
        data: A dataset's name.
        options: Further options of the command line.
        verb: In `FILES`.
        key: Names the request: a second call with the same key returns the study that the first one started.
        visitor: Who asks; `LIMITS` then hold, and nobody else may stop it.
        demand: What all of its trainings together will need.

    Raises:
        JobError: A limit would be passed, or the database or the disk refuses.
    """
    folder = Path(FILES[verb]).stem, data
    name = enter(folder, ("--data", data, *options), verb=verb, key=key, visitor=visitor, demand=demand)
    return _own(name, None)


def go_on_with_study(name: str, *, visitor: str | None = None) -> Study:
    """Go on with a study that ended before its time; one that is active is left alone.

    Raises:
        JobError: There is no such study, or it is another visitor's.
    """
    study = _own(name, visitor)
    with transaction() as database:
        now = time.time()
        row = row_of(database, name) or Row(name, (), created=now, started=now, verb=study.verb)
        if not row.is_alive:
            if visitor is not None:
                require_within_limits(database, visitor, Demand())
            save(database, row)
            path = runs_folder().resolve() / name
            launch(database, row, ["--out", str(path), *(() if (path / FILES[study.verb]).exists() else row.arguments)])
    return _own(name, None)


def stop_study(name: str, *, visitor: str | None = None) -> Study:
    """Ask a study to end: the training under way writes a checkpoint, and the study can be gone on with.

    Raises:
        JobError: There is no such study, or it is another visitor's.
    """
    study = _own(name, visitor)
    if study.is_active and not study.is_stopping:
        with transaction() as database:
            row = row_of(database, name)
            database.execute("UPDATE jobs SET stop_requested = ? WHERE name = ?", (time.time(), name))
        if row and row.pid and row.born:
            ask_to_end(row.pid, row.born, _STOP_GRACE_SECONDS)
    return _own(name, None)


def list_studies(verb: str | None = None) -> list[Study]:
    """The studies below the runs folder, of a verb or all, whoever began them, the newest first."""
    with connection() as database:
        rows = {row.name: row for row in rows_of(database, "verb IS NOT NULL")}
        queue = queue_in_words(database)
    try:
        folders = [(path, _verb(path, rows.get(path.name))) for path in runs_folder().iterdir() if path.is_dir()]
    except FileNotFoundError:
        folders = []
    except OSError as error:
        raise JobError(f"{runs_folder()} could not be read: {error.strerror}") from error
    found = [_seen(path, of, rows.get(path.name), queue) for path, of in folders if of and verb in (None, of)]
    return sorted(found, key=lambda study: (study.is_active, _time(study.path)), reverse=True)


def _own(name: str, visitor: str | None) -> Study:
    """The study, if that visitor may change it; the name is only ever compared."""
    study = next((study for study in list_studies() if study.name == name), None)
    if study is None:
        raise JobError(f"study must be one of the studies in {runs_folder()}; got {name!r}")
    if not study.is_open_to(visitor):
        raise JobError(f"study {name} belongs to another visitor: you can watch it, but not change it")
    return study


def _verb(path: Path, row: Row | None) -> str:
    """What a folder's study is of; empty if it holds none."""
    if row is not None and row.verb in FILES:
        return row.verb
    return next((verb for verb, file in FILES.items() if (path / file).is_file()), "")


def _seen(path: Path, verb: str, row: Row | None, queue: Mapping[str, str]) -> Study:
    if row is None:
        return Study(path.name, path, verb)
    place = list(queue).index(row.name) + 1 if row.name in queue else 0
    stopping = row.is_alive and row.stop_requested is not None
    message = queue.get(row.name) or last_line(row.name)
    return Study(row.name, path, verb, row.is_alive, stopping, place, message, row.visitor)


def _time(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
