"""The pad: draw the upper part of a picture, and the model finishes it twelve times at once."""

from __future__ import annotations

import zlib
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from genlab.dashboard.components import base64, component

_mount = component("pad")
_TEXT_AT_MOST = 8_000  # characters of an address; servers and browsers take some more


@dataclass(frozen=True, eq=False)
class Drawing:
    """What is on the pad.

    Attributes:
        levels: uint8 ``(C, H, W)``.
        rows: So many rows, from the top, are given to the model.
    """

    levels: NDArray[np.uint8]
    rows: int

    def as_text(self) -> str | None:
        """For an address; None if it is too long for one."""
        packed = urlsafe_b64encode(zlib.compress(self.levels.tobytes(), 9)).decode().rstrip("=")
        text = f"{self.rows}.{packed}"
        return text if len(text) <= _TEXT_AT_MOST else None


def from_text(text: str, image_shape: tuple[int, int, int], levels: int) -> Drawing | None:
    """A drawing out of an address, if it is one and fits; an address can hold anything, and unpacks to no more than the image."""
    rows, _, packed = text.partition(".")
    if len(text) > _TEXT_AT_MOST or not (rows.isascii() and rows.isdecimal()):
        return None
    size = int(np.prod(image_shape))
    try:
        stream = zlib.decompressobj()
        content = stream.decompress(urlsafe_b64decode(packed + "=" * (-len(packed) % 4)), size + 1)
    except (Base64Error, ValueError, zlib.error):
        return None
    return _checked(np.frombuffer(content, np.uint8), int(rows[:9]), image_shape, levels)


def pad(drawing: Drawing, levels: int, *, on_draw: Callable[[Drawing], None], whole: bool = False) -> None:
    """Show the pad.

    Args:
        drawing: What is on it. While the visitor draws on, the browser has newer strokes, and those stay.
        levels: Number of levels.
        on_draw: Called with what the visitor has drawn.
        whole: All of it is given to the model: there is no line to be set.
    """

    def drew() -> None:
        drawn = read(st.session_state["pad"].get("drawing"), levels, drawing)
        if drawn is not None:
            on_draw(drawn)

    said = (st.session_state.get("pad") or {}).get("drawing")
    data = {
        "heard": said.get("number") if isinstance(said, Mapping) else None,
        "shape": drawing.levels.shape,
        "levels": levels,
        "values": base64(drawing.levels.transpose(1, 2, 0)),
        "rows": drawing.levels.shape[1] if whole else drawing.rows,
        "whole": whole,
    }
    _mount(data=data, key="pad", on_drawing_change=drew)


def read(said: Any, levels: int, before: Drawing) -> Drawing | None:
    """What the browser said is on the pad, if it makes sense: what comes from there can be anything."""
    if not isinstance(said, Mapping):
        return None
    rows, text = said.get("rows"), said.get("values")
    if type(rows) is not int or not isinstance(text, str) or len(text) > 2 * before.levels.size + 4:
        return None
    try:
        values = np.frombuffer(b64decode(text, validate=True), np.uint8)
    except Base64Error:
        return None
    channels, height, width = before.levels.shape
    if values.size != before.levels.size:
        return None
    return _checked(values.reshape(height, width, channels).transpose(2, 0, 1), rows, (channels, height, width), levels)


def _checked(values: NDArray[np.uint8], rows: int, image_shape: tuple[int, int, int], levels: int) -> Drawing | None:
    """The drawing, if values and rows are what an image of the model has."""
    if values.size != np.prod(image_shape) or values.max() >= levels or not 0 <= rows <= image_shape[1]:
        return None
    return Drawing(np.ascontiguousarray(values.reshape(image_shape)), rows)
