"""Which slides a page shows, and a button that copies the address of what is shown, for a neighbour or for later."""

from __future__ import annotations

from genlab.dashboard.components import component

_mount = component("link")


def copy_link(slides: str = "") -> None:
    """Show the button. All that a visitor chose is in the address, so the address is the link.

    Args:
        slides: Stand beside it.
    """
    _mount(data=slides, key="link", width="content")
