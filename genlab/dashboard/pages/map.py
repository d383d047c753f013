"""The map: what kinds of generative models are there, and where in this laboratory are they?"""

from __future__ import annotations

import streamlit as st

from genlab.dashboard.components.tree import Branch, pages_of, tree
from genlab.dashboard.components.wall import wall
from genlab.dashboard.navigation import FIRST, PAGES
from genlab.dashboard.stage import duration, front_digits
from genlab.errors import GenlabError

SHOWN_SECONDS = 1.6

AUTOREGRESSIVE = Branch(
    "Autoregressive",
    "One pixel after another. The exact likelihood; drawing takes its time, or need not.",
    "p(x) = ∏ p(xᵢ | x₁ … xᵢ₋₁)",
    ("theatre", "completion", "temperature", "training", "runs"),
)
REVERSIBLE = Branch(
    "Reversible", "Noise bent into images, one to one. The exact likelihood, drawn in one pass.", "p(x) = p(z) · |det ∂z/∂x|"
)
VARIATIONAL = Branch(
    "Variational autoencoder", "A lower bound on the likelihood; features come with it.", "log p(x) ≥ E log p(x|z) − KL(q ‖ p)"
)
ADVERSARIAL = Branch(
    "Adversarial (GAN)",
    "A generator tries to fool a discriminator. No likelihood; drawn in one pass.",
    "min over G, max over D: E log D(x) + E log(1 − D(G(z)))",
    ("slanted_land",),
)
TREE = Branch(
    "Generative models",
    "From examples, learn to make more of their kind.",
    branches=(
        Branch(
            "Explicit density",
            "p(x) is written down, and fitted.",
            branches=(
                Branch("Tractable", "p(x) can be computed.", branches=(AUTOREGRESSIVE, REVERSIBLE)),
                Branch("Approximate", "p(x) is an integral; it is bounded.", branches=(VARIATIONAL,)),
            ),
        ),
        Branch("Implicit density", "p(x) is never written down; one can only draw.", branches=(ADVERSARIAL,)),
    ),
)


def page() -> None:
    """The page from top to bottom."""
    with st.container(width=1120):
        st.title("A laboratory for generative models", anchor=False)
        st.markdown("Everything here runs on this computer, now: the digits below are drawn while you look, and every number is computed.")
        greeting = st.container()
        st.header("The map", anchor=False)
        st.markdown("Four ways to learn a distribution of images, by what becomes of its density. Follow a link to where you can try it.")
        opened = tree(TREE, {name: entry.title for name, entry in PAGES.items()})
        if opened is not None:
            st.switch_page(PAGES[opened].file)
        others = [entry for name, entry in PAGES.items() if name != FIRST and name not in pages_of(TREE)]
        if others:
            st.header("And then", anchor=False)
            for entry in others:
                st.page_link(entry.file, label=entry.title)
        # Last, since it loads torch: what stands above is there to be read meanwhile.
        with greeting:
            try:
                greet()
            except GenlabError as error:
                st.error(str(error))


def greet() -> None:
    """Fresh digits, without a click."""
    seed = st.session_state.get("front_seed", 0)
    with st.spinner("The model is drawing …"):
        images, levels, seconds, parameters = front_digits(seed)
    wall(
        images,
        levels,
        key="front",
        identity=str(seed),
        alt="A digit that nobody wrote",
        seconds=SHOWN_SECONDS,
        large=64,
        rows_at_most=2,
    )
    words, again, watch = st.columns([5, 2, 2], vertical_alignment="center")
    words.caption(
        f"Nobody ever wrote these digits. To draw {len(images)} of them took {duration(seconds)}, with a network of {parameters:,} parameters."
    )
    if again.button("Draw others", width="stretch"):
        st.session_state["front_seed"] = seed + 1
        st.rerun()
    if watch.button("Watch how", type="primary", width="stretch"):
        st.switch_page(PAGES["theatre"].file)


page()
