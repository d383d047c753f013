"""Temperature: what happens to the images when the model is made surer, or less sure, than it is?"""

from __future__ import annotations

import streamlit as st

from genlab.dashboard import address, charts
from genlab.dashboard.components.wall import wall
from genlab.dashboard.frame import frame
from genlab.dashboard.navigation import PAGES
from genlab.dashboard.stage.causal import HEATED, TEMPERATURES, heated, real_cost
from genlab.dashboard.stage.sources import Source, choose_source, model_of
from genlab.dashboard.words import duration

SHOWN = 10
NARROWEST = 40  # pixels: so that ten stay beside each other on paper too


def page() -> None:
    """The page from top to bottom."""
    with frame(
        "Temperature",
        "Before a pixel is drawn, its logits are divided by a temperature *T*: *p*(level) ∝ exp(*l* / *T*). Below 1 the likely "
        "becomes likelier; above, every level gets its chance. The same random numbers draw every row below.",
    ):
        source = choose_source(PAGES["temperature"].needs)
        show(source, address.again("Draw others", "seed"))


def show(source: Source, seed: int) -> None:
    """A row of images for each temperature, then what they cost."""
    rows = {}
    seconds = 0.0
    with st.spinner("Drawing …"):
        for temperature in TEMPERATURES:
            images, bits, took = heated(source, temperature, seed)
            rows[temperature] = (images, bits)
            seconds += took
    levels = model_of(source).levels
    for temperature, (images, bits) in rows.items():
        label, strip = st.columns([1, 7], vertical_alignment="center")
        label.markdown(f"**T = {temperature:g}**  \n:small[{bits.mean():.0f} bits]")
        with strip:
            wall(
                images[:SHOWN],
                levels,
                key=f"heat {temperature}",
                identity=f"{source} {temperature} {seed}",
                alt=f"Drawn at temperature {temperature:g}",
                large=72,
                narrowest=NARROWEST,
            )
    st.caption(f"{len(TEMPERATURES) * HEATED} images drawn in {duration(seconds)}; the first {SHOWN} of each {HEATED} are shown.")
    st.header("Likely is not the same as typical", anchor=False)
    st.markdown(
        "Each stroke is an image and what it costs, −log₂ *p*(*x*), under the model's own distribution (*T* = 1). The colder, the cheaper: "
        "the likeliest images are plain ones, and few real digits are. The dashed line is the mean cost of real digits that the model "
        "never saw."
    )
    costs = {temperature: bits for temperature, (_, bits) in rows.items()}
    real = real_cost(source)
    words = "; ".join(f"T = {temperature:g}: {bits.mean():.0f} bits" for temperature, bits in costs.items())
    alt = f"Cost of images by temperature: {words}." + (f" Real digits: {real:.0f} bits." if real is not None else "")
    charts.show(charts.bits_by_temperature(costs, real), key="costs", alt=alt)


page()
