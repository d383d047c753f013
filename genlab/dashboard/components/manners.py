"""What Streamlit's own elements leave undone on every page, done by a script that shows nothing."""

from __future__ import annotations

import streamlit as st

from genlab.dashboard.components import component

_mount = component("manners")


def manners(page: str) -> None:
    """Close the sidebar of a narrow window behind the visitor, make what scrolls reachable by keyboard, heed the theme.

    The style for paper is told which theme is on, and a page is run again in another. The browser remembers that it was on the page.

    Args:
        page: The page's name.
    """
    with st.container(key="manners"):
        _mount(data=page, key="manners of all pages")
