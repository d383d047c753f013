"""What models that are told something draw from it: many answers at once, each with what it costs given what was told."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from genlab.dashboard.charts import Fan
from genlab.dashboard.sampling_slot import SAMPLING_SLOT
from genlab.dashboard.stage.sources import Source, held_out, model_of, sources_for
from genlab.datasets.series import APART, monthly_sunspots
from genlab.runs import open_run

ANSWERS = 24
FUTURES = 200


@dataclass(frozen=True)
class Use:
    """Something that a model is good for which is told something (slide 8).

    Attributes:
        title: Of its door.
        packaged: The models that come with genlab, the best to look at first.
        fits: Whether a run's model settings make a model for it.
    """

    title: str
    packaged: tuple[str, ...]
    fits: Callable[[Mapping[str, Any]], bool]


USES = {
    "class": Use("Draw a digit", ("mnist-by-class",), lambda settings: _told(settings) == (True, None)),
    "small": Use("Make it larger", ("mnist-upscaled",), lambda settings: _told(settings) == (False, "small")),
    "grey": Use("Colour it", ("photos-coloured",), lambda settings: _told(settings) == (False, "grey")),
    "series": Use("Go on with it", ("sunspots-wave",), lambda settings: settings.get("image_shape", [0, 0])[1] == 1),
}


def _told(settings: Mapping[str, Any]) -> tuple[bool, str | None]:
    """Whether a model is told a class, and of what kind the image is that it is told."""
    return bool(settings.get("classes")), settings.get("given")


@dataclass(frozen=True)
class Answers:
    """Images drawn from one thing that was told.

    Attributes:
        images: Levels ``(N, C, H, W)``.
        bits: −log₂ p(image | told) of each.
        seconds: What the drawing took.
    """

    images: NDArray[np.uint8]
    bits: NDArray[np.float64]
    seconds: float


def sources_of(use: Use) -> list[Source]:
    """What can draw for a use: the model that comes with genlab, then runs of one's own."""
    return sources_for(use.packaged, use.fits)


@st.cache_data(max_entries=32, show_spinner=False)
def of_class(source: Source, label: int, seed: int) -> Answers:
    """Images of one class."""
    return _drawn(source, seed, labels=np.full(ANSWERS, label))


@st.cache_data(max_entries=32, show_spinner=False)
def of_condition(source: Source, number: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], float, Answers]:
    """A held-out image, what a model is shown of it, the bits that the image itself costs then, and what the model draws instead."""
    from genlab.measures.likelihood import log_prob

    model, images = model_of(source), held_out(source)[0]
    true = images[number % len(images)]
    shown = model.condition.of(true[None])[0]
    cost = -float(log_prob(model, true[None])[0]) / math.log(2)
    return true, shown, cost, _drawn(source, seed, condition=np.repeat(shown[None], ANSWERS, axis=0))


@st.cache_data(max_entries=32, show_spinner=False)
def of_past(source: Source, number: int, seed: int) -> tuple[Fan, float, float]:
    """A held-out stretch of a series with the futures that the model draws after its past, the bits that its own future costs, seconds."""
    from genlab.simulation import context, simulate

    model, images = model_of(source), held_out(source)[0]
    stretch, seen = images[-1 - number % len(images)], context(model.graph)
    with SAMPLING_SLOT:
        begun = time.perf_counter()
        futures = simulate(model, stretch[0, 0, :seen], FUTURES, seed=seed)
        seconds = time.perf_counter() - begun
    surprise = -model.logits(stretch[None]).double().log_softmax(-1)[0, 0, 0].numpy() / math.log(2)
    cost = np.take_along_axis(surprise, stretch[0, 0, :, None].astype(np.int64), -1)[seen:].sum()
    is_sunspots = open_run(source.path).config["data"]["name"] == "sunspots"
    # A level stands for its middle. The last stretch ends with the series, and each begins so many months after the one before.
    width, step, words = (256 / model.levels, 1 / 12, "sunspots") if is_sunspots else (1.0, 1.0, "level")
    last = len(monthly_sunspots()) - stretch.shape[-1] - APART["test"] * (number % len(images))
    past, came, drawn = (width * (levels + np.float64(0.5)) for levels in (stretch[0, 0, :seen], stretch[0, 0, seen:], futures))
    return Fan(past, drawn, came, 1749 + step * last if is_sunspots else 0.0, step, words), float(cost), seconds


@st.cache_data(max_entries=32, show_spinner=False)
def believed(source: Source, label: int, seed: int) -> NDArray[np.float64]:
    """P(class | image) of the images drawn, ``(N, classes)``: p(x | k) / Σ_j p(x | j), all classes alike beforehand."""
    from genlab.measures.likelihood import log_prob

    model, images = model_of(source), of_class(source, label, seed).images
    classes = model.classes
    nats = log_prob(model, np.repeat(images, classes, axis=0), labels=np.tile(np.arange(classes), len(images))).reshape(-1, classes)
    odds = np.exp(nats - nats.max(1, keepdims=True))
    shares: NDArray[np.float64] = odds / odds.sum(1, keepdims=True)
    return shares


def _drawn(source: Source, seed: int, **told: Any) -> Answers:
    from genlab.measures.likelihood import log_prob
    from genlab.sampling import sample

    model = model_of(source)
    with SAMPLING_SLOT:
        begun = time.perf_counter()
        images = sample(model, ANSWERS, seed=seed, **told)
        seconds = time.perf_counter() - begun
    return Answers(images, -log_prob(model, images, **told) / math.log(2), seconds)
