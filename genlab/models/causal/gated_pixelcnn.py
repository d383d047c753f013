"""Gated PixelCNN: two stacks without a blind spot, each layer gated by tanh · σ, conditional on what is known beforehand.

van den Oord et al. 2016b, "Conditional Image Generation with PixelCNN Decoders", section 2 and figure 2, with p = `channels`:

    vertical     (v_f, v_g) = W_k ∗ v over the rows above, plus V h;                   v ← tanh(v_f) ⊙ σ(v_g)
    horizontal   (h_f, h_g) = U_k ∗ h to the left, plus 1×1 of (v_f, v_g), plus V' h;  h ← h + 1×1(tanh(h_f) ⊙ σ(h_g))
                 (no sum in the first layer, which hides the centre)
    ReLU, 1×1 → p;  ReLU, 1×1 → C · levels;  softmax

The vertical stack depends on earlier rows alone (`visit="row"`), so it is computed a whole row at a time when the row begins: its first
layer looks at rows above, which is the paper's shift by one row, made once; the layers after it may then read their own row too. A pixel
above to the right thus reaches every pixel below it, and no earlier pixel is out of sight once there are layers enough.

NOTE: the image enters as 2·level/(levels − 1) − 1, as in `pixelcnn`; the paper does not say.
NOTE: what the 1×1 brings over holds V h already; the paper adds it after. A linear map of h beside another: no model is lost or won.
NOTE: `dilations` other than 1 are not the paper's; they let as few layers see further (Yu and Koltun 2016).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from genlab.causal import Categorical, Graph, GraphBuilder
from genlab.causal.node import Visit
from genlab.models.causal.before import Before, Classes, Factor, Given
from genlab.settings import ItemsOfText
from genlab.settings import Settings as _Settings

if TYPE_CHECKING:
    from genlab.models.causal.model import CausalModel


class Settings(_Settings):
    """What a Gated PixelCNN is made of."""

    image_shape: tuple[int, int, int] = Field((1, 28, 28), description="Channels, height and width of an image.")
    levels: int = Field(2, ge=2, le=256, description="Number of values a pixel can take.")
    channels: int = Field(32, ge=1, le=1024, description="The paper's p: feature maps of each stack.")
    layers: int = Field(7, ge=1, le=100, description="Number of gated layers, the first included.")
    first_kernel: int = Field(7, ge=3, le=63, description="Side of the first layer's kernels, an odd number.")
    dilations: Annotated[tuple[Annotated[int, Field(ge=1, le=1024)], ...], ItemsOfText] = Field(
        (1,), min_length=1, max_length=100, description="Distance between the taps of the layers after the first, in turn."
    )
    classes: Classes = 0
    given: Given = None
    factor: Factor = 2


def build(settings: Settings, beside: Mapping[str, int] = MappingProxyType({})) -> Graph:
    """The list of nodes.

    Args:
        settings: The model's.
        beside: Channels of other maps that are known beforehand, by name.
    """
    p = settings.channels
    builder = GraphBuilder(settings.image_shape, scale=2 / (settings.levels - 1), shift=-1)
    before = Before(builder, settings, beside)

    def halves(name: str, source: str, visit: Visit = "pixel", **kernel: Any) -> str:
        """Features and gates by one convolution, as figure 2 draws them."""
        return builder.conv(name, source, 2 * p, visit=visit, parts=2, **kernel)

    def with_known(source: str) -> str:
        """Source + V h."""
        return before.added(source, source, 2 * p, parts=2)

    vertical, horizontal = builder.image, builder.image
    for layer, dilation in zip(range(1, settings.layers + 1), cycle(settings.dilations), strict=False):
        first = layer == 1
        side, step = (settings.first_kernel, 1) if first else (3, dilation)
        reach = side // 2
        rows = range(-reach, 0 if first else 1)  # the image of this row is not known yet, the vertical stack of this row is
        taps = [(step * dy, step * dx) for dy in rows for dx in range(-reach, reach + 1)]
        name = f"layer{layer}"
        above = with_known(halves(f"{name}_vertical", vertical, "row", kernel_size=side, dilation=step, taps=taps))
        if layer < settings.layers:  # nobody would read the last one
            vertical = builder.gate(f"{name}_vertical_gated", above)
        link = with_known(halves(f"{name}_link", above, "row"))
        left = halves(f"{name}_left", horizontal, kernel_size=(1, side), dilation=step, mask_type="A" if first else "B")
        gated = builder.gate(f"{name}_gated", builder.add(f"{name}_sum", left, link))
        mixed = builder.conv(f"{name}_mix", gated, p)
        horizontal = mixed if first else builder.add(name, mixed, horizontal)
    hidden = builder.conv("head", builder.relu("head_relu", horizontal), p)
    distribution = Categorical(settings.levels)
    output = builder.conv("output", builder.relu("output_relu", hidden), distribution.output_channels(settings.image_shape[0]))
    return builder.build(output, distribution)


def create(name: str, settings: Settings) -> CausalModel:
    """The model of these settings, with random weights."""
    from genlab.models.causal.model import CausalModel

    return CausalModel(name, settings, build(settings))
