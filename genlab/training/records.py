"""What training tells: a report of progress, and the sums between two records."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Progress:
    """How far training is.

    Attributes:
        epoch: Passes over the training images begun, from 1.
        step: Steps done.
        steps_total: Steps in all epochs, or None if no number of epochs was given.
        loss: Mean since the last report, in nats an image.
        bits_per_dim: The same in bits/dim.
        valid_bits_per_dim: Of the last validation, or None before the first.
        images_per_second: Of training alone, since the last report.
        seconds: Training time over all sessions of the run.
        seconds_left: An estimate, or None while there is none.
        message: The line that `log.txt` received at this moment, or an empty string.
    """

    epoch: int
    step: int
    steps_total: int | None
    loss: float
    bits_per_dim: float
    valid_bits_per_dim: float | None
    images_per_second: float
    seconds: float
    seconds_left: float | None
    message: str = ""

    def __str__(self) -> str:
        steps = f"{self.step}" if self.steps_total is None else f"{self.step}/{self.steps_total}"
        parts = [f"epoch {self.epoch}, step {steps}: {self.bits_per_dim:.4f} bits/dim"]
        if self.valid_bits_per_dim is not None:
            parts.append(f"validation {self.valid_bits_per_dim:.4f}")
        parts.append(f"{self.images_per_second:,.0f} images/s")
        if self.seconds_left is not None:
            parts.append(f"{timedelta(seconds=round(self.seconds_left))} left")
        return ", ".join(parts)


@dataclass
class Window:
    """The steps since the last record: sums, and the last step's gradient norm and learning rate."""

    nats: float = 0.0
    images: int = 0
    seconds: float = 0.0
    gradient_norm: float = math.nan
    learning_rate: float = math.nan

    @property
    def loss(self) -> float:
        """Mean nats an image; NaN before the first step."""
        return self.nats / self.images if self.images else math.nan

    @property
    def images_per_second(self) -> float:
        """Of training alone; NaN before the first step."""
        return self.images / self.seconds if self.seconds else math.nan

    def add(self, loss: float, gradient_norm: float, learning_rate: float, images: int, seconds: float) -> None:
        """Count one step in."""
        self.nats += loss * images
        self.images += images
        self.seconds += seconds
        self.gradient_norm, self.learning_rate = gradient_norm, learning_rate
