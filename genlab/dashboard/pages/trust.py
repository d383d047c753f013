"""Do its numbers hold? Whether a model's probabilities mean what they say, and whether it would draw what it is shown."""

from __future__ import annotations

import numpy as np
import streamlit as st

from genlab.dashboard import charts
from genlab.dashboard.frame import frame
from genlab.dashboard.navigation import PAGES
from genlab.dashboard.sampling_slot import SAMPLING_SLOT
from genlab.dashboard.stage.sources import Source, choose_source, held_out, model_of
from genlab.domain import Batch
from genlab.measures.calibration import Calibration, calibration
from genlab.measures.typicality import Typicality, typicality

IMAGES = 128


def page() -> None:
    """The page from top to bottom."""
    with frame(
        "Do its numbers hold?",
        "A model that writes down *p*(*x*) makes claims that can be checked on images it never saw. Of all pixels to which it gives "
        "probability 0.8, eight tenths should be inked. And an image of its own should cost about as many bits as a real one.",
    ):
        source = choose_source(PAGES["trust"].needs)
        with st.spinner("Scoring …"):
            curve, both, words = measured(source)
        reliability(curve, model_of(source).levels, words)
        own_and_real(both)


@st.cache_data(max_entries=8, show_spinner=False)
def measured(source: Source) -> tuple[Calibration, Typicality, str]:
    """Both measures on images that the model was not trained on, and where these come from."""
    images, words = held_out(source)
    batch = Batch(images[:IMAGES])
    with SAMPLING_SLOT:
        return calibration(model_of(source), batch), typicality(model_of(source), batch), words


def reliability(curve: Calibration, levels: int, words: str) -> None:
    """The curve, its error, and the counts behind it."""
    st.header("What is called likely happens as often", anchor=False)
    event = "a pixel is inked" if levels == 2 else "a value has a certain level"
    said = "; ".join(f"said {each.said:.2f}, happened {each.happened.value:.2f}" for each in curve.bins)
    charts.show(charts.reliability(curve), key="reliability", alt=f"Reliability: {said}.")
    st.markdown(
        f"The expected calibration error is **{curve.error.value:.4f}** (95%: {curve.error.low:.4f} to {curve.error.high:.4f}): so far, on "
        f"average, is what the model says from what happens. An event is that {event}, given all that comes before it."
    )
    st.caption(
        f"{curve.events:,} events in {curve.images} images: {words}. Upright strokes are 95% intervals over images, since the pixels of an "
        "image err together; few images make the error larger, never smaller."
    )
    with st.expander("the numbers"):
        st.dataframe(
            [
                {
                    "said": f"{each.said:.3f}",
                    "happened": f"{each.happened.value:.3f}",
                    "95%": f"{each.happened.low:.3f} to {each.happened.high:.3f}",
                    "events": each.count,
                }
                for each in curve.bins
            ],
            hide_index=True,
            width="stretch",
            key="bins",
        )


def own_and_real(both: Typicality) -> None:
    """What its own images cost beside real ones."""
    st.header("Its own images against real ones", anchor=False)
    bits = {"drawn": -both.drawn.values / np.log(2), "real": -both.held_out.values / np.log(2)}
    words = "; ".join(f"{name}: {values.mean():.0f} bits on average" for name, values in bits.items())
    charts.show(charts.costs(bits), key="costs", alt=f"What images cost: {words}.")
    gap, inside = both.gap, both.inside
    dearer = "likelier than" if gap.value > 0 else "less likely than"
    st.markdown(
        f"An image that the model draws is **{abs(gap.value):.1f} nats** {dearer} a real one on average (95%: {gap.low:+.1f} to "
        f"{gap.high:+.1f}). Of the real ones, **{inside.value:.0%}** lie between the drawn ones' 5% and 95% quantiles; if both were of one "
        "distribution it would be about 90%."
    )
    st.caption(f"{len(both.drawn.values)} images drawn, {len(both.held_out.values)} real ones; −log₂ p(x) of each.")


page()
