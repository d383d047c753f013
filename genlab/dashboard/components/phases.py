"""The phase diagram's picture: what becomes of the runs of every setting, a map that fills while it is computed."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from genlab.dashboard.components import component

_mount = component("phases", family="slanted")

Array = npt.NDArray[Any]
Kind = Literal["varied", "same", "none"]
LEGEND: dict[Kind, str] = {
    "varied": "draws faces, and another z gives another face",
    "same": "draws a face, but always the same: it ignores z",
    "none": "draws no faces",
}


@dataclass(frozen=True)
class Axis:
    """One side of the map.

    Attributes:
        name: What it measures.
        values: The values of its cells in words.
        ticks: Words and their places, from 0 to 1.
    """

    name: str
    values: Sequence[str]
    ticks: Sequence[tuple[str, float]]


@dataclass(frozen=True)
class Map:
    """The map so far.

    Attributes:
        x: The columns.
        y: The rows, from the bottom up.
        runs_per_cell: Runs behind every cell.
        varied: How many of them draw faces and heed z, (rows, columns).
        same: How many draw faces and ignore z, (rows, columns).
        rows_known: Rows that are computed.
        done: Share of the work that is done.
        status: The state of the work in words.
    """

    x: Axis
    y: Axis
    runs_per_cell: int
    varied: Array
    same: Array
    rows_known: int
    done: float
    status: str


@dataclass(frozen=True)
class Outcome:
    """One run of the chosen cell.

    Attributes:
        seed: Its seed.
        picture: What it draws at z = ½.
        kind: What became of it.
    """

    seed: int
    picture: tuple[float, ...]
    kind: Kind


def phases(
    plan: Map,
    chosen: tuple[int, int] | None,
    runs: Sequence[Outcome],
    *,
    identity: str,
    key: str,
    on_cell: Callable[[], None],
) -> int | None:
    """Show the map.

    Args:
        plan: The map.
        chosen: Row and column of the chosen cell.
        runs: Its runs.
        identity: As long as it stays the same, the cursor stays where it is when the page runs again.
        key: In session state, ``{"cell": [row, column]}`` appears under it.
        on_cell: Called when a cell is chosen.

    Returns:
        The seed of the run that the visitor has just asked to open; one of `runs`.
    """
    data = {
        "id": identity,
        **_side("x", plan.x),
        **_side("y", plan.y),
        "runs_per_cell": plan.runs_per_cell,
        "varied": _counts(plan.varied),
        "same": _counts(plan.same),
        "rows_known": plan.rows_known,
        "done": plan.done,
        "status": plan.status,
        "legend": [{"name": name, "text": text} for name, text in LEGEND.items()],
        "chosen": None if chosen is None else list(chosen),
        # As text: a number of JavaScript has 53 bits.
        "runs": [{"seed": str(run.seed), "picture": list(run.picture), "kind": run.kind, "words": LEGEND[run.kind]} for run in runs],
        "runs_words": "What each of them draws at z = ½. Click one to watch its training.",
    }
    result = _mount(data=data, key=key, on_cell_change=on_cell, on_opened_change=lambda: None)
    return next((run.seed for run in runs if str(run.seed) == result["opened"]), None)


def _side(name: str, axis: Axis) -> dict[str, Any]:
    ticks = [{"text": text, "at": at} for text, at in axis.ticks]
    return {f"{name}_name": axis.name, f"{name}s": list(axis.values), f"{name}_ticks": ticks}


def _counts(array: Array) -> str:
    return b64encode(np.ascontiguousarray(array, "<u2").tobytes()).decode("ascii")
