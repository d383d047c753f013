"""What one writes without a framework, for scale: a masked convolution in NumPy and in pure Python, and cached sampling in pure Python.

In the sampler every node keeps what it computed at every pixel; drawing a pixel computes each node there once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from genlab.benchmark.table import Array
from genlab.causal import Graph, Node

Vector = list[float]
Taps = list[tuple[int, int, list[Vector]]]


# --- one convolution -------------------------------------------------------------------------------------------------------------


def numpy_convolution(x: Array, weight: Array, bias: Array, mask: Array) -> Array:
    """One matrix product per live tap, over images (N, H, W, C): NumPy at its best.

    Args:
        x: (N, H, W, C_in).
        weight: (C_out, C_in, height, width).
        bias: (C_out,).
        mask: Booleans of the shape of `weight`.

    Returns:
        (N, H, W, C_out).
    """
    _, height, width, _ = x.shape
    y = np.broadcast_to(bias, (math.prod(x.shape[:3]), len(weight))).copy()
    live, padded = weight * mask, _pad(x, weight)
    for row, column in np.argwhere(mask.any((0, 1))):
        # All pixels in one product: NumPy would make one for every row of every image.
        y += padded[:, row : row + height, column : column + width].reshape(len(y), -1) @ live[:, :, row, column].T
    return y.reshape(*x.shape[:3], len(weight))


def numpy_gradients(grad: Array, x: Array, weight: Array, mask: Array) -> tuple[Array, Array, Array]:
    """Gradients to x, weight and bias, from that to the output (N, H, W, C_out); the same products, transposed."""
    _, height, width, _ = x.shape
    live, padded = weight * mask, _pad(x, weight)
    grad_padded, grad_weight = np.zeros_like(padded), np.zeros_like(weight)
    flat = grad.reshape(-1, grad.shape[-1])
    for row, column in np.argwhere(mask.any((0, 1))):
        window = (slice(None), slice(row, row + height), slice(column, column + width))
        grad_padded[window] += (flat @ live[:, :, row, column]).reshape(x.shape)
        grad_weight[:, :, row, column] = flat.T @ padded[window].reshape(-1, x.shape[-1])
    top, left = weight.shape[2] // 2, weight.shape[3] // 2
    return grad_padded[:, top : top + height, left : left + width], grad_weight * mask, flat.sum(0)


def _pad(x: Array, weight: Array) -> Array:
    top, left = weight.shape[2] // 2, weight.shape[3] // 2
    return np.pad(x, ((0, 0), (top, top), (left, left), (0, 0)))


def python_row(x: Sequence[Any], taps: Taps, bias: Vector, y: int) -> list[Vector]:
    """One row of a convolution of one image: lists [H][W][C_in] to [W][C_out].

    Args:
        x: The image.
        taps: ``(dy, dx, rows of the matrix)`` of each live tap.
        bias: One value for each output channel.
        y: Which row.
    """
    found = []
    for column in range(len(x[0])):
        total = list(bias)
        for dy, dx, matrix in taps:
            if 0 <= y + dy < len(x) and 0 <= column + dx < len(x[0]):
                neighbour = x[y + dy][column + dx]
                for channel, weights in enumerate(matrix):
                    total[channel] += sum(w * a for w, a in zip(weights, neighbour, strict=True))
        found.append(total)
    return found


# --- sampling --------------------------------------------------------------------------------------------------------------------


def layers_of(graph: Graph, parameters: Mapping[str, tuple[Any, Any]]) -> dict[str, tuple[Taps, Vector]]:
    """Weights as lists: for each convolution its live taps ``(dy, dx, rows of the matrix)``, and its bias.

    Args:
        graph: A list of nodes over images of one channel, all visited by pixels.
        parameters: Arrays ``(C_out, C_in, height, width)`` and ``(C_out,)`` by node name.
    """
    layers = {}
    for node in graph.convolutions:
        weight, bias = parameters[node.name]
        rows, columns = node.kernel_size[0] // 2, node.kernel_size[1] // 2
        layers[node.name] = ([(dy, dx, weight[:, :, rows + dy, columns + dx].tolist()) for dy, dx in node.taps], bias.tolist())
    return layers


def sample(graph: Graph, layers: Mapping[str, tuple[Taps, Vector]], uniforms: Sequence[Any]) -> list[list[list[int]]]:
    """Draws images one by one; `uniforms` are floats [N][H][W], the levels drawn come in the same order."""
    return [_draw_image(graph, layers, image) for image in uniforms]


def _draw_image(graph: Graph, layers: Mapping[str, tuple[Taps, Vector]], uniforms: Sequence[Sequence[float]]) -> list[list[int]]:
    image, *computed = graph.nodes
    values: dict[str, dict[tuple[int, int], Vector]] = {node.name: {} for node in graph.nodes}
    levels: list[list[int]] = []
    for y, row in enumerate(uniforms):
        levels.append([])
        for x, uniform in enumerate(row):
            for node in computed:
                values[node.name][y, x] = _value(node, values, layers, y, x)
            level = _draw(values[graph.output][y, x], uniform)
            levels[-1].append(level)
            values[image.name][y, x] = [image.scale * level + image.shift]
    return levels


def _value(
    node: Node, values: Mapping[str, dict[tuple[int, int], Vector]], layers: Mapping[str, tuple[Taps, Vector]], y: int, x: int
) -> Vector:
    """One pixel of one node."""
    sources = [values[name] for name in node.inputs]
    if node.operation == "relu":
        return [max(0.0, a) for a in sources[0][y, x]]
    if node.operation == "add":
        return [a + b for a, b in zip(sources[0][y, x], sources[1][y, x], strict=True)]
    taps, bias = layers[node.name]
    total = list(bias)
    for dy, dx, matrix in taps:
        neighbour = sources[0].get((y + dy, x + dx))
        if neighbour is not None:
            for channel, weights in enumerate(matrix):
                total[channel] += sum(w * a for w, a in zip(weights, neighbour, strict=True))
    return total


def _draw(logits: Vector, uniform: float) -> int:
    """The number of levels k with P(level ≤ k) ≤ uniform."""
    highest = max(logits)
    weights = [math.exp(logit - highest) for logit in logits]
    target, below = uniform * sum(weights), 0.0
    for level, weight in enumerate(weights[:-1]):
        below += weight
        if below > target:
            return level
    return len(weights) - 1
