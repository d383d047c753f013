"""Many runs at once, in float32."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from genlab.kernels import toy_gan_ensemble as ensemble
from genlab.toy_gan.checks import (
    Array,
    checked_faces,
    checked_rates,
    checked_scales,
    drawn_init,
    is_minimax,
    named,
    per_run,
    seeds_of,
    steps_of,
    variant,
    whole,
)
from genlab.toy_gan.networks import FACES


@dataclass(frozen=True)
class Runs:
    """Many runs of the toy GAN; run r is the one that `train` makes from ``seed=seeds[r]``, in float32.

    Attributes:
        d_weights: w, float32 (runs, 4).
        d_bias: b, float32 (runs,).
        g_weights: v, float32 (runs, 4).
        g_bias: c, float32 (runs, 4).
        seeds: uint64 (runs,).
    """

    d_weights: Array
    d_bias: Array
    g_weights: Array
    g_bias: Array
    seeds: Array


def train_many(
    faces: Any = FACES,
    *,
    runs: int,
    epochs: int = 1000,
    learning_rate: Any = 0.01,
    loss: str = "non-saturating",
    init_scale: Any = 1.0,
    seed: Any = 0,
    backend: str = "native",
    on_progress: Callable[[int, int], None] | None = None,
) -> Runs:
    """Train many toy GANs at once, in float32.

    A run depends on its own seed, learning rate and initial scale alone: ``train(seed=seeds[r], ...)`` is the same run in float64, and
    ``train_many(runs=1, seed=seeds[r], ...)`` the same to the last bit, whatever the number of threads.

    Args:
        faces: Pictures (F, 4) of any number of faces.
        runs: How many.
        epochs: Times that every face is seen; ``epochs · F`` steps in all.
        learning_rate: Greater than 0: one for all runs, or (runs,).
        loss: As for `train`.
        init_scale: The standard deviation of the weights at the start: one for all runs, or (runs,).
        seed: One number, from which the runs take seed, seed + 1, seed + 2, …; or the seeds of all runs, (runs,).
        backend: As for `train`.
        on_progress: Called with the steps done and the steps in all, some 100 times.

    Raises:
        InputError: An argument breaks one of the rules above.
        BackendError: ``"native"`` was asked for and is not available.
    """
    count = whole("runs", runs, 1)
    pictures = checked_faces(faces)
    steps = steps_of(epochs, pictures)
    seeds = seeds_of(seed, count)
    stops = stops_of(steps, 100) if on_progress else [steps]
    states = states_of(pictures, seeds, checked_rates(learning_rate), checked_scales(init_scale), is_minimax(loss), stops, variant(backend))
    for done, state in states:  # noqa: B007
        if on_progress:
            on_progress(done, steps)
    return Runs(**named(state.T), seeds=seeds)


def states_of(
    faces: Array, seeds: Array, rates: Array, scales: Array, minimax: bool, stops: Sequence[int], variant: str
) -> Iterator[tuple[int, Array]]:
    """Steps done and the state (13, runs) of all runs, at each of `stops`."""
    advance = ensemble.ADVANCE[variant]
    keys = ensemble.keys_of(seeds)
    state = drawn_init(keys, per_run("init_scale", scales, len(seeds))).astype(np.float32)
    rate = per_run("learning_rate", rates, len(seeds)).astype(np.float32)
    done = 0
    for stop in stops:
        state = advance(state, keys, faces, rate, minimax, done, stop - done)
        done = stop
        yield done, state


def stops_of(steps: int, pieces: int) -> list[int]:
    """Where to stop so that `steps` steps are done in `pieces` nearly equal pieces, or one by one if there are fewer."""
    pieces = min(pieces, steps)
    return [steps * (piece + 1) // pieces for piece in range(pieces)]
