"""The neuron: a discriminator whose weights the visitor sets, as a graph, and how it judges a shelf of pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genlab.dashboard.components import component

_mount = component("neuron", family="slanted")


@dataclass(frozen=True)
class Judged:
    """A picture on the line between 0 and 1.

    Attributes:
        picture: Its four pixels.
        face: Whether it is a face.
        score: What D gives for it, in (0, 1).
        right: Whether D is right about it.
    """

    picture: tuple[float, ...]
    face: bool
    score: float
    right: bool


def neuron(
    picture: Sequence[float],
    weights: Sequence[float],
    *,
    total: float,
    score: float,
    curve: Sequence[tuple[float, float]],
    says: str,
    shelf: Sequence[Judged],
    presets: Mapping[str, Sequence[float]],
    limit: float,
    verdict: tuple[str, str],
    key: str,
    on_change: Callable[[], None],
) -> None:
    """Show the neuron.

    Args:
        picture: What it looks at.
        weights: The four weights and the bias.
        total: Its sum g.
        score: σ(g).
        curve: Points (g, σ(g)) of the sigmoid, for the drawing inside the neuron.
        says: The verdict on the picture in words.
        shelf: All pictures, faces first.
        presets: Weights to start from, by name.
        limit: Weights lie between minus and plus this.
        verdict: How many are right, and a sentence about it.
        key: In session state, ``{"hand": {"picture", "weights", "settled"}}`` appears under it.
        on_change: Called when the visitor has changed a pixel or a weight.
    """
    data: dict[str, Any] = {
        "picture": list(picture),
        "weights": list(weights),
        "total": total,
        "score": score,
        "curve": [list(point) for point in curve],
        "says": says,
        "shelf": [{"picture": list(each.picture), "face": each.face, "score": each.score, "right": each.right} for each in shelf],
        "presets": [{"name": name, "weights": list(map(float, each))} for name, each in presets.items()],
        "limit": limit,
        "verdict": verdict[0],
        "verdict_words": verdict[1],
    }
    _mount(data=data, key=key, on_hand_change=on_change)
