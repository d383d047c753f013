"""What training tells: a report of progress, and the sums between two records."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from genlab.models.contract import Report


@dataclass(frozen=True)
class Progress:
    """How far training is.

    Attributes:
        epoch: Passes over the training images begun, from 1.
        step: Steps done.
        steps_total: Steps in all epochs, or None if no number of epochs was given.
        report: What "better" means for the model.
        values: Means since the last record: ``"loss"``, the parts that the model names, ``"bits_per_dim"`` where it has one; with several
            players each under ``"<player>/…"``. Empty before the first step.
        valid_values: Of the last validation; empty before the first.
        images_per_second: Of training alone, since the last report.
        seconds: Training time over all sessions of the run.
        seconds_left: An estimate, or None while there is none.
        message: The line that `log.txt` received at this moment, or an empty string.
    """

    epoch: int
    step: int
    steps_total: int | None
    report: Report
    values: Mapping[str, float]
    valid_values: Mapping[str, float]
    images_per_second: float
    seconds: float
    seconds_left: float | None
    message: str = ""

    @property
    def loss(self) -> float:
        """The mean loss since the last record; NaN before the first step and for a game of several, whose losses are in `values`."""
        return self.values.get("loss", math.nan)

    @property
    def bits_per_dim(self) -> float:
        """The loss in bits/dim; NaN where it has none."""
        return self.values.get("bits_per_dim", math.nan)

    @property
    def valid_bits_per_dim(self) -> float | None:
        """Of the last validation; None before the first and where there is none."""
        return self.valid_values.get("bits_per_dim")

    def __str__(self) -> str:
        steps = f"{self.step}" if self.steps_total is None else f"{self.step}/{self.steps_total}"
        parts = [f"epoch {self.epoch}, step {steps}: {self.report.headline(self.values)}"]
        if "bits_per_dim" in self.valid_values:
            parts.append(f"validation {self.valid_values['bits_per_dim']:.4f}")
        elif self.valid_values:
            parts.append(f"validation {self.report.headline(self.valid_values)}")
        parts.append(f"{self.images_per_second:,.0f} images/s")
        if self.seconds_left is not None:
            parts.append(f"{timedelta(seconds=round(self.seconds_left))} left")
        return ", ".join(parts)


@dataclass
class Window:
    """The steps since the last record: sums of figures over images, and what the last step says."""

    images: int = 0
    seconds: float = 0.0
    learning_rate: float = math.nan
    sums: dict[str, float] = field(default_factory=dict)
    weights: dict[str, int] = field(default_factory=dict)
    latest: dict[str, float] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, float]:
        """Means over the images, and the last gradient norms."""
        return {name: total / self.weights[name] for name, total in self.sums.items()} | self.latest

    @property
    def images_per_second(self) -> float:
        """Of training alone; NaN before the first step."""
        return self.images / self.seconds if self.seconds else math.nan

    def add_move(self, prefix: str, figures: Mapping[str, float], gradient_norm: float, images: int) -> None:
        """Count one player's move in; `prefix` stands before its figures' names."""
        for name, value in figures.items():
            self.sums[prefix + name] = self.sums.get(prefix + name, 0.0) + value * images
            self.weights[prefix + name] = self.weights.get(prefix + name, 0) + images
        self.latest[f"{prefix}gradient_norm"] = gradient_norm

    def add_step(self, learning_rate: float, images: int, seconds: float) -> None:
        """Count one step in."""
        self.images += images
        self.seconds += seconds
        self.learning_rate = learning_rate
