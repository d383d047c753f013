"""The way from one z to another: on the sphere, where normal z of many values lie, not through the middle, where next to none do.

    z(t) = sin((1 − t) ω) / sin ω · a + sin(t ω) / sin ω · b,    cos ω = a·b / (|a| |b|)           White 2016, after Shoemake 1985

|z|² has mean d and standard deviation √(2 d): in 64 dimensions |z| is about 8 ± 0.7, and halfway along the straight line about 5.7.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genlab.errors import InputError

_PARALLEL = 1e-6  # sines below this: the sphere's way is the straight one, or none is the shortest


def spherical(first: NDArray[np.floating], last: NDArray[np.floating], count: int) -> NDArray[np.float64]:
    """So many z from the first to the last, both included, at equal angles: float64 ``(count, d)``.

    Raises:
        InputError: The ends are of unlike length or not finite, or there are fewer than 2 places.
    """
    ends, shares = _checked(first, last, count)
    lengths = np.linalg.norm(ends, axis=1)
    angle = np.arccos(np.clip(ends[0] @ ends[1] / max(lengths.prod(), 1e-300), -1, 1))
    if np.sin(angle) < _PARALLEL:
        return straight(first, last, count)
    weights = np.stack([np.sin((1 - shares) * angle), np.sin(shares * angle)], 1) / np.sin(angle)
    way: NDArray[np.float64] = weights @ ends
    return way


def straight(first: NDArray[np.floating], last: NDArray[np.floating], count: int) -> NDArray[np.float64]:
    """The same along the line a + t (b − a).

    Raises:
        InputError: As `spherical`.
    """
    ends, shares = _checked(first, last, count)
    way: NDArray[np.float64] = ends[0] + shares[:, None] * (ends[1] - ends[0])
    return way


def _checked(first: NDArray[np.floating], last: NDArray[np.floating], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    ends = [np.asarray(end, np.float64) for end in (first, last)]
    if ends[0].ndim != 1 or ends[0].shape != ends[1].shape or not all(np.isfinite(end).all() for end in ends):
        raise InputError(f"first and last must be finite and of one length; got {ends[0].shape} and {ends[1].shape}")
    if count < 2:
        raise InputError(f"count must be at least 2, for both ends; got {count}")
    return np.stack(ends), np.linspace(0, 1, count)
