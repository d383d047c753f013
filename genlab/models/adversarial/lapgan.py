"""LAPGAN: a pyramid of GANs, each of which adds what the next finer image has beyond the coarser one, enlarged (Denton et al. 2015).

With I_0 the image, d halving (the mean of 2×2 pixels) and u doubling (each pixel four times):

    I_{k+1} = d(I_k)        h_k = I_k − u(I_{k+1})              the Laplacian pyramid of slide 5
    coarsest: Ĩ_K = G_K(z)       then  Ĩ_k = u(Ĩ_{k+1}) + G_k(noise plane, u(Ĩ_{k+1})), cut off at black and white

so 7 → 14 → 28, or 8 → 16 → 32. Each scale is a game of its own, played on real coarser images: D_k tells u + h from u + G_k(·, u).

NOTE: D_k sees u beside u + h, where the paper shows it the sum alone: a residual that contradicts its coarse image is then found out.
NOTE: sums beyond black and white are cut off, as levels are, before D sees them: an empty ground is as even as a real one.
NOTE: fewer and narrower layers than the paper's, and Adam; means and doublings where the paper blurs; spectral norm in D by default.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor, nn

from genlab.domain import Batch
from genlab.errors import InputError
from genlab.models.adversarial.game import AT_ONCE, CRITICS, Adversary, as_maps, as_often, discriminator_terms, has_batch_norm, seeded
from genlab.models.adversarial.images import ImageSettings, OfImages
from genlab.models.adversarial.losses import generator_loss
from genlab.models.adversarial.networks import mlp, normed
from genlab.models.contract import Compute, Player, Terms

_REFERENCE_SEED = 0x6A75646765
_REFERENCE = 256


class Settings(ImageSettings):
    """What a pyramid of GANs is made of."""

    scales: int = Field(3, ge=2, le=6, description="Number of scales, each twice as fine as the one before.")
    channels: int = Field(32, ge=1, le=1024, description="Feature maps of the convolutions.")
    layers: int = Field(3, ge=1, le=20, description="Hidden convolutions of each G that refines.")
    hidden: int = Field(256, ge=1, le=8192, description="Units of the two hidden layers of the coarsest pair.")

    @model_validator(mode="after")
    def _can_be_halved(self) -> Settings:
        factor = 2 ** (self.scales - 1)
        if any(side % factor or side < 2 * factor for side in self.image_shape[1:]):
            raise ValueError(f"image_shape must be a multiple of {factor}, and larger, to be halved {self.scales - 1} times")
        return self


class Coarsest(nn.Module):
    """The pair that draws the coarsest image from z: perceptrons."""

    def __init__(self, settings: Settings, shape: tuple[int, int, int]) -> None:
        super().__init__()
        own, size = settings, int(np.prod(shape))
        self.shape = shape
        self.generator = nn.Sequential(
            *mlp(own.latent + own.classes, size, hidden=own.hidden, layers=2, activation="relu", batch_norm=own.batch_norm), nn.Tanh()
        )
        self.discriminator = mlp(
            size + own.classes,
            1,
            hidden=own.hidden,
            layers=2,
            batch_norm=own.discriminator_batch_norm,
            spectral_norm=own.spectral_norm,
            dropout=own.dropout,
        )

    def generate(self, noise: Tensor, classes: Tensor | None, coarse: None = None) -> Tensor:
        """Z ``(N, latent)`` → images ``(N, C, h, w)``."""
        made: Tensor = self.generator(noise if classes is None else torch.cat([noise, classes], 1))
        return made.reshape(-1, *self.shape)

    def logits(self, seen: Tensor, classes: Tensor | None, coarse: None = None) -> Tensor:
        """D's logits ``(N,)``."""
        rows = seen.flatten(1)
        verdict: Tensor = self.discriminator(rows if classes is None else torch.cat([rows, as_often(classes, seen)], 1))  # type: ignore[list-item]
        return verdict.flatten()

    def noise_shape(self, n: int, latent: int) -> tuple[int, ...]:
        """Of what G is given."""
        return n, latent


class Finer(nn.Module):
    """The pair that refines an enlarged image: convolutions."""

    def __init__(self, settings: Settings, shape: tuple[int, int, int]) -> None:
        super().__init__()
        own, channels = settings, shape[0]
        self.shape = shape
        parts: list[nn.Module] = []
        inputs = channels + 1 + own.classes
        for _ in range(own.layers):
            parts.append(nn.Conv2d(inputs, own.channels, 3, padding=1, bias=not own.batch_norm))
            parts.extend([nn.BatchNorm2d(own.channels)] if own.batch_norm else [])
            parts.append(nn.ReLU())
            inputs = own.channels
        self.generator = nn.Sequential(*parts, nn.Conv2d(inputs, channels, 3, padding=1))
        self.discriminator = _judge(own, 2 * channels + own.classes, shape)

    def generate(self, noise: Tensor, classes: Tensor | None, coarse: Tensor) -> Tensor:
        """A noise plane ``(N, 1, h, w)`` and an enlarged image → the image with its residual added."""
        known = [coarse, noise] + ([] if classes is None else [as_maps(classes, noise)])
        made: Tensor = (coarse + self.generator(torch.cat(known, 1))).clamp(-1, 1)
        return made

    def logits(self, seen: Tensor, classes: Tensor | None, coarse: Tensor) -> Tensor:
        """D's logits ``(N,)`` of images beside the enlarged ones that they were made from."""
        known = [seen, as_often(coarse, seen)] + ([] if classes is None else [as_maps(as_often(classes, seen), seen)])  # type: ignore[arg-type]
        verdict: Tensor = self.discriminator(torch.cat(known, 1))  # type: ignore[arg-type]
        return verdict.flatten()

    def noise_shape(self, n: int, latent: int) -> tuple[int, ...]:
        """Of what G is given."""
        return n, 1, *self.shape[1:]


def _judge(own: Settings, inputs: int, shape: tuple[int, int, int]) -> nn.Sequential:
    """Two 5×5 convolutions of stride 2 and a linear layer."""
    parts: list[nn.Module] = []
    for number, outputs in enumerate((own.channels, 2 * own.channels)):
        parts.append(normed(nn.Conv2d(inputs, outputs, 5, 2, 2), own.spectral_norm))
        if number and own.discriminator_batch_norm:
            parts.append(nn.BatchNorm2d(outputs))
        parts.append(nn.LeakyReLU(0.2))
        if own.dropout:
            parts.append(nn.Dropout(own.dropout))
        inputs = outputs
    places = -(-shape[1] // 4) * -(-shape[2] // 4)
    return nn.Sequential(*parts, nn.Flatten(), normed(nn.Linear(inputs * places, 1), own.spectral_norm))


class LapGan(OfImages, Adversary):
    """A pair of players a scale, from the coarsest to the finest.

    Attributes:
        scales: The pairs, in the order in which an image is drawn.
    """

    settings: Settings

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__(name, settings)
        channels, height, width = settings.image_shape
        factors = [2**power for power in reversed(range(settings.scales))]
        shapes = [(channels, height // factor, width // factor) for factor in factors]
        self.scales = nn.ModuleList([Coarsest(settings, shapes[0]), *(Finer(settings, shape) for shape in shapes[1:])])

    @property
    def players(self) -> tuple[Player, ...]:
        """D and G of each scale, by the height of its images: ``discriminator_7``, ``generator_7``, ``discriminator_14`` and so on."""
        return tuple(
            player
            for number, scale in enumerate(self.scales)
            for player in self.settings.pair(
                (f"discriminator_{scale.shape[1]}", f"scales.{number}.discriminator."),  # type: ignore[index]
                (f"generator_{scale.shape[1]}", f"scales.{number}.generator."),  # type: ignore[index]
            )
        )

    def terms(self, player: str, batch: Batch, how: Compute) -> Terms:
        """The loss of a scale's player, on real images and on what G makes of real coarser ones."""
        number, role = self._place(player)
        scale: Any = self.scales[number]
        if self.training:
            self.check_batches(len(batch), len(batch))
        classes = self.one_hot(batch.labels, len(batch))
        real, coarse = self._pyramid(self.as_images(batch.values))[number]
        rng = how.generator()
        noise = how.each(len(batch), lambda whole: self.noise(scale.noise_shape(whole, self.settings.latent), rng))
        if role == "generator":
            verdict = scale.logits(real, classes, coarse) if self.settings.loss == "relativistic" else None
            made = scale.logits(scale.generate(noise, classes, coarse), classes, coarse)
            return Terms(generator_loss(self.settings.loss, made, verdict))
        with torch.no_grad():
            fake = scale.generate(noise, classes, coarse)
        together = not has_batch_norm(scale.discriminator)
        return discriminator_terms(
            self.settings,
            lambda seen: scale.logits(seen, classes, coarse),
            real,
            fake,
            lambda: how.each(len(batch), rng.random),
            together=together,
        )

    def drawn(self, noise: Tensor, classes: Tensor | None, seed: int) -> NDArray[np.uint8]:
        """Images from z; the noise planes of finer scales follow from the seed."""
        return self.as_levels(self.drawn_at(noise, classes, seed)[-1])

    def drawn_at(self, noise: Tensor, classes: Tensor | None, seed: int) -> list[Tensor]:
        """The same image at every scale, from the coarsest: values from −1 to 1, ``(N, C, h, w)``."""
        scales: Any = self.scales
        planes = [noise, *(self.noise(scale.noise_shape(len(noise), 0), seeded(seed, at)) for at, scale in enumerate(scales) if at)]
        parts = [slice(start, start + AT_ONCE) for start in range(0, max(1, len(noise)), AT_ONCE)]
        found = [self._drawn_part([plane[part] for plane in planes], None if classes is None else classes[part]) for part in parts]
        return [torch.cat(images) for images in zip(*found, strict=True)]

    def judge(self, batch: Batch) -> Tensor:
        """How probable it is that each example is real, ``(N,)``: σ of the mean logit of all scales, each on its scale of the example.

        For critics (wasserstein, relativistic), whose logits mean nothing by themselves, less what generated examples get.
        """
        with self.at_rest():
            verdict = self._mean_logit(self.as_images(batch.values), self.one_hot(batch.labels, len(batch)))
            if self.settings.loss in CRITICS:
                whose = self.one_hot(np.arange(_REFERENCE) % max(1, self.classes), _REFERENCE)
                made = self.drawn_at(self.latents(_REFERENCE, seeded(_REFERENCE_SEED)), whose, _REFERENCE_SEED)[-1]
                verdict = verdict - self._mean_logit(made, whose).mean()
            return verdict.sigmoid()

    def _place(self, player: str) -> tuple[int, str]:
        """The scale and the role of a player."""
        names = [each.name for each in self.players]
        if player not in names:
            raise InputError(f"player must be one of {', '.join(names)}; got {player!r}")
        return names.index(player) // 2, player.partition("_")[0]

    def _pyramid(self, images: Tensor) -> list[tuple[Tensor, Tensor | None]]:
        """Each scale's images, and the coarser ones enlarged, from the coarsest."""
        sizes = [images]
        for _ in range(len(self.scales) - 1):
            sizes.append(halved(sizes[-1]))
        sizes.reverse()
        return [(sizes[0], None), *((finer, doubled(coarser)) for coarser, finer in pairwise(sizes))]

    def _mean_logit(self, images: Tensor, classes: Tensor | None) -> Tensor:
        """The mean over scales, ``(N,)``."""
        scales: Any = self.scales
        return torch.stack(
            [scale.logits(seen, classes, coarse) for scale, (seen, coarse) in zip(scales, self._pyramid(images), strict=True)]
        ).mean(0)

    def _drawn_part(self, planes: list[Tensor], classes: Tensor | None) -> list[Tensor]:
        images: list[Tensor] = []
        for plane, scale in zip(planes, self.scales, strict=True):
            coarse = doubled(images[-1]) if images else None
            images.append(scale.generate(plane, classes, coarse))  # type: ignore[operator]
        return images


def halved(images: Tensor) -> Tensor:
    """d: the mean of 2×2 pixels, ``(N, C, H, W)`` → ``(N, C, H/2, W/2)``."""
    return nn.functional.avg_pool2d(images, 2)


def doubled(images: Tensor) -> Tensor:
    """u: each pixel four times, ``(N, C, h, w)`` → ``(N, C, 2h, 2w)``."""
    return nn.functional.interpolate(images, scale_factor=2, mode="nearest")


def create(name: str, settings: Settings) -> LapGan:
    """The model of these settings, with random weights."""
    return LapGan(name, settings)
