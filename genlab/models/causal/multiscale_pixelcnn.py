"""Multi-scale PixelCNN: a small image first, then, scale by scale, the pixels between those that are there already.

After van den Oord et al. 2016, section 3.6, with s = 2 at every scale. x⁰ is every 2^S-th pixel of every 2^S-th row, and xᵏ has every
second pixel of xᵏ⁺¹. Since the pixels of xᵏ are among those of xᵏ⁺¹, only the three others r of each 2×2 are left to be drawn:

    p(x) = p(x⁰) ∏_k p(rᵏ⁺¹ | xᵏ),     rᵏ⁺¹ = (right, below, below right) of each pixel of xᵏ

a factorisation that sums to one. Each factor is a Gated PixelCNN: rᵏ⁺¹ is an image of xᵏ's size with 3·C ordered channels, given xᵏ as
a map of that size, which convolutions see on all sides. So no pixel is drawn twice, and a scale is drawn and scored at a quarter of its
pixels.

NOTE: the paper's upscaling network runs over the large image in raster order, its small image brought up by deconvolutions. Here a 2×2 is
finished before the next begins.
NOTE: the small image is a subsample, not a mean: a mean would have to be drawn beside all four pixels, and p(x) would be a sum over it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from genlab.errors import InputError
from genlab.models.causal import gated_pixelcnn
from genlab.models.causal.before import Classes
from genlab.settings import Settings as _Settings

if TYPE_CHECKING:
    from genlab.causal import Graph
    from genlab.models.causal.chain import Chain

COARSE = "coarse"
"""The given node of a stage: the image of the scale below."""


class Settings(_Settings):
    """What a multi-scale PixelCNN is made of."""

    image_shape: tuple[int, int, int] = Field((1, 28, 28), description="Channels, height and width of an image.")
    levels: int = Field(2, ge=2, le=256, description="Number of values a pixel can take.")
    channels: int = Field(32, ge=1, le=1024, description="Feature maps of each stack of each scale's Gated PixelCNN.")
    layers: int = Field(5, ge=1, le=100, description="Gated layers of each scale, the first included.")
    scales: int = Field(2, ge=1, le=8, description="How often the small image doubles its sides.")
    first_kernel: int = Field(7, ge=3, le=63, description="Side of the first layers' kernels, an odd number.")
    classes: Classes = 0


def build_stages(settings: Settings) -> list[Graph]:
    """The lists of nodes: of the small image, then of each scale's rest.

    Raises:
        InputError: Sides that cannot be halved so often.
    """
    channels, height, width = settings.image_shape
    smallest = 2**settings.scales
    if height % smallest or width % smallest:
        raise InputError(
            f"image_shape must have sides that {settings.scales} scales can halve, multiples of {smallest}; got {height}×{width}"
        )
    kept = settings.model_dump(include={"levels", "channels", "layers", "first_kernel", "classes"})

    def gated(count: int, scale: int, known: int) -> Graph:
        shape = (count, height >> scale, width >> scale)
        return gated_pixelcnn.build(gated_pixelcnn.Settings(image_shape=shape, **kept), {COARSE: known} if known else {})

    return [gated(channels, settings.scales, 0)] + [gated(3 * channels, scale, channels) for scale in range(settings.scales, 0, -1)]


def create(name: str, settings: Settings) -> Chain:
    """The model of these settings, with random weights."""
    from genlab.models.causal.chain import Chain

    return Chain(name, settings, build_stages(settings))
