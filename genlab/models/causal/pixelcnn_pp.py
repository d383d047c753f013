"""PixelCNN++: a whole pixel from a mixture of logistics, two strides by 2 and back with short-cuts, concatenated ELUs, dropout.

Salimans et al. 2017, sections 2 and 3.2, with C = `channels` and `blocks` blocks in each way at each of the scales:

    u     sees the rows above        first taps (−2, −1 … 1), (−1, −1 … 1); blocks and strides 2×3: (−1 … 0, −1 … 1)
    h     sees u and what stands     first taps (−1, −1 … 1), (0, −1);      blocks and strides 2×2: (−1 … 0, −1 … 0)
          to the left as well
    block x ← x + a ⊙ σ(b),  [a, b] = conv(dropout(cELU(conv(cELU(x)) + 1×1(cELU(short-cut)))) + V y + U c,  cELU(x) = [ELU(x), ELU(−x)]
    short-cuts   of h: u of the same block; on the way up also the mirrored block's result, for u and for h
    cELU(h), 1×1 → what a mixture of `mixtures` logistics takes;  y, c what is known beforehand (genlab/models/causal/before.py)

u depends on earlier rows alone (`visit="row"`), so a row of it is computed when the row begins. Averaged weights are the training's.

NOTE: the paper appends a channel of ones to the image, from which the border can be told. Here the image enters as level/(levels − 1) + ½:
between ½ and 1½, while beyond the border there are zeros.
NOTE: h's first layer is one convolution where the paper's code adds two whose taps overlap; the last ELU is a concatenated one.
NOTE: `output="softmax"` draws channel by channel from one logit a level as `pixelcnn` does, which is what a mixture is measured against.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from genlab.causal import Categorical, DiscretizedLogisticMixture, Distribution, Graph, GraphBuilder
from genlab.errors import InputError
from genlab.models.causal.before import Before, Classes, Factor, Given
from genlab.settings import Settings as _Settings

if TYPE_CHECKING:
    from genlab.causal.node import Visit
    from genlab.models.causal.model import CausalModel

ABOVE = tuple((dy, dx) for dy in (-1, 0) for dx in (-1, 0, 1))
LEFT = tuple((dy, dx) for dy in (-1, 0) for dx in (-1, 0))


class Settings(_Settings):
    """What a PixelCNN++ is made of."""

    image_shape: tuple[int, int, int] = Field((1, 28, 28), description="Channels, height and width of an image.")
    levels: int = Field(2, ge=2, le=256, description="Number of values a pixel can take.")
    channels: int = Field(32, ge=1, le=1024, description="Feature maps of each stream.")
    blocks: int = Field(
        2, ge=1, le=100, description="Residual blocks at each scale on the way down; on the way up one more at finer scales."
    )
    strides: int = Field(2, ge=0, le=6, description="How often the image is halved on the way down, and doubled on the way up.")
    shortcuts: bool = Field(True, description="Whether blocks on the way up see those that they mirror.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of values left out in each block while it trains; the paper: 0.5.")
    output: Literal["mixture", "softmax"] = Field("mixture", description="What a pixel is drawn from.")
    mixtures: int = Field(5, ge=1, le=100, description="Number of logistic components.")
    classes: Classes = 0
    given: Given = None
    factor: Factor = 2


def build(settings: Settings, beside: Mapping[str, int] = MappingProxyType({})) -> Graph:
    """The list of nodes.

    Args:
        settings: The model's.
        beside: Channels of other maps that are known beforehand, by name.

    Raises:
        InputError: The image is smaller than the strides.
    """
    width, (channels, height, columns) = settings.channels, settings.image_shape
    if min(height, columns) < 2**settings.strides:
        raise InputError(
            f"image_shape must be at least {2**settings.strides} pixels high and wide for {settings.strides} strides by 2; "
            f"got {height} × {columns}"
        )
    g = GraphBuilder(settings.image_shape, scale=1 / (settings.levels - 1), shift=0.5)
    before = Before(g, settings, beside)
    activated: dict[str, str] = {}

    def elu(source: str) -> str:
        """cELU(source), made once however many read it."""
        if source not in activated:
            activated[source] = g.concat_elu(f"{source}_elu", source)
        return activated[source]

    def conv(name: str, source: str, outputs: int, visit: Visit, *, stride: int | None = None, parts: int = 1) -> str:
        taps = ABOVE if visit == "row" else LEFT
        return g.conv(name, source, outputs, kernel_size=3, taps=taps, visit=visit, stride=stride, parts=parts)

    def block(name: str, source: str, visit: Visit, seen: Sequence[str], stride: int) -> str:
        """Source + a ⊙ σ(b), given what is `seen` beside it."""
        inner = conv(f"{name}_in", elu(source), width, visit)
        for index, other in enumerate(seen):
            inner = g.add(f"{name}_sum{index}", g.conv(f"{name}_cut{index}", elu(other), width, visit=visit), inner)
        hidden = elu(inner)
        if settings.dropout:
            hidden = g.dropout(f"{name}_dropout", hidden, settings.dropout)
        halves = conv(f"{name}_halves", hidden, 2 * width, visit, parts=2)
        halves = before.added(f"{name}_halves", halves, 2 * width, parts=2, stride=stride)
        return g.add(name, g.gate(f"{name}_gate", halves, features="identity"), source)

    u = g.conv("u", g.image, width, kernel_size=(5, 3), taps=[(dy, dx) for dy in (-2, -1) for dx in (-1, 0, 1)], visit="row")
    h = g.conv("h", g.image, width, kernel_size=3, taps=[(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 0)], mask_type="A")
    passed = [(u, h)]
    for scale in range(settings.strides + 1):
        if scale > 0:
            u = conv(f"u_down{scale}", u, width, "row", stride=2**scale)
            h = conv(f"h_down{scale}", h, width, "pixel", stride=2**scale)
            passed.append((u, h))
        for index in range(1, settings.blocks + 1):
            u = block(f"u_down{scale}_{index}", u, "row", [], 2**scale)
            h = block(f"h_down{scale}_{index}", h, "pixel", [u], 2**scale)
            passed.append((u, h))
    passed.pop()
    for scale in reversed(range(settings.strides + 1)):
        coarsest = scale == settings.strides
        if not coarsest:
            u = conv(f"u_up{scale}", u, width, "row", stride=2**scale)
            h = conv(f"h_up{scale}", h, width, "pixel", stride=2**scale)
        for index in range(1, settings.blocks + (1 if coarsest else 2)):
            mirrored = passed.pop()
            u = block(f"u_up{scale}_{index}", u, "row", mirrored[:1] if settings.shortcuts else [], 2**scale)
            h = block(f"h_up{scale}_{index}", h, "pixel", [u, *(mirrored[1:] if settings.shortcuts else [])], 2**scale)
    distribution = _distribution(settings)
    return g.build(g.conv("output", elu(h), distribution.output_channels(channels)), distribution)


def _distribution(settings: Settings) -> Distribution:
    if settings.output == "softmax":
        return Categorical(settings.levels)
    return DiscretizedLogisticMixture(settings.levels, settings.mixtures)


def create(name: str, settings: Settings) -> CausalModel:
    """The model of these settings, with random weights."""
    from genlab.models.causal.model import CausalModel

    return CausalModel(name, settings, build(settings))
