"""Which modes of a known mixture a model has found, and how many of its points lie at one (Srivastava et al. 2017; Lin et al. 2018).

A point within three standard deviations of a mode is good; a mode with at least one good point is found. How many are found depends on how
many points are looked at: the papers draw 2,500.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genlab.datasets.points import mode_of
from genlab.datasets.source import as_points
from genlab.errors import InputError
from genlab.measures.resampling import Estimate, bootstrap


@dataclass(frozen=True)
class Modes:
    """What points found of a mixture.

    Attributes:
        found: Number of modes with at least one good point.
        modes: Number of modes there are.
        good: The share of good points, with its 95% bootstrap interval over points.
        counts: Good points at each mode.
        points: How many points were looked at.
    """

    found: int
    modes: int
    good: Estimate
    counts: tuple[int, ...]
    points: int


def modes(points: ArrayLike, centres: ArrayLike, sigma: float, *, seed: int = 0) -> Modes:
    """Counts the modes that points have found.

    Args:
        points: Generated points ``(N, D)``.
        centres: The mixture's means ``(modes, D)``, such as a dataset's ``centres``.
        sigma: The standard deviation around each of them, such as a dataset's ``sigma``.
        seed: Decides the points that are drawn anew for the interval.

    Raises:
        InputError: No finite points of one dimension, no centres (the data have no modes), or a sigma that is not positive.
    """
    if centres is None:
        raise InputError("centres must be the modes of the data; got None: these data have none")
    own, middle = as_points(np.asarray(points), "points"), as_points(np.asarray(centres), "centres")
    if own.shape[1] != middle.shape[1]:
        raise InputError(f"points and centres must have one dimension; got {own.shape} and {middle.shape}")
    if not (isinstance(sigma, int | float | np.floating) and np.isfinite(sigma) and sigma > 0):
        raise InputError(f"sigma must be above 0; got {sigma!r}")
    mode = mode_of(own, middle, float(sigma))
    counts = np.bincount(mode[mode >= 0], minlength=len(middle))
    is_good = (mode >= 0).astype(np.float64)

    def share(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        shares: NDArray[np.float64] = weights @ is_good / weights.sum(1)
        return shares[:, None]

    (good,) = bootstrap(len(own), share, seed)
    return Modes(int((counts > 0).sum()), len(middle), good, tuple(counts.tolist()), len(own))
