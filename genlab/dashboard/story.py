"""What a run's files tell, read once and checked: a page then shows it without asking again whether it is sound."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from genlab.dashboard.charts import Records
from genlab.errors import GenlabError, RunError
from genlab.jobs import Job
from genlab.lecture import Published, published

_NUMBERS = {
    "train": ("step", "seconds", "bits_per_dim", "images_per_second", "learning_rate"),
    "valid": ("step", "seconds", "bits_per_dim", "nats"),
    "sample": ("step",),
    "event": ("step", "time"),
}


@dataclass(frozen=True)
class Story:
    """A run's config and records.

    Attributes:
        config: As in `config.json`.
        train: Records of kind ``"train"``; likewise `valid`, `sample` and `event`.
        valid: See above.
        sample: See above.
        event: See above.
    """

    config: Mapping[str, Any]
    train: Records
    valid: Records
    sample: Records
    event: Records

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """``(C, H, W)``."""
        channels, height, width = self.config["data"]["record"]["image_shape"]
        return channels, height, width

    @property
    def best(self) -> Mapping[str, Any] | None:
        """The best validation, or None before the first."""
        return min(self.valid, key=lambda record: record["nats"], default=None)

    @property
    def learning_rate(self) -> float:
        """The rate that warm-up and schedule scale now: the last change's, else the one it began with."""
        changes = self.config["training"].get("learning_rates") or [(0, self.config["training"]["learning_rate"])]
        return float(changes[-1][1])

    @property
    def protocol(self) -> str:
        """Which data a likelihood speaks of. Numbers compare only where these words are the same."""
        record = self.config["data"]["record"]
        _, height, width = self.image_shape
        rule = "" if record["rule"] == "x" else f" (from intensity x: {record['rule']})"
        return f"{record['name']}, {height}×{width}, {record['levels']} levels{rule}, split of seed {record['seed']}"

    @property
    def references(self) -> list[Published]:
        """What the literature reports under just this protocol, best last; usually nothing."""
        data = self.config["data"]
        if data.get("size") is not None:
            return []
        return published(data["name"], levels=data["record"]["levels"], binarize=data.get("binarize"))


def read_story(job: Job) -> Story:
    """The story of a run.

    Raises:
        RunError: A file is torn or does not hold what a run holds.
    """
    config, records = job.run.config, job.run.metrics()
    try:
        kinds = {kind: [record for record in records if record["kind"] == kind] for kind in _NUMBERS}
        for kind, names in _NUMBERS.items():
            if not all(math.isfinite(record[name]) for record in kinds[kind] for name in names):
                raise RunError(f"{job.run.path / 'metrics.jsonl'} holds a number that is not finite")
        story = Story(config, **kinds)
        # Whatever else is read later is read here once, so that a damaged file shows now.
        _ = story.protocol, story.references, story.learning_rate, *config["training"].items()
        files = [record["file"].rpartition("/") for record in story.sample]
        _ = config["data"]["record"]["images"]["train"] + config["training"]["batch_size"], files
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"the files in {job.run.path} do not hold what a run's files hold: {type(error).__name__} {error}") from None
    return story


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
        return int(create_model(model["name"], **model["settings"]).parameter_count())


def parameters_in_words(config: Mapping[str, Any]) -> str:
    """The number, or why there is none."""
    try:
        return f"{parameter_count(config):,}"
    except (GenlabError, TypeError) as error:
        return f"unknown ({error})"
