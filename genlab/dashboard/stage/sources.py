"""Where the models come from that the pages draw with, and the real images that these were not shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from genlab.errors import InputError
from genlab.runs import list_runs, load_model, open_run, pretrained_path

if TYPE_CHECKING:
    from genlab.models.causal.model import CausalModel

# Trained models that come with genlab, the best to look at first.
PACKAGED = {"mnist-pixelcnn": "MNIST, 28×28", "digits-pixelcnn": "small digits, 8×8"}
RUNS_AT_MOST = 40


@dataclass(frozen=True)
class Source:
    """Where a model comes from.

    Attributes:
        path: What `genlab.load_model` takes; empty for a model that was never trained.
        version: Changes when the weights do.
        words: For the reader.
    """

    path: str
    version: int
    words: str


def sources() -> list[Source]:
    """What can draw: the models that come with genlab, then runs of one's own, the newest first."""
    found = [Source(name, 0, f"{words}, comes with genlab") for name, words in PACKAGED.items() if pretrained_path(name)]
    for run in list_runs()[:RUNS_AT_MOST]:
        if run.checkpoint_path.exists():
            found.append(Source(str(run.path.resolve()), run.checkpoint_path.stat().st_mtime_ns, f"run {run.label}"))
    return found or [Source("", 0, "an untrained model")]


def choose_source() -> Source:
    """The visitor's choice of a model. The address may ask for a run by name: ``?run=…``."""
    found = sources()
    asked = st.query_params.get("run")
    first = next((i for i, source in enumerate(found) if source.path and Path(source.path).name == asked), 0)
    if asked is not None and (not found[first].path or Path(found[first].path).name != asked):
        st.warning("The run in the address is not here (any more), or has no weights yet.")
    picked = found[0]
    if len(found) > 1:
        picked = st.selectbox("model", found, index=first, format_func=lambda source: source.words)
    if not picked.path:
        st.warning("This model is untrained: it draws noise.")
    return picked


@st.cache_resource(max_entries=4, show_spinner=False)
def model_of(source: Source) -> CausalModel:
    """The model itself."""
    from genlab.models import create_model

    if not source.path:
        untrained: CausalModel = create_model("pixelcnn", image_shape=(1, 8, 8), levels=17, channels=32, blocks=5)
        return untrained.eval()
    return load_model(source.path)


@st.cache_data(max_entries=8, show_spinner=False)
def held_out(source: Source) -> tuple[NDArray[np.uint8], str]:
    """Test images ``(N, C, H, W)`` in the model's own levels, and a sentence on them.

    Raises:
        InputError: The model's data is not at hand.
    """
    if not source.path:
        raise InputError("model must have been trained on something before real images can be held out; this one is untrained")
    from genlab.datasets import load_dataset
    from genlab.datasets.test_digits import COUNT, mnist_test_digits
    from genlab.settings import DataSettings

    settings = {key: value for key, value in open_run(source.path).config["data"].items() if key != "record"}
    if settings["name"] == "mnist":  # all of it may be a download away, and a page calls nobody
        return mnist_test_digits(DataSettings(**settings)), f"the first {COUNT} of MNIST's test images, which the model never saw"
    data = load_dataset(settings.pop("name"), **settings)
    return data.test.images, f"the first of {len(data.test):,} test images of {data.name}, which the model never saw"
