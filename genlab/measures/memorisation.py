"""Does a model draw, or does it remember? The nearest training image of each sample (slide 62), with held-out images as the yardstick.

A sample's nearest neighbour among N training and M held-out examples is a training one with probability N / (N + M), if the sample has to
do with neither: all are draws of the same density. Whoever has memorised has the nearest one in the training set always. So

    excess = (share − e) / (1 − e),   e = N / (N + M)          0: as near to what it never saw; 1: always nearest to what it saw

which does not go up because samples are blurred, or good, as a plain distance to the training set does (Meehan et al. 2020 test alike).
Samples with one neighbour (a collapsed model's) are drawn anew together for the interval: they are one piece of evidence. And what is
farther from the training images than held-out images are is no copy, whoever is nearest to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genlab.domain import Domain
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
        nearest_held_out: Of each sample, the place of its nearest held-out example among those looked at, ``(samples,)``.
        distances_held_out: How far that is, ``(samples,)``.
        yardsticks: How far the nearest training example of a held-out one is, of as many as there are samples.
        samples: Number of samples.
        training: Number of training examples looked at.
        held_out: Number of held-out ones: valid and test.
        space: In what they were compared.
    """

    excess: Estimate
    nearest: NDArray[np.int64]
    distances: NDArray[np.float64]
    nearest_held_out: NDArray[np.int64]
    distances_held_out: NDArray[np.float64]
    yardsticks: NDArray[np.float64]
    samples: int
    training: int
    held_out: int
    space: str

    @property
    def yardstick(self) -> float:
        """How far the nearest training example of a held-out one is, the median."""
        return float(np.median(self.yardsticks))

    @property
    def memorises(self) -> bool:
        """Whether the whole interval of the excess lies above `ALARM`, and samples nearer to training examples than held-out ones do."""
        return self.excess.low > ALARM and float(np.median(self.distances)) < self.yardstick

    @property
    def sentence(self) -> str:
        """The finding for a reader, with its interval."""
        nearer = float((self.distances < self.distances_held_out).mean())
        expected = self.training / (self.training + self.held_out)
        verdict = "it memorises" if self.memorises else "no sign of memorising"
        return (
            f"Of {self.samples:,} samples {nearer:.0%} have their nearest neighbour among the {self.training:,} training images; of "
            f"somebody who saw neither these nor the {self.held_out:,} held-out ones it would be {expected:.0%}. The excess, 0 for an "
            f"honest model and 1 for one that copies, is {self.excess.text(2)}: {verdict}."
        )


class Pairs(NamedTuple):
    """Samples with who is nearest to each, ``(samples, *shape)`` each, their number of levels, and what follows from all of them."""

    drawn: NDArray[Any]
    training: NDArray[Any]
    held_out: NDArray[Any]
    levels: int | None
    found: Memorisation


class Memoriser:
    """A planted example: a model that draws nothing but images that it was shown, here and there a level off.

    Args:
        images: Levels ``(N, C, H, W)``.
        levels: Their number.
        noise: Standard deviation of what is added, in levels.
    """

    name = "memoriser"

    def __init__(self, images: NDArray[np.uint8], levels: int, noise: float = 0.5) -> None:
        self.domain = Domain(images.shape[1:], levels)
        self._images, self._noise = images, noise

    def sample(self, n: int, seed: int, options: Mapping[str, Any]) -> NDArray[np.uint8]:
        """Images out of its memory."""
        rng = np.random.default_rng(seed)
        drawn = self._images[rng.integers(0, len(self._images), n)] + self._noise * rng.standard_normal((n, *self.domain.shape))
        images: NDArray[np.uint8] = drawn.round().clip(0, (self.domain.levels or 2) - 1).astype(np.uint8)
        return images


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
    return pairs(model, data, samples=samples, space=space, training=training, seed=seed).found


def pairs(
    model: Model, data: Dataset, *, samples: int = SAMPLES, space: str | None = None, training: int = TRAINING, seed: int = 0
) -> Pairs:
    """The same with the examples themselves, to be looked at; arguments and errors as in `memorisation`."""
    if samples < 2:
        raise InputError(f"samples must be at least 2; got {samples}")
    check_fits(model, data.domain, data.name)
    space = space or usual_space(data.domain)
    chosen = looked_at(data, training, seed)
    seen = data.train.batch(generator_of(seed, 0), chosen)
    rest = np.concatenate([split.batch(generator_of(seed, 0), np.arange(len(split))).values for split in (data.valid, data.test)])
    held_out = rest[generator_of(seed, 2).permutation(len(rest))[:HELD_OUT]]
    drawn = drawn_like(model, seen, samples, seed)
    rows = [in_space(values, data.domain, space) for values in (drawn, seen.values, held_out)]
    found = nearest_of(*rows, space=space, seed=seed)
    neighbours = seen.values[found.nearest], held_out[found.nearest_held_out]
    return Pairs(drawn, *neighbours, data.domain.levels, replace(found, nearest=chosen[found.nearest]))


def looked_at(data: Dataset, training: int, seed: int) -> NDArray[np.int64]:
    """The places of the training examples among which neighbours are looked for, at most so many, drawn by the seed."""
    places: NDArray[np.int64] = np.sort(generator_of(seed, 1).permutation(len(data.train))[:training])
    return places


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
    yardsticks, _ = _nearest(held_out[: len(drawn)], training)
    return Memorisation(excess, nearest, own, nearest_held_out, other, yardsticks, len(drawn), len(training), len(held_out), space)


def _nearest(rows: NDArray[Any], among: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """How far the nearest is, and which."""
    from sklearn.neighbors import NearestNeighbors

    distance, place = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(among).kneighbors(rows)
    return distance[:, 0].astype(np.float64), place[:, 0].astype(np.int64)
