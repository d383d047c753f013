"""Letter keys that tick checkboxes and Enter that goes on, so that a quiz needs no mouse and no tabbing."""

from __future__ import annotations

from collections.abc import Mapping

from genlab.dashboard.components import component

_mount = component("letters")


def letters(boxes: Mapping[str, str], *, button: str, hint: str) -> None:
    """Let each letter tick a checkbox, and Enter press a button; keys that are typed into a field are left alone.

    Args:
        boxes: From letter to the checkbox's widget key, which must be a word.
        button: The button's widget key, likewise.
        hint: Which keys there are, in words; shown once they work.
    """
    _mount(data={"boxes": dict(boxes), "button": button, "hint": hint}, key="letters")
