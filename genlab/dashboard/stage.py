"""The stage on which a model draws: which model that is, its records, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from genlab.dashboard.components.theatre import Records, draw_records, theatre
from genlab.errors import GenlabError
from genlab.jobs import Job
from genlab.runs import load_model, pretrained_path

if TYPE_CHECKING:
    from genlab.models.causal_model import CausalModel

PRETRAINED = "digits-pixelcnn"
IMAGES = 32


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


def stage(job: Job | None) -> None:
    """The theatre, playing what the model of that run draws, or the packaged one if the run has drawn nothing yet."""
    try:
        source, seed = _choose(_sources(job))
        with st.spinner("The model is drawing …"):
            records = _records(source, seed)
    except GenlabError as error:
        st.error(str(error))
        return
    if not source.path:
        st.warning("Untrained: this is noise. Press **Train** below.")
    theatre(records, identity=f"{source} {seed}", caption=_cost(records, source))


def _sources(job: Job | None) -> list[Source]:
    """What can draw, the best choice first."""
    sources = []
    if job is not None and job.run.checkpoint_path.exists() and job.run.metrics("valid"):
        version = job.run.checkpoint_path.stat().st_mtime_ns
        sources.append(Source(str(job.run.path.resolve()), version, "the chosen run"))
    if pretrained_path(PRETRAINED):
        sources.append(Source(PRETRAINED, 0, "the model that comes with genlab"))
    return sources or [Source("", 0, "an untrained model")]


def _choose(sources: list[Source]) -> tuple[Source, int]:
    """Who draws, and the seed it draws from."""
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    with left:
        words = {source.words: source for source in sources}
        if len(sources) == 1:
            st.caption(f"Drawn by {sources[0].words}.")
            picked = sources[0]
        else:
            picked = words[st.segmented_control("drawn by", list(words), default=sources[0].words, required=True)]
    with right:
        if st.button("Draw others", width="stretch"):
            st.session_state["draw_seed"] = st.session_state.get("draw_seed", 0) + 1
    return picked, st.session_state.get("draw_seed", 0)


@st.cache_resource(max_entries=4, show_spinner=False)
def _model(source: Source) -> CausalModel:
    from genlab.models import create_model

    if not source.path:
        return create_model("pixelcnn", image_shape=(1, 8, 8), levels=17, channels=32, blocks=5).eval()
    return load_model(source.path)


@st.cache_data(max_entries=16, show_spinner=False)
def _records(source: Source, seed: int) -> Records:
    return draw_records(_model(source), images=IMAGES, seed=seed)


def _cost(records: Records, source: Source) -> str:
    images, pixels = records.values.shape
    bits = records.bits_per_image
    return (
        f"{images} images, all drawn at once in {_duration(records.seconds)} ({records.backend} walk) by a network of "
        f"{_model(source).parameter_count():,} parameters. An image costs {bits:.1f} bits on average, {bits / pixels:.2f} a pixel. "
        "Click one to look closer."
    )


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"
