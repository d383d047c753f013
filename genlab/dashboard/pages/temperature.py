"""Temperature: what happens to the images when the model is made surer, or less sure, than it is?"""

from __future__ import annotations

import math
import time

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from genlab.dashboard.charts import bits_by_temperature
from genlab.dashboard.components.wall import wall
from genlab.dashboard.stage import Source, choose_source, duration, held_out, model_of
from genlab.errors import GenlabError, InputError

TEMPERATURES = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
SHOWN = 10
COUNTED = 64


def page() -> None:
    """The page from top to bottom."""
    with st.container(width=1120):
        st.title("Temperature", anchor=False)
        st.markdown(
            "Before a pixel is drawn, its logits are divided by a temperature *T*: *p*(level) ∝ exp(*l* / *T*). Below 1 the likely "
            "becomes likelier; above, every level gets its chance. The same random numbers draw every row below."
        )
        try:
            source = choose_source()
            if st.button("Draw others"):
                st.session_state["heat_seed"] = st.session_state.get("heat_seed", 0) + 1
            show(source, st.session_state.get("heat_seed", 0))
        except GenlabError as error:
            st.error(str(error))


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
                large=56,
            )
    st.caption(f"{len(TEMPERATURES) * COUNTED} images drawn in {duration(seconds)}; the first {SHOWN} of each {COUNTED} are shown.")
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
    st.altair_chart(bits_by_temperature(costs, real), width="stretch", key="costs", alt=alt)


@st.cache_data(max_entries=32, show_spinner=False)
def heated(source: Source, temperature: float, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float64], float]:
    """Images drawn at a temperature, the bits each costs at temperature 1, and the seconds the drawing took."""
    from genlab.sampling import sample

    model = model_of(source)
    start = time.perf_counter()
    images = sample(model, COUNTED, seed=seed, temperature=temperature)
    seconds = time.perf_counter() - start
    bits: NDArray[np.float64] = model.log_prob(images).numpy() / -np.log(2)
    return images, bits, seconds


@st.cache_data(max_entries=8, show_spinner=False)
def real_cost(source: Source) -> float | None:
    """Mean bits of a real image that the model never saw; None if there is none at hand."""
    try:
        images, _ = held_out(source)
    except InputError:
        return None
    return float(model_of(source).log_prob(images).mean()) / -math.log(2)


page()
