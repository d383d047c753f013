"""Why was PixelRNN slow? What waits for what, when a known image is scored and when a new one is drawn; and a race."""

from __future__ import annotations

import streamlit as st

from genlab.dashboard.components.race import Race, race, run_race
from genlab.dashboard.components.waits import Panel, waits
from genlab.dashboard.frame import frame, say
from genlab.dashboard.navigation import PAGES
from genlab.dashboard.proof_button import proof_button
from genlab.dashboard.stage.sources import Source, choose_source, model_of, untrained_systems
from genlab.dashboard.stage.systems import systems, waiting_of
from genlab.errors import GenlabError

SMALL_IMAGE = 16  # pixels to a side: so many take the textbook's way moments instead of seconds


def page() -> None:
    """The page from top to bottom."""
    with frame(
        "Why was PixelRNN slow?",
        "Training reads images that are known, drawing makes new ones. In training only a recurrence makes a pixel wait for another, and a "
        "PixelRNN is made of them; masked convolutions compute all pixels at once. In drawing each pixel waits for all that its prediction "
        "can see. The numbers say at which step a pixel can be there, if it waits for no more than it must.",
    ):
        order()
        st.header("Drawing: the same images, four ways", anchor=False)
        st.markdown(
            "The textbook draws a pixel by running the whole network over the whole image, and does so for every pixel. But nothing in the "
            "past changes: whoever remembers it computes each pixel of each layer once, which is one full pass in all. And whoever guesses "
            "all pixels at once can correct them together, pass by pass, until nothing changes: the same image, since it is the only one "
            "that these random numbers draw."
        )
        racing(choose_source(PAGES["slow"].needs, untrained_systems(PAGES["slow"].needs)))


def order() -> None:
    """Who waits for whom, in every system, on one clock."""
    to_score: list[Panel] = []
    to_draw: list[Panel] = []
    for entry in systems(PAGES["slow"].needs):
        try:
            orders = waiting_of(entry.name)
        except GenlabError as error:
            say(st.caption, "{} is not shown: {}", entry.name, error)
            continue
        steps = int(orders.to_score.steps.max())
        alone = [Panel(entry.name, scan, f"in {node}, {steps} through all layers") for node, scan in orders.scans.items()]
        to_score.extend(alone or [Panel(entry.name, orders.to_score)])
        to_draw.append(Panel(entry.name, orders.to_draw))
    groups = {"Training: the image is known": to_score, "Drawing: it is not": to_draw}
    waits(groups, identity=" ".join(panel.title for panel in to_draw))
    st.caption(
        "A blind spot has one good side: a pixel that another cannot see need not be there before it, so that several rows can be drawn "
        "at once."
    )


def racing(source: Source) -> None:
    """All ways of drawing, by real clocks."""
    model = model_of(source)
    _, height, width = model.image_shape
    images = 16 if height * width <= SMALL_IMAGE**2 else 4
    if st.button("Race them", type="primary"):
        with st.spinner("They are running, one after the other …"):
            runs = st.session_state.get("race", (None, None, 0))[2] + 1
            st.session_state["race"] = (source, run_race(model, images=images, seed=runs, told=source.told), runs)
    raced, result, runs = st.session_state.get("race", (None, None, 0))
    if isinstance(result, Race) and raced == source:
        race(result, identity=f"{source} {runs}")
    proof_button("native_is_torch", "The native walk computes what torch computes: likelihoods, gradients and images.", source)


page()
