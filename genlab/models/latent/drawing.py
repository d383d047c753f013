"""Codes that images are drawn from: which numbers a seed gives, and how far from their middle they may lie."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from genlab.errors import InputError


def normal_codes(n: int, latents: int, seed: int) -> NDArray[np.float64]:
    """ε ~ N(0, I), ``(n, latents)``; asking for more keeps the first ones."""
    return _generator(seed, 0).standard_normal((n, latents))


def uniforms(shape: tuple[int, ...], seed: int) -> NDArray[np.float64]:
    """In [0, 1), for what is drawn given a code; asking for more keeps the first ones."""
    return _generator(seed, 1).random(shape)


def check_temperature(temperature: Any) -> float:
    """How many times as far from their mean codes lie.

    Raises:
        InputError: It is not a finite number above 0.
    """
    is_number = isinstance(temperature, int | float | np.number) and not isinstance(temperature, bool)
    if not is_number or not 0 < temperature < math.inf:
        raise InputError(f"temperature must be a finite number above 0; got {temperature!r}")
    return float(temperature)


def refuse_unfinite(values: Tensor, temperature: float) -> Tensor:
    """What a temperature has led to, if it still is a number.

    Raises:
        InputError: It is not.
    """
    if not values.isfinite().all():
        raise InputError(f"temperature must be so low that what is decoded is finite; got {temperature:g}")
    return values


def _generator(seed: int, stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, stream))))
