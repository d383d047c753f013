"""Finish my digit: draw, upload or borrow the upper part of a digit; the model draws the rest, twelve times at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from genlab.dashboard import address
from genlab.dashboard.components.pad import Drawing, from_text, pad
from genlab.dashboard.components.wall import wall
from genlab.dashboard.frame import caught, frame
from genlab.dashboard.navigation import PAGES
from genlab.dashboard.stage.causal import COMPLETIONS, completions
from genlab.dashboard.stage.sources import Source, choose_source, held_out, model_of
from genlab.dashboard.uploads import photograph_of, preview
from genlab.dashboard.words import duration
from genlab.datasets.photograph import THRESHOLDS, find_digit
from genlab.datasets.picture import PHOTOGRAPH_BYTES_AT_MOST
from genlab.errors import InputError

SHOWN_SECONDS = 1.2
PREVIEW = 180  # pixels: what it leads to should stay in sight
COLDEST, HOTTEST = 0.1, 2.0
THRESHOLD = "Lower finds fainter strokes, and more of the paper."
TAKEN = "the picture on the pad"
LARGE = "large"  # what the address says of a drawing that it cannot hold
TEMPERATURE = "1 is the model's own distribution; below, the likely is favoured."


def page() -> None:
    """The page from top to bottom."""
    with frame(
        "Finish my digit",
        "A model that predicts each pixel from those before it can start anywhere: what stands above the line is given, "
        "what follows is drawn from *p*(rest | given), exactly. Twelve draws show how many ways it sees to go on.",
    ):
        source = choose_source(PAGES["completion"].needs)
        drawing = beginning(source)
        left, right = st.columns([2, 3], gap="large")
        with left:
            pad(drawing, model_of(source).levels, on_draw=keep)
        with right:
            finish(source, drawing)


def beginning(source: Source) -> Drawing:
    """What is on the pad: what the address holds, else a real image that the model never saw."""
    model = model_of(source)
    another, own = st.columns([1, 3])
    with another:
        number = address.again("Another digit", "digit", forget=("drawing",), width="stretch")
    if model.image_shape[0] == 1:
        with own.expander("or upload a picture of one"):
            upload(model, number)
    kept = from_text(address.text("drawing"), model.image_shape, model.levels)
    if kept is None and address.text("drawing") == LARGE:
        kept = st.session_state.get(LARGE)
    if kept is not None and kept.levels.shape == model.image_shape:
        return kept
    try:
        images, _ = held_out(source)
        levels = images[number % len(images)]
    except InputError:
        levels = np.zeros(model.image_shape, np.uint8)
    if levels.shape != model.image_shape or levels.max() >= model.levels:  # its data is not what it was
        levels = np.zeros(model.image_shape, np.uint8)
    return Drawing(levels, model.image_shape[1] // 2)


def keep(drawing: Drawing) -> None:
    """Put the drawing into the address; one that is too large for it is kept for as long as the visitor stays."""
    text = drawing.as_text()
    st.session_state[LARGE] = drawing if text is None else None
    address.put(drawing=text or LARGE)


def upload(model: Any, number: int) -> None:
    """A picture of the visitor's own goes on the pad, also a photograph of a digit on paper.

    Args:
        model: Whose size and levels it gets.
        number: Of the digit asked for; another one empties the field.
    """
    kinds, megabytes = ["png", "jpg", "jpeg"], PHOTOGRAPH_BYTES_AT_MOST >> 20
    file = st.file_uploader("picture", type=kinds, max_upload_size=megabytes, label_visibility="collapsed", key=f"picture {number}")
    if file is None:
        st.caption(f"A drawing, or a photograph of a digit on paper, PNG or JPEG, up to {megabytes} MB.")
        return
    with caught():
        photograph = photograph_of(file.file_id, file.getvalue())
        least, most = THRESHOLDS
        threshold = st.slider("ink begins at", least, most, photograph.threshold, 0.01, key=f"threshold {file.file_id}", help=THRESHOLD)
        _, height, width = model.image_shape
        found = find_digit(photograph, size=(height, width), threshold=threshold)
        st.image(preview(found), width=PREVIEW, caption="What was taken for the digit, on your picture.", output_format="PNG")
        if st.session_state.get(TAKEN) != (file.file_id, threshold, width, model.levels):
            st.session_state[TAKEN] = (file.file_id, threshold, width, model.levels)
            keep(Drawing(found.levels(model.levels)[None], height // 2))


def finish(source: Source, drawing: Drawing) -> None:
    """The twelve completions, and what they cost."""
    channels, height, width = drawing.levels.shape
    warmth, again = st.columns([2, 1], vertical_alignment="bottom")
    with warmth:
        asked = address.number("temperature", 1.0, least=COLDEST, most=HOTTEST)
        temperature = address.linked(st.slider, "temperature", "temperature", asked, COLDEST, HOTTEST, step=0.05, help=TEMPERATURE)
    with again:
        seed = address.again("Draw others", "seed", width="stretch")
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
        narrowest=80,
    )
    drawn = (height - drawing.rows) * width * channels
    unit = "pixels" if channels == 1 else "values"
    st.caption(
        f"{COMPLETIONS} completions of {drawn} {unit} each, drawn in {duration(seconds)}. Below each, −log₂ *p* of what "
        "was drawn: the fewer bits, the less surprising the ending."
    )
    with st.expander("Why only from the top?"):
        st.markdown(
            "The model knows *p*(pixel | pixels before it), from the top left on. Given the upper rows, the rest can be drawn exactly. "
            "Given the lower rows, it cannot: the upper pixels would be drawn without looking at what is to come."
        )


page()
