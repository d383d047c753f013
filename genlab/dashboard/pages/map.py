"""The map: what kinds of generative models are there, and where in this laboratory are they?"""

from __future__ import annotations

from threading import Thread

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from genlab.dashboard import address
from genlab.dashboard.components.tree import models_of, tree
from genlab.dashboard.components.wall import wall
from genlab.dashboard.components.way import stops, way
from genlab.dashboard.frame import caught, frame
from genlab.dashboard.long_lived import load_once
from genlab.dashboard.navigation import PAGES
from genlab.dashboard.progress import progress
from genlab.dashboard.stage.front import front_digits, read_without_labels, strip_of
from genlab.dashboard.taxonomy import TREE
from genlab.dashboard.words import duration

SHOWN_SECONDS = 1.6
READ = "mnist-autoencoder-8"
USES: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("Draw a digit to order", "uses", {"use": "class"}),
    ("Super-resolution", "uses", {"use": "small"}),
    ("Colourisation", "uses", {"use": "grey"}),
    ("Simulation of a series", "uses", {"use": "series"}),
    ("Finish what was begun", "completion", {}),
    ("Features for whoever has few labels", "autoencoder_lab", {}),
)


def page() -> None:
    """The page from top to bottom."""
    with frame(
        "A laboratory for generative models",
        "Everything here runs on this computer, now: the digits below are drawn while you look, and every number is computed.",
    ):
        greeting = st.container()
        st.header("The map", anchor=False)
        st.markdown("Four ways to learn a distribution of images, by what becomes of its density. Follow a link to where you can try it.")
        strips = {model: strip for model in models_of(TREE) if (strip := strip_of(model))}
        opened = tree(TREE, {name: entry.title for name, entry in PAGES.items()}, strips)
        if opened is not None:
            st.switch_page(PAGES[opened].file)
        with caught():
            without_labels()
        why()
        with caught():
            slide_by_slide()
        # Which paper leaves out: it leads nowhere there.
        with st.container(key="further"):
            st.header("And then", anchor=False)
            with st.container(horizontal=True):
                for entry in PAGES.values():
                    if not entry.slides:
                        st.page_link(entry.file, label=f":primary[{entry.title}]")
        # Last: what stands above is there to be read meanwhile.
        with greeting, caught():
            greet()
        warm_up()


def without_labels() -> None:
    """Slide 6: what is learnt without labels, read by whoever has a few."""
    st.header("With labels, and without", anchor=False)
    read = read_without_labels(READ)
    st.markdown(
        "**Supervised** learning is shown pairs (*x*, *y*) and learns the way from *x* to *y*. **Unsupervised** learning is shown *x* "
        "alone and looks for what lies behind it, so its data are cheap: only models that draw a class of your choice were told what "
        f"their images show. What is learnt without labels is of use all the same: read by a linear classifier, {read.words}."
    )
    st.caption(
        f"Codes of {read.size} numbers that were learnt without labels, as many principal components, and all pixels; "
        f"{read.images:,} test images, means over {read.draws} draws of the labelled ones."
    )
    with st.container(key="labels-doors"):
        st.page_link(PAGES["autoencoder_lab"].file, label=":primary[See its codes, and how sure this is: the autoencoder lab →]")


def why() -> None:
    """Slide 8: what generative models are good for, each a door."""
    st.header("Why generative models?", anchor=False)
    with st.container(key="uses-doors", horizontal=True):
        for label, page, at in USES:
            st.page_link(PAGES[page].file, label=f":primary[{label}]", query_params=at)


def slide_by_slide() -> None:
    """The lecture's order, with what the visitor has done."""
    st.header("The lecture, slide by slide", anchor=False)
    st.markdown("In this order **Next** leads through the pages. What you have been to is remembered by your browser alone.")
    done = progress()
    chosen = way(stops(list(PAGES.values())), answered=done.answered, questions=done.questions, trained=done.trained)
    if chosen is not None:
        st.switch_page(PAGES[chosen.page].file, query_params=dict(chosen.at))


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
