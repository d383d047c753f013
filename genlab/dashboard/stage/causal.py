"""What a model that draws pixel by pixel shows: images with what it expected of each value, completions, images drawn warmer or colder."""

from __future__ import annotations

import math
import time

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from genlab.dashboard.components.theatre import Drawn, draw_records, score_records
from genlab.dashboard.sampling_slot import SAMPLING_SLOT
from genlab.dashboard.stage.sources import Source, held_out, model_of
from genlab.dashboard.words import duration
from genlab.errors import InputError

IMAGES = 32
COMPLETIONS = 12
TEMPERATURES = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
HEATED = 64  # images drawn at each of them


@st.cache_data(max_entries=16, show_spinner=False)
def drawn(source: Source, seed: int) -> Drawn:
    """Images that the model draws, with what it expected of each pixel."""
    model = model_of(source)
    with SAMPLING_SLOT:
        return draw_records(model, images=IMAGES, seed=seed, told=source.told)


@st.cache_data(max_entries=8, show_spinner=False)
def real(source: Source) -> tuple[Drawn, str]:
    """Real images that the model was not trained on, with what it expects of each pixel, and where they come from."""
    images, words = held_out(source)
    return score_records(model_of(source), images[:IMAGES], told=source.told), words


@st.cache_data(max_entries=32, show_spinner=False)
def completions(
    source: Source, content: bytes, rows: int, temperature: float, seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64], float]:
    """Images with their upper rows given, the bits that the drawn pixels cost at temperature 1, and the seconds the drawing took."""
    from genlab.sampling import sample

    model = model_of(source)
    known = np.frombuffer(content, np.uint8).reshape(model.image_shape)
    mask = np.zeros(model.image_shape[1:], bool)
    mask[:rows] = True
    with SAMPLING_SLOT:
        start = time.perf_counter()
        images = sample(model, COMPLETIONS, seed=seed, known=known, known_mask=mask, temperature=temperature, **source.told)
        seconds = time.perf_counter() - start
    surprise = -model.logits(images, **source.told).double().log_softmax(-1).numpy() / np.log(2)
    drawn = np.take_along_axis(surprise, images[..., None].astype(np.int64), -1)[..., 0]
    return images, drawn[:, :, rows:].sum((1, 2, 3)), seconds


@st.cache_data(max_entries=32, show_spinner=False)
def heated(source: Source, temperature: float, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float64], float]:
    """Images drawn at a temperature, the bits each costs at temperature 1, and the seconds the drawing took."""
    from genlab.sampling import sample

    model = model_of(source)
    with SAMPLING_SLOT:
        start = time.perf_counter()
        images = sample(model, HEATED, seed=seed, temperature=temperature, **source.told)
        seconds = time.perf_counter() - start
    bits: NDArray[np.float64] = model.log_prob(images, **source.told).numpy() / -np.log(2)
    return images, bits, seconds


@st.cache_data(max_entries=8, show_spinner=False)
def real_cost(source: Source) -> float | None:
    """Mean bits of a real image that the model never saw; None if there is none at hand."""
    try:
        images, _ = held_out(source)
    except InputError:
        return None
    return float(model_of(source).log_prob(images, **source.told).mean()) / -math.log(2)


def cost(records: Drawn, source: Source, *, words: str = "") -> str:
    """What stands below the wall of images: how many, how long, how many bits."""
    images, values = records.values.shape
    unit = "pixel" if records.image_shape[0] == 1 else "value"
    bits = records.bits_per_image
    network = f"a network of {model_of(source).parameter_count():,} parameters"
    made = f"{images} real images, scored in {duration(records.seconds)}" if records.real else f"{images} images, all drawn at once in"
    made = f"{made} by {network}" if records.real else f"{made} {duration(records.seconds)} ({records.backend} walk) by {network}"
    return f"{made}{'; ' + words if words else ''}. An image costs {bits:.1f} bits on average, {bits / values:.2f} a {unit}."
