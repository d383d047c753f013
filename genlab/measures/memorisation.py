"""Does a model draw, or does it remember? The nearest training image of each sample (slide 62), with held-out images as the yardstick.

A sample's nearest neighbour among N training and M held-out examples is a training one with probability N / (N + M), if the sample has to
do with neither: all are draws of the same density. Whoever has memorised has the nearest one in the training set always. So

    excess = (share − e) / (1 − e),   e = N / (N + M)          0: as near to what it never saw; 1: always nearest to what it saw

which does not go up because samples are blurred, or good, as a plain distance to the training set does (Meehan et al. 2020 test alike).
Samples with one neighbour (a collapsed model's) are drawn anew together for the interval: they are one piece of evidence. And what is
farther from the training images than held-out images are is no copy, whoever is nearest to it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genlab.errors import InputError
from genlab.measures.features import drawn_like, in_space, usual_space
from genlab.measures.figures import generator_of
from genlab.measures.resampling import Estimate, bootstrap
from genlab.models.contract import Model, check_fits

if TYPE_CHECKING:
    from genlab.datasets import Dataset

SAMPLES = 1_000
TRAINING, HELD_OUT = 10_000, 5_000
"""At most so many training and held-out examples are looked at, drawn by the seed."""
ALARM = 0.15
"""An excess that lies above this with its whole interval is called memorising, if samples are nearer than the yardstick too."""


@dataclass(frozen=True)
class Memorisation:
    """How much nearer samples lie to what was trained on than to what was not.

    Attributes:
        excess: 0 for an honest model, 1 for one that copies; with its 95% interval over samples.
        nearest: Of each sample, the place of its nearest training example in the split, ``(samples,)``.
        distances: How far that is, ``(samples,)``.
        yardstick: How far the nearest training example of a held-out one is, the median.
        samples: Number of samples.
        training: Number of training examples looked at.
        held_out: Number of held-out ones: valid and test.
        space: In what they were compared.
    """

    excess: Estimate
    nearest: NDArray[np.int64]
    distances: NDArray[np.float64]
    yardstick: float
    samples: int
    training: int
    held_out: int
    space: str

    @property
    def memorises(self) -> bool:
        """Whether the whole interval of the excess lies above `ALARM`, and samples nearer to training examples than held-out ones do."""
        return self.excess.low > ALARM and float(np.median(self.distances)) < self.yardstick


def memorisation(
    model: Model, data: Dataset, *, samples: int = SAMPLES, space: str | None = None, training: int = TRAINING, seed: int = 0
) -> Memorisation:
    """Draws samples and finds who is nearest to each.

    Args:
        model: Any model that can be drawn from.
        data: The dataset that it was trained on.
        samples: How many to draw, at least 2.
        space: ``"pixels"``, ``"digit features"`` or ``"coordinates"``; None takes what suits the data.
        training: At most so many training examples.
        seed: Decides what is drawn.

    Raises:
        InputError: Data that doesn't fit the model, an unknown space, or too few samples.
    """
    if samples < 2:
        raise InputError(f"samples must be at least 2; got {samples}")
    check_fits(model, data.domain, data.name)
    space = space or usual_space(data.domain)
    chosen = np.sort(generator_of(seed, 1).permutation(len(data.train))[:training])
    seen = data.train.batch(generator_of(seed, 0), chosen)
    rest = np.concatenate([split.batch(generator_of(seed, 0), np.arange(len(split))).values for split in (data.valid, data.test)])
    held_out = rest[generator_of(seed, 2).permutation(len(rest))[:HELD_OUT]]
    rows = [in_space(values, data.domain, space) for values in (drawn_like(model, seen, samples, seed), seen.values, held_out)]
    found = nearest_of(*rows, space=space, seed=seed)
    return replace(found, nearest=chosen[found.nearest])


def nearest_of(drawn: NDArray[Any], training: NDArray[Any], held_out: NDArray[Any], *, space: str, seed: int = 0) -> Memorisation:
    """The same for rows ``(·, D)``."""
    own, nearest = _nearest(drawn, training)
    other, nearest_held_out = _nearest(drawn, held_out)
    expected = len(training) / (len(training) + len(held_out))
    # Of a tie nobody knows; each side has its share of it.
    is_own = np.where(own == other, expected, own < other)

    _, neighbour = np.unique(np.where(own < other, nearest, -1 - nearest_held_out), return_inverse=True)
    counts, own_counts = np.bincount(neighbour).astype(np.float64), np.bincount(neighbour, is_own)

    def figure(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        shares: NDArray[np.float64] = weights @ own_counts / (weights @ counts)
        return ((shares - expected) / (1 - expected))[:, None]

    (excess,) = bootstrap(len(counts), figure, seed)
    yardstick = float(np.median(_nearest(held_out[: len(drawn)], training)[0]))
    return Memorisation(excess, nearest, own, yardstick, len(drawn), len(training), len(held_out), space)


def _nearest(rows: NDArray[Any], among: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """How far the nearest is, and which."""
    from sklearn.neighbors import NearestNeighbors

    distance, place = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(among).kneighbors(rows)
    return distance[:, 0].astype(np.float64), place[:, 0].astype(np.int64)
