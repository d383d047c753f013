"""A run's records for other programs: a table as CSV, and the event files that TensorBoard reads."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from genlab.errors import InputError
from genlab.runs import Run

KINDS = ("train", "valid")
"""The kinds of records that hold figures."""
_BESIDE = ("epoch", "seconds", "learning_rate", "images_per_second")


def table(run: Run) -> str:
    """All figures of a run as CSV: a line a record, with its kind and step, then a column a figure, empty where a record has none.

    Raises:
        RunError: The run's records are torn.
    """
    rows = [{"kind": kind, "step": step, **figures} for kind, step, _, figures in _records(run)]
    names = dict.fromkeys(name for row in rows for name in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(names) or ["kind", "step"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_tensorboard(run: Run, folder: Path) -> Path:
    """The same figures as event files: tags ``train/…`` and ``valid/…``, at the run's steps and its own seconds.

    Args:
        run: The run.
        folder: A log directory for ``tensorboard --logdir``; the run gets a folder of its own name in it.

    Returns:
        That folder.

    Raises:
        InputError: TensorBoard is not installed, or the run's folder is there already and not empty (its events would be drawn on top).
        RunError: The run's records are torn.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError("event files need TensorBoard: pip install 'genlab[tensorboard]'") from error
    records = list(_records(run))
    place = folder / run.name
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise InputError(f"{place} must be a new or an empty folder: events that are there already would be drawn on top")
    writer = SummaryWriter(str(place))
    try:
        for kind, step, seconds, figures in records:
            for name, value in figures.items():
                writer.add_scalar(f"{kind}/{name}", value, step, walltime=seconds)
    finally:
        writer.close()
    return place


def _records(run: Run) -> Iterator[tuple[str, int, float, dict[str, float]]]:
    """Kind, step, seconds since the run began, and figures of each record that has any."""
    for record in run.metrics():
        if record["kind"] in KINDS:
            beside = {name: record[name] for name in _BESIDE if _is_number(record.get(name))}
            own = {name: value for name, value in record["values"].items() if _is_number(value)}
            yield record["kind"], record["step"], float(record.get("seconds", 0.0)), beside | own


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
