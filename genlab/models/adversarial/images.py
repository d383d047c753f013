"""GANs of images: levels enter as 2·level/(levels − 1) − 1 and leave a tanh the way back, rounded; the switches of slide 65.

What better means, for digits of 8×8 or 28×28: the Fréchet distance of as many drawn images as real ones in the features of genlab's own
digit classifier (`genlab.digit_features`; not FID). For all others the sliced Wasserstein distance in 64 fixed random directions.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from genlab.domain import Batch, Domain
from genlab.models.adversarial.game import Adversary, GameSettings, seeded
from genlab.models.contract import Compute, Report

DIRECTIONS = 64
_DIRECTIONS_SEED = 0x536C6963

ImageShape = Annotated[tuple[int, int, int], Field(description="Channels, height and width of an image.")]


class ImageSettings(GameSettings):
    """What every GAN of images has."""

    image_shape: ImageShape = (1, 28, 28)
    levels: int = Field(256, ge=2, le=256, description="Number of values a pixel can take.")
    classes: int = Field(0, ge=0, le=10_000, description="Number of classes that images are drawn and judged given; 0: none.")
    latent: int = Field(64, ge=1, le=4096, description="Number of values of z.")
    batch_norm: bool = Field(True, description="Batch norm in G.")
    discriminator_batch_norm: bool = Field(False, description="Batch norm in D.")
    spectral_norm: bool = Field(True, description="Spectral norm in D.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of D's hidden units that is left out.")
    generator_rate: float = Field(0.1, gt=0, le=1000, description="G's learning rate, in parts of the training's.")
    discriminator_rate: float = Field(0.1, gt=0, le=1000, description="D's learning rate, in parts of the training's.")


class OfImages(Adversary):
    """What models of images have in common, whoever the players are."""

    settings: ImageSettings

    @property
    def classes(self) -> int:  # type: ignore[override]
        """Number of classes; 0: none."""
        return self.settings.classes

    @property
    def domain(self) -> Domain:
        """Images with integer levels."""
        return Domain(self.settings.image_shape, self.settings.levels)

    @property
    def report(self) -> Report:
        """A distance in the features that suit the images."""
        if is_digit_sized(self.settings.image_shape):
            return Report("digit_frechet", "distance", "Fréchet distance of digit features")
        return Report("sliced_wasserstein", "distance", "sliced Wasserstein distance")

    def as_images(self, values: NDArray[Any]) -> Tensor:
        """Levels as numbers from −1 to 1, ``(N, C, H, W)``."""
        levels = torch.from_numpy(np.ascontiguousarray(values)).to(next(self.parameters()))
        return levels * (2 / (self.settings.levels - 1)) - 1

    def as_levels(self, seen: Tensor) -> NDArray[np.uint8]:
        """The nearest levels."""
        highest = self.settings.levels - 1
        levels = ((seen.float() + 1) * (highest / 2)).round().clamp(0, highest)
        return levels.to(torch.uint8).numpy(force=True).reshape(-1, *self.settings.image_shape)

    def validate(self, batch: Batch, how: Compute) -> dict[str, NDArray[np.float64]]:
        """The report's distance of as many drawn images as real ones, of the same classes."""
        drawn = self.sample(len(batch), how.seed(), {"labels": batch.labels} if self.classes else {})
        if self.report.key == "digit_frechet":
            from genlab.digit_features import digit_features, frechet

            ours, theirs = (digit_features(images, self.settings.levels) for images in (drawn, batch.values))
            return {"digit_frechet": np.asarray(frechet(ours, theirs), np.float64)}
        return {"sliced_wasserstein": np.asarray(_sliced_wasserstein(drawn, batch.values) / (self.settings.levels - 1), np.float64)}


def is_digit_sized(image_shape: tuple[int, ...]) -> bool:
    """Whether images have the shape of digits that genlab's classifier knows."""
    return image_shape in ((1, 28, 28), (1, 8, 8))


def _sliced_wasserstein(ours: NDArray[Any], theirs: NDArray[Any]) -> float:
    """The mean distance of sorted projections in fixed random directions; each is of length 1."""
    directions = seeded(_DIRECTIONS_SEED).standard_normal((ours[0].size, DIRECTIONS))
    directions /= np.linalg.norm(directions, axis=0)
    projected = [np.sort(images.reshape(len(images), -1).astype(np.float64) @ directions, axis=0) for images in (ours, theirs)]
    return float(np.abs(projected[0] - projected[1]).mean())
