"""Causal lists for tests: a Gated PixelCNN in miniature, and random ones that only hypothesis would think of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from hypothesis import strategies as st

from genlab.causal import Categorical, DiscretizedLogisticMixture, Graph, GraphBuilder
from genlab.causal.node import VISITS
from genlab.causal.operations import OPERATIONS

VERTICAL_TAPS = [(-1, -1), (-1, 0), (-1, 1)]
RECURRENT_TAPS = [VERTICAL_TAPS, [(-1, 0), (0, -1)], [(0, -1)], [(0, -2), (-1, 1)], [(-1, 2), (-2, 0), (0, -1)]]
"""Of a scan to the right: lines that are rows, diagonals, columns, and steeper diagonals."""


def random_parameters(graph: Graph, *, seed: int, dtype: torch.dtype = torch.float32) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Weights that make every node matter."""
    generator = torch.Generator().manual_seed(seed)
    parameters = {}
    for node in graph.convolutions:
        mask = graph.mask(node)
        fan_in = max(1, int(mask.reshape(len(mask), -1).sum(1).max()))
        weight = torch.randn(mask.shape, generator=generator, dtype=torch.float64) * (2 / fan_in) ** 0.5
        bias = torch.randn(OPERATIONS[node.operation].biases(node), generator=generator, dtype=torch.float64) * 0.3
        parameters[node.name] = (weight.to(dtype).requires_grad_(), bias.to(dtype).requires_grad_())
    return parameters


def random_given(graph: Graph, n: int, *, seed: int, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    """A value for each given node; those that need not be the same everywhere are so now and then all the same."""
    generator = torch.Generator().manual_seed(seed)
    maps = {}
    for index, node in enumerate(graph.given):
        size = (1, 1) if node.everywhere or (seed + index) % 4 == 0 else graph.size(node)
        maps[node.name] = torch.randn((n, node.channels, *size), generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
    return maps


def strided(image_shape: tuple[int, int, int] = (1, 5, 6), levels: int = 3, channels: int = 4) -> Graph:
    """PixelCNN++'s way down and up in miniature (Salimans et al. 2017): rows above and the row itself, twice by 2, with short-cuts."""
    builder = GraphBuilder(image_shape, scale=2 / (levels - 1), shift=-1)
    above = [(dy, dx) for dy in (-1, 0) for dx in (-1, 0, 1)]
    left = [(dy, dx) for dy in (-1, 0) for dx in (-1, 0)]
    u = builder.conv("u", builder.image, channels, kernel_size=3, taps=VERTICAL_TAPS, visit="row")
    first = builder.conv("before", builder.image, channels, kernel_size=3, mask_type="A", taps=[(0, -1), (-1, 0)])
    h = builder.add("h", first, builder.conv("link", u, channels))
    shortcuts = []
    for stride in (2, 4):
        shortcuts.append((u, h))
        u = builder.conv(f"u_down{stride}", u, channels, kernel_size=3, taps=above, visit="row", stride=stride)
        h = builder.conv(f"h_down{stride}", h, channels, kernel_size=3, taps=left, stride=stride)
        h = builder.add(f"h{stride}", builder.relu(f"relu{stride}", h), builder.conv(f"link{stride}", u, channels))
    for stride in (2, 1):
        u_skip, h_skip = shortcuts.pop()
        u = builder.conv(f"u_up{stride}", u, channels, kernel_size=3, taps=above, visit="row", stride=stride)
        u = builder.add(f"u_back{stride}", u, u_skip)
        h = builder.conv(f"h_up{stride}", h, channels, kernel_size=3, taps=left, stride=stride)
        h = builder.add(f"h_back{stride}", h, h_skip)
    output = builder.conv("output", builder.add("both", h, builder.conv("link_back", u, channels)), image_shape[0] * levels)
    return builder.build(output, Categorical(levels))


def gated(image_shape: tuple[int, int, int] = (1, 5, 4), levels: int = 3, channels: int = 5) -> Graph:
    """The two stacks of a Gated PixelCNN (van den Oord et al. 2016b): rows above by whole rows, the row itself by pixels."""
    builder = GraphBuilder(image_shape, scale=2 / (levels - 1), shift=-1)
    above = [(dy, dx) for dy in (-2, -1) for dx in (-1, 0, 1)]
    vertical = builder.conv("vertical", builder.image, channels, kernel_size=5, taps=above, visit="row")
    halves = builder.conv("vertical_halves", vertical, 2 * channels, kernel_size=3, taps=[(0, -1), (0, 0), (0, 1)], visit="row", parts=2)
    vertical = builder.gate("vertical_gated", halves)
    left = builder.conv("left", builder.image, channels, kernel_size=(1, 3), taps=[(0, -1), (0, 0)], mask_type="A")
    link = builder.conv("link", vertical, channels)
    features = builder.add("features", left, link)
    horizontal = builder.gate("gated", builder.conv("halves", features, 2 * channels, parts=2), features="identity")
    stream = builder.add("stream", builder.conv("mix", horizontal, channels), features)
    output = builder.conv("output", builder.relu("relu", stream), image_shape[0] * levels)
    return builder.build(output, Categorical(levels))


@dataclass(frozen=True)
class Made:
    """A node of a random list: the latest that it depends on (0 nothing, 1 earlier rows, 2 earlier pixels), and its stride."""

    name: str
    kind: int
    stride: int


@st.composite
def graphs(draw: st.DrawFn, *, strides: bool = True, mixtures: bool = True) -> Graph:
    """A random causal list: masks, residuals, gates, ReLUs and strides in any order, rows beside pixels, shared and dead nodes included."""
    shape = (draw(st.sampled_from([1, 1, 2, 3])), draw(st.integers(1, 5)), draw(st.integers(1, 6)))
    levels = draw(st.sampled_from([2, 3, 5]))
    channels = draw(st.sampled_from([1, 3, 6, 17]))
    builder = GraphBuilder(shape, scale=2 / (levels - 1), shift=-1)
    kernel = draw(st.sampled_from([1, 3, 5, (3, 5)]))
    image = builder.image
    nodes = [
        Made(builder.conv("n0", image, channels, kernel_size=kernel, mask_type="A"), 2, 1),
        Made(builder.conv("rows", image, channels, kernel_size=3, taps=VERTICAL_TAPS, visit="row"), 1, 1),
    ]
    if draw(st.booleans()):  # what is known beforehand, at every pixel alike or not
        stride = draw(st.sampled_from([1, 2] if strides else [1]))
        nodes.append(Made(builder.given("known", channels, everywhere=draw(st.booleans()), stride=stride), 0, stride))
        nodes.append(Made(builder.conv("class", builder.given("labels", 2, everywhere=True), channels, visit="given"), 0, 1))

    def stride_beside(source: Made) -> int:
        """The same, coarser or finer."""
        return draw(st.sampled_from([source.stride, 2 * source.stride, max(1, source.stride // 2)] if strides else [source.stride]))

    def convolve(name: str, source: Made, kind: int, size: int | tuple[int, int] = 3, **options: Any) -> None:
        stride = stride_beside(source)
        builder.conv(name, source.name, channels, kernel_size=size, visit=VISITS[kind], stride=stride, **options)
        nodes.append(Made(name, kind, stride))

    for index in range(1, draw(st.integers(1, 9))):
        name = f"n{index}"
        # What is computed beforehand, by rows and by pixels may meet in every operation.
        first = draw(st.sampled_from(nodes))
        second = draw(st.sampled_from([node for node in nodes if node.stride == first.stride]))
        both = Made(name, max(first.kind, second.kind), first.stride)
        match draw(
            st.sampled_from(["conv", "conv", "relu", "add", "add", "gate", "elu", "dropout", "image", "row", "below", "before", "lstm"])
        ):
            case "conv":
                size, dilation = draw(st.sampled_from([(1, 1), (1, 1), (3, 1), (3, 2), ((3, 5), 2)]))
                convolve(name, first, 2, size, dilation=dilation)
            case "relu":
                builder.relu(name, first.name)
                nodes.append(Made(name, first.kind, first.stride))
            case "add":
                builder.add(name, first.name, second.name)
                nodes.append(both)
            case "elu":
                convolve(name, Made(builder.concat_elu(f"{name}_elu", first.name), first.kind, first.stride), max(1, first.kind), 1)
            case "dropout":
                nodes.append(Made(builder.dropout(name, first.name, 0.3), first.kind, first.stride))
            case "gate":
                halves = []
                for half, source in (("one", first), ("other", second)):
                    options = {"visit": VISITS[source.kind], "stride": source.stride, "parts": 2}
                    halves.append(builder.conv(f"{name}_{half}", source.name, 2 * channels, **options))
                summed = draw(st.booleans())
                both_halves = builder.add(f"{name}_halves", *halves) if summed else halves[0]
                builder.gate(name, both_halves, features=draw(st.sampled_from(["tanh", "identity"])))
                nodes.append(both if summed else Made(name, first.kind, first.stride))
            case "image":
                convolve(name, Made(image, 2, 1), 2, mask_type="A")
            case "row" if first.kind < 2:
                convolve(name, first, 1, taps=draw(st.sampled_from([[(-1, 1), (0, -1), (0, 0), (0, 1)], [(-1, 0), (0, 1)]])))
            case "below":
                convolve(name, first, 1, taps=VERTICAL_TAPS)
            case "lstm":
                by_rows = first.kind < 2 and draw(st.booleans())
                onward = draw(st.sampled_from([1, -1])) if by_rows else 1
                recurs = [(dy, onward * dx) for dy, dx in draw(st.sampled_from(RECURRENT_TAPS))]
                visit = "row" if by_rows else "pixel"
                gates = builder.conv(f"{name}_gates", first.name, 4 * channels, visit=visit, parts=4)
                cell_tap = draw(st.sampled_from(recurs))
                builder.lstm(name, gates, taps=recurs, cell_tap=cell_tap, scan="left" if onward < 0 else "right")
                nodes.append(Made(name, 1 if by_rows else 2, first.stride))
            case "before" if first.kind == 0:
                convolve(name, first, 0, taps=draw(st.sampled_from([[(0, 0)], [(0, 0)], [(-1, 0), (0, 1), (1, 1)]])))
    last = next(node for node in reversed(nodes) if node.kind > 0)
    while last.stride > 1:  # whatever lies coarse at the end is brought back
        finer = last.stride // 2
        name = builder.conv(f"up{finer}", last.name, channels, kernel_size=3, visit=VISITS[last.kind], stride=finer)
        last = Made(name, last.kind, finer)
    distribution = DiscretizedLogisticMixture(levels, 2) if mixtures and draw(st.booleans()) else Categorical(levels)
    output = builder.conv("output", last.name, distribution.output_channels(shape[0]))
    return builder.build(output, distribution)
