"""What Streamlit's own elements leave undone on every page, done by a script that shows nothing."""

from __future__ import annotations

import streamlit as st

from genlab.dashboard.components import component

_mount = component("manners")


def manners() -> None:
    """Close the sidebar of a narrow window behind the visitor, make what scrolls reachable by keyboard, tell paper which theme is on."""
    with st.container(key="manners"):
        _mount(key="manners of all pages")
