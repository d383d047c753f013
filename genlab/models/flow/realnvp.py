"""RealNVP: log p(x) = log N(f(x); 0, I) + log |det ∂f/∂x| by couplings, x_b → g(x_b; x_a) (Dinh, Sohl-Dickstein and Bengio 2017).

Of points the density is exact. Images have levels, not real values: f sees a level plus noise u in [0, 1), and

    log P(x) = log ∫ p(x + u) du ≥ E_q [log p(x + u) − log q(u | x)]

with q uniform, or learned (Ho et al. 2019): so of images there is a bound. At each scale pixels are squeezed into channels, a few steps
follow, and half of the channels leave as noise. A step is an activation norm started from the first batch and an invertible 1×1
convolution (Kingma and Dhariwal 2018), then a coupling, affine or a monotone rational-quadratic spline (Durkan et al. 2019).

NOTE: a squeeze orders channels so that their halves are the paper's checkerboard; the first steps do not mix them. With splines each
pixel first goes through a spline of its own, which learns what is common to all images: the margins that are always white.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from genlab.errors import InputError
from genlab.settings import Settings as _Settings

if TYPE_CHECKING:
    from genlab.models.flow.model import Flow


class Settings(_Settings):
    """What a RealNVP is made of."""

    image_shape: tuple[int, ...] = Field((1, 8, 8), description="Channels, height and width of an image; (D,) of points.")
    levels: int | None = Field(17, ge=2, le=256, description="Number of values a pixel can take; none: points of real values.")
    coupling: Literal["affine", "spline"] = Field("spline", description="What becomes of the half that is changed.")
    depth: int = Field(6, ge=1, le=64, description="Steps at each scale.")
    scales: int = Field(2, ge=0, le=6, description="How often an image is squeezed; its sides are halved each time.")
    hidden: int = Field(48, ge=1, le=1024, description="Channels of a coupling's network.")
    bins: int = Field(8, ge=2, le=64, description="Pieces of a spline.")
    dequantisation: Literal["uniform", "variational"] = Field(
        "uniform", description="Where the noise comes from that makes levels real values: uniform, or learned for each image."
    )


def create(name: str, settings: Settings) -> Flow:
    """The model of these settings, with random weights.

    Raises:
        InputError: A shape that is neither an image's nor a point's, sides that cannot be squeezed so often, or nothing to couple.
    """
    _check(settings)
    from genlab.models.flow.model import ImageFlow, PointFlow

    return PointFlow(name, settings) if settings.levels is None else ImageFlow(name, settings)


def _check(settings: Settings) -> None:
    shape, factor = settings.image_shape, 2**settings.scales
    if len(shape) != (1 if settings.levels is None else 3) or min(shape) < 1:
        wanted = "(D,), of points without levels" if settings.levels is None else "(C, H, W), of images with levels"
        raise InputError(f"image_shape must be {wanted}, each at least 1; got {shape}")
    if settings.levels is None:
        channels = shape[0]
    else:
        channels = shape[0] * (4 if settings.scales else 1)
        if shape[1] % factor or shape[2] % factor:
            raise InputError(
                f"image_shape must have sides that {settings.scales} squeezes can halve, multiples of {factor}; got {shape}: "
                "fewer scales leave more shapes"
            )
    if channels < 2:
        raise InputError(f"image_shape must leave a coupling two values at least, one to change by the other; got {shape}")
