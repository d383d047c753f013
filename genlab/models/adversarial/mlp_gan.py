"""A GAN of multilayer perceptrons on images: the network of the first paper (Goodfellow et al. 2014), with the switches of slide 65.

An image is a row of pixels to both players, and a class a row of zeros with a one in it (Mirza and Osindero 2014).

NOTE: leaky ReLUs and spectral norm in D where the paper has maxout and dropout; `dropout` brings that back.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from genlab.models.adversarial.gan import Gan, GanSettings
from genlab.models.adversarial.images import ImageSettings, OfImages
from genlab.models.adversarial.networks import mlp


class Settings(ImageSettings, GanSettings):
    """What a GAN of perceptrons is made of."""

    hidden: int = Field(256, ge=1, le=8192, description="Units of a hidden layer, of both players.")
    layers: int = Field(2, ge=1, le=20, description="Hidden layers of both players.")


class MlpGan(OfImages, Gan):
    """Two perceptrons."""

    settings: Settings

    def __init__(self, name: str, settings: Settings) -> None:
        own, size = settings, settings.image_shape[0] * settings.image_shape[1] * settings.image_shape[2]
        shared: dict[str, Any] = {"hidden": own.hidden, "layers": own.layers}
        generator = mlp(own.latent + own.classes, size, activation="relu", batch_norm=own.batch_norm, **shared)
        discriminator = mlp(
            own.packing * (size + own.classes),
            1,
            batch_norm=own.discriminator_batch_norm,
            spectral_norm=own.spectral_norm,
            dropout=own.dropout,
            **shared,
        )
        super().__init__(name, settings, nn.Sequential(*generator, nn.Tanh()), discriminator)

    def as_seen(self, values: NDArray[Any]) -> Tensor:
        """Rows of pixels from −1 to 1."""
        return self.as_images(values).flatten(1)

    def as_drawn(self, seen: Tensor) -> NDArray[np.uint8]:
        """Levels of images."""
        return self.as_levels(seen)


def create(name: str, settings: Settings) -> MlpGan:
    """The model of these settings, with random weights."""
    return MlpGan(name, settings)
