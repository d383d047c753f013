"""The map: what kinds of generative models are there, and where in this laboratory are they?"""

from __future__ import annotations

from threading import Thread

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from genlab.dashboard import address
from genlab.dashboard.components.tree import pages_of, tree
from genlab.dashboard.components.wall import wall
from genlab.dashboard.frame import caught, frame
from genlab.dashboard.long_lived import load_once
from genlab.dashboard.navigation import FIRST, PAGES
from genlab.dashboard.stage.front import front_digits
from genlab.dashboard.taxonomy import TREE
from genlab.dashboard.words import duration

SHOWN_SECONDS = 1.6


def page() -> None:
    """The page from top to bottom."""
    with frame(
        "A laboratory for generative models",
        "Everything here runs on this computer, now: the digits below are drawn while you look, and every number is computed.",
    ):
        greeting = st.container()
        st.header("The map", anchor=False)
        st.markdown("Four ways to learn a distribution of images, by what becomes of its density. Follow a link to where you can try it.")
        opened = tree(TREE, {name: entry.title for name, entry in PAGES.items()})
        if opened is not None:
            st.switch_page(PAGES[opened].file)
        others = [entry for name, entry in PAGES.items() if name != FIRST and name not in pages_of(TREE)]
        if others:
            # Which paper leaves out: it leads nowhere there.
            with st.container(key="further"):
                st.header("And then", anchor=False)
                with st.container(horizontal=True):
                    for entry in others:
                        st.page_link(entry.file, label=f":primary[{entry.title}]")
        # Last: what stands above is there to be read meanwhile.
        with greeting, caught():
            greet()
        warm_up()


@st.cache_resource(show_spinner=False)
def warm_up() -> None:
    """Load torch, which every other page needs and which takes a second or two, while the visitor reads this one."""
    Thread(target=load_once, args=(["torch"],), name="genlab-warm-up", daemon=True).start()


def greet() -> None:
    """Fresh digits, without a click."""
    pictures = st.container()
    words, others, watch = st.columns([5, 2, 2], vertical_alignment="center")
    with others:
        seed = address.again("Draw others", "seed", width="stretch")
    with pictures:
        with st.spinner("The model is drawing …"):
            images, levels, seconds, parameters = front_digits(seed)
        show(images, levels, seed)
    words.caption(
        f"Nobody ever wrote these digits. To draw {len(images)} took {duration(seconds)}, with a network of {parameters:,} parameters."
    )
    if watch.button("Watch how", type="primary", width="stretch"):
        st.switch_page(PAGES["theatre"].file)


def show(images: NDArray[np.uint8], levels: int, seed: int) -> None:
    """A band of them."""
    wall(
        images,
        levels,
        key="front",
        identity=str(seed),
        alt="A digit that nobody wrote",
        seconds=SHOWN_SECONDS,
        large=64,
    )


page()
