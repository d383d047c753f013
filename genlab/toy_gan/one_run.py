"""One run in float64, step by step as the lecture does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from genlab.kernels import toy_gan as kernel
from genlab.kernels import toy_gan_ensemble as ensemble
from genlab.toy_gan.checks import (
    Array,
    checked_draws,
    checked_faces,
    checked_rates,
    checked_scales,
    drawn_init,
    given_init,
    is_minimax,
    named,
    scalar,
    seeds_of,
    steps_of,
    variant,
    whole,
)
from genlab.toy_gan.networks import FACES


@dataclass(frozen=True)
class History:
    """A run as it went: one row for its start, for every `record_every`-th step and for the last.

    Attributes:
        step: Steps done, (rows,); the first is 0.
        d_weights: (rows, 4).
        d_bias: (rows,).
        g_weights: (rows, 4).
        g_bias: (rows, 4).
        d_loss: D's loss in that step, −ln D(face) − ln(1 − D(G(z))), in nats, (rows,); NaN in the first row, before any step.
        g_loss: What G minimises, in that step: −ln D(G(z)), or ln(1 − D(G(z))) if the loss is minimax; NaN in the first row.
    """

    step: Array
    d_weights: Array
    d_bias: Array
    g_weights: Array
    g_bias: Array
    d_loss: Array
    g_loss: Array


@dataclass(frozen=True)
class Run:
    """One run of the toy GAN.

    Attributes:
        d_weights: w, float64 (4,).
        d_bias: b.
        g_weights: v, float64 (4,).
        g_bias: c, float64 (4,).
        history: How it went, or None if nothing was recorded.
        init: The four arrays it started from.
        z: The draws of all steps, float64 (steps,).
    """

    d_weights: Array
    d_bias: float
    g_weights: Array
    g_bias: Array
    history: History | None
    init: Mapping[str, Any]
    z: Array


def train(
    faces: Any = FACES,
    *,
    epochs: int = 1000,
    learning_rate: float = 0.01,
    loss: str = "non-saturating",
    init: Mapping[str, Any] | None = None,
    z: Any = None,
    seed: int = 0,
    init_scale: float = 1.0,
    record_every: int = 0,
    backend: str = "native",
) -> Run:
    """Train one toy GAN in float64, in the lecture's order: an epoch is one step on each face.

    Args:
        faces: Pictures (F, 4) of any number of faces.
        epochs: Times that every face is seen; ``epochs · F`` steps in all.
        learning_rate: Greater than 0.
        loss: ``"non-saturating"``: G minimises −ln D(G(z)), as the lecture's code does; ``"minimax"``: ln(1 − D(G(z))), slide 61.
        init: ``{"d_weights": (4,), "d_bias": number, "g_weights": (4,), "g_bias": (4,)}`` to start from; by default `seed` draws it.
        z: The draws of all steps, (epochs · F,), in [0, 1]; by default `seed` draws them.
        seed: What decides the init and the draws that are not given, with the generator of `train_many`.
        init_scale: The standard deviation of an init that is drawn.
        record_every: Record the weights and losses of every so-manieth step; 0 for none.
        backend: ``"native"``, ``"python"``, ``"numpy"`` or ``"torch"``; they agree to rounding.

    Raises:
        InputError: An argument breaks one of the rules above.
        BackendError: ``"native"`` was asked for and is not available.
    """
    pictures = checked_faces(faces)
    steps = steps_of(epochs, pictures)
    rate = float(scalar("learning_rate", checked_rates(learning_rate)))
    scale = scalar("init_scale", checked_scales(init_scale))
    minimax = is_minimax(loss)
    every = whole("record_every", record_every, 0)
    keys = ensemble.keys_of(seeds_of(seed, 1))
    start = drawn_init(keys, scale)[:, 0] if init is None else given_init(init)
    draws = ensemble.uniforms(keys, np.arange(steps))[:, 0].astype(np.float64) if z is None else checked_draws(z, steps)

    run = kernel.TRAIN[variant(backend)]
    states, losses = run(pictures, draws, start, rate, minimax, every or steps)
    history = None
    if every:
        states_from_start = np.concatenate([start[None], states])
        d_loss, g_loss = np.concatenate([np.full((1, 2), np.nan), losses]).T
        history = History(
            step=np.concatenate([[0], kernel.recorded_steps(steps, every)]), **named(states_from_start), d_loss=d_loss, g_loss=g_loss
        )
    return Run(**named(states[-1]), history=history, init=named(start), z=draws)
