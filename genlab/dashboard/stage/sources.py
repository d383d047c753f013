"""Where the models come from that the pages draw with, and the real images that these were not shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from genlab.dashboard import address
from genlab.errors import GenlabError, InputError
from genlab.models.contract import ABILITIES
from genlab.runs import Run, list_runs, load_model, open_run, pretrained_path

# Trained models that come with genlab, the best to look at first.
PACKAGED = {
    "mnist-pixelcnn": "MNIST, 28×28",
    "digits-pixelcnn": "small digits, 8×8",
    "mnist-vae-2d": "MNIST, codes in a plane",
    "mnist-vae": "MNIST, longer codes",
    "mnist-flow": "MNIST in 256 levels",
    "spirals-flow": "two spirals in the plane",
}
PACKAGED_BY_CLASS = {
    "mnist-by-class": "MNIST, a digit of your choice",
    "mnist-dcgan": "MNIST by a generator and a discriminator",
    "mnist-lapgan": "MNIST by a pyramid of such pairs",
    "digits-gan": "small digits by a GAN, with its history",
}
RUNS_AT_MOST = 40


@dataclass(frozen=True)
class Source:
    """Where a model comes from.

    Attributes:
        path: What `genlab.load_model` takes; empty for a model that was never trained.
        version: Changes when the weights do.
        words: For the reader.
        system: Of a model that was never trained: its name in the catalogue.
        label: The class that the visitor chose, of a class-conditional model.
    """

    path: str
    version: int
    words: str
    system: str = ""
    label: int | None = None

    @property
    def name(self) -> str:
        """What the address calls it."""
        return Path(self.path).name or self.system

    @property
    def told(self) -> dict[str, Any]:
        """What the model is told whenever it draws or scores."""
        return {} if self.label is None else {"labels": self.label}


UNTRAINED = Source("", 0, "an untrained model")


def sources(needs: Iterable[str] = (), *, by_class: bool = False) -> list[Source]:
    """What can draw without being told anything: the models that come with genlab, then runs of one's own, the newest first.

    Args:
        needs: Abilities of `genlab.models.contract`; models that lack one are left out.
        by_class: Those too that have to be told a class.
    """
    names = {**PACKAGED, **(PACKAGED_BY_CLASS if by_class else {})}
    packaged = [(Run(path), f"{words}, comes with genlab") for name, words in names.items() if (path := pretrained_path(name))]
    # A packaged model goes by its name, which stays the same wherever genlab lies.
    found = [Source(run.name, 0, words) for run, words in packaged if _can(run, needs)]
    found += [source for source, settings in _runs(needs) if not _is_shown(settings) and (by_class or not settings.get("classes"))]
    return found or [UNTRAINED]


def sources_for(packaged: Iterable[str], fits: Callable[[Mapping[str, Any]], bool]) -> list[Source]:
    """What can draw for one use: models that come with genlab, then runs of one's own.

    Args:
        packaged: The names of those that come with genlab.
        fits: Whether a model of these settings will do.
    """
    found = [Source(name, 0, f"{name}, comes with genlab") for name in packaged if pretrained_path(name)]
    return found + [source for source, settings in _runs({"causal"}) if fits(settings)]


def _runs(needs: Iterable[str]) -> Iterator[tuple[Source, Mapping[str, Any]]]:
    """One's own runs with these abilities that have weights, and their model's settings."""
    for run in list_runs()[:RUNS_AT_MOST]:
        if run.checkpoint_path.exists() and _can(run, needs):
            source = Source(str(run.path.resolve()), run.checkpoint_path.stat().st_mtime_ns, f"run {run.label}")
            yield source, run.config["model"]["settings"]


def _is_shown(settings: Mapping[str, Any]) -> bool:
    """Whether a model draws only when it is shown an image."""
    return bool(settings.get("given") is not None)


def can(source: Source, needs: Iterable[str]) -> bool:
    """Whether a trained model has these abilities."""
    return _can(open_run(source.path), needs)


def _can(run: Run, needs: Iterable[str]) -> bool:
    """Whether a run's model has these abilities; a run that cannot be read has none. Loads no weights."""
    try:
        return run.abilities.issuperset(needs)
    except GenlabError:
        return False


def choose_source(needs: Iterable[str], others: Iterable[Source] = (), *, of_images: bool = False) -> Source:
    """The visitor's choice of a model that has these abilities, kept in the address: ``?model=…``; of old, ``?run=…``.

    Args:
        needs: As for `sources`.
        others: Stand below those.
        of_images: Models of anything else are left out.
    """
    able = [source for source in sources(needs, by_class=True) if not (of_images and source.path) or open_run(source.path).domain.is_image]
    found = {source.name: source for source in (*(able or [UNTRAINED]), *others)}
    asked = address.text("model") or address.text("run")
    if asked and asked not in found:
        st.warning(_missing(asked, needs))
    name = asked if asked in found else next(iter(found))
    if len(found) > 1:
        words = {each: source.words for each, source in found.items()}
        forgotten = ("run", "image", "pixel", "drawing", "label")
        address.linked(st.selectbox, "model", "model", name, list(found), forget=forgotten, format_func=lambda each: words.get(each, each))
    if not found[name].path:
        st.warning("This model is untrained: it draws noise.")
    return _told_a_class(found[name])


def _told_a_class(source: Source) -> Source:
    """A class-conditional model with the visitor's choice of a class, kept in the address: ``?label=…``; any other as it is."""
    classes = getattr(model_of(source), "classes", 0) if source.path else 0
    if not classes:
        return source
    label = address.whole("label", 0, least=0, most=classes - 1)
    address.linked(st.selectbox, "class", "label", label, range(classes), forget=("image", "pixel"), width=160)
    return replace(source, label=label)


def untrained_systems(needs: Iterable[str]) -> list[Source]:
    """The systems of the catalogue that have these abilities, each with random weights and the settings it begins with."""
    from genlab.models import entries

    return [Source("", 0, f"{entry.name}, untrained", entry.name) for entry in entries() if entry.abilities.issuperset(needs)]


def _missing(asked: str, needs: Iterable[str]) -> str:
    """Why the model that the address asks for is not among those of the page."""
    if any(source.name == asked and _is_shown(settings) for source, settings in _runs(())):
        return "The model in the address draws only when it is shown an image: see the page “What it is good for”."
    if any(source.name == asked for source in sources()):
        wanted = " and ".join(ABILITIES[ability][1] for ability in needs)
        return f"The model in the address has other abilities than this page shows: it takes {wanted}."
    return "The run in the address is not here (any more), or has no weights yet."


def model_of(source: Source) -> Any:
    """The model itself: a `genlab.models.contract.Model` with the abilities that its source was chosen for."""
    return _model(source.path, source.version, source.system)


@st.cache_resource(max_entries=4, show_spinner=False)
def _model(path: str, version: int, system: str) -> Any:
    from genlab.models import create_model

    if system:
        return create_model(system).eval()
    if not path:
        return create_model("pixelcnn", image_shape=(1, 8, 8), levels=17, channels=32, blocks=5).eval()
    return load_model(path)


def held_out(source: Source) -> tuple[NDArray[np.uint8], str]:
    """Test images ``(N, C, H, W)`` in the model's own levels, and a sentence on them; if a class was chosen, those of that class.

    Raises:
        InputError: The model's data is not at hand, or has none of the class.
    """
    images, labels, words = _held_out(source.path, source.version, crowd=False)
    if source.label is None:
        return images, words
    chosen = images[labels == source.label] if labels is not None else images[:0]
    if not len(chosen):
        raise InputError(f"label must be a class that the held-out images have to be shown some; got {source.label}")
    return chosen, f"those of class {source.label} among {words}"


def held_out_crowd(source: Source) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None, str]:
    """As many test images as there are at hand, their labels if they have any, and a sentence on them.

    Raises:
        InputError: The model's data is not at hand.
    """
    return _held_out(source.path, source.version, crowd=True)


@st.cache_data(max_entries=8, show_spinner=False)
def _held_out(path: str, version: int, *, crowd: bool) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None, str]:
    if not path:
        raise InputError("model must have been trained on something before real images can be held out; this one is untrained")
    from genlab.datasets import load_dataset
    from genlab.datasets.test_digits import ALL, COUNT, LABELS, mnist_test_digits
    from genlab.settings import DataSettings

    settings = {key: value for key, value in open_run(path).config["data"].items() if key != "record"}
    if settings["name"] == "mnist":  # all of it may be a download away, and a page calls nobody
        count = ALL if crowd else COUNT
        words = f"the first {count:,} of MNIST's test images, which the model never saw"
        return mnist_test_digits(DataSettings(**settings), count), np.array(LABELS[:count]), words
    data = load_dataset(settings.pop("name"), **settings)
    return data.test.images, data.test.labels, f"the first of {len(data.test):,} test images of {data.name}, which the model never saw"
