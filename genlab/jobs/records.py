"""The database: a row a job, which remembers the process, for whom, and the request; and the folders beside it.

No state is stored, so none can go stale. Connections are short: nothing is kept open between two calls, in whatever thread they come.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genlab.errors import GenlabError
from genlab.jobs.processes import is_alive
from genlab.runs import new_run_path, runs_folder

BUSY_SECONDS = 5.0
_COLUMNS = {
    "name": "TEXT PRIMARY KEY",  # of the run folder
    "key": "TEXT UNIQUE",  # the start request it answers; asking twice starts once
    "arguments": "TEXT NOT NULL",  # JSON list, what follows `genlab train`
    "pid": "INTEGER",
    "born": "TEXT",  # see born_at
    "created": "REAL NOT NULL",  # Unix times
    "started": "REAL NOT NULL",  # started or resumed last
    "stop_requested": "REAL",
    "begun": "REAL",  # got its slot
    "visitor": "TEXT",  # who asked for it, NULL for the library and the command line
    "removed": "REAL",  # moved to the trash
    "turn": "INTEGER",  # the order in which processes were launched; clocks are set back, this is not
    "said": "TEXT",  # the run's last event when the process was launched: it was said by an earlier one
    "verb": "TEXT",  # what of the command line it becomes; NULL for a training
    "minutes": "REAL",  # its budget of training time, if it has one
}
VERSION = 15  # of the table; a genlab that knows a lower one keeps its hands off


class JobError(GenlabError, RuntimeError):
    """A job that cannot be started, stopped or resumed as things stand."""


@dataclass(frozen=True)
class Row:
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
    turn: int | None = None
    said: str | None = None
    verb: str | None = None
    minutes: float | None = None

    @property
    def is_alive(self) -> bool:
        """Whether its process lives."""
        return is_alive(self.pid, self.born)


def row_of(database: sqlite3.Connection, name: str) -> Row | None:
    """What is remembered of a job, or None."""
    return next(iter(rows_of(database, "name = ?", name)), None)


def rows_of(database: sqlite3.Connection, condition: str = "1", *values: object) -> list[Row]:
    """The rows that meet a condition, in the order of the queue."""
    found = database.execute(f"SELECT {', '.join(_COLUMNS)} FROM jobs WHERE {condition} ORDER BY turn, name", values)
    return [_read(dict(zip(_COLUMNS, record, strict=True))) for record in found]


def save(database: sqlite3.Connection, row: Row) -> None:
    """Insert a row, unless the job has one."""
    values = {name: getattr(row, name) for name in _COLUMNS} | {"arguments": json.dumps(row.arguments)}
    places = ", ".join(f":{name}" for name in _COLUMNS)
    database.execute(f"INSERT INTO jobs ({', '.join(_COLUMNS)}) VALUES ({places}) ON CONFLICT (name) DO NOTHING", values)


@contextmanager
def connection() -> Iterator[sqlite3.Connection]:
    """A connection for a moment: nothing is kept open between two calls, in whatever thread they come."""
    file = _file()
    try:
        with closing(sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)) as database:
            _prepare(database)
            yield database
    except sqlite3.Error as error:
        if "locked" in str(error):
            reason = f"another process has kept it locked for {BUSY_SECONDS:g} s. Nothing was changed; try again"
            raise JobError(f"the database of jobs, {file}, is busy: {reason}") from error
        raise JobError(f"the database of jobs, {file}, could not be used: {error}") from error
    except OSError as error:
        raise JobError(f"{error.filename or file} could not be used: {error.strerror}") from error


@contextmanager
def transaction() -> Iterator[sqlite3.Connection]:
    """All or nothing, and one at a time: two visitors cannot both find the last slot free."""
    with connection() as database:
        database.execute("BEGIN IMMEDIATE")
        try:
            yield database
            database.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # a full disk rolls back by itself
                database.execute("ROLLBACK")
            raise


def _read(record: Mapping[str, Any]) -> Row:
    try:
        return Row(**{**record, "arguments": tuple(json.loads(record["arguments"]))})
    except (ValueError, TypeError):
        raise JobError(f"the database of jobs holds no arguments for {record['name']!r}; got {record['arguments']!r:.60}") from None


def _prepare(database: sqlite3.Connection) -> None:
    """Make the table, or add the columns that an older genlab did not have. Only reads if there is nothing to do."""
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise JobError(f"the database of jobs, {_file()}, is of version {version}, this genlab knows {VERSION}: use the newer genlab here")
    if version == VERSION:
        return
    _use_write_ahead_log(database)
    database.execute("BEGIN IMMEDIATE")
    database.execute(f"CREATE TABLE IF NOT EXISTS jobs ({', '.join(f'{name} {kind}' for name, kind in _COLUMNS.items())})")
    present = {column[1] for column in database.execute("PRAGMA table_info(jobs)")}
    for name in _COLUMNS.keys() - present:
        database.execute(f"ALTER TABLE jobs ADD COLUMN {name} {_COLUMNS[name]}")
    database.execute("UPDATE jobs SET turn = rowid WHERE turn IS NULL")
    database.execute(f"PRAGMA user_version = {VERSION}")
    database.execute("COMMIT")


def new_folder(model: str, data: str) -> Path:
    """A new, empty run folder, of a name that no run in the trash has: that of one deleted within this second would be free again."""
    taken: list[Path] = []
    try:
        while (path := new_run_path(model, data).resolve()).name in names_in(trash_folder()):
            taken.append(path)
        for empty in taken:
            empty.rmdir()
        return path
    except OSError as error:
        raise JobError(f"a run folder in {runs_folder()} could not be made: {error.strerror}") from error


def _use_write_ahead_log(database: sqlite3.Connection) -> None:
    """Readers then don't wait for whoever writes. Unlike all other statements this one does not wait its turn by itself."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def _file() -> Path:
    return jobs_folder() / "jobs.sqlite"


def jobs_folder() -> Path:
    """Where the database is, made if it is not there."""
    folder = runs_folder() / ".jobs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JobError(f"the folder of jobs, {folder}, could not be made: {error.strerror}") from error
    return folder


def trash_folder() -> Path:
    """Where deleted runs lie."""
    return jobs_folder() / "trash"


def output_path(name: str) -> Path:
    """What the process printed, beside the run: it may fail before the run folder holds anything."""
    return jobs_folder() / f"{name}.txt"


def last_line(name: str) -> str:
    """What the process said before it ended; empty if nothing."""
    try:
        lines = output_path(name).read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        lines = []
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def names_in(folder: Path) -> set[str]:
    """The names in a folder, none if there is no such folder."""
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def move(source: Path, target: Path) -> None:
    """Rename a folder, into one that is made if need be."""
    try:
        target.parent.mkdir(exist_ok=True)
        source.rename(target)
    except OSError as error:
        raise JobError(f"{source} could not be moved to {target}: {error.strerror}") from error
