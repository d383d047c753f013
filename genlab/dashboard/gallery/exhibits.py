"""What hangs in the gallery: image models, those that come with genlab and the newest runs of one's own, in the order of their papers."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

import genlab
from genlab.dashboard.gallery import shipped
from genlab.dashboard.navigation import PAGES, pages_of_family
from genlab.dashboard.sampling_slot import SAMPLING_SLOT
from genlab.dashboard.stage.sources import Source, held_out, model_of, sources
from genlab.dashboard.words import duration
from genlab.domain import Domain
from genlab.errors import GenlabError
from genlab.models import Entry, entries
from genlab.models.contract import Report
from genlab.runs import Run, open_run

OWN_AT_MOST = 6
_ELSEWHERE = {"flow_matching": "noise_to_data"}  # a family that shares another's branch of the map
KINDS = {"exact": "exact", "bound": "a bound on log p", "distance": "a distance, no likelihood"}


@dataclass(frozen=True)
class Exhibit:
    """A model in the gallery.

    Attributes:
        source: Where it comes from.
        entry: Its line in the catalogue.
        told: Of what kind the image is that it is told before it draws, such as ``"small"``; nothing if it draws without.
        data: What it was trained on.
        cost: What its training took, in words.
        figure: What its report says, and of what kind that is.
    """

    source: Source
    entry: Entry
    told: str
    data: str
    cost: str
    figure: str

    @property
    def year(self) -> int:
        """Of its paper."""
        found = re.search(r"\d{4}", self.entry.paper)
        return int(found[0]) if found else 0

    @property
    def title(self) -> str:
        """The model's name in the catalogue; a run's with its own."""
        return f"{self.entry.name}, {self.source.words}" if Path(self.source.path).is_absolute() else self.entry.name

    @property
    def lab(self) -> str:
        """The page where it can be tried: of its family's, the one that asks for most of what it can do."""
        if self.told:
            return "uses"
        pages = pages_of_family(self.entry.family)
        fitting = [name for name in pages if PAGES[name].needs and PAGES[name].needs <= self.entry.abilities]
        return max(
            fitting, key=lambda name: len(PAGES[name].needs), default=pages[0] if pages else _ELSEWHERE.get(self.entry.family, "runs")
        )

    @property
    def at(self) -> dict[str, str]:
        """What that page's address says there."""
        return {"model": self.source.name} | ({"use": self.told} if self.told else {})


@dataclass(frozen=True)
class Set:
    """Some images of an exhibit.

    Attributes:
        images: Levels ``(N, C, H, W)``.
        levels: Their number.
        seconds: What one image took.
        parameters: Of the model.
    """

    images: NDArray[np.uint8]
    levels: int
    seconds: float
    parameters: int


def exhibits() -> list[Exhibit]:
    """All of them, the oldest paper first."""
    found = [_exhibit(source) for source in picture_sources()]
    return sorted((each for each in found if each is not None), key=lambda each: each.year)


def picture_sources() -> list[Source]:
    """Every image model that comes with genlab and draws, then the newest runs of one's own."""
    packaged = [Source(run.name, 0, f"{run.name}, comes with genlab") for run in shipped.runs()]
    own = [source for source in sources(by_class=True) if Path(source.path).is_absolute() and _is_picture(source)]
    return packaged + own[:OWN_AT_MOST]


def _is_picture(source: Source) -> bool:
    try:
        return shipped.is_picture(open_run(source.path).domain)
    except GenlabError:
        return False


def drawn(exhibit: Exhibit, seed: int) -> Set:
    """Its images by a seed; the first set of a model that comes with genlab was drawn beforehand."""
    return (_shipped_set(exhibit) if seed == 0 else None) or _drawn(exhibit.source, seed)


def draw(model: Any, source: Source, seed: int) -> NDArray[np.uint8]:
    """`shipped.IMAGES` images: of each class in turn, or of as many held-out images, where the model is told such."""
    n = shipped.IMAGES
    told: dict[str, Any] = {}
    if classes := getattr(model, "classes", 0):
        told["labels"] = np.arange(n) % classes
    if condition := getattr(model, "condition", None):
        real = held_out(source)[0]
        told["condition"] = condition.of(real[(seed * n + np.arange(n)) % len(real)])
    images: NDArray[np.uint8] = genlab.sample(model, n, seed=seed, **told)
    return images


@st.cache_data(max_entries=64, show_spinner=False)
def _drawn(source: Source, seed: int) -> Set:
    model = model_of(source)
    with SAMPLING_SLOT:
        begun = time.perf_counter()
        images = draw(model, source, seed)
        seconds = time.perf_counter() - begun
    return Set(images, model.domain.levels, seconds / len(images), shipped.parameters(model))


def _shipped_set(exhibit: Exhibit) -> Set | None:
    images, told = shipped.images(exhibit.source.name), shipped.told(exhibit.source.name)
    if Path(exhibit.source.path).is_absolute() or images is None or told is None:
        return None
    levels = open_run(exhibit.source.path).domain.levels
    return Set(images, levels or 2, told["seconds"], told["parameters"])


def _exhibit(source: Source) -> Exhibit | None:
    """What is known of it; None where its files cannot be read, or its model is not in the catalogue."""
    try:
        run = open_run(source.path)
        config, domain = run.config, run.domain
        entry = next((each for each in entries() if each.name == config["model"]["name"]), None)
        if entry is None:
            return None
        given = config["model"]["settings"].get("given") or ""
        return Exhibit(source, entry, given, _data(config, domain), _cost(run), _figure(run, source))
    except (GenlabError, LookupError, TypeError):
        return None


def _data(config: dict[str, Any], domain: Domain) -> str:
    _, height, width = domain.shape
    settings = config["model"]["settings"]
    told = ["a class"] * bool(settings.get("classes")) + [f"a {kind} image" for kind in [settings.get("given")] if kind]
    told_words = f", told {' and '.join(told)}" if told else ""
    return f"{config['data']['name']}, {height}×{width}, {domain.levels} levels{told_words}"


def _cost(run: Run) -> str:
    """Images seen, and in how long where that was kept."""
    config, records = run.config, run.metrics("train")
    training, batch = config["training"], config["training"]["batch_size"]
    if records:
        return f"{records[-1]['step'] * batch:,} images seen in {duration(records[-1]['seconds'])}"
    # A model that comes with genlab keeps the command that made it.
    command = config.get("command", "")
    steps, epochs = re.search(r"\bsteps=(\d+)", command), re.search(r"--epochs (\d+)", command)
    took = f" in {duration(60 * training['minutes'])}" if training.get("minutes") else ""
    if steps:
        return f"{int(steps[1]) * batch:,} images seen{took}"
    if epochs:
        return f"{int(epochs[1]) * config['data']['record']['images']['train']:,} images seen{took}"
    return took.strip()


def _figure(run: Run, source: Source) -> str:
    """The report's figure with what it is: on test images of a shipped model, at the best validation of a run of one's own."""
    report, told = run.report, None if Path(source.path).is_absolute() else shipped.told(run.name)
    if told is not None:
        return _in_words(report, told["mean"], told["standard_error"])
    best = run.best_value()
    return "not validated yet" if best is None else _in_words(report, best, None)


def _in_words(report: Report, mean: float, standard_error: float | None) -> str:
    error = float(f"{standard_error or 0:.2g}")
    spread = f" ± {error:g}" if error else ""
    return f"{mean:.4g}{spread} {report.words} ({KINDS[report.kind]})"
