"""DCGAN: both players are convolutional, strided in place of pooling (Radford et al. 2016), at any size from 4×4 pixels on.

    G    z, class → linear → 4p × H/4 × W/4 → transposed 4×4 → 2p … × H/2 × W/2 → transposed 4×4 → tanh → C × H × W
    D    C, class maps → 4×4, stride 2 → p → 4×4, stride 2 → 2p → linear → s

with p = `channels`. Batch norm and ReLU after all layers of G but the last, leaky ReLU after all of D but the last.

NOTE: two upsamplings where the paper, at 64×64, has four; sides that 4 does not divide are cut to size.
NOTE: D has spectral norm by default (Miyato et al. 2018), the paper batch norm: `spectral_norm=false discriminator_batch_norm=true`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor, nn

from genlab.models.adversarial.gan import Gan, GanSettings
from genlab.models.adversarial.images import ImageSettings, OfImages
from genlab.models.adversarial.networks import normed


class Settings(ImageSettings, GanSettings):
    """What a DCGAN is made of."""

    channels: int = Field(32, ge=1, le=1024, description="The p above: feature maps of the finest layer.")

    @model_validator(mode="after")
    def _is_large_enough(self) -> Settings:
        if min(self.image_shape[1:]) < 4:
            raise ValueError(f"image_shape must be at least 4×4 pixels for two strides of 2; got {self.image_shape}")
        return self


class Generator(nn.Module):
    """From z (and a class) to an image."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        own = settings
        channels, self.height, self.width = own.image_shape
        self.coarse = (2 * own.channels, -(-self.height // 4), -(-self.width // 4))
        self.first = nn.Linear(own.latent + own.classes, int(np.prod(self.coarse)))
        self.rest = nn.Sequential(
            *_norm(2 * own.channels, own.batch_norm),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * own.channels, own.channels, 4, 2, 1),
            *_norm(own.channels, own.batch_norm),
            nn.ReLU(),
            nn.ConvTranspose2d(own.channels, channels, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, noise: Tensor) -> Tensor:
        """``(N, latent + classes)`` → ``(N, C, H, W)``."""
        images: Tensor = self.rest(self.first(noise).reshape(-1, *self.coarse))
        return images[:, :, : self.height, : self.width]


def discriminator(settings: Settings) -> nn.Sequential:
    """From ``packing`` images, and maps of their classes, to a logit ``(N, 1)``."""
    own = settings
    channels, height, width = own.image_shape
    parts: list[nn.Module] = []
    inputs = own.packing * (channels + own.classes)
    for number, outputs in enumerate((own.channels, 2 * own.channels)):
        parts.append(normed(nn.Conv2d(inputs, outputs, 4, 2, 1), own.spectral_norm))
        if number:  # none where the image comes in, as in the paper
            parts.extend(_norm(outputs, own.discriminator_batch_norm))
        parts.append(nn.LeakyReLU(0.2))
        if own.dropout:
            parts.append(nn.Dropout(own.dropout))
        inputs = outputs
    return nn.Sequential(*parts, nn.Flatten(), normed(nn.Linear(inputs * (height // 4) * (width // 4), 1), own.spectral_norm))


def _norm(channels: int, wanted: bool) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels)] if wanted else []


class Dcgan(OfImages, Gan):
    """A convolutional generator and discriminator."""

    settings: Settings

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__(name, settings, Generator(settings), discriminator(settings))

    def as_seen(self, values: NDArray[Any]) -> Tensor:
        """Images from −1 to 1."""
        return self.as_images(values)

    def as_drawn(self, seen: Tensor) -> NDArray[np.uint8]:
        """Levels of images."""
        return self.as_levels(seen)


def create(name: str, settings: Settings) -> Dcgan:
    """The model of these settings, with random weights."""
    return Dcgan(name, settings)
