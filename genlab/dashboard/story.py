"""What a run's files tell, read once and checked: a page then shows it without asking again whether it is sound."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from genlab.dashboard.charts import Axis, Records
from genlab.domain import Domain
from genlab.errors import GenlabError, RunError
from genlab.jobs import Job
from genlab.lecture import Published, published
from genlab.models.contract import Report
from genlab.settings import TrainSettings, validate

BITS_PER_DIM = Axis("bits_per_dim", "bits/dim")


@dataclass(frozen=True)
class Story:
    """A run's config and records.

    Attributes:
        config: As in `config.json`.
        report: What "better" means for its model.
        domain: What its model is a distribution over.
        abilities: What its model can do, names in `genlab.models.contract.ABILITIES`.
        train: Records of kind ``"train"``; likewise `valid`, `sample` and `event`.
        valid: See above.
        sample: See above.
        event: See above.
    """

    config: Mapping[str, Any]
    report: Report
    domain: Domain
    abilities: frozenset[str] = frozenset()
    train: Records = ()
    valid: Records = ()
    sample: Records = ()
    event: Records = ()

    @property
    def axis(self) -> Axis:
        """The figure that its curve shows: bits/dim where it has them, which compare across sizes; else its own report."""
        has_bits = self.report.kind != "distance" and self.domain.levels is not None
        return BITS_PER_DIM if has_bits else Axis(self.report.key, self.report.words)

    @property
    def curve(self) -> Records:
        """The validations; before the first, what training says of the same figure."""
        return self.valid or [record for record in self.train if self.axis.key in record]

    @property
    def best(self) -> Mapping[str, Any] | None:
        """The best validation, or None before the first."""
        best = None
        for record in self.valid:
            if self.report.is_better(record[self.report.key], None if best is None else best[self.report.key]):
                best = record
        return best

    def written(self, record: Mapping[str, Any]) -> str:
        """The figure of its curve in a record, with its unit."""
        value, is_bits = record[self.axis.key], self.axis == BITS_PER_DIM
        return f"{value:.3f} {self.axis.words}" if is_bits else f"{value:.4g} {self.axis.words}"

    @property
    def learning_rate(self) -> float:
        """The rate that warm-up and schedule scale now: the last change's, else the one it began with."""
        settings = self.settings
        return settings.learning_rates[-1][1] if settings.learning_rates else settings.learning_rate

    @property
    def settings(self) -> TrainSettings:
        """How it is trained; what its config leaves out has its default."""
        return validate(TrainSettings, self.config["training"])

    @property
    def protocol(self) -> str:
        """Which data a figure speaks of. Figures compare only where these words and the report are the same."""
        record = self.config["data"].get("record", {})
        name, rule, seed = record.get("name") or self.config["data"]["name"], record.get("rule", "x"), record.get("seed", 0)
        if not self.domain.is_image:
            return f"{name}, {self.domain}, split of seed {seed}"
        _, height, width = self.domain.shape
        levels = "real values" if self.domain.levels is None else f"{self.domain.levels} levels"
        return f"{name}, {height}×{width}, {levels}{'' if rule == 'x' else f' (from intensity x: {rule})'}, split of seed {seed}"

    @property
    def references(self) -> Sequence[Published]:
        """What the literature reports under just this protocol, best last; usually nothing."""
        data = self.config["data"]
        if data.get("size") is not None or self.axis != BITS_PER_DIM or self.domain.levels is None:
            return []
        return published(data["name"], levels=self.domain.levels, binarize=data.get("binarize"))


def read_story(job: Job) -> Story:
    """The story of a run.

    Raises:
        RunError: A file is torn or does not hold what a run holds.
    """
    run, records = job.run, job.run.metrics()
    kinds = {kind: [record for record in records if record["kind"] == kind] for kind in ("train", "valid", "sample", "event")}
    try:
        story = Story(run.config, run.report, run.domain, run.abilities, **kinds)
        # Whatever else is read later is read here once, so that a damaged file shows now.
        _ = story.protocol, story.references, story.learning_rate, story.best, [record[story.axis.key] for record in story.valid]
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"the files in {run.path} do not hold what a run's files hold: {type(error).__name__} {error}") from None
    return story


def read_values(file: Path) -> NDArray[np.float32]:
    """The examples in a run's sample file, float32 ``(N, size)``.

    Raises:
        RunError: It does not hold any.
    """
    try:
        with np.load(file, allow_pickle=False) as content:
            values: NDArray[np.float32] = content["values"].astype(np.float32)
            return values.reshape(len(values), -1)
    except (OSError, ValueError, LookupError, BadZipFile, MemoryError) as error:
        raise RunError(f"{file} could not be read: {error}") from None


def parameter_count(config: Mapping[str, Any]) -> int:
    """The number of parameters of a config's model, counted without building its weights.

    Raises:
        InputError: There is no such model.
    """
    return _count(json.dumps(config["model"]))


@st.cache_data(max_entries=256, show_spinner=False)
def _count(described: str) -> int:
    import torch

    from genlab.models import create_model

    model = json.loads(described)
    with torch.device("meta"):
        made = create_model(model["name"], **model["settings"])
    return sum(parameter.numel() for _, parameter in made.named_parameters())


def parameters_in_words(config: Mapping[str, Any]) -> str:
    """The number, or why there is none."""
    try:
        return f"{parameter_count(config):,}"
    except (GenlabError, TypeError) as error:
        return f"unknown ({error})"
