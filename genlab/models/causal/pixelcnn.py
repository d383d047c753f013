"""PixelCNN: p(x) = ∏ p(x_i | x_1 … x_{i−1}) by masked convolutions.

van den Oord, Kalchbrenner and Kavukcuoglu 2016, "Pixel Recurrent Neural Networks", section 3.4 and table 1:

    7×7 conv, mask A → 2h
    blocks of   ReLU, 1×1 → h;  ReLU, 3×3 mask B → h;  ReLU, 1×1 → 2h;  plus the block's input
    ReLU, 1×1 → 2h;  ReLU, 1×1 → C · levels;  softmax

With `classes` or `given` something is known beforehand (`before.py`): it is added to the first convolution, each block's 3×3 convolution
and the head before their ReLU, the conditioning of van den Oord et al. 2016b without its gates.

NOTE: the image enters as 2·level/(levels − 1) − 1, so that the zero padding differs from every extreme level; the paper does not say.
NOTE: `shortcuts` off is not the paper's either: it shows what its residual connections are worth.
NOTE: `first_kernel` other than 7 and `dilations` other than 1 are not the paper's. Both let as few layers see further; a large first
kernel also shows them what lies above to the right, where a stack of 3×3 masks is blind (van den Oord et al. 2016b, figure 1).
"""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from genlab.causal import Categorical, DiscretizedLogisticMixture, Graph, GraphBuilder
from genlab.models.causal.before import Before, Classes, Factor, Given
from genlab.settings import ItemsOfText
from genlab.settings import Settings as _Settings

if TYPE_CHECKING:
    from genlab.models.causal.model import CausalModel


class Settings(_Settings):
    """What a PixelCNN is made of."""

    image_shape: tuple[int, int, int] = Field((1, 28, 28), description="Channels, height and width of an image.")
    levels: int = Field(2, ge=2, le=256, description="Number of values a pixel can take.")
    channels: int = Field(32, ge=1, le=1024, description="The paper's h; the residual stream has 2h channels.")
    blocks: int = Field(7, ge=0, le=100, description="Number of residual blocks.")
    first_kernel: int = Field(7, ge=3, le=63, description="Side of the first convolution's kernel, an odd number.")
    dilations: Annotated[tuple[Annotated[int, Field(ge=1, le=1024)], ...], ItemsOfText] = Field(
        (1,), min_length=1, max_length=100, description="Distance between the taps of the blocks' 3×3 convolutions, in turn."
    )
    shortcuts: bool = Field(True, description="Whether a block adds its input to its output.")
    mixtures: int = Field(0, ge=0, le=100, description="Logistics that a whole pixel is drawn from (Salimans et al. 2017); 0: a softmax.")
    classes: Classes = 0
    given: Given = None
    factor: Factor = 2


def build(settings: Settings) -> Graph:
    """The list of nodes."""
    h = settings.channels
    builder = GraphBuilder(settings.image_shape, scale=2 / (settings.levels - 1), shift=-1)
    before = Before(builder, settings)
    first = builder.conv("input", builder.image, 2 * h, kernel_size=settings.first_kernel, mask_type="A")
    stream = before.added("input", first, 2 * h)
    for block, dilation in zip(range(1, settings.blocks + 1), cycle(settings.dilations), strict=False):
        name = f"block{block}"
        inner = builder.conv(f"{name}_reduce", builder.relu(f"{name}_relu1", stream), h)
        inner = builder.conv(f"{name}_conv", builder.relu(f"{name}_relu2", inner), h, kernel_size=3, dilation=dilation)
        inner = before.added(f"{name}_conv", inner, h)
        inner = builder.conv(f"{name}_expand", builder.relu(f"{name}_relu3", inner), 2 * h)
        stream = builder.add(name, inner, stream) if settings.shortcuts else inner
    hidden = before.added("head", builder.conv("head", builder.relu("head_relu", stream), 2 * h), 2 * h)
    distribution = DiscretizedLogisticMixture(settings.levels, settings.mixtures) if settings.mixtures else Categorical(settings.levels)
    output = builder.conv("output", builder.relu("output_relu", hidden), distribution.output_channels(settings.image_shape[0]))
    return builder.build(output, distribution)


def create(name: str, settings: Settings) -> CausalModel:
    """The model of these settings, with random weights."""
    from genlab.models.causal.model import CausalModel

    return CausalModel(name, settings, build(settings))
