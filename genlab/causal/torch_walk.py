"""The readable executor: the three walks over a causal list in torch.

- `parameters_map` scores: all pixels of all images at once, node by node. Under autograd it is the training walk too.
- `sample` draws pixel after pixel; at each, only that pixel of every node is computed and the rest is remembered.
- `sample_naive` is what a textbook writes: one full forward pass for every pixel. It is there to be compared with.

It runs wherever torch runs. The native walk is held to it, to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch

from genlab.causal.graph import Graph
from genlab.causal.node import HERE, Node
from genlab.causal.operations import OPERATIONS

Parameters = Mapping[str, tuple[torch.Tensor, torch.Tensor]]
"""Weight ``(C_out, C_in, height, width)`` and bias ``(C_out,)`` of each convolution, by node name."""

Progress = Callable[[int, int], None]
"""Called with (rows drawn, rows in all)."""

Rows = Callable[[int, np.ndarray, np.ndarray], None]
"""Called with (rows drawn in every image, levels (N, C, H, W), the output map (N, H, W, C · parameters) they were drawn from); rows
from the first number on are not drawn yet."""


def masks(graph: Graph, device: torch.device) -> dict[str, torch.Tensor]:
    """The live weights of each convolution, by node name."""
    return {node.name: torch.from_numpy(graph.mask(node)).to(device) for node in graph.convolutions}


def parameters_map(
    graph: Graph,
    parameters: Parameters,
    levels: torch.Tensor,
    given: Mapping[str, torch.Tensor] | None = None,
    *,
    key: int | None = None,
) -> torch.Tensor:
    """The output node's channels at every pixel: the distribution of each pixel given the pixels before it.

    Args:
        graph: The list of nodes.
        parameters: Weights and biases; their dtype and device are those of the computation.
        levels: Integer levels ``(N, C, H, W)``.
        given: The maps of the given nodes, each of its node's size or, the same at every pixel, ``(N, channels, 1, 1)``.
        key: Of a training step: which values a dropout leaves out follows from it; None: none.

    Returns:
        ``(N, C · parameters, H, W)``, differentiable.
    """
    graph = graph.certain if key is None else graph
    dtype = next(iter(parameters.values()))[0].dtype
    values = given_maps(graph, given, dtype)
    live = masks(graph, levels.device)
    image = graph.nodes[0]
    values[image.name] = levels.to(dtype) * image.scale + image.shift
    for node in graph.nodes:
        operation = OPERATIONS[node.operation]
        if operation.draws and key is not None:
            values[node.name] = operation.drop(node, values[node.inputs[0]], key)
        elif not operation.is_source:
            values[node.name] = _compute(graph, node, values, parameters, live)
    return values[graph.output]


def given_maps(graph: Graph, given: Mapping[str, torch.Tensor] | None, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """The given nodes' values, each of its node's size; a map of one pixel is spread over all."""
    return {node.name: (given or {})[node.name].to(dtype).expand(-1, -1, *graph.size(node)) for node in graph.given}


def _compute(
    graph: Graph, node: Node, values: Mapping[str, torch.Tensor], parameters: Parameters, live: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    """A node's whole map."""
    operation = OPERATIONS[node.operation]
    own = None
    if operation.has_parameters:
        weight, bias = parameters[node.name]
        own = weight.where(live[node.name], 0), bias
    height, width = graph.size(node)
    return operation.forward(node, [values[name] for name in node.inputs if name != node.name], own)[..., :height, :width]


def log_prob(graph: Graph, parameters_at: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
    """Log p(x) = Σ_i log p(x_i | x_1 … x_{i−1}), in nats, of each image.

    Args:
        graph: The list of nodes.
        parameters_at: What `parameters_map` returned, ``(N, output channels, H, W)``.
        levels: Integer levels ``(N, C, H, W)``.

    Returns:
        ``(N,)`` of the dtype of `parameters_at`.
    """
    return graph.distribution.log_prob(parameters_at.permute(0, 2, 3, 1), levels.long().permute(0, 2, 3, 1)).flatten(1).sum(1)


def logits(graph: Graph, parameters_at: torch.Tensor, levels: torch.Tensor | None = None) -> torch.Tensor:
    """Logits ``(N, C, H, W, levels)`` from the output map; `levels` of the images where those of a channel depend on the earlier ones."""
    at = None if levels is None else levels.long().permute(0, 2, 3, 1)
    return graph.distribution.logits(parameters_at.permute(0, 2, 3, 1), at).permute(0, 3, 1, 2, 4)


@torch.no_grad()
def sample(
    graph: Graph,
    parameters: Parameters,
    uniforms: torch.Tensor,
    *,
    known: torch.Tensor | None = None,
    known_mask: torch.Tensor | None = None,
    given: Mapping[str, torch.Tensor] | None = None,
    temperature: float = 1.0,
    on_progress: Progress | None = None,
    on_rows: Rows | None = None,
) -> torch.Tensor:
    """Draws images pixel by pixel at the price of one forward pass in all.

    Args:
        graph: The list of nodes.
        parameters: Weights and biases.
        uniforms: float64 ``(N, H, W, C)`` in [0, 1): the draws' randomness.
        known: int64 levels ``(N, C, H, W)``, kept where `known_mask` is true.
        known_mask: bool ``(N, C, H, W)``.
        given: The maps of the given nodes, ``(N, channels, H, W)`` or, the same at every pixel, ``(N, channels, 1, 1)``.
        temperature: Logits are divided by it.
        on_progress: Called after each row with (rows drawn, rows in all).
        on_rows: Called after each row with what is drawn so far, and from what.

    Returns:
        int64 levels ``(N, C, H, W)``.
    """
    graph = graph.certain
    memory = _Memory(graph, parameters, len(uniforms), given or {})
    channels, height, width = graph.image_shape
    levels = torch.zeros((len(uniforms), channels, height, width), dtype=torch.int64, device=uniforms.device)
    each = graph[graph.output].channels // graph.groups
    if on_rows:
        drawn_from = torch.zeros((len(uniforms), height, width, graph[graph.output].channels), device=uniforms.device)
    for y in range(height):
        for node in memory.row_nodes:
            for x in range(width) if node.scan == "right" else reversed(range(width)):
                memory.compute(node, y, x)
        for x in range(width):
            for channel in range(channels):
                if channel < graph.groups:
                    for node in memory.pixel_nodes:
                        memory.compute(node, y, x)
                parameters_here = memory.read(graph.output, y, x)
                if on_rows:
                    own = slice(channel * each, (channel + 1) * each)
                    drawn_from[:, y, x, own] = parameters_here[:, own]
                drawn = graph.distribution.draw(
                    parameters_here, levels[:, :channel, y, x], uniforms[:, y, x, channel], temperature=temperature
                )
                if known is not None and known_mask is not None:
                    drawn = torch.where(known_mask[:, channel, y, x], known[:, channel, y, x], drawn)
                levels[:, channel, y, x] = drawn
                memory.write_image(y, x, levels[:, :, y, x])
            for node in memory.late_nodes:
                memory.compute(node, y, x)
        if on_progress:
            on_progress(y + 1, height)
        if on_rows:
            on_rows(y + 1, levels.to(torch.uint8).numpy(force=True), drawn_from.numpy(force=True))
    return levels


@torch.no_grad()
def sample_naive(
    graph: Graph,
    parameters: Parameters,
    uniforms: torch.Tensor,
    *,
    known: torch.Tensor | None = None,
    known_mask: torch.Tensor | None = None,
    given: Mapping[str, torch.Tensor] | None = None,
    temperature: float = 1.0,
    on_progress: Progress | None = None,
) -> torch.Tensor:
    """The same draws as `sample` with one full forward pass for every value drawn; arguments as there."""
    channels, height, width = graph.image_shape
    levels = torch.zeros((len(uniforms), channels, height, width), dtype=torch.int64, device=uniforms.device)
    for y in range(height):
        for x in range(width):
            for channel in range(channels):
                here = parameters_map(graph, parameters, levels, given)[:, :, y, x]
                drawn = graph.distribution.draw(here, levels[:, :channel, y, x], uniforms[:, y, x, channel], temperature=temperature)
                if known is not None and known_mask is not None:
                    drawn = torch.where(known_mask[:, channel, y, x], known[:, channel, y, x], drawn)
                levels[:, channel, y, x] = drawn
        if on_progress:
            on_progress(y + 1, height)
    return levels


class _Memory:
    """The values remembered while drawing: for each node its map ``(height, width, N, channels)`` with a border of zeros around it."""

    def __init__(self, graph: Graph, parameters: Parameters, n: int, given: Mapping[str, torch.Tensor]) -> None:
        first = next(iter(parameters.values()))[0]
        self._graph = graph
        self._image = graph.nodes[0]
        self._border = max((max(abs(dy), abs(dx)) for node in graph.nodes for dy, dx in node.taps), default=0)
        border = self._border
        self._values = {
            node.name: torch.zeros(
                (*(size + 2 * border for size in graph.size(node)), n, node.channels), dtype=first.dtype, device=first.device
            )
            for node in graph.nodes
        }
        for node in (node for node in graph.nodes if OPERATIONS[node.operation].is_recurrent):
            initial = parameters[node.name][1]  # beyond the border and for ever, within it until it is computed
            size = self._values[node.name].shape[:2]
            self._values[OPERATIONS[node.operation].memory(node)] = initial.repeat(*size, n, 1)
        self._weights = {node.name: self._pixel_parameters(node, *parameters[node.name]) for node in graph.convolutions}
        computed = [node for node in graph.nodes if not OPERATIONS[node.operation].is_source]
        live = masks(graph, first.device)
        before = given_maps(graph, given, first.dtype)
        for node in (node for node in computed if node.visit == "given"):
            before[node.name] = _compute(graph, node, before, parameters, live)
        for name, value in before.items():
            height, width = value.shape[2:]
            self._values[name][border : border + height, border : border + width] = value.permute(2, 3, 0, 1)
        self.row_nodes = [node for node in computed if node.visit == "row"]
        pixel_nodes = [node for node in computed if node.visit == "pixel"]
        # Nodes that see their own pixel are computed once it is drawn; with several image channels, also while it is drawn.
        self.late_nodes = [node for node in pixel_nodes if graph.horizons[node.name] == HERE]
        self.pixel_nodes = [node for node in pixel_nodes if graph.groups > 1 or graph.horizons[node.name] != HERE]

    def _pixel_parameters(self, node: Node, weight: torch.Tensor, bias: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        live = weight.where(torch.from_numpy(self._graph.mask(node)).to(weight.device), 0)
        return OPERATIONS[node.operation].pixel_parameters(node, live, bias)

    def read(self, name: str, y: int, x: int) -> torch.Tensor:
        """The value of a node at a pixel of its map, ``(N, channels)``."""
        return self._values[name][y + self._border, x + self._border]

    def write_image(self, y: int, x: int, levels: torch.Tensor) -> None:
        """Stores the levels ``(N, C)`` drawn so far at a pixel."""
        value = self._values[self._image.name]
        value[y + self._border, x + self._border] = levels.to(value.dtype) * self._image.scale + self._image.shift

    def compute(self, node: Node, y: int, x: int) -> None:
        """Computes a node at a pixel of the image, if its map has one there, from what is remembered."""
        if y % node.stride or x % node.stride:
            return
        y, x = y // node.stride, x // node.stride

        def read(name: str, tap: tuple[int, int]) -> torch.Tensor:
            fine = node.down * y + tap[0], node.down * x + tap[1]
            value = self.read(name, fine[0] // node.up, fine[1] // node.up)
            return value if fine[0] % node.up == fine[1] % node.up == 0 else torch.zeros_like(value)

        value = OPERATIONS[node.operation].at_pixel(node, read, self._weights.get(node.name))
        if OPERATIONS[node.operation].is_recurrent:
            self._values[OPERATIONS[node.operation].memory(node)][y + self._border, x + self._border] = value
        self._values[node.name][y + self._border, x + self._border] = value[..., : node.channels]
