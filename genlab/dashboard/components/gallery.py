"""The gallery's walls: samples of each model with what it cost, from year to year; each is a door to where it can be tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import numpy as np
from numpy.typing import NDArray

from genlab.dashboard.components import base64, component

_mount = component("gallery")


@dataclass(frozen=True, eq=False)
class Frame:
    """What hangs side by side of one model.

    Attributes:
        page: Where its door leads.
        at: What that page's address says there.
        title: What the model is called.
        year: Of its paper.
        paper: Who wrote that.
        lines: What is to be known of it, each a name and words.
        images: Levels ``(N, C, H, W)``.
        levels: Their number.
    """

    page: str
    at: Mapping[str, str]
    title: str
    year: int
    paper: str
    lines: Sequence[tuple[str, str]]
    images: NDArray[np.uint8]
    levels: int


def gallery(frames: Sequence[Frame]) -> Frame | None:
    """Show them.

    Returns:
        The one whose door was opened just now, or None.
    """
    state = _mount(data=[_as_data(frame) for frame in frames], key="gallery", on_open_change=lambda: None)
    opened = state.open
    return frames[opened] if isinstance(opened, int) and 0 <= opened < len(frames) else None


def _as_data(frame: Frame) -> dict[str, object]:
    return {
        "door": f"{frame.page}?{urlencode(frame.at)}",
        "title": frame.title,
        "year": frame.year,
        "paper": frame.paper,
        "lines": [list(line) for line in frame.lines],
        "shape": frame.images.shape[1:],
        "count": len(frame.images),
        "levels": frame.levels,
        "values": base64(frame.images.transpose(0, 2, 3, 1)),
    }
