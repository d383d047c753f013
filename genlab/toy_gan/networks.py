"""The two networks, and the faces of slanted land."""

from __future__ import annotations

from typing import Any

import numpy as np

from genlab.kernels.sigmoid_neuron import sigmoid
from genlab.lecture import worked
from genlab.toy_gan.checks import Array, finite, go_together, pixels

FACES = np.array(worked.FACES)
FACES.flags.writeable = False


def discriminate(x: Any, d_weights: Any, d_bias: Any) -> Array:
    """D(x) = σ(w·x + b): how sure the discriminator is that pictures are faces; above 0.5 it says so.

    Args:
        x: Pictures (..., 4).
        d_weights: w (4,), or (..., 4) for discriminators of many runs; leading axes broadcast.
        d_bias: b, a number or (...).

    Returns:
        Probabilities (...), float64.

    Raises:
        InputError: NaN or infinity, a last axis that is not 4 long, or leading axes that do not broadcast.
    """
    pictures, weights, bias = pixels("x", x), pixels("d_weights", d_weights), finite("d_bias", d_bias)
    go_together(x=pictures[..., 0], d_weights=weights[..., 0], d_bias=bias)
    return sigmoid((pictures * weights).sum(axis=-1) + bias)


def generate(z: Any, g_weights: Any, g_bias: Any) -> Array:
    """G(z) = σ(z·v + c): the pictures that the generator makes of draws.

    Args:
        z: Draws, a number or (...).
        g_weights: v (4,), or (..., 4) for generators of many runs; leading axes broadcast with those of `z`.
        g_bias: c, of the shape of `g_weights`.

    Returns:
        Pictures (..., 4), float64.

    Raises:
        InputError: NaN or infinity, a last axis that is not 4 long, or leading axes that do not broadcast.
    """
    draws, v, c = finite("z", z), pixels("g_weights", g_weights), pixels("g_bias", g_bias)
    go_together(z=draws, g_weights=v[..., 0], g_bias=c[..., 0])
    return sigmoid(draws[..., None] * v + c)
