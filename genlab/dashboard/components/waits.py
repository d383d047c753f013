"""Which pixels wait for which: small grids on one clock, each pixel lit at the step at which it can be computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlab.dashboard.components import component
from genlab.receptive_field import Waiting

_mount = component("waits", scripts=["player.js"])


@dataclass(frozen=True)
class Panel:
    """One grid.

    Attributes:
        title: Above its words.
        waiting: Who waits for whom.
        words: What else there is to say.
    """

    title: str
    waiting: Waiting
    words: str = ""

    def as_data(self) -> dict[str, Any]:
        """For the browser."""
        steps = self.waiting.steps
        count = int(steps.max())
        return {
            "title": self.title,
            "count": f"{count} step" + ("s" if count > 1 else "") + f" for {steps.shape[0]}×{steps.shape[1]} pixels",
            "words": self.words,
            "steps": count,
            "width": steps.shape[1],
            "height": steps.shape[0],
            "at": steps.ravel().tolist(),
            "waits": [_places(awaited) for awaited in self.waiting.awaited.reshape(steps.size, steps.size)],
        }


def waits(groups: Mapping[str, Sequence[Panel]], *, identity: str) -> None:
    """Show the grids, and play them.

    Args:
        groups: Grids side by side under a heading, all on one clock.
        identity: As long as it stays the same, the play goes on where it is when the page runs again.
    """
    _mount(
        data={
            "id": identity,
            "groups": [{"title": title, "panels": [panel.as_data() for panel in panels]} for title, panels in groups.items()],
        },
        key="waits",
    )


def _places(awaited: NDArray[np.bool_]) -> list[int]:
    places: list[int] = np.flatnonzero(awaited).tolist()
    return places
