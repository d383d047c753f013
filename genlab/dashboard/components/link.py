"""A button that copies the address of what is shown, for a neighbour or for later."""

from __future__ import annotations

from genlab.dashboard.components import component

_mount = component("link")


def copy_link() -> None:
    """Show the button. All that a visitor chose is in the address, so the address is the link."""
    _mount(key="link", width="content")
