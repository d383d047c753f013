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
import torch.nn.functional as F

from genlab.causal.distributions import draw
from genlab.causal.graph import HERE, Graph, Node

Parameters = Mapping[str, tuple[torch.Tensor, torch.Tensor]]
"""Weight ``(C_out, C_in, height, width)`` and bias ``(C_out,)`` of each convolution, by node name."""

Progress = Callable[[int, int], None]
"""Called with (rows drawn, rows in all)."""

Rows = Callable[[int, np.ndarray, np.ndarray], None]
"""Called with (rows drawn in every image, levels (N, C, H, W), the output map (N, H, W, C · parameters) they were drawn from); rows
from the first number on are not drawn yet."""


def masks(graph: Graph, device: torch.device) -> dict[str, torch.Tensor]:
    """The live weights of each convolution, by node name."""
    graph.refuse_recurrence()
    return {node.name: torch.from_numpy(graph.mask(node)).to(device) for node in graph.convolutions}


def parameters_map(
    graph: Graph, parameters: Parameters, levels: torch.Tensor, given: Mapping[str, torch.Tensor] | None = None
) -> torch.Tensor:
    """The output node's channels at every pixel: the distribution of each pixel given the pixels before it.

    Args:
        graph: The list of nodes.
        parameters: Weights and biases; their dtype and device are those of the computation.
        levels: Integer levels ``(N, C, H, W)``.
        given: The maps of the given nodes, ``(N, channels, H, W)``.

    Returns:
        ``(N, C · parameters, H, W)``, differentiable.
    """
    values: dict[str, torch.Tensor] = {}
    live = masks(graph, levels.device)
    dtype = next(iter(parameters.values()))[0].dtype
    for node in graph.nodes:
        sources = [values[name] for name in node.inputs]
        match node.operation:
            case "image":
                values[node.name] = levels.to(dtype) * node.scale + node.shift
            case "given":
                values[node.name] = (given or {})[node.name].to(dtype)
            case "conv":
                weight, bias = parameters[node.name]
                padding = tuple(node.dilation * (size // 2) for size in node.kernel_size)
                values[node.name] = F.conv2d(sources[0], weight.where(live[node.name], 0), bias, padding=padding, dilation=node.dilation)
            case _:
                values[node.name] = _elementwise(node, sources)
    return values[graph.output]


def log_prob(graph: Graph, parameters_at: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
    """Log p(x) = Σ_i log p(x_i | x_1 … x_{i−1}), in nats, of each image.

    Args:
        graph: The list of nodes.
        parameters_at: What `parameters_map` returned, ``(N, C · parameters, H, W)``.
        levels: Integer levels ``(N, C, H, W)``.

    Returns:
        ``(N,)`` of the dtype of `parameters_at`.
    """
    log_probabilities = F.log_softmax(logits(graph, parameters_at), dim=-1)
    return log_probabilities.gather(-1, levels.long().unsqueeze(-1)).flatten(1).sum(1)


def logits(graph: Graph, parameters_at: torch.Tensor) -> torch.Tensor:
    """Logits ``(N, C, H, W, levels)`` from the output map ``(N, C · parameters, H, W)``."""
    n, _, height, width = parameters_at.shape
    parameters = parameters_at.reshape(n, graph.groups, graph.distribution.parameters, height, width).permute(0, 1, 3, 4, 2)
    return graph.distribution.logits(parameters)


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
        given: The maps of the given nodes, ``(N, channels, H, W)``.
        temperature: Logits are divided by it.
        on_progress: Called after each row with (rows drawn, rows in all).
        on_rows: Called after each row with what is drawn so far, and from what.

    Returns:
        int64 levels ``(N, C, H, W)``.
    """
    memory = _Memory(graph, parameters, len(uniforms), given or {})
    channels, height, width = graph.image_shape
    levels = torch.zeros((len(uniforms), channels, height, width), dtype=torch.int64, device=uniforms.device)
    if on_rows:
        drawn_from = torch.zeros((len(uniforms), height, width, graph[graph.output].channels), device=uniforms.device)
    for y in range(height):
        for node in memory.row_nodes:
            for x in range(width):
                memory.compute(node, y, x)
        for x in range(width):
            for channel in range(channels):
                for node in memory.pixel_nodes:
                    memory.compute(node, y, x)
                if on_rows:
                    own = slice(channel * graph.distribution.parameters, (channel + 1) * graph.distribution.parameters)
                    drawn_from[:, y, x, own] = memory.read(graph.output, y, x)[:, own]
                parameters_here = memory.read(graph.output, y, x).reshape(len(uniforms), channels, graph.distribution.parameters)[
                    :, channel
                ]
                drawn = draw(graph.distribution.logits(parameters_here), uniforms[:, y, x, channel], temperature=temperature)
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
                here = logits(graph, parameters_map(graph, parameters, levels, given))[:, channel, y, x]
                drawn = draw(here, uniforms[:, y, x, channel], temperature=temperature)
                if known is not None and known_mask is not None:
                    drawn = torch.where(known_mask[:, channel, y, x], known[:, channel, y, x], drawn)
                levels[:, channel, y, x] = drawn
        if on_progress:
            on_progress(y + 1, height)
    return levels


def _elementwise(node: Node, sources: list[torch.Tensor]) -> torch.Tensor:
    match node.operation:
        case "relu":
            return sources[0].relu()
        case "add":
            return sources[0] + sources[1]
        case "gate":
            return sources[0].tanh() * sources[1].sigmoid()
    raise ValueError(f"operation {node.operation!r} of node {node.name!r} is not one of relu, add, gate")


class _Memory:
    """The values remembered while drawing: for each node a map ``(H + border, W + border, N, channels)`` with a border of zeros."""

    def __init__(self, graph: Graph, parameters: Parameters, n: int, given: Mapping[str, torch.Tensor]) -> None:
        _, height, width = graph.image_shape
        first = next(iter(parameters.values()))[0]
        self._graph = graph
        self._image = graph.nodes[0]
        self._border = max((max(abs(dy), abs(dx)) for node in graph.nodes for dy, dx in node.taps), default=0)
        graph.refuse_recurrence()
        border = self._border
        self._values = {
            node.name: torch.zeros((height + 2 * border, width + 2 * border, n, node.channels), dtype=first.dtype, device=first.device)
            for node in graph.nodes
        }
        for name, value in given.items():
            self._values[name][border : border + height, border : border + width] = value.permute(2, 3, 0, 1)
        self._weights = {node.name: self._flat_weight(node, *parameters[node.name]) for node in graph.convolutions}
        computed = [node for node in graph.nodes if node.operation not in ("image", "given")]
        for node in (node for node in computed if node.visit == "given"):
            for y in range(height):
                for x in range(width):
                    self.compute(node, y, x)
        self.row_nodes = [node for node in computed if node.visit == "row"]
        pixel_nodes = [node for node in computed if node.visit == "pixel"]
        # Nodes that see their own pixel are computed once it is drawn; with several image channels, also while it is drawn.
        self.late_nodes = [node for node in pixel_nodes if graph.horizons[node.name] == HERE]
        self.pixel_nodes = [node for node in pixel_nodes if graph.groups > 1 or graph.horizons[node.name] != HERE]

    def _flat_weight(self, node: Node, weight: torch.Tensor, bias: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The weight as one matrix ``(taps · C_in, C_out)``, taps in the order of `Node.taps`."""
        live = torch.from_numpy(self._graph.mask(node)).to(weight.device)
        masked = weight.where(live, 0)
        parts = [masked[:, :, *node.cell(tap)].T for tap in node.taps]
        return torch.cat(parts) if parts else masked.new_zeros((0, node.channels)), bias

    def read(self, name: str, y: int, x: int) -> torch.Tensor:
        """The value of a node at a pixel, ``(N, channels)``."""
        return self._values[name][y + self._border, x + self._border]

    def write_image(self, y: int, x: int, levels: torch.Tensor) -> None:
        """Stores the levels ``(N, C)`` drawn so far at a pixel."""
        value = self._values[self._image.name]
        value[y + self._border, x + self._border] = levels.to(value.dtype) * self._image.scale + self._image.shift

    def compute(self, node: Node, y: int, x: int) -> None:
        """Computes one pixel of one node from what is remembered."""
        if node.operation == "conv":
            weight, bias = self._weights[node.name]
            neighbours = [self.read(node.inputs[0], y + dy, x + dx) for dy, dx in node.taps]
            value = torch.addmm(bias, torch.cat(neighbours, dim=1), weight) if neighbours else bias
        else:
            value = _elementwise(node, [self.read(name, y, x) for name in node.inputs])
        self._values[node.name][y + self._border, x + self._border] = value
