"""Variational autoencoders as torch modules: what follows from q(z | x) and p(x | z) whatever the decoder, and the plain one."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.distributions import Normal

from genlab.domain import Batch
from genlab.errors import InputError
from genlab.models.contract import ELBO, Compute, PlainNetwork, Report, Terms
from genlab.models.latent import drawing
from genlab.models.latent.model import Images, LatentModel
from genlab.models.latent.networks import DenseDecoder, decoder_of, encoder_of, precise
from genlab.models.latent.observation import Observation
from genlab.models.latent.vae import Settings, VariationalSettings
from genlab.native import resolve_backend

LOG_SCALE_LIMIT = 7.0
"""Log σ of a posterior is drawn softly within ± this, so that no exponential overflows; trained ones lie between −5 and 0."""


class Variational(LatentModel):
    """p(x) = ∫ N(z; 0, I) p(x | z) dz, bounded by an encoder's q(z | x) = N(μ(x), σ²(x)).

    Attributes:
        report: The evidence lower bound, in nats an image; higher is better.
        steps: Training steps seen, which a warm-up of β goes by.
    """

    settings: VariationalSettings
    steps: Tensor

    def __init__(self, name: str, settings: VariationalSettings) -> None:
        super().__init__(name, settings, settings.latents)
        self.report: Report = ELBO
        self.encoder = encoder_of(settings, 2 * settings.latents)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @property
    def needs_whole_batch(self) -> str:
        """Free bits count the mean over a batch."""
        return "free_bits is not 0, and counts a batch's mean" if self.settings.free_bits else ""

    @abstractmethod
    def log_likelihood(self, images: Images, codes: Tensor, backend: str = "auto") -> Tensor:
        """Log p(x | z) in nats of each image with its code ``(N, latents)``, ``(N,)``."""

    def log_likelihood_table(self, images: Images, codes: Tensor) -> Tensor:
        """Log p(x | z) of every image with every code ``(K, latents)``: ``(N, K)``, all held at once."""
        levels = self.check_levels(images)
        rows = [self.log_likelihood(image.expand(len(codes), -1, -1, -1), codes) for image in levels]
        return torch.stack(rows) if rows else codes.new_zeros(0, len(codes))

    @abstractmethod
    def decode(self, codes: Any) -> Tensor:
        """E[x | z] of each code ``(N, latents)``: intensities from 0 to 1, ``(N, C, H, W)``."""

    def posterior(self, images: Images) -> Normal:
        """q(z | x) of each image: independent normal distributions ``(N, latents)``; differentiable."""
        seen = 2 * self.intensities(self.check_levels(images)) - 1
        mean, log_scale = self.encoder(seen).to(seen.dtype).chunk(2, 1)
        return Normal(mean, (LOG_SCALE_LIMIT * torch.tanh(log_scale / LOG_SCALE_LIMIT)).exp(), validate_args=False)

    def encode(self, images: Images) -> Tensor:
        """The mean μ(x) of q(z | x), ``(N, latents)``; differentiable."""
        return self.posterior(images).mean

    def kl_per_latent(self, images: Images) -> Tensor:
        """KL(q(z_j | x) ‖ N(0, 1)) of each image and latent in nats, ``(N, latents)``: what the bound's ``"kl"`` is the sum of."""
        return kl_from_prior(self.posterior(images))

    def terms(self, player: str, batch: Batch, how: Compute) -> Terms:
        """−E_q[log p(x | z)] + β Σ_j max(λ, KL_j), by one code an image that follows from the key."""
        levels = self.check_levels(batch, "batch")
        with precise(how.dtype):
            posterior = self.posterior(levels)
            noise = how.each(len(levels), partial(_noise, posterior, _generator(how)))
            reconstruction = self._mean_log_likelihood(levels, _drawn(posterior, noise), how)
        kl = kl_from_prior(posterior).mean(0)
        total = self._beta() * kl.clamp_min(self.settings.free_bits).sum() - reconstruction
        figures = {"reconstruction": reconstruction.detach(), "kl": kl.detach().sum()}
        return Terms(total, {"elbo": figures["reconstruction"] - figures["kl"], **figures})

    def validate(self, batch: Batch, how: Compute) -> dict[str, NDArray[np.float64]]:
        """The parts of `elbo`: ``{"elbo", "reconstruction", "kl"}``, each float64 ``(N,)``."""
        return {name: part.numpy(force=True) for name, part in self.elbo(batch, how).items()}

    @torch.no_grad()
    def elbo(self, batch: Batch, how: Compute) -> dict[str, Tensor]:
        """E_q[log p(x | z)] − KL(q(z | x) ‖ N(0, I)), the first by one code an image, the second by its formula.

        Returns:
            ``{"elbo", "reconstruction", "kl"}`` in nats, each float64 ``(N,)``; the first is the second minus the third, and
            `kl_per_latent` splits the third.
        """
        levels, generator = self.check_levels(batch), _generator(how)
        found = []
        for part in map(levels.__getitem__, self.slices(len(levels))):
            posterior = self.posterior(part)
            noise = _noise(posterior, generator, len(part))
            nats = self.log_likelihood(part, _drawn(posterior, noise), how.backend)
            found.append(torch.stack([nats.double(), kl_from_prior(posterior).double().sum(1)]))
        reconstruction, kl = torch.cat(found, 1)
        return {"elbo": reconstruction - kl, "reconstruction": reconstruction, "kl": kl}

    @torch.no_grad()
    def importance_bound(self, batch: Batch, draws: int, how: Compute) -> Tensor:
        """Log (1/K) Σ_k p(x | z_k) N(z_k; 0, I) / q(z_k | x) with K = `draws` codes z_k ~ q(z | x) (Burda et al. 2016).

        Returns:
            float64 ``(N,)`` in nats: in expectation a lower bound on log p(x) that does not fall with K. Memory does not grow with K.

        Raises:
            InputError: `draws` is below 1.
        """
        if draws < 1:
            raise InputError(f"draws must be at least 1; got {draws}")
        levels, generator = self.check_levels(batch), _generator(how)
        together = max(1, self.at_once() // draws)
        parts = [levels[start : start + together] for start in range(0, len(levels), together)]
        found = [self._log_mean_weight(part, draws, generator, how.backend) for part in parts]
        return torch.cat(found) if len(levels) else torch.zeros(0, dtype=torch.float64)

    def log_weights(self, levels: Tensor, draws: int, generator: torch.Generator, backend: str = "auto") -> Tensor:
        """Log p(x, z_k) − log q(z_k | x) of codes z_k ~ q(z | x): float64 ``(draws, N)`` in nats, all held at once."""
        posterior = self.posterior(levels)
        noise = torch.randn((draws, *posterior.mean.shape), generator=generator).to(posterior.mean)
        codes = posterior.mean + posterior.stddev * noise
        # log N(z; 0, I) − log q(z | x): the constants cancel.
        ratio = (noise.double().square() - codes.double().square()).sum(2) / 2 + posterior.stddev.double().log().sum(1)
        every = levels.expand(draws, *levels.shape).flatten(0, 1)
        return self.log_likelihood(every, codes.flatten(0, 1), backend).double().reshape(draws, len(levels)) + ratio

    def _mean_log_likelihood(self, levels: Tensor, codes: Tensor, how: Compute) -> Tensor:
        """(1/N) Σ_n log p(x_n | z_n), differentiable in codes and weights."""
        return self.log_likelihood(levels, codes, how.backend).mean()

    def _log_mean_weight(self, levels: Tensor, draws: int, generator: torch.Generator, backend: str) -> Tensor:
        """Log (1/K) Σ_k w_k of each image, by slices of the draws."""
        parts = [self.log_weights(levels, part.stop - part.start, generator, backend).logsumexp(0) for part in self.slices(draws)]
        return torch.stack(parts).logsumexp(0) - math.log(draws)

    def _beta(self) -> float:
        """β at this step of a training; outside of one, what it rises to."""
        beta, rise = self.settings.beta, self.settings.beta_warmup
        if not self.training:
            return beta
        self.steps += 1
        return beta * min(1.0, int(self.steps) / rise) if rise else beta


class VAE(Variational):
    """The decoder says of each value what it is, independently of all others given the code.

    Attributes:
        decoder: Codes ``(N, latents)`` to maps ``(N, C · parameters, H, W)``; a dense one is a `torch.nn.Sequential` whose tensors are
            ``decoder.0.weight`` (hidden, latents), ``decoder.0.bias``, ``decoder.2.weight`` and so on, a SiLU between two layers.
        observation: What the maps mean.
    """

    settings: Settings

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__(name, settings)
        kind = settings.likelihood or ("bernoulli" if settings.levels == 2 else "logistic")
        if kind == "bernoulli" and settings.levels != 2:
            raise InputError(f"levels must be 2 for likelihood 'bernoulli'; got {settings.levels} (categorical and logistic take more)")
        self.observation = Observation(kind, settings.levels)
        self.held = 1 if kind == "bernoulli" else settings.levels
        self.decoder = decoder_of(settings, settings.latents, settings.image_shape[0] * self.observation.parameters)

    def log_likelihood(self, images: Images, codes: Tensor, backend: str = "auto") -> Tensor:
        """Log p(x | z) in nats of each image with its code ``(N, latents)``, ``(N,)``; differentiable."""
        resolve_backend(backend, allowed=("torch",))
        return self.observation.log_prob(self._maps(codes), self.check_levels(images))

    def log_likelihood_table(self, images: Images, codes: Tensor) -> Tensor:
        """Log p(x | z) of every image with every code ``(K, latents)``, decoded once: ``(N, K)``, all held at once."""
        levels, maps = self.check_levels(images), self._maps(codes)
        rows = [self.observation.log_prob(maps, image[None]) for image in levels]
        return torch.stack(rows) if rows else codes.new_zeros(0, len(codes))

    def decode(self, codes: Any) -> Tensor:
        """E[x | z] of each code ``(N, latents)``: intensities from 0 to 1, ``(N, C, H, W)``; differentiable."""
        return self.observation.expected(self.decoder(self.check_codes(codes)))

    def networks(self) -> dict[str, PlainNetwork]:
        """μ(x) and E[x | z], for other programs."""
        return self.coding(
            lambda images: self.encoder(2 * images - 1).chunk(2, 1)[0], lambda codes: self.observation.expected(self.decoder(codes))
        )

    def decoder_layers(self) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Weight ``(out, in)`` and bias ``(out,)`` of each layer of a dense decoder, for whoever decodes elsewhere, such as a browser.

        h ← W h + b, before each but the first of which h ← h · σ(h); what comes out last are the maps ``(C · parameters, H, W)``, of a
        Bernoulli decoder the logits l of p(x = 1) = σ(l).

        Raises:
            InputError: The decoder is convolutional.
        """
        if not isinstance(self.decoder, DenseDecoder):
            raise InputError(f"decoder must be dense to be a few matrices; got {self.settings.decoder!r}")
        linear = [layer for layer in self.decoder if isinstance(layer, torch.nn.Linear)]
        return [(layer.weight.float().numpy(force=True), layer.bias.float().numpy(force=True)) for layer in linear]

    @torch.no_grad()
    def sample(self, n: int, seed: int, options: Mapping[str, Any]) -> NDArray[np.uint8]:
        """Images x ~ p(x | z) of codes z ~ N(0, T² I), uint8 ``(n, C, H, W)``; the one option is ``temperature``, T."""
        temperature = self.temperature_of(options)
        codes = temperature * torch.from_numpy(drawing.normal_codes(n, self.latent_shape[0], seed))
        uniforms = torch.from_numpy(drawing.uniforms((n, *self.domain.shape), seed))
        drawn = []
        for part in self.slices(n):
            maps = drawing.refuse_unfinite(self._maps(codes[part].to(next(self.parameters()))), temperature)
            drawn.append(self.observation.draw(maps, uniforms[part].to(maps.device)))
        return torch.cat(drawn).to(torch.uint8).numpy(force=True)

    def _maps(self, codes: Tensor) -> Tensor:
        """The decoder's maps; half a number's bits would not hold a sum over an image."""
        maps: Tensor = self.decoder(codes)
        return maps if maps.dtype == torch.float64 else maps.float()


def kl_from_prior(posterior: Normal) -> Tensor:
    """KL_j(q ‖ N(0, 1)) = ½ (μ_j² + σ_j² − 1) − log σ_j of each latent, ``(N, latents)`` in nats."""
    mean, scale = posterior.mean, posterior.stddev
    return (mean.square() + scale.square() - 1) / 2 - scale.log()


def _drawn(posterior: Normal, noise: Tensor) -> Tensor:
    """A code z = μ + σ ε, differentiable in μ and σ."""
    return posterior.mean + posterior.stddev * noise


def _noise(posterior: Normal, generator: torch.Generator, count: int) -> Tensor:
    return torch.randn((count, *posterior.mean.shape[1:]), generator=generator).to(posterior.mean)


def _generator(how: Compute) -> torch.Generator:
    return torch.Generator().manual_seed(how.seed())
