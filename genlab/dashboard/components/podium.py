"""The podium of present mode: keys that go on, back and out, and buttons that do the same."""

from __future__ import annotations

from collections.abc import Callable

from genlab.dashboard.components import component

_mount = component("podium")


def podium(*, place: str, before: str, on_leave: Callable[[], None]) -> bool:
    """Listen to the keys.

    On goes whatever on the page is called ``Next: …``, a step within it or the link to the next page.

    Args:
        place: Where in the lecture this page stands, in words.
        before: The title of the page before; empty at the beginning.
        on_leave: Called when present mode is left.

    Returns:
        Whether the visitor goes back to the page before.
    """
    state = _mount(data={"place": place, "before": before}, key="podium of the page", on_back_change=lambda: None, on_leave_change=on_leave)
    return bool(state.back)
