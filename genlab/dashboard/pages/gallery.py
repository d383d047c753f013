"""The gallery: what do models of ten years draw, side by side, and what did each cost?"""

from __future__ import annotations

import streamlit as st

from genlab.dashboard import address
from genlab.dashboard.components.gallery import Frame, gallery
from genlab.dashboard.frame import frame
from genlab.dashboard.gallery.exhibits import Exhibit, drawn, exhibits
from genlab.dashboard.navigation import PAGES
from genlab.dashboard.words import duration


def page() -> None:
    """The page from top to bottom."""
    with frame(
        "A decade of samples",
        "One way to judge a generative model is to draw from it. Each of these was written anew after its paper and trained by genlab, on "
        "a laptop's processor; none of the images was ever in its data.",
    ):
        seed = address.again("Draw another set", "seed")
        with st.spinner("The models are drawing …"):
            frames = [frame_of(exhibit, seed) for exhibit in exhibits()]
        opened = gallery(frames)
        if opened is not None:
            st.switch_page(PAGES[opened.page].file, query_params=dict(opened.at))
        first = "The first sets, and the times below them, were made when the package was." if seed == 0 else "Drawn, and timed, just now."
        st.caption(
            f"{first} Figures of models that come with genlab are over test images that none of them saw, ± one standard error. An exact "
            "figure, a bound and a distance are never compared with each other, nor are figures of images with other levels or of other "
            "sizes. Your own runs of image models hang here too, with the figure of their best validation."
        )


def frame_of(exhibit: Exhibit, seed: int) -> Frame:
    """What hangs there of one model."""
    shown = drawn(exhibit, seed)
    lines = [
        ("data", exhibit.data),
        ("training", exhibit.cost or "not kept"),
        ("parameters", f"{shown.parameters:,}"),
        ("one image", f"drawn in {duration(shown.seconds)}" if shown.seconds >= 0.0005 else "drawn in less than 1 ms"),
        ("figure", exhibit.figure),
    ]
    return Frame(exhibit.lab, exhibit.at, exhibit.title, exhibit.year, exhibit.entry.paper, lines, shown.images, shown.levels)


page()
