"""Flow matching: a network learns the velocity that carries noise to data (Lipman et al. 2023; Liu et al. 2023, rectified flow).

Noise x₀ ~ N(0, I) and an example x₁ are joined by a straight line, and the network regresses its direction, at t uniform in [0, 1]:

    x_t = (1 − t) x₀ + t x₁,     loss = E |v(x_t, t) − (x₁ − x₀)|²

Many lines pass through a point; the least loss is their mean direction, and moving along it, dx/dt = v(x, t), carries the noise's density
to the data's (Albergo and Vanden-Eijnden 2023). The lines are straight, the paths need not be: so steps of a solver are what drawing costs.

What better means: the loss on held-out examples, a mean squared error a value. It is no likelihood, and its least value is not 0, since
lines through one point differ. Of points there is a log p too, through a change of variables (`model.PointMatching`).

Levels are values in [−1, 1]: 2 (x + u) / levels − 1 with u uniform in [0, 1), or the middle of each level, u = ½; what is drawn is the
level that a value lies in. NOTE: of the middles alone the density lies on a grid, which a smooth field can only come close to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from genlab.errors import InputError
from genlab.settings import Settings as _Settings

if TYPE_CHECKING:
    from genlab.models.continuous.model import FlowMatching


class Settings(_Settings):
    """What a velocity field is made of, and how it is followed."""

    image_shape: tuple[int, ...] = Field((1, 8, 8), description="Channels, height and width of an image; (D,) of points.")
    levels: int | None = Field(17, ge=2, le=256, description="Number of values a pixel can take; none: points of real values.")
    network: Literal["unet", "dense"] = Field(
        "unet", description="Of images: convolutions at several scales, or dense layers as of points."
    )
    hidden: int = Field(128, ge=1, le=4096, description="Units of a hidden layer of a dense network.")
    layers: int = Field(3, ge=1, le=20, description="Hidden layers of a dense network.")
    channels: int = Field(32, ge=1, le=1024, description="A U-Net's channels at full size, twice as many at each half.")
    scales: int = Field(1, ge=0, le=6, description="How often a U-Net halves the sides; 0: a plain residual network.")
    frequencies: int = Field(8, ge=1, le=64, description="The network is told sin πkt and cos πkt of the time, k up to this.")
    classes: int = Field(0, ge=0, le=10_000, description="Of images: number of classes that they are drawn given; 0: none.")
    dequantisation: Literal["uniform", "none"] = Field(
        "uniform", description="Where in its level a value lies: anywhere, drawn anew each time, or in the middle."
    )
    solver: Literal["euler", "midpoint", "rk4"] = Field("midpoint", description="How the velocity is followed to draw.")
    steps: int = Field(16, ge=1, le=10_000, description="Steps of the solver to draw.")
    density_steps: int = Field(32, ge=1, le=10_000, description="Of points: steps of Kutta's method from data to noise, for log p.")
    middle: tuple[float, ...] = Field((), description="Of points: the mean of the data.")
    spread: float = Field(1.0, gt=0, description="Of points: their standard deviation in one coordinate.")


def create(name: str, settings: Settings) -> FlowMatching:
    """The model of these settings, with random weights.

    Raises:
        InputError: A shape that is neither an image's nor a point's, sides that cannot be halved so often, or classes of points.
    """
    shape, is_image = settings.image_shape, settings.levels is not None
    if len(shape) != (3 if is_image else 1) or min(shape) < 1:
        wanted = "(C, H, W), of images with levels" if is_image else "(D,), of points without levels"
        raise InputError(f"image_shape must be {wanted}, each at least 1; got {shape}")
    if is_image and settings.network == "unet" and min(shape[1:]) < 2**settings.scales:
        raise InputError(f"image_shape must have sides that can be halved {settings.scales} times; got {shape}: fewer scales do")
    if not is_image and settings.classes:
        raise InputError(f"classes must be 0 for points, of which this model draws all kinds; got {settings.classes}")
    if not is_image and len(settings.middle) not in (0, shape[0]):
        raise InputError(f"middle must have {shape[0]} values, as many as a point; got {len(settings.middle)}")
    from genlab.models.continuous.model import ImageMatching, PointMatching

    if is_image:  # levels have their own scale
        return ImageMatching(name, settings.model_copy(update={"middle": (), "spread": 1.0}))
    return PointMatching(name, settings)
