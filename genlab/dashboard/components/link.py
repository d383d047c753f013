"""Which slides a page shows, and two buttons: one copies the address of what is shown, for a neighbour or for later, one presents."""

from __future__ import annotations

from collections.abc import Callable

from genlab.dashboard.components import component

_mount = component("link")


def copy_link(slides: str = "", *, presenting: bool, on_present: Callable[[], None]) -> None:
    """Show the buttons. All that a visitor chose is in the address, so the address is the link.

    Args:
        slides: Stand beside them.
        presenting: Whether present mode is on, and need not be begun.
        on_present: Called when it is.
    """
    _mount(data={"slides": slides, "presenting": presenting}, key="link", width="content", on_present_change=on_present)
