"""Points in the plane, drawn from densities that are known: what a model makes of them can be seen at one glance.

    ring      (1/8) Σ_k N((cos 2πk/8, sin 2πk/8), σ² I), k = 0 … 7, σ = 0.01             as in Lin et al. 2018 (PacGAN), section 4.1
    grid25    (1/25) Σ_{i,j} N((−4 + 2i, −4 + 2j), σ² I), i, j = 0 … 4, σ = 0.05          likewise
    spirals   two arms r (cos 3π r/2, ± …) of one and a half turns, r up to 2, noise 0.04
    moons     scikit-learn's two half circles, noise 0.05

The seed decides the points; each split has a stream of its own. The mode, arm or moon that a point comes from is its label.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from genlab.datasets.source import SPLITS, Part, Source
from genlab.settings import DataSettings

COUNTS = {"train": 20_000, "valid": 5_000, "test": 5_000}
RING_SIGMA, GRID_SIGMA = 0.01, 0.05
_SPIRAL_NOISE, _MOON_NOISE = 0.04, 0.05

Points = NDArray[np.float64]
Labels = NDArray[np.int64]


def ring(settings: DataSettings) -> Source:
    """30,000 points around eight modes on the unit circle."""
    angles = 2 * np.pi * np.arange(8) / 8
    return _of_modes(np.stack([np.cos(angles), np.sin(angles)], 1), RING_SIGMA, settings, "eight Gaussians on the unit circle")


def grid25(settings: DataSettings) -> Source:
    """30,000 points around the 25 modes of a square grid from −4 to 4."""
    side = np.arange(-4.0, 5.0, 2.0)
    return _of_modes(np.stack(np.meshgrid(side, side), -1).reshape(-1, 2), GRID_SIGMA, settings, "25 Gaussians on a square grid")


def spirals(settings: DataSettings) -> Source:
    """30,000 points of two spiral arms, each one and a half turns long."""

    def draw(rng: np.random.Generator, arms: Labels) -> Points:
        # As many points on each piece of an arm as it is long, nearly: the area within r grows as r².
        radius = 2 * np.sqrt(rng.random(len(arms)))
        angle = 1.5 * np.pi * radius + np.pi * arms
        return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1) + _SPIRAL_NOISE * rng.standard_normal((len(arms), 2))

    return _drawn(settings, 2, draw, f"two spirals of radius 2, noise {_SPIRAL_NOISE}")


def moons(settings: DataSettings) -> Source:
    """30,000 points of two half circles that reach into each other."""

    def draw(rng: np.random.Generator, which: Labels) -> Points:
        angle = np.pi * rng.random(len(which))
        upper = np.stack([np.cos(angle), np.sin(angle)], 1)
        points = np.where(which[:, None] == 0, upper, np.array([1.0, 0.5]) - upper)
        return points + _MOON_NOISE * rng.standard_normal((len(which), 2))

    return _drawn(settings, 2, draw, f"two half moons, noise {_MOON_NOISE}")


def mode_of(points: NDArray[np.floating], centres: NDArray[np.floating], sigma: float) -> Labels:
    """The mode that each point lies within three σ of, or −1: such a point is called good (Srivastava et al. 2017, VEEGAN).

    Args:
        points: ``(N, D)``.
        centres: ``(modes, D)``.
        sigma: The standard deviation around each of them.

    Returns:
        int64 ``(N,)``.
    """
    distance = np.linalg.norm(points[:, None].astype(np.float64) - centres, axis=2)
    nearest = distance.argmin(1)
    return np.where(distance.min(1) <= 3 * sigma, nearest, -1)


def _of_modes(centres: Points, sigma: float, settings: DataSettings, words: str) -> Source:
    """An equal mixture of round Gaussians."""

    def draw(rng: np.random.Generator, modes: Labels) -> Points:
        return centres[modes] + sigma * rng.standard_normal((len(modes), 2))

    return _drawn(settings, len(centres), draw, f"{words}, standard deviation {sigma}", centres, sigma)


def _drawn(
    settings: DataSettings,
    kinds: int,
    draw: Callable[[np.random.Generator, Labels], Points],
    words: str,
    centres: Points | None = None,
    sigma: float | None = None,
) -> Source:
    """All three splits, each of equally likely kinds."""
    parts = {}
    for index, split in enumerate(SPLITS):
        rng = np.random.default_rng([settings.seed, index])
        labels = rng.integers(0, kinds, COUNTS[split])
        parts[split] = Part(draw(rng, labels).astype(np.float32), labels)
    kept = None if centres is None else centres.astype(np.float32)
    return Source(parts, None, words, f"drawn from one density by seed {settings.seed}", centres=kept, sigma=sigma)
