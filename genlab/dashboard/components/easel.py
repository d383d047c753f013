"""The easel: a 2×2 picture to draw, pictures to start from, and what a discriminator says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from genlab.dashboard.components import component

_mount = component("easel", family="slanted")


def easel(
    picture: Sequence[float],
    shelf: Mapping[str, Sequence[Sequence[float]]],
    *,
    score: float,
    says: str,
    total: str,
    key: str,
    on_change: Callable[[], None],
) -> None:
    """Show the easel.

    Args:
        picture: The four pixels, top-left, top-right, bottom-left, bottom-right; 0 is white.
        shelf: Pictures at hand, by the name of their shelf.
        score: D's output for the picture, in (0, 1).
        says: The verdict in words.
        total: The sum in words.
        key: In session state, ``{"drawing": {"picture", "settled"}}`` appears under it.
        on_change: Called when the visitor has drawn.
    """
    shelves = [{"name": name, "pictures": [list(map(float, each)) for each in pictures]} for name, pictures in shelf.items()]
    data: dict[str, Any] = {
        "picture": list(picture),
        "shelf": shelves,
        "shelf_id": str(hash(str(shelves))),
        "score": score,
        "says": says,
        "sum": total,
    }
    _mount(data=data, key=key, on_drawing_change=on_change)
