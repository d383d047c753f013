"""From noise to data: a velocity field that a network learned carries noise to points or images; how many steps does it take?"""

from __future__ import annotations

import numpy as np
import streamlit as st

from genlab.dashboard import address, charts
from genlab.dashboard.components.developing import developing
from genlab.dashboard.components.stream import stream
from genlab.dashboard.components.wall import wall
from genlab.dashboard.frame import caught, frame
from genlab.dashboard.matching_charts import worth_by_passes
from genlab.dashboard.stage.matching import (
    COUNTS,
    FINEST,
    density_of,
    drawn_in,
    field_of,
    histogram,
    on_the_way,
    sources_of,
    worth_of_steps,
)
from genlab.dashboard.stage.sources import Source, model_of

PARTS = {"plane": "In the plane", "images": "On images"}
SHOWN, IN_A_ROW, POINTS = 12, 8, 2_000
MEASURED = 0  # the seed of what steps are worth: whoever takes other noise finds that measured already
TRAIN = {
    "plane": "genlab train flow_matching --data spirals --minutes 2",
    "images": "genlab train flow_matching --data digits --minutes 2",
}


def page() -> None:
    """The page from top to bottom."""
    with frame(
        "From noise to data",
        "Flow matching joins each example *x*₁ with a draw of noise *x*₀ by a straight line, *x*ₜ = (1 − *t*) *x*₀ + *t* *x*₁, and a "
        "network learns the direction of the lines through each place, *v*(*x*, *t*) ≈ E[*x*₁ − *x*₀]. To draw, let noise go with the "
        "stream: d*x*/d*t* = *v*(*x*, *t*).",
    ):
        # An address that names a model of images alone, as the gallery's does, means that part.
        part = address.choice("part", tuple(reversed(PARTS) if address.text("model") in sources_of("images") else PARTS))
        address.linked(
            st.segmented_control,
            "part",
            "part",
            part,
            tuple(PARTS),
            forget=("model",),
            format_func=PARTS.__getitem__,
            label_visibility="collapsed",
            required=True,
        )
        source = choose(part)
        if source is None:
            st.info(f"No model for this is here yet. Train one on the page Training, or by `{TRAIN[part]}`.")
            return
        seed = address.again("Other noise", "seed")
        (in_the_plane if part == "plane" else on_images)(source, seed)


def choose(part: str) -> Source | None:
    """The visitor's choice of a model, kept in the address; None if there is none."""
    found = sources_of(part)
    if not found:
        return None
    name = address.choice("model", tuple(found))
    if len(found) > 1:
        address.linked(
            st.selectbox, "model", "model", name, tuple(found), format_func=lambda each: found[each].words if each in found else each
        )
    return found[name]


def in_the_plane(source: Source, seed: int) -> None:
    """The stream, what steps are worth, and the density that comes with it."""
    model = model_of(source)
    with caught():
        stream(field_of(source, seed), identity=f"{source} {seed}", key="stream")
        st.caption(
            f"The network ({model.parameter_count():,} parameters) is asked in your browser. An arrow's length grows with speed. “As fine "
            f"as can be” is Kutta's method in {FINEST} steps. Lengths are in standard deviations σ of the data."
        )
        st.markdown(
            "Every line that was learned from is straight, and yet the ways bend: where lines of many examples cross, the network knows "
            "their mean alone. Early on that leads to the middle of the data; late, to the example at hand."
        )
    st.header("How many steps?", anchor=False)
    with caught():
        st.markdown(f"The same {POINTS:,} draws of noise, carried by Euler's method in more and more steps:")
        middle = model.settings.middle or (0.0, 0.0)
        pictures = [histogram(drawn_in(source, steps, "euler", MEASURED, POINTS), 2.6 * model.settings.spread, middle) for steps in COUNTS]
        wall(
            np.stack(pictures),
            256,
            key="steps",
            identity=f"{source}",
            alt="Where points were drawn",
            words=[_steps(count) for count in COUNTS],
            large=170,
            narrowest=110,
            accent=True,
        )
    with caught():
        _worth(source, "coverage", "share of real points covered")
    st.header("It has a density", anchor=False)
    with caught():
        _density(source)


def on_images(source: Source, seed: int) -> None:
    """Images at each t, and what steps are worth."""
    with caught():
        with st.spinner("Drawing …"):
            way = on_the_way(source, seed, SHOWN)
        developing(way, identity=f"{source} {seed}", key="developing")
        st.caption(
            "Values from −1 (paper) to 1 (ink); noise goes beyond, and is shown cut off. At the start the network can only expect a mean "
            f"of all images. The ways are {way.detour:.2f} times as long as the straight lines between their ends."
        )
    st.header("How many steps?", anchor=False)
    levels = model_of(source).levels
    with caught():
        st.markdown("Each row begins with the same noise, and goes with Euler's method in so many steps, each a pass of the network:")
        for steps in COUNTS:
            label, strip = st.columns([1, 7], vertical_alignment="center")
            label.markdown(f"**{_steps(steps)}**")
            with strip:
                wall(
                    drawn_in(source, steps, "euler", seed, IN_A_ROW),
                    levels,
                    key=f"steps {steps}",
                    identity=f"{source} {steps} {seed}",
                    alt=f"Drawn in {_steps(steps)}",
                    large=80,
                    narrowest=40,
                )
    with caught():
        _worth(source, "frechet", "digit Fréchet distance")


def _worth(source: Source, figure: str, title: str) -> None:
    """The chart of a figure over passes of the network."""
    with st.spinner("Drawing and comparing …"):
        found = worth_of_steps(source, MEASURED)
    lie = found[0].lie
    if getattr(lie, figure) is None:  # images that are no digits
        figure, title = "coverage", "share of real images covered"
    charts.show(worth_by_passes(found, figure, title), key="worth", alt=f"{title} against passes of the network")
    words = {
        "coverage": f"A held-out example is covered if one of as many drawn ones lies nearer to it than its {lie.neighbours}th neighbour "
        f"among the real ones; the data themselves would cover some {100 * (1 - 0.5**lie.neighbours):.0f}%.",
        "frechet": "The Fréchet distance of drawn and held-out images in the features of genlab's own digit classifier; it is not FID, and "
        "0 is out of reach of so few images. Lower is better.",
    }
    st.caption(f"{words[figure]} {lie.drawn:,} drawn, {lie.real:,} held out, in {lie.space}; lines are 95% intervals over examples.")


def _density(source: Source) -> None:
    """What log p is, and the button that adds it up."""
    st.markdown(
        "Followed back from data to noise, the stream is a map *f*, and as in every reversible architecture log *p*(*x*) = "
        "log N(*f*(*x*); 0, I) + log |det ∂*f*/∂*x*|, where log |det| is −∫ tr(∂*v*/∂*x*) d*t* along the way. A solver's steps only come "
        "close to the stream; genlab takes the derivative of the steps themselves, so that their density adds up to 1 whether they are "
        "fine or not."
    )
    if st.button("Add it up"):
        st.session_state["density added up"] = source
    if st.session_state.get("density added up") != source:
        return
    with st.spinner("Adding up …"):
        found = density_of(source)
    st.success(
        f"Over the plane the density adds up to **{found.integral:.4f}**; {found.inside:.2%} of drawn points lie in the rectangle that was "
        f"added up. Held-out points cost **{found.nats:.3f} nats** each ({found.points:,} of them); with twice as many steps each would "
        f"change by {found.error:.1g} nats in the mean, which is the solver's error."
    )


def _steps(count: int) -> str:
    return f"{count} step{'' if count == 1 else 's'}"


page()
