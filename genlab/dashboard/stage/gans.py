"""What a GAN of images shows: draws, the way between two z, D's verdicts, and how G came there."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from genlab.dashboard.sampling_slot import SAMPLING_SLOT
from genlab.dashboard.stage.sources import Source, held_out, model_of
from genlab.domain import Batch
from genlab.games.interpolation import spherical, straight
from genlab.runs import open_run
from genlab.sampling import sample

DRAWN, BETWEEN, JUDGED = 24, 8, 256


@dataclass(frozen=True, eq=False)
class Way:
    """From one z to another.

    Attributes:
        images: By the way's words, levels ``(BETWEEN, C, H, W)``.
        lengths: Likewise |z| of each; none where pixels are mixed.
        milliseconds: For each image that G draws.
    """

    images: dict[str, NDArray[np.uint8]]
    lengths: dict[str, NDArray[np.float64]]
    milliseconds: float


@dataclass(frozen=True, eq=False)
class Verdicts:
    """What D makes of images.

    Attributes:
        images: Levels, by where they come from, ``(JUDGED, C, H, W)``.
        probabilities: D(x) of each, likewise ``(JUDGED,)``.
        words: Where the real ones come from.
    """

    images: dict[str, NDArray[np.uint8]]
    probabilities: dict[str, NDArray[np.float64]]
    words: str


@st.cache_data(max_entries=16, show_spinner=False)
def draws(source: Source, seed: int) -> tuple[NDArray[np.uint8], float]:
    """Fresh images, and the seconds they took."""
    with SAMPLING_SLOT:
        start = time.perf_counter()
        images = sample(model_of(source), DRAWN, seed=seed, **source.told)
        return images, time.perf_counter() - start


@st.cache_data(max_entries=16, show_spinner=False)
def way(source: Source, seed: int) -> Way:
    """Between two z that follow from the seed: on the sphere, straight through, and in pixels, where no G is asked."""
    model = model_of(source)
    one, other = np.random.default_rng([seed, 7]).standard_normal((2, model.settings.latent))
    ways = {"on the sphere": spherical(one, other, BETWEEN), "straight": straight(one, other, BETWEEN)}
    start = time.perf_counter()
    # One by one: what a pyramid draws beside z follows from the seed, and is then the same for all.
    images = {
        words: np.concatenate([sample(model, 1, seed=seed, latents=z[None], **source.told) for z in places])
        for words, places in ways.items()
    }
    milliseconds = 1000 * (time.perf_counter() - start) / (2 * BETWEEN)
    first, last = (images["on the sphere"][end].astype(float) for end in (0, -1))
    mixed = [(1 - share) * first + share * last for share in np.linspace(0, 1, BETWEEN)]
    images["in pixels"] = np.rint(mixed).astype(np.uint8)
    return Way(images, {words: np.linalg.norm(places, axis=1) for words, places in ways.items()}, milliseconds)


@st.cache_data(max_entries=8, show_spinner=False)
def verdicts(source: Source, seed: int) -> Verdicts:
    """D on real images that it never saw, and on as many that G draws."""
    real, words = held_out(source)
    real = real[:JUDGED]
    drawn = sample(model_of(source), len(real), seed=seed, **source.told)
    images = {"real": real, "generated": drawn}
    return Verdicts(images, {name: judged(source, values) for name, values in images.items()}, words)


def judged(source: Source, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """D(x) of each image, ``(N,)``; a class-conditional D is told the source's class."""
    labels = None if source.label is None else np.full(len(images), source.label)
    own = np.array(images)  # torch wants to be able to write, and an image out of an address is read alone
    probabilities: NDArray[np.float64] = model_of(source).judge(Batch(own, labels)).double().numpy()
    return probabilities


def history(source: Source) -> list[Path]:
    """The sample grids that a run kept, oldest first: the same z all along."""
    return open_run(source.path).sample_files


def can_be_asked(source: Source) -> bool:
    """Whether a model draws from a z that one chooses."""
    model: Any = model_of(source)
    return hasattr(model, "latents") and hasattr(getattr(model, "settings", None), "latent")
