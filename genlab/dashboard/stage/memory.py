"""What the page on memorisation shows: a model's samples beside their nearest training and held-out images, and a planted memoriser's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from genlab.dashboard.gallery.exhibits import picture_sources
from genlab.dashboard.sampling_slot import SAMPLING_SLOT
from genlab.dashboard.stage.sources import Source, model_of
from genlab.errors import GenlabError
from genlab.runs import open_run

if TYPE_CHECKING:
    from genlab.datasets import Dataset
    from genlab.measures.memorisation import Pairs

SAMPLES = 300
_TRAINING = 5_000  # images that neighbours are looked for among


def with_data() -> dict[str, Source]:
    """The image models whose training data are at hand, by name; small ones first, since their neighbours are soon found."""
    found = [source for source in picture_sources() if _data_name(source) is not None]
    return {source.name: source for source in sorted(found, key=lambda source: open_run(source.path).domain.size)}


def _data_name(source: Source) -> str | None:
    """What its data are called; None where they are not at hand: a page calls nobody."""
    from genlab.datasets.mnist import is_at_hand

    try:
        name = str(open_run(source.path).config["data"]["name"])
    except (GenlabError, LookupError):
        return None
    return name if name != "mnist" or is_at_hand() else None


@st.cache_resource(max_entries=16, show_spinner=False)
def pairs_of(source: Source, space: str, seed: int, *, planted: bool) -> Pairs:
    """Samples of a model, or of a memoriser of its training data, with who is nearest to each in a space."""
    from genlab.measures.memorisation import Memoriser, looked_at, pairs

    data = _data(source)
    memory = data.train.images[looked_at(data, _TRAINING, seed)]
    levels = data.domain.levels or 2
    # Of two levels one in eighty pixels is then another, of seventeen every third.
    model: Any = Memoriser(memory, levels, noise=min(0.5, 0.1 + levels / 20)) if planted else model_of(source)
    with SAMPLING_SLOT:
        return pairs(model, data, samples=SAMPLES, space=space, training=_TRAINING, seed=seed)


def _data(source: Source) -> Dataset:
    from genlab.datasets import load_dataset

    settings: dict[str, Any] = {key: value for key, value in open_run(source.path).config["data"].items() if key != "record"}
    return load_dataset(settings.pop("name"), **settings)
