"""Letter keys that tick checkboxes, so that a quiz needs no mouse and no tabbing."""

from __future__ import annotations

from collections.abc import Mapping

from genlab.dashboard.components import component

_mount = component("letters")


def letters(boxes: Mapping[str, str]) -> None:
    """Let each letter tick the checkbox of that widget key; shows nothing, and leaves letters alone that are typed into a field."""
    _mount(data={"boxes": dict(boxes)}, key="letters", height=1)
