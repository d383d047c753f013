"""Causal lists for tests: a Gated PixelCNN in miniature, and random ones that only hypothesis would think of."""

from __future__ import annotations

import torch
from hypothesis import strategies as st

from genlab.causal import Categorical, Graph, GraphBuilder

VERTICAL_TAPS = [(-1, -1), (-1, 0), (-1, 1)]


def random_parameters(graph: Graph, *, seed: int, dtype: torch.dtype = torch.float32) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Weights that make every node matter."""
    generator = torch.Generator().manual_seed(seed)
    parameters = {}
    for node in graph.convolutions:
        mask = graph.mask(node)
        fan_in = max(1, int(mask.reshape(node.channels, -1).sum(1).max()))
        weight = torch.randn(mask.shape, generator=generator, dtype=torch.float64) * (2 / fan_in) ** 0.5
        bias = torch.randn(node.channels, generator=generator, dtype=torch.float64) * 0.3
        parameters[node.name] = (weight.to(dtype).requires_grad_(), bias.to(dtype).requires_grad_())
    return parameters


def random_given(graph: Graph, n: int, *, seed: int, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    """A value for each given node; those that need not be the same everywhere are so now and then all the same."""
    generator = torch.Generator().manual_seed(seed)
    maps = {}
    for index, node in enumerate(graph.given):
        size = (1, 1) if node.everywhere or (seed + index) % 4 == 0 else graph.image_shape[1:]
        maps[node.name] = torch.randn((n, node.channels, *size), generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
    return maps


def gated(image_shape: tuple[int, int, int] = (1, 5, 4), levels: int = 3, channels: int = 5) -> Graph:
    """The two stacks of a Gated PixelCNN (van den Oord et al. 2016b): rows above by whole rows, the row itself by pixels."""
    builder = GraphBuilder(image_shape, scale=2 / (levels - 1), shift=-1)
    above = [(dy, dx) for dy in (-2, -1) for dx in (-1, 0, 1)]
    vertical = builder.conv("vertical", builder.image, channels, kernel_size=5, taps=above, visit="row")
    gates = builder.conv("vertical_gates", vertical, channels, kernel_size=3, taps=[(0, -1), (0, 0), (0, 1)], visit="row")
    vertical = builder.gate("vertical_gated", vertical, gates)
    left = builder.conv("left", builder.image, channels, kernel_size=(1, 3), taps=[(0, -1), (0, 0)], mask_type="A")
    link = builder.conv("link", vertical, channels)
    features = builder.add("features", left, link)
    horizontal = builder.gate("gated", features, builder.conv("gates", features, channels))
    stream = builder.add("stream", builder.conv("mix", horizontal, channels), features)
    output = builder.conv("output", builder.relu("relu", stream), image_shape[0] * levels)
    return builder.build(output, Categorical(levels))


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """A random causal list: masks, residuals, gates and ReLUs in any order, rows beside pixels, shared and dead nodes included."""
    shape = (draw(st.sampled_from([1, 1, 2, 3])), draw(st.integers(1, 5)), draw(st.integers(1, 6)))
    levels = draw(st.sampled_from([2, 3, 5]))
    channels = draw(st.sampled_from([1, 3, 6, 17]))
    builder = GraphBuilder(shape, scale=2 / (levels - 1), shift=-1)
    kernel = draw(st.sampled_from([1, 3, 5, (3, 5)]))
    nodes = [builder.conv("n0", builder.image, channels, kernel_size=kernel, mask_type="A")]
    rows = [builder.conv("rows", builder.image, channels, kernel_size=3, taps=VERTICAL_TAPS, visit="row")]
    before = []  # what is known beforehand, at every pixel alike or not
    if draw(st.booleans()):
        before = [builder.given("known", channels, everywhere=draw(st.booleans()))]
        before.append(builder.conv("class", builder.given("labels", 2, everywhere=True), channels, visit="given"))
    for index in range(1, draw(st.integers(1, 8))):
        operation = draw(st.sampled_from(["conv", "conv", "relu", "add", "add", "gate", "image", "row", "below", "before"]))
        # What is computed beforehand, by rows and by pixels may meet in every operation.
        first, second = draw(st.sampled_from([*nodes, *rows, *before])), draw(st.sampled_from([*nodes, *rows, *before]))
        name = f"n{index}"
        latest = max(
            (nodes, rows, before), key=lambda kind: (first in kind or second in kind) * (3 - (kind is rows) - 2 * (kind is before))
        )
        alone = nodes if first in nodes else rows if first in rows else before
        match operation:
            case "conv":
                size, dilation = draw(st.sampled_from([(1, 1), (1, 1), (3, 1), (3, 2), ((3, 5), 2)]))
                nodes.append(builder.conv(name, first, channels, kernel_size=size, dilation=dilation))
            case "relu":
                alone.append(builder.relu(name, first))
            case "add":
                latest.append(builder.add(name, first, second))
            case "gate":
                latest.append(builder.gate(name, first, second))
            case "image":
                nodes.append(builder.conv(name, builder.image, channels, kernel_size=3, mask_type="A"))
            case "row":
                source = draw(st.sampled_from([*rows, *before]))
                rows.append(builder.conv(name, source, channels, kernel_size=3, taps=[(-1, 1), (0, -1), (0, 0), (0, 1)], visit="row"))
            case "below":
                rows.append(builder.conv(name, first, channels, kernel_size=3, taps=VERTICAL_TAPS, visit="row"))
            case "before" if before:
                taps = draw(st.sampled_from([[(0, 0)], [(0, 0)], [(-1, 0), (0, 1), (1, 1)]]))
                source = draw(st.sampled_from(before))
                before.append(builder.conv(name, source, channels, kernel_size=3, taps=taps, visit="given"))
    output = builder.conv("output", draw(st.sampled_from([nodes[-1], rows[-1]])), shape[0] * levels)
    return builder.build(output, Categorical(levels))
