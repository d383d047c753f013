"""What the first page draws, before torch is loaded."""

from __future__ import annotations

import time

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from genlab.dashboard.sampling_slot import SAMPLING_SLOT
from genlab.dashboard.stage.sources import PACKAGED, model_of, sources
from genlab.native import native_info
from genlab.runs import load_painter, pretrained_path

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
