"""Jacobi sampling: all values are guessed at once, and drawn anew from each other's guesses until none changes.

Song et al. 2021, "Accelerating Feedforward Computation via Parallel Nonlinear Equation Solving". An image drawn value after value solves

    x_i = draw(p(x_i | x_1 … x_{i−1}), u_i)   for every i,

a triangular system whose only solution that is: so the images are those of the other walks from the same uniforms. A pass computes all
right sides by one forward pass. Values up to the first that changed were drawn from values that had not changed, and stay: every pass
settles at least one, so there are never more passes than values, and usually far fewer.

Where many pixels are computed as fast as one it beats the naive walk by as much. It remembers nothing of the nodes, and so checks those
walks that do.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from genlab.causal.graph import Graph
from genlab.causal.torch_walk import Progress, Rows

Predict = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From levels ``(n, C, H, W)`` of some images and their numbers ``(n,)``, the output map ``(n, output channels, H, W)``."""

Passes = Callable[[int, np.ndarray], None]
"""Called with (whole forward passes so far, levels (N, C, H, W) as they are guessed now)."""

_NUMBERS_AT_ONCE = 2**24
"""Of an output map: drawing takes several arrays of its size."""


@torch.no_grad()
def sample(
    graph: Graph,
    predict: Predict,
    uniforms: torch.Tensor,
    *,
    known: torch.Tensor | None = None,
    known_mask: torch.Tensor | None = None,
    temperature: float = 1.0,
    on_progress: Progress | None = None,
    on_rows: Rows | None = None,
    on_pass: Passes | None = None,
) -> torch.Tensor:
    """Draws images by whole forward passes; arguments as in `genlab.causal.torch_walk.sample`.

    Args:
        graph: The list of nodes.
        predict: A whole forward pass, by whichever walk is the fastest here.
        uniforms: float64 ``(N, H, W, C)`` in [0, 1).
        known: int64 levels ``(N, C, H, W)``, kept where `known_mask` is true.
        known_mask: bool ``(N, C, H, W)``.
        temperature: Logits are divided by it.
        on_progress: Called after each pass with (rows that are settled in every image, rows in all).
        on_rows: Called after each pass with what is settled so far, and from what it was drawn.
        on_pass: Called after each pass with the passes so far and the images as they are guessed.

    Returns:
        int64 levels ``(N, C, H, W)``.
    """
    channels, height, width = graph.image_shape
    levels = torch.zeros((len(uniforms), channels, height, width), dtype=torch.int64, device=uniforms.device)
    if known is not None and known_mask is not None:
        levels = torch.where(known_mask, known, levels)
    outputs = graph[graph.output].channels
    drawn_from = torch.zeros((len(uniforms), height, width, outputs), device=uniforms.device) if on_rows else None
    at_once = max(1, _NUMBERS_AT_ONCE // (outputs * height * width))
    settled = torch.zeros(len(uniforms), dtype=torch.int64, device=uniforms.device)  # so many values of each image are final
    passes = 0
    while len(left := torch.nonzero(settled < levels[0].numel()).flatten()):
        passes += 1
        for some in torch.split(left, at_once):
            predicted = predict(levels[some], some).permute(0, 2, 3, 1)
            mask = None if known_mask is None else known_mask[some]
            drawn = _draw_all(graph, predicted, uniforms[some], temperature, levels[some], mask)
            levels[some], settled[some] = _settle(levels[some], drawn, settled[some])
            if drawn_from is not None:
                drawn_from[some] = predicted.to(drawn_from.dtype)
        _report(passes, levels, settled, drawn_from, on_progress, on_rows, on_pass)
    return levels


def _draw_all(
    graph: Graph, predicted: torch.Tensor, uniforms: torch.Tensor, temperature: float, known: torch.Tensor, mask: torch.Tensor | None
) -> torch.Tensor:
    """Every value ``(n, C, H, W)`` drawn from an output map ``(n, H, W, output channels)``, the channels of a pixel in their order.

    Where `mask` is true a value is as `known`: a mixture draws the pixel's later channels given it.
    """
    drawn = torch.zeros(uniforms.shape, dtype=torch.int64, device=uniforms.device)
    for channel in range(uniforms.shape[-1]):
        value = graph.distribution.draw(predicted, drawn[..., :channel], uniforms[..., channel], temperature=temperature)
        drawn[..., channel] = value if mask is None else torch.where(mask[:, channel], known[:, channel], value)
    return drawn.permute(0, 3, 1, 2)


def _settle(guessed: torch.Tensor, drawn: torch.Tensor, settled: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What the images hold after a pass, and how many values of each are final then.

    The first value that changed was drawn from final ones, and so is final itself. What was final stays, even where a map that is computed
    anew with other images beside it is rounded otherwise.
    """
    before, after = (values.permute(0, 2, 3, 1).flatten(1) for values in (guessed, drawn))
    place = torch.arange(before.shape[1], device=before.device)
    changed = (before != after) & (place >= settled[:, None])
    first = torch.where(changed.any(1), changed.int().argmax(1), before.shape[1] - 1)
    count, channels, height, width = guessed.shape
    values = torch.where(changed, after, before).reshape(count, height, width, channels).permute(0, 3, 1, 2)
    return values, first + 1


def _report(
    passes: int,
    levels: torch.Tensor,
    settled: torch.Tensor,
    drawn_from: torch.Tensor | None,
    on_progress: Progress | None,
    on_rows: Rows | None,
    on_pass: Passes | None,
) -> None:
    """Tells whoever wants to know how far the images are."""
    _, channels, height, width = levels.shape
    rows = int(settled.min()) // (channels * width)
    if on_progress:
        on_progress(rows, height)
    if on_rows and drawn_from is not None:
        on_rows(rows, levels.to(torch.uint8).numpy(force=True), drawn_from.numpy(force=True))
    if on_pass:
        on_pass(passes, levels.to(torch.uint8).numpy(force=True))
