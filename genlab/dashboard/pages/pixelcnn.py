"""PixelCNN: one pixel after another. Watch images being drawn."""

from __future__ import annotations

import streamlit as st

from genlab.dashboard.run_in_address import run_in_address
from genlab.dashboard.stage import stage
from genlab.errors import GenlabError


def page() -> None:
    """The page from top to bottom."""
    with st.container(width=1120):
        st.title("PixelCNN: one pixel after another", anchor=False)
        st.markdown(
            "The model never sees a whole image. It is asked for one pixel at a time: *given the pixels so far, how likely is each level?* "
            "Drawing from its answers, row by row, makes a digit that nobody ever wrote."
        )
        try:
            stage(run_in_address())
        except GenlabError as error:
            st.error(str(error))


page()
