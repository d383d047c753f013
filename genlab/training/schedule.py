"""What a step needs besides the model: its learning rate, its decay and its generator, each a function of the step alone."""

from __future__ import annotations

import math

import numpy as np

from genlab.settings import TrainSettings


def learning_rate_at(step: int, settings: TrainSettings, steps_total: int | None) -> float:
    """Linear warm-up, then constant or ``½ (1 + cos(π t))`` with t from 0 to 1 over the remaining steps.

    Args:
        step: The step about to be made, from 0.
        settings: Rate and its changes, warm-up and schedule. A change replaces the rate that warm-up and schedule scale.
        steps_total: Steps in all, or None if unknown; cosine then stays constant. A warm-up takes a tenth of them at most.
    """
    rate = next((rate for begin, rate in reversed(settings.learning_rates) if begin <= step), settings.learning_rate)
    warmup = settings.warmup_steps if steps_total is None else min(settings.warmup_steps, steps_total // 10)
    if step < warmup:
        return rate * (step + 1) / warmup
    if settings.schedule == "constant" or steps_total is None:
        return rate
    return rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps_total - warmup)))


def ema_decay_at(step: int, decay: float) -> float:
    """``min(decay, (1 + step) / (10 + step))``, so that the first, random weights are soon forgotten."""
    return min(decay, (1 + step) / (10 + step))


def generator_at(seed: int, epoch: int, stream: int) -> np.random.Generator:
    """The generator of one purpose at one moment: `stream` 0 orders the epoch's images, stream i + 1 serves its step i."""
    return np.random.Generator(np.random.Philox(key=np.array([seed, epoch], np.uint64), counter=np.array([0, 0, 0, stream], np.uint64)))
