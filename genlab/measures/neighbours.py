"""Precision, recall, density and coverage: whether samples lie where the data are, and the data where samples are.

With r_i the distance of a real example to its k-th nearest other real one, s_j the same among samples, x real and y drawn:

    precision   share of samples y_j with |y_j − x_i| ≤ r_i for some i      recall     share of x_i with |x_i − y_j| ≤ s_j for some j
    density     (1 / kM) Σ_j #{i: |y_j − x_i| ≤ r_i}                        coverage   share of x_i with |x_i − y_j| ≤ r_i for some j

Kynkäänniemi et al. 2019 (the first two), Naeem et al. 2020 (the others). Ties count; a density above 1 is right: samples may lie where the
data lie thickest. Intervals are over the examples of whom a share is taken, with the neighbourhoods as they are.

The Fréchet distance in digit features stands beside them; it is not FID, and a copy of the data has a perfect one: see `memorisation`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genlab.digit_features import frechet
from genlab.errors import InputError
from genlab.measures.features import drawn_like, in_space, usual_space
from genlab.measures.figures import generator_of, split_of
from genlab.measures.resampling import Estimate, bootstrap
from genlab.models.contract import Model, check_fits

if TYPE_CHECKING:
    from genlab.datasets import Dataset

NEIGHBOURS = 5
EXAMPLES = 5_000
"""At most so many real examples, and as many samples, where nobody says otherwise."""
_BLOCK = 1_000
_REDRAWN = 100  # of the Fréchet distance, each of which is a matrix's root


@dataclass(frozen=True)
class Neighbours:
    """Where samples lie among real examples.

    Attributes:
        precision: The share of samples that lie among the data.
        recall: The share of the data that lie among samples.
        density: How thick the data are where samples lie.
        coverage: The share of the data that have a sample nearby.
        frechet: The Fréchet distance, in digit features alone.
        real: Number of real examples.
        drawn: Number of samples.
        neighbours: k.
        space: In what they were compared: ``"digit features"``, ``"pixels"`` or ``"coordinates"``.
    """

    precision: Estimate
    recall: Estimate
    density: Estimate
    coverage: Estimate
    frechet: Estimate | None
    real: int
    drawn: int
    neighbours: int
    space: str


def neighbours(
    model: Model,
    data: Dataset,
    *,
    split: str = "test",
    limit: int | None = None,
    k: int = NEIGHBOURS,
    space: str | None = None,
    seed: int = 0,
) -> Neighbours:
    """Draws as many examples as there are real ones, and says where they lie.

    Args:
        model: Any model that can be drawn from.
        data: The dataset.
        split: ``"train"``, ``"valid"`` or ``"test"``.
        limit: At most so many real examples; None takes `EXAMPLES`.
        k: Which nearest neighbour a neighbourhood reaches to.
        space: ``"digit features"``, ``"pixels"`` or ``"coordinates"``; None takes what suits the data.
        seed: Decides what is drawn.

    Raises:
        InputError: An unknown split or space, data that doesn't fit the model, or fewer examples than k + 1.
    """
    check_fits(model, data.domain, data.name)
    chosen = split_of(data, split)
    count = min(len(chosen), limit or EXAMPLES)
    batch = chosen.batch(generator_of(seed, 0), np.arange(count))
    space = space or usual_space(data.domain)
    drawn = drawn_like(model, batch, count, seed)
    return compared(*(in_space(values, data.domain, space) for values in (batch.values, drawn)), space=space, k=k, seed=seed)


def compared(real: NDArray[Any], drawn: NDArray[Any], *, space: str, k: int = NEIGHBOURS, seed: int = 0) -> Neighbours:
    """The same for rows ``(N, D)`` and ``(M, D)`` of real and of drawn examples.

    Raises:
        InputError: `k` is below 1, or either has no k-th neighbour.
    """
    if k < 1:
        raise InputError(f"k must be at least 1; got {k}")
    if min(len(real), len(drawn)) <= k:
        raise InputError(f"there must be more than k = {k} real and drawn examples; got {len(real)} and {len(drawn)}")
    reach, drawn_reach = _reach(real, k), _reach(drawn, k)
    within, seen, covered = np.zeros(len(drawn)), np.zeros(len(real), bool), np.zeros(len(real), bool)
    for start in range(0, len(drawn), _BLOCK):
        part = slice(start, start + _BLOCK)
        distance = _distances(drawn[part], real)
        inside = distance <= reach
        within[part] = inside.sum(1)
        covered |= inside.any(0)
        seen |= (distance <= drawn_reach[part, None]).any(0)
    return Neighbours(
        precision=_mean(within > 0, seed),
        recall=_mean(seen, seed),
        density=_mean(within / k, seed),
        coverage=_mean(covered, seed),
        frechet=_frechet(real, drawn, seed) if space == "digit features" else None,
        real=len(real),
        drawn=len(drawn),
        neighbours=k,
        space=space,
    )


def _reach(examples: NDArray[Any], k: int) -> NDArray[np.float64]:
    """The distance of each to its k-th nearest other."""
    found = []
    for start in range(0, len(examples), _BLOCK):
        # Each is its own nearest: the k-th other one is the (k + 1)-th.
        found.append(np.partition(_distances(examples[start : start + _BLOCK], examples), k, axis=1)[:, k])
    return np.concatenate(found)


def _distances(ours: NDArray[Any], theirs: NDArray[Any]) -> NDArray[np.float64]:
    """Euclidean, from differences: an example and its copy are exactly 0 apart, so that ties are ties."""
    from scipy.spatial.distance import cdist

    distances: NDArray[np.float64] = cdist(ours.astype(np.float64), theirs.astype(np.float64))
    return distances


def _mean(values: NDArray[Any], seed: int) -> Estimate:
    def figure(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        means: NDArray[np.float64] = weights @ values.astype(np.float64) / weights.sum(1)
        return means[:, None]

    return bootstrap(len(values), figure, seed)[0]


def _frechet(real: NDArray[Any], drawn: NDArray[Any], seed: int) -> Estimate:
    """The distance, with an interval from both sets drawn anew.

    A redrawn set repeats examples, which puts its distance up by about the same amount each time; the interval is moved back by that.
    """
    value = frechet(drawn, real)
    rng = np.random.default_rng(seed)

    def again(rows: NDArray[Any]) -> NDArray[Any]:
        return rows[rng.integers(0, len(rows), len(rows))]

    redrawn = np.array([frechet(again(drawn), again(real)) for _ in range(_REDRAWN)])
    low, high = np.quantile(redrawn, (0.025, 0.975)) - redrawn.mean() + value
    return Estimate(value, float(max(0.0, low)), float(high))
