"""What can be asked for: start, resume, stop, rename, another learning rate."""

from __future__ import annotations

import time
from collections.abc import Sequence

from genlab.jobs.limits import Demand, require_within_limits
from genlab.jobs.processes import born_at
from genlab.jobs.queue import ask_to_end, enter, launch
from genlab.jobs.records import JobError, Row, row_of, save, transaction
from genlab.jobs.watching import RESUMABLE, Job, get, last_said, own
from genlab.runs import is_run, request_learning_rate, write_label

STOP_GRACE_SECONDS = 20.0  # a stop request waits for the step under way and writes a checkpoint


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
    name = enter((model, data), (model, "--data", data, *options), key=key, visitor=visitor, demand=demand)
    return get(name)


def resume(name: str, *, visitor: str | None = None) -> Job:
    """Go on with a run from its last checkpoint, as soon as a slot is free. A run that is active is left alone.

    Raises:
        JobError: There is no such run, it is another visitor's, or it cannot be resumed.
    """
    job = own(name, visitor, "resume")
    if job.is_active:
        return job
    if job.state not in RESUMABLE:
        raise JobError(f"run {name} cannot be resumed: it is {job.state}")
    with transaction() as database:
        row = row_of(database, name) or Row(name, ("--resume",), created=job.created, started=job.created)
        if row.is_alive:
            return job  # another click was quicker
        if visitor is not None:
            require_within_limits(database, visitor, Demand())
        out = ["--out", str(job.run.path.resolve())]
        has_begun = is_run(job.run.path)
        save(database, row)
        launch(database, row, [*out, "--resume"] if has_begun else [*out, *row.arguments], said=last_said(job.run))
    return get(name)


def stop(name: str, *, grace: float = STOP_GRACE_SECONDS, visitor: str | None = None) -> Job:
    """Ask a training to write a checkpoint and end. Returns at once.

    If it still lives `grace` seconds later, a second SIGTERM ends it in the middle of its step, and soon after SIGKILL does; the last
    checkpoint remains. Asking twice, or asking a run that is not active, changes nothing. One that waits leaves the queue.

    Raises:
        JobError: There is no such run, or it is another visitor's.
    """
    job = own(name, visitor, "stop")
    if job.is_active and job.state != "stopping" and job.pid and (born := born_at(job.pid)):
        with transaction() as database:
            save(database, Row(name, ("--resume",), job.created, job.created, begun=job.created))
            # The process may be another one than the row's: whoever resumes a run in a terminal enters nothing here.
            database.execute("UPDATE jobs SET pid = ?, born = ?, stop_requested = ? WHERE name = ?", (job.pid, born, time.time(), name))
        ask_to_end(job.pid, born, grace)
    return get(name)


def rename(name: str, label: str, *, visitor: str | None = None) -> Job:
    """Give a run a label for people to read. The folder keeps its name.

    Raises:
        JobError: There is no such run, or it is another visitor's.
        InputError: The label is too long.
        RunError: The disk is full or refuses.
    """
    job = own(name, visitor, "rename")
    write_label(job.run, label)
    return job


def change_learning_rate(name: str, rate: float, *, visitor: str | None = None) -> Job:
    """Ask a training to go on with another learning rate from its next step on.

    Raises:
        JobError: There is no such run, it is another visitor's, or it is not being trained.
        InputError: The rate is out of its bounds.
        RunError: The disk is full or refuses.
    """
    job = own(name, visitor, "change")
    if job.state != "running":
        raise JobError(f"run {name} has no learning rate to change: it is {job.state}")
    request_learning_rate(job.run, rate)
    return job
