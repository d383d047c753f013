"""The autoencoder as a torch module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genlab.domain import Batch
from genlab.models.contract import Compute, PlainNetwork, Report, Terms
from genlab.models.latent.autoencoder import Settings
from genlab.models.latent.drawing import normal_codes, refuse_unfinite
from genlab.models.latent.model import Images, LatentModel
from genlab.models.latent.networks import decoder_of, encoder_of, precise
from genlab.native import resolve_backend

SQUARED_ERROR = Report("squared_error", "distance", "squared error an image")
_PACE = 0.01  # of the moments of codes towards a batch's, as of a batch norm


class Autoencoder(LatentModel):
    """x̂ = σ(g(f(x))).

    Attributes:
        report: Σ (x − x̂)² of an image, in intensities from 0 to 1.
        code_mean: Mean of the codes seen in training ``(latents,)``.
        code_square: Mean of z zᵀ of those codes ``(latents, latents)``.
    """

    settings: Settings
    code_mean: Tensor
    code_square: Tensor

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__(name, settings, settings.bottleneck)
        self.report: Report = SQUARED_ERROR
        self.encoder = encoder_of(settings, settings.bottleneck)
        self.decoder = decoder_of(settings, settings.bottleneck, settings.image_shape[0])
        self.register_buffer("code_mean", torch.zeros(settings.bottleneck))
        self.register_buffer("code_square", torch.eye(settings.bottleneck))

    def terms(self, player: str, batch: Batch, how: Compute) -> Terms:
        """(1/N) Σ_n Σ_i (x_i − x̂_i)²; what is blotted out follows from the key."""
        resolve_backend(how.backend, allowed=("torch",))
        images = self.intensities(self.check_levels(batch, "batch"))
        seen = images
        if self.settings.denoising:
            generator = torch.Generator().manual_seed(how.seed())
            blots = how.each(len(images), lambda count: torch.rand((count, *images.shape[1:]), generator=generator))
            seen = images * (blots >= self.settings.denoising).to(images.device)
        with precise(how.dtype):
            codes = self.encoder(seen)
            maps = self.decoder(codes)
        if self.training:
            self._note(codes.detach())
        total = (images - maps.to(images.dtype).sigmoid()).square().sum() / len(images)
        return Terms(total, {"squared_error": total.detach()})

    @torch.no_grad()
    def validate(self, batch: Batch, how: Compute) -> dict[str, NDArray[np.float64]]:
        """``{"squared_error": float64 (N,)}``, of the whole images."""
        resolve_backend(how.backend, allowed=("torch",))
        levels = self.check_levels(batch, "batch")
        found = [
            (self.intensities(part) - self.reconstruct(part)).square().flatten(1).sum(1)
            for part in map(levels.__getitem__, self.slices(len(levels)))
        ]
        return {"squared_error": torch.cat(found).double().numpy(force=True)}

    def encode(self, images: Images) -> Tensor:
        """The code f(x) of each image, ``(N, bottleneck)``; differentiable."""
        codes: Tensor = self.encoder(self.intensities(self.check_levels(images)))
        return codes

    def decode(self, codes: Any) -> Tensor:
        """The image that each code ``(N, bottleneck)`` stands for: intensities from 0 to 1, ``(N, C, H, W)``; differentiable."""
        maps: Tensor = self.decoder(self.check_codes(codes))
        return maps.sigmoid()

    def reconstruct(self, images: Images) -> Tensor:
        """x̂ of each image: intensities ``(N, C, H, W)``."""
        return self.decode(self.encode(images))

    def networks(self) -> dict[str, PlainNetwork]:
        """F and σ ∘ g, for other programs."""
        return self.coding(self.encoder, lambda codes: self.decoder(codes).sigmoid())

    @torch.no_grad()
    def sample(self, n: int, seed: int, options: Mapping[str, Any]) -> NDArray[np.uint8]:
        """Images of codes from the normal distribution that has the moments of the codes seen in training, uint8 ``(n, C, H, W)``.

        The one option is ``temperature``: how many times as far from their mean the codes lie.
        """
        temperature = self.temperature_of(options)
        mean, square = self.code_mean.double(), self.code_square.double()
        variances, axes = torch.linalg.eigh(square - torch.outer(mean, mean))
        spread = variances.clamp_min(0).sqrt() * axes
        codes = mean + temperature * torch.from_numpy(normal_codes(n, self.latent_shape[0], seed)).to(spread) @ spread.T
        codes = refuse_unfinite(codes.to(self.code_mean), temperature)
        drawn = [self.decode(codes[part]) for part in self.slices(n)]
        return (torch.cat(drawn) * (self.settings.levels - 1)).round().to(torch.uint8).numpy(force=True)

    def _note(self, codes: Tensor) -> None:
        """Draw the moments towards those of a batch's codes."""
        codes = codes.to(self.code_mean.dtype)
        self.code_mean.lerp_(codes.mean(0), _PACE)
        self.code_square.lerp_(codes.T @ codes / len(codes), _PACE)
