"""What a visitor may ask for. The library and the command line have no such limits."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from genlab.jobs.records import JobError, jobs_folder, rows_of, trash_folder
from genlab.runs import runs_folder


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


def require_within_limits(database: sqlite3.Connection, visitor: str, demand: Demand) -> None:
    """Refuse what would take a visitor over a limit.

    Raises:
        JobError: Which limit, and what is asked for.
    """
    for what, asked, most in (
        ("minutes", demand.minutes, LIMITS.minutes),
        ("steps", demand.steps, LIMITS.steps),
        ("parameters", demand.parameters, LIMITS.parameters),
    ):
        if asked is not None and asked > most:
            raise JobError(f"{what} must be at most {most:,} for a visitor; this training asks for {asked:,}")
    rows = rows_of(database, "visitor = ?", visitor)
    active = [row.name for row in rows if row.is_alive]
    if len(active) >= LIMITS.jobs:
        raise JobError(f"a visitor can have {LIMITS.jobs} trainings at work or in the queue; stop one of {', '.join(active)} or wait")
    used = sum(_bytes_below(folder / row.name) for row in rows for folder in (runs_folder(), trash_folder()))
    if used > LIMITS.disk:
        raise JobError(f"your runs take {used / 2**20:,.0f} MB of disk, the limit is {LIMITS.disk / 2**20:,.0f} MB; delete some")
    free = shutil.disk_usage(jobs_folder()).free
    if free < LIMITS.spare:
        raise JobError(f"the disk is nearly full: {free / 2**20:,.0f} MB are free, {LIMITS.spare / 2**20:,.0f} MB must stay free")


def _bytes_below(folder: Path) -> int:
    total = 0
    for parent, _, files in os.walk(folder):
        for file in files:
            with suppress(FileNotFoundError):  # a checkpoint is renamed at any moment
                total += (Path(parent) / file).lstat().st_size
    return total
