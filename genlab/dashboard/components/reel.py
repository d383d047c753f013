"""The reel: trainings of the toy GAN that were recorded, played side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from genlab.dashboard.components import component

_mount = component("reel", family="slanted", scripts=["player.js"])

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Lane:
    """One training, a row for every recorded step.

    Attributes:
        name: The loss it was trained by.
        formula: What G minimises.
        pictures: What G draws at every z of the reel, (rows, draws, 4).
        states: The 13 weights, (rows, 13).
        d_loss: D's loss in nats, (rows,).
        g_loss: −ln D(G(z)) in nats, (rows,).
        words: Each row in a sentence.
    """

    name: str
    formula: str
    pictures: Array
    states: Array
    d_loss: Array
    g_loss: Array
    words: Sequence[str]


def reel(
    steps: Sequence[int],
    lanes: Sequence[Lane],
    *,
    z: Sequence[float],
    ideals: Mapping[str, tuple[float, str]],
    start: int | None,
    identity: str,
    key: str,
    on_step: Callable[[], None],
) -> int | None:
    """Show the reel.

    Args:
        steps: The steps that were recorded.
        lanes: The trainings.
        z: The draws behind the pictures.
        ideals: Losses to compare with: by name, the value in nats and whose it is, ``"d"`` or ``"g"``.
        start: The row to stand still at, or None to play from the start.
        identity: As long as it stays the same, the play goes on where it is when the page runs again.
        key: In session state, ``{"step": step}`` appears under it.
        on_step: Called when the visitor has pulled the scrubber to a step.

    Returns:
        The step that the visitor has just asked to see closely.
    """
    data = {
        "id": identity,
        "steps": list(map(int, steps)),
        "z": list(map(float, z)),
        "start": start,
        "most": max(float(np.percentile(np.concatenate([lane.d_loss, lane.g_loss]), 99)) for lane in lanes) * 1.1,
        "ideals": [{"name": name, "loss": loss, "of": of} for name, (loss, of) in ideals.items()],
        "lanes": [
            {
                "name": lane.name,
                "formula": lane.formula,
                "pictures": np.round(lane.pictures, 4).tolist(),
                "states": np.round(lane.states, 4).tolist(),
                "d": np.round(lane.d_loss, 4).tolist(),
                "g": np.round(lane.g_loss, 4).tolist(),
                "words": list(lane.words),
            }
            for lane in lanes
        ],
    }
    result = _mount(data=data, key=key, on_step_change=on_step, on_inspected_change=lambda: None)
    inspected = result["inspected"]
    return int(inspected) if isinstance(inspected, int | float) else None
