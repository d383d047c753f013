"""Which learning rates and initial scales learn to draw faces, shown while it is computed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from genlab.errors import InputError
from genlab.kernels.sigmoid_neuron import sigmoid
from genlab.kernels.toy_gan import G_BIAS, G_WEIGHTS
from genlab.toy_gan.checks import (
    Array,
    checked_faces,
    checked_rates,
    checked_scales,
    is_minimax,
    pixels,
    seeds_of,
    steps_of,
    variant,
    whole,
)
from genlab.toy_gan.many import states_of, stops_of
from genlab.toy_gan.networks import FACES

FACE_TOLERANCE = 0.25
# Least range of a pixel over all z of a generator that does not ignore z: a quarter of the 0.2 by which the lecture's faces differ.
LEAST_SPREAD = 0.05


def spread(g_weights: Any, g_bias: Any) -> Array:
    """How far z moves the picture: the largest, over pixels, of |G(1) − G(0)|.

    A pixel σ(z·v + c) rises or falls with z all the way, so that its ends are its extremes.

    Args:
        g_weights: v (..., 4).
        g_bias: c (..., 4).

    Returns:
        Ranges (...).
    """
    v, c = pixels("g_weights", g_weights), pixels("g_bias", g_bias)
    return _spread(np.moveaxis(v, -1, 0), np.moveaxis(c, -1, 0))


def _spread(v: Array, c: Array) -> Array:
    """`spread` of weights (4, ...)."""
    return np.asarray(np.abs(sigmoid(v + c) - sigmoid(c)).max(axis=0))


def draws_faces(g_weights: Any, g_bias: Any, faces: Any = FACES) -> Array:
    """Whether generators have learnt to draw faces.

    One has if each of its pictures for z = 0, 1/2 and 1 lies within `FACE_TOLERANCE` (0.25) of one of the faces in every pixel.

    Args:
        g_weights: v (..., 4).
        g_bias: c (..., 4).
        faces: Pictures (F, 4).

    Returns:
        Booleans (...).
    """
    v, c = pixels("g_weights", g_weights), pixels("g_bias", g_bias)
    return _draw_faces(np.moveaxis(v, -1, 0), np.moveaxis(c, -1, 0), checked_faces(faces))


def _draw_faces(v: Array, c: Array, faces: Array) -> Array:
    """`draws_faces` of weights (4, ...): pixel by pixel, since NumPy is slow along short axes."""
    good = np.ones(v.shape[1:], np.bool_)
    for z in (0.0, 0.5, 1.0):
        picture = sigmoid(v.dtype.type(z) * v + c)
        near_one = np.zeros(good.shape, np.bool_)
        for face in faces.astype(v.dtype):
            near = good
            for pixel, wanted in zip(picture, face, strict=True):
                near = near & (np.abs(pixel - wanted) <= FACE_TOLERANCE)
            near_one |= near
        good = near_one
    return good


def ignores_z(g_weights: Any, g_bias: Any) -> Array:
    """Whether generators have collapsed: they draw one picture whatever z is, since `spread` is below `LEAST_SPREAD` (0.05).

    Args:
        g_weights: v (..., 4).
        g_bias: c (..., 4).

    Returns:
        Booleans (...).
    """
    return np.asarray(spread(g_weights, g_bias) < LEAST_SPREAD)


@dataclass(frozen=True)
class PhaseDiagram:
    """What became of the runs of each cell so far. Rows are initial scales, columns learning rates.

    Attributes:
        learning_rates: (columns,).
        init_scales: (rows,).
        runs: Runs in a cell.
        steps_done: Steps that every run has made.
        steps: Steps that it will have made in the end.
        draws_faces: Share of a cell's runs for which `draws_faces` holds, (rows, columns).
        ignores_z: Share for which `ignores_z` holds, (rows, columns).
        varied_faces: Share that draws faces and does not ignore z, (rows, columns).
        seeds: Seeds of the runs, uint64 (rows, columns, runs): `train` with the cell's rate and scale replays one.
    """

    learning_rates: Array
    init_scales: Array
    runs: int
    steps_done: int
    steps: int
    draws_faces: Array
    ignores_z: Array
    varied_faces: Array
    seeds: Array


def phase_diagram(
    learning_rates: Any,
    init_scales: Any,
    faces: Any = FACES,
    *,
    runs: int = 16,
    epochs: int = 1000,
    loss: str = "non-saturating",
    seed: int = 0,
    frames: int = 20,
    backend: str = "native",
) -> Iterator[PhaseDiagram]:
    """Train every pair of a learning rate and an initial scale, and show all cells as they develop.

    Every frame is the whole diagram after so many steps. With one initial scale, the frames laid on each other are the diagram of
    learning rate against number of steps.

    Args:
        learning_rates: The columns, (columns,), each greater than 0.
        init_scales: The rows, (rows,), each at least 0.
        faces: Pictures (F, 4) of any number of faces.
        runs: Runs in a cell, each with a seed of its own.
        epochs: Times that every face is seen.
        loss: As for `train`.
        seed: The seed of the first run of the first cell; they are numbered through row by row.
        frames: How many diagrams to yield, evenly over the steps; the last one is the result.
        backend: As for `train`.

    Yields:
        The diagram so far.

    Raises:
        InputError: An argument breaks one of the rules above.
        BackendError: ``"native"`` was asked for and is not available.
    """
    rates, scales = np.atleast_1d(checked_rates(learning_rates)), np.atleast_1d(checked_scales(init_scales))
    for name, values in (("learning_rates", rates), ("init_scales", scales)):
        if values.ndim != 1 or not values.size:
            raise InputError(f"{name} must have shape (n,) with at least one value; got {values.shape}")
    shape = (len(scales), len(rates), whole("runs", runs, 1))
    pictures = checked_faces(faces)
    steps = steps_of(epochs, pictures)
    stops = stops_of(steps, whole("frames", frames, 1))
    seeds = seeds_of(seed, math.prod(shape))
    all_rates = np.broadcast_to(rates[None, :, None], shape).reshape(-1)
    all_scales = np.broadcast_to(scales[:, None, None], shape).reshape(-1)
    states = states_of(pictures, seeds, all_rates, all_scales, is_minimax(loss), stops, variant(backend))

    def show() -> Iterator[PhaseDiagram]:
        for done, state in states:
            v, c = state[G_WEIGHTS], state[G_BIAS]
            good, same = _draw_faces(v, c, pictures).reshape(shape), (_spread(v, c) < LEAST_SPREAD).reshape(shape)
            shares = {"draws_faces": good, "ignores_z": same, "varied_faces": good & ~same}
            means = {name: held.mean(axis=2) for name, held in shares.items()}
            yield PhaseDiagram(
                rates,
                scales,
                shape[2],
                done,
                steps,
                **means,
                seeds=seeds.reshape(shape),
            )

    return show()
