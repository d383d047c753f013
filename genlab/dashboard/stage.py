"""What the pages draw with: which models are here, the images they draw, and the real digits they were not shown."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from genlab.dashboard.components.theatre import Records, draw_records, score_records
from genlab.dashboard.sampling_slot import SAMPLING_SLOT
from genlab.errors import InputError
from genlab.native import native_info
from genlab.runs import list_runs, load_model, load_painter, open_run, pretrained_path

if TYPE_CHECKING:
    from genlab.models.causal.model import CausalModel

# Trained models that come with genlab, the best to look at first.
PACKAGED = {"mnist-pixelcnn": "MNIST, 28×28", "digits-pixelcnn": "small digits, 8×8"}
IMAGES = 32
FRONT_IMAGES = 32
RUNS_AT_MOST = 40
COMPLETIONS = 12
TEMPERATURES = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
HEATED = 64  # images drawn at each of them


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


@st.cache_data(max_entries=16, show_spinner=False)
def drawn(source: Source, seed: int) -> Records:
    """Images that the model draws, with what it expected of each pixel."""
    model = model_of(source)
    with SAMPLING_SLOT:
        return draw_records(model, images=IMAGES, seed=seed)


@st.cache_data(max_entries=8, show_spinner=False)
def real(source: Source) -> tuple[Records, str]:
    """Real images that the model was not trained on, with what it expects of each pixel, and where they come from."""
    images, words = held_out(source)
    return score_records(model_of(source), images[:IMAGES]), words


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
        images = sample(model, COMPLETIONS, seed=seed, known=known, known_mask=mask, temperature=temperature)
        seconds = time.perf_counter() - start
    surprise = -model.logits(images).double().log_softmax(-1).numpy() / np.log(2)
    drawn = np.take_along_axis(surprise, images[..., None].astype(np.int64), -1)[..., 0]
    return images, drawn[:, :, rows:].sum((1, 2, 3)), seconds


@st.cache_data(max_entries=32, show_spinner=False)
def heated(source: Source, temperature: float, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float64], float]:
    """Images drawn at a temperature, the bits each costs at temperature 1, and the seconds the drawing took."""
    from genlab.sampling import sample

    model = model_of(source)
    with SAMPLING_SLOT:
        start = time.perf_counter()
        images = sample(model, HEATED, seed=seed, temperature=temperature)
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


def cost(records: Records, source: Source, *, words: str = "") -> str:
    """What stands below the wall of images: how many, how long, how many bits."""
    images, pixels = records.values.shape
    bits = records.bits_per_image
    network = f"a network of {model_of(source).parameter_count():,} parameters"
    made = f"{images} real images, scored in {duration(records.seconds)}" if records.real else f"{images} images, all drawn at once in"
    made = f"{made} by {network}" if records.real else f"{made} {duration(records.seconds)} ({records.backend} walk) by {network}"
    return f"{made}{'; ' + words if words else ''}. An image costs {bits:.1f} bits on average, {bits / pixels:.2f} a pixel."


def duration(seconds: float) -> str:
    """Seconds or milliseconds, short."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"
