"""Deleted runs can be brought back for a day."""

from __future__ import annotations

import shutil
import time

from genlab.jobs.records import JobError, Row, connection, move, names_in, output_path, row_of, rows_of, save, transaction, trash_folder
from genlab.jobs.watching import Job, get, own, require_owner
from genlab.runs import runs_folder

_KEEP_REMOVED_SECONDS = 24 * 3600.0


def remove(name: str, *, visitor: str | None = None) -> None:
    """Move a run to the trash, from where :func:`restore` brings it back for a day.

    Raises:
        JobError: There is no such run, it is another visitor's, or it is active.
        RunError: A process is training into it.
    """
    job = own(name, visitor, "delete")
    if job.is_active:
        raise JobError(f"run {name} cannot be deleted: it is {job.state}; stop it first")
    with transaction() as database, job.run.lock():
        save(database, row_of(database, name) or Row(name, ("--resume",), created=job.created, started=job.created))
        database.execute("UPDATE jobs SET removed = ? WHERE name = ?", (time.time(), name))
        move(job.run.path, trash_folder() / name)
    _empty_trash()


def restore(name: str, *, visitor: str | None = None) -> Job:
    """Bring a removed run back as it was.

    Raises:
        JobError: No such run is in the trash, it is another visitor's, or there is a run of that name again.
    """
    with transaction() as database:
        row = row_of(database, name)
        if row is None or row.removed is None or name not in names_in(trash_folder()):
            raise JobError(f"run must be one of the deleted runs; got {name!r}")
        require_owner(name, row.visitor, visitor, "restore")
        if name in names_in(runs_folder()):
            raise JobError(f"run {name} cannot be brought back: there is a run of that name again")
        database.execute("UPDATE jobs SET removed = NULL WHERE name = ?", (name,))
        move(trash_folder() / name, runs_folder() / name)
    return get(name)


def list_removed(visitor: str | None = None) -> list[str]:
    """The names of the runs that this visitor can bring back, the one removed last first."""
    kept = names_in(trash_folder())
    with connection() as database:
        rows = [
            row
            for row in rows_of(database, "removed IS NOT NULL")
            if row.name in kept and (visitor is None or row.visitor in (None, visitor))
        ]
    return [row.name for row in sorted(rows, key=lambda row: row.removed or 0.0, reverse=True)]


def _empty_trash() -> None:
    """Delete for good what was removed long ago."""
    kept = names_in(trash_folder())
    with transaction() as database:
        for row in rows_of(database, "removed < ?", time.time() - _KEEP_REMOVED_SECONDS):
            if row.name in kept:
                shutil.rmtree(trash_folder() / row.name, ignore_errors=True)
            output_path(row.name).unlink(missing_ok=True)
            database.execute("DELETE FROM jobs WHERE name = ?", (row.name,))
