"""The PixelVAE as a torch module: torch decodes a code to a map, the causal list makes pixels of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from genlab.causal.drawing import draw_images
from genlab.models.causal.own import of_graph
from genlab.models.contract import Compute
from genlab.models.latent import drawing
from genlab.models.latent.model import Images
from genlab.models.latent.networks import decoder_of
from genlab.models.latent.pixelvae import DECODED, Settings, build
from genlab.models.latent.variational import Variational


class PixelVAE(Variational):
    """p(x) = ∫ N(z; 0, I) ∏_i p(x_i | x_1 … x_{i−1}, g(z)) dz.

    Attributes:
        decoder: Codes ``(N, latents)`` to maps ``(N, maps, H, W)``.
        pixels: The causal model that takes such a map as its given node.
    """

    settings: Settings

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__(name, settings)
        self.held = settings.maps
        self.decoder = decoder_of(settings, settings.latents, settings.maps)
        self.pixels = of_graph(build(settings), name)

    def parameter_count(self) -> int:
        """Number of live parameters: masked weights do not count."""
        networks = sum(parameter.numel() for network in (self.encoder, self.decoder) for parameter in network.parameters())
        return networks + self.pixels.parameter_count()

    def log_likelihood(self, images: Images, codes: Tensor, backend: str = "auto") -> Tensor:
        """Log p(x | z) in nats of each image with its code ``(N, latents)``, exactly: ``(N,)``; not differentiable (`terms` is)."""
        return self.pixels.log_prob(self.check_levels(images), backend, given=self._given(codes))

    @torch.no_grad()
    def decode(self, codes: ArrayLike | Tensor) -> Tensor:
        """One image of each code ``(N, latents)``: intensities from 0 to 1, ``(N, C, H, W)``.

        All are drawn from the same uniforms, pixel for pixel, so that what differs between two images is what their codes say.
        """
        codes = self.check_codes(codes)
        channels, height, width = self.settings.image_shape
        uniforms = np.broadcast_to(drawing.uniforms((height, width, channels), 0), (len(codes), height, width, channels))
        drawn = self.pixels.draw(np.ascontiguousarray(uniforms), given=self._given(codes))
        return self.intensities(torch.from_numpy(drawn).to(codes.device))

    @torch.no_grad()
    def sample(self, n: int, seed: int, options: Mapping[str, Any]) -> NDArray[np.uint8]:
        """Images x ~ p(x | z) of codes z ~ N(0, T² I), uint8 ``(n, C, H, W)``; options are ``temperature``, T, and ``backend``."""
        temperature = self.temperature_of(options, ("temperature", "backend"))
        codes = torch.from_numpy(temperature * drawing.normal_codes(n, self.latent_shape[0], seed)).to(next(self.parameters()))
        given = {name: drawing.refuse_unfinite(maps, temperature) for name, maps in self._given(codes).items()}
        how = {name: value for name, value in options.items() if name == "backend"}
        return draw_images(self.pixels, n, seed, {**how, "condition": given})

    def _mean_log_likelihood(self, levels: Tensor, codes: Tensor, how: Compute) -> Tensor:
        """(1/N) Σ_n log p(x_n | z_n): natively with the gradient of the maps, which goes on through the decoder."""
        return -self.pixels.loss(levels, how.backend, how.dtype, given=self._given(codes))

    def _given(self, codes: Tensor) -> dict[str, Tensor]:
        maps: Tensor = self.decoder(codes)
        return {DECODED: maps.to(next(self.parameters()).dtype)}
