"""Simulation: many futures of one past, out of a causal model of a series. A series is an image of height 1, its future a completion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genlab.causal.drawing import Drawer, draw_images, natural
from genlab.errors import InputError
from genlab.models.contract import require

if TYPE_CHECKING:
    from genlab.causal import Graph


def context(graph: Graph) -> int:
    """How many steps back a model of a series sees: the farthest taps to the left, added up along a path."""
    reach: dict[str, int] = {}
    for node in graph.nodes:
        before = max((reach[source] for source in node.inputs if source != node.name), default=0)
        reach[node.name] = before + max((-dx for _, dx in node.taps), default=0)
    return reach[graph.output]


def simulate(model: Drawer, past: ArrayLike, n: int = 64, *, steps: int | None = None, seed: int = 0, **options: Any) -> NDArray[np.uint8]:
    """`n` futures of a series: x_t ~ p(x_t | x_1 … x_{t−1}), with the past known.

    Args:
        model: A causal model of images of height 1, such as ``wave_pixelcnn``.
        past: Levels ``(T,)``, at least as many as the model sees back. Of a longer past the end counts.
        n: Number of futures.
        steps: Of each future; None draws as many as the model's length leaves after its context.
        seed: Decides the draws.
        **options: Others of `genlab.sample`, such as ``temperature``.

    Returns:
        uint8 ``(n, steps)``.

    Raises:
        InputError: The model is of no series, the past is shorter than its context or holds anything but levels, or too many steps.
    """
    require(model, "causal", "simulate")
    channels, height, length = model.image_shape
    if channels != 1 or height != 1:
        raise InputError(f"model must be of a series, images of one channel and height 1; {model.name!r} draws {model.image_shape}")
    seen = context(model.graph)
    most = length - seen
    count = most if steps is None else natural(steps, "steps")
    if not 1 <= count <= most:
        raise InputError(f"steps must be from 1 to {most}, the model's length {length} without its context {seen}; got {count}")
    levels = _past(past, seen, model.levels)[-(length - count) :]
    known = np.zeros((1, 1, length), np.uint8)
    known[0, 0, : len(levels)] = levels
    mask = np.arange(length) < len(levels)
    drawn = draw_images(model, n, seed, {**options, "known": known, "known_mask": mask[None]})
    return drawn[:, 0, 0, len(levels) : len(levels) + count]


def quantiles(futures: NDArray[np.uint8], shares: ArrayLike) -> NDArray[np.float64]:
    """What so large a share of the futures lies below at each step, ``(len(shares), steps)``: the lines of a fan chart."""
    lines: NDArray[np.float64] = np.quantile(futures, np.asarray(shares), axis=0)
    return lines


def _past(past: ArrayLike, seen: int, levels: int) -> NDArray[np.uint8]:
    array = np.asarray(past)
    if array.ndim != 1 or array.dtype.kind not in "ui":
        nan = " with NaN" if array.dtype.kind == "f" and np.isnan(array).any() else ""
        raise InputError(f"past must hold integer levels, one after another; got {array.dtype} of shape {array.shape}{nan}")
    if len(array) < seen:
        raise InputError(f"past must be at least as long as the model's context, {seen} steps; got {len(array)}")
    if not 0 <= array.min() <= array.max() < levels:
        raise InputError(f"past must hold levels from 0 to {levels - 1}; got {array.min() if array.min() < 0 else array.max()}")
    return array.astype(np.uint8)
