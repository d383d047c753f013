"""Finish my digit: draw, upload or borrow the upper part of a digit; the model draws the rest, twelve times at once."""

from __future__ import annotations

import hashlib

import numpy as np
import streamlit as st

from genlab.dashboard.components.pad import Drawing, pad
from genlab.dashboard.components.wall import wall
from genlab.dashboard.frame import frame, say
from genlab.dashboard.stage.drawings import COMPLETIONS, completions
from genlab.dashboard.stage.sources import Source, choose_source, held_out, model_of
from genlab.dashboard.words import duration
from genlab.datasets.picture import BYTES_AT_MOST, read_picture
from genlab.errors import InputError

SHOWN_SECONDS = 1.2
TEMPERATURE = "1 is the model's own distribution; below, the likely is favoured."


def page() -> None:
    """The page from top to bottom."""
    with frame(
        "Finish my digit",
        "A model that predicts each pixel from those before it can start anywhere: what stands above the line is given, "
        "what follows is drawn from *p*(rest | given), exactly. Twelve draws show how many ways it sees to go on.",
    ):
        source = choose_source()
        if model_of(source).image_shape[0] != 1:
            raise InputError("model must draw grey images for this pad, in one channel; choose another one")
        start, identity = beginning(source)
        left, right = st.columns([2, 3], gap="large")
        with left:
            drawing = pad(start, model_of(source).levels, identity=identity)
        with right:
            finish(source, drawing)


def beginning(source: Source) -> tuple[Drawing, str]:
    """What is on the pad at first: the visitor's own picture, or a real digit that the model never saw."""
    model = model_of(source)
    _, height, width = model.image_shape
    rows = height // 2
    another, upload = st.columns([1, 3], vertical_alignment="bottom")
    if another.button("Another digit", width="stretch"):
        st.session_state["borrowed"] = st.session_state.get("borrowed", 0) + 1
    with upload.expander("or upload a picture of one"):
        file = st.file_uploader("picture", type=["png", "jpg", "jpeg"], max_upload_size=BYTES_AT_MOST >> 20, label_visibility="collapsed")
    number = st.session_state.get("borrowed", 0)
    if file is not None:
        content = file.getvalue()
        try:
            levels = read_picture(content, size=(height, width), levels=model.levels)
            return Drawing(levels, rows), f"{source} {hashlib.sha256(content).hexdigest()} {number}"
        except InputError as error:
            say(st.error, "{}", error)
    try:
        images, _ = held_out(source)
        levels = images[number % len(images), 0]
    except InputError:
        levels = np.zeros((height, width), np.uint8)
    return Drawing(levels, rows), f"{source} {number}"


def finish(source: Source, drawing: Drawing) -> None:
    """The twelve completions, and what they cost."""
    height, width = drawing.levels.shape
    warmth, again = st.columns([2, 1], vertical_alignment="bottom")
    temperature = warmth.slider("temperature", 0.1, 2.0, 1.0, 0.05, help=TEMPERATURE)
    if again.button("Draw others", width="stretch"):
        st.session_state["finish_seed"] = st.session_state.get("finish_seed", 0) + 1
    seed = st.session_state.get("finish_seed", 0)
    images, bits, seconds = completions(source, drawing.levels.tobytes(), drawing.rows, temperature, seed)
    wall(
        images,
        model_of(source).levels,
        key="completions",
        identity=f"{source} {drawing.levels.tobytes().hex()} {drawing.rows} {temperature} {seed}",
        alt="A completion",
        words=[f"{value:.0f} bits" for value in bits],
        given=drawing.rows,
        seconds=SHOWN_SECONDS,
        large=104,
    )
    drawn = (height - drawing.rows) * width
    st.caption(
        f"{COMPLETIONS} completions of {drawn} pixels each, drawn in {duration(seconds)}. Below each, −log₂ *p* of the pixels "
        "that were drawn: the fewer bits, the less surprising the ending."
    )
    with st.expander("Why only from the top?"):
        st.markdown(
            "The model knows *p*(pixel | pixels before it), from the top left on. Given the upper rows, the rest can be drawn exactly. "
            "Given the lower rows, it cannot: the upper pixels would be drawn without looking at what is to come."
        )


page()
