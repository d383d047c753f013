"""What a visitor may ask for. The library and the command line have no such limits."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from genlab import classroom
from genlab.jobs.records import JobError, Row, jobs_folder, rows_of, trash_folder
from genlab.runs import runs_folder


@dataclass(frozen=True)
class Limits:
    """What one visitor may ask for, and all of them together, since whoever deletes a cookie is another visitor.

    Attributes:
        jobs: Trainings at work or in the queue at the same time.
        minutes: The largest budget of training time.
        steps: The most steps of one training.
        parameters: The most parameters of a model.
        disk: Bytes in all run folders of the visitor, deleted ones that can still be brought back included.
        spare: Bytes that must stay free on the disk.
        jobs_in_all: Trainings of all visitors at work or in the queue.
        disk_in_all: Bytes in all run folders of all visitors.
    """

    jobs: int = 4
    minutes: float = 240
    steps: int = 2_000_000
    parameters: int = 10_000_000
    disk: int = 4 * 2**30
    spare: int = 256 * 2**20
    jobs_in_all: int = 12
    disk_in_all: int = 16 * 2**30


# Sixty on two cores: a training each at most, so short that twelve in the queue are over within half an hour.
FOR_A_CLASS = Limits(
    jobs=1, minutes=2, steps=100_000, parameters=2_000_000, disk=128 * 2**20, spare=512 * 2**20, jobs_in_all=12, disk_in_all=4 * 2**30
)
LIMITS = FOR_A_CLASS if classroom.is_on() else Limits()


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
    rows = rows_of(database, "visitor IS NOT NULL")
    _require_place_in_queue([row for row in rows if row.is_alive], visitor)
    _require_disk(rows, visitor)


def _require_place_in_queue(active: list[Row], visitor: str) -> None:
    mine = [row.name for row in active if row.visitor == visitor]
    if len(mine) >= LIMITS.jobs:
        raise JobError(f"a visitor can have {LIMITS.jobs} trainings at work or in the queue; stop one of {', '.join(mine)} or wait")
    if len(active) >= LIMITS.jobs_in_all:
        raise JobError(f"all visitors together can have {LIMITS.jobs_in_all} trainings at work or in the queue; wait until one has ended")


def _require_disk(rows: list[Row], visitor: str) -> None:
    sizes = {row: sum(_bytes_below(folder / row.name) for folder in (runs_folder(), trash_folder())) for row in rows}
    mine, used = sum(size for row, size in sizes.items() if row.visitor == visitor), sum(sizes.values())
    if mine > LIMITS.disk:
        raise JobError(f"your runs take {_megabytes(mine)} of disk, the limit is {_megabytes(LIMITS.disk)}; delete some")
    if used > LIMITS.disk_in_all:
        raise JobError(f"the runs of all visitors take {_megabytes(used)} of disk, the limit is {_megabytes(LIMITS.disk_in_all)}")
    free = shutil.disk_usage(jobs_folder()).free
    if free < LIMITS.spare:
        raise JobError(f"the disk is nearly full: {_megabytes(free)} are free, {_megabytes(LIMITS.spare)} must stay free")


def _megabytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MB"


def _bytes_below(folder: Path) -> int:
    total = 0
    for parent, _, files in os.walk(folder):
        for file in files:
            with suppress(FileNotFoundError):  # a checkpoint is renamed at any moment
                total += (Path(parent) / file).lstat().st_size
    return total
