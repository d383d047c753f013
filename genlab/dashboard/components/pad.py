"""The pad: draw the upper part of a digit, and the model finishes it twelve times at once."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlab.dashboard.components import base64, component

_mount = component("pad")


@dataclass(frozen=True, eq=False)
class Drawing:
    """What is on the pad.

    Attributes:
        levels: uint8 ``(H, W)``.
        rows: So many rows, from the top, are given to the model.
    """

    levels: NDArray[np.uint8]
    rows: int


def pad(start: Drawing, levels: int, *, identity: str) -> Drawing:
    """Show the pad.

    Args:
        start: What is on it at first.
        levels: Number of levels.
        identity: Another one puts `start` on it again.

    Returns:
        What is on it now.
    """
    height, width = start.levels.shape
    data = {"id": identity, "shape": (1, height, width), "levels": levels, "values": base64(start.levels), "rows": start.rows}
    state = _mount(data=data, key="pad", on_drawing_change=lambda: None)
    return read(state.drawing, identity, levels, start)


def read(said: Any, identity: str, levels: int, start: Drawing) -> Drawing:
    """What the browser said is on the pad, if it makes sense: what comes from there can be anything."""
    if not isinstance(said, Mapping) or said.get("id") != identity:
        return start
    rows, text = said.get("rows"), said.get("values")
    if type(rows) is not int or not 0 <= rows <= len(start.levels) or not isinstance(text, str) or len(text) > 2 * start.levels.size + 4:
        return start
    try:
        values = np.frombuffer(b64decode(text, validate=True), np.uint8)
    except Base64Error:
        return start
    if values.size != start.levels.size or values.max() >= levels:
        return start
    return Drawing(values.reshape(start.levels.shape), rows)
