"""What the two PixelRNNs share: the settings, the layers around the recurrence, and how their weights begin.

van den Oord, Kalchbrenner and Kavukcuoglu 2016, "Pixel Recurrent Neural Networks", section 3 and table 1:

    7×7 conv, mask A → 2h
    layers of    input-to-state conv, mask B, 2h → 4h;  LSTM of h channels;  1×1 → 2h;  plus the layer's input
    ReLU, 1×1 → 2h;  ReLU, 1×1 → C · levels;  softmax

With `classes` a class is known beforehand, and what it stands for is added to the first convolution and to the head before its ReLU.

NOTE: the image enters as 2·level/(levels − 1) − 1, as in `pixelcnn`; the paper does not say.
NOTE: beyond every border of the image the LSTM's states are the learned initial ones; the paper learns those of the first row or column.
NOTE: the forget gate's bias begins at 1 (Jozefowicz et al. 2015), so that what is far away matters from the first step on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import Field

from genlab.causal import LABELS, Categorical, Graph, GraphBuilder
from genlab.models.causal.before import Classes
from genlab.settings import Settings as _Settings

if TYPE_CHECKING:
    from genlab.models.causal.model import CausalModel

State = Callable[[GraphBuilder, int, str, int], str]
"""Adds the recurrence of a layer: (builder, the layer's number from 1, its input of 2h channels, h) to a node of h channels."""


class Settings(_Settings):
    """What a PixelRNN is made of."""

    image_shape: tuple[int, int, int] = Field((1, 28, 28), description="Channels, height and width of an image.")
    levels: int = Field(2, ge=2, le=256, description="Number of values a pixel can take.")
    channels: int = Field(32, ge=1, le=1024, description="The paper's h: channels of an LSTM's state; the residual stream has 2h.")
    layers: int = Field(3, ge=1, le=100, description="Number of recurrent layers.")
    first_kernel: int = Field(7, ge=3, le=63, description="Side of the first convolution's kernel, an odd number.")
    classes: Classes = 0


def build(settings: Settings, state: State) -> Graph:
    """The list of nodes of a PixelRNN whose layers recur by `state`."""
    h = settings.channels
    builder = GraphBuilder(settings.image_shape, scale=2 / (settings.levels - 1), shift=-1)
    labels = builder.given(LABELS, settings.classes, everywhere=True) if settings.classes else None

    def given_class(name: str, source: str) -> str:
        """Source + V · class."""
        return builder.add(f"{name}_given", source, builder.conv(f"{name}_class", labels, 2 * h, visit="given")) if labels else source

    first = builder.conv("input", builder.image, 2 * h, kernel_size=settings.first_kernel, mask_type="A")
    stream = given_class("input", first)
    for layer in range(1, settings.layers + 1):
        wide = builder.conv(f"layer{layer}_expand", state(builder, layer, stream, h), 2 * h)
        stream = builder.add(f"layer{layer}", wide, stream)
    hidden = given_class("head", builder.conv("head", builder.relu("head_relu", stream), 2 * h))
    distribution = Categorical(settings.levels)
    output = builder.conv("output", builder.relu("output_relu", hidden), distribution.output_channels(settings.image_shape[0]))
    return builder.build(output, distribution)


def create(name: str, settings: Settings, graph: Graph) -> CausalModel:
    """The model of these settings, with random weights."""
    import torch

    from genlab.models.causal.model import CausalModel

    model = CausalModel(name, settings, graph)
    with torch.no_grad():
        for node in graph.nodes:
            if node.operation == "lstm":
                gates = graph[node.inputs[0]]
                convolutions = gates.inputs if gates.operation == "add" else (gates.name,)
                for layer in (*convolutions, node.name):  # σ and tanh do not halve what they pass on, as He et al.'s ReLU does
                    model.get_parameter(f"nodes.{layer}.weight").mul_(math.sqrt(0.5))
                model.get_parameter(f"nodes.{convolutions[0]}.bias")[node.channels : 2 * node.channels] = 1
    return model
