"""What the first page shows, before torch is loaded."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from genlab.dashboard.components.tree import Strip
from genlab.dashboard.gallery import shipped
from genlab.dashboard.sampling_slot import SAMPLING_SLOT
from genlab.dashboard.stage.sources import PACKAGED, model_of, sources
from genlab.dashboard.words import accuracies
from genlab.native import native_info
from genlab.runs import load_painter, open_run, pretrained_path

FRONT_IMAGES = 24  # has divisors enough for whole rows at every width


@st.cache_data(max_entries=16, show_spinner=False)
def front_digits(seed: int) -> tuple[NDArray[np.uint8], int, float, int]:
    """Fresh digits by the best model that comes with genlab: images, levels, the seconds they took, and the model's parameters."""
    from genlab.sampling import sample

    packaged = next((name for name in PACKAGED if pretrained_path(name)), None)
    # Without torch, whose loading would be most of the wait, where that can be done.
    model = load_painter(packaged) if packaged and native_info()["available"] else model_of(sources()[0])
    with SAMPLING_SLOT:
        start = time.perf_counter()
        images = sample(model, FRONT_IMAGES, seed=seed)
        seconds = time.perf_counter() - start
    return images, model.levels, seconds, model.parameter_count()


def strip_of(model: str, images: int = 6) -> Strip | None:
    """Some of the samples that come with genlab of a model that does; None if it has none."""
    drawn = shipped.images(model)
    run = None if drawn is None else open_run(model)
    return None if drawn is None or run is None else Strip(drawn[:images], run.domain.levels or 2, "causal" in run.abilities)


@dataclass(frozen=True)
class Read:
    """What a linear reader makes of codes that were learnt without labels.

    Attributes:
        words: How often it is right.
        size: Numbers in a code.
        images: Test images that it was tried on.
        draws: How often the labelled images were drawn anew.
    """

    words: str
    size: int
    images: int
    draws: int


def read_without_labels(model: str) -> Read:
    """What ``genlab probe`` found of a model that comes with genlab."""
    found = json.loads((open_run(model).path / "probe.json").read_text(encoding="utf-8"))["readings"]
    code = next(each for each in found if each["features"] == "code")
    words = accuracies((each["labels"], each["features"], each["accuracy"]["value"]) for each in found)
    return Read(words, code["size"], code["held_out"], code["draws"])
