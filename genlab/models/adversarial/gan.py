"""A model of one generator and one discriminator, whatever they are made of and whatever they draw."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from genlab.domain import Batch
from genlab.errors import InputError
from genlab.models.adversarial.game import (
    AT_ONCE,
    CRITICS,
    Adversary,
    GameSettings,
    as_maps,
    as_often,
    discriminator_terms,
    has_batch_norm,
    seeded,
)
from genlab.models.adversarial.losses import generator_loss
from genlab.models.contract import Compute, PlainNetwork, Player, Terms

DISCRIMINATOR, GENERATOR = "discriminator", "generator"
_REFERENCE = 256  # generated examples that a critic's verdict is relative to
_REFERENCE_SEED = 0x6A75646765


class GanSettings(GameSettings):
    """What every game of two has."""

    packing: int = Field(1, ge=1, le=64, description="D judges so many examples together (PacGAN); it must divide the batch.")


class Gan(Adversary):
    """Two players. Who makes one says what examples look like to a network, and what better means.

    Attributes:
        generator: From z ``(N, latent)``, with one-hot classes behind it if there are any, to examples as networks see them.
        discriminator: From such examples, with classes as further channels, ``packing`` of them side by side, to ``(N / packing, 1)``.
    """

    settings: GanSettings

    def __init__(self, name: str, settings: GanSettings, generator: nn.Module, discriminator: nn.Module) -> None:
        super().__init__(name, settings)
        self.generator, self.discriminator = generator, discriminator

    # --- what a subclass says --------------------------------------------------------------------------------------------------------

    def as_seen(self, values: NDArray[Any]) -> Tensor:
        """Examples of the domain as networks see them, in the parameters' dtype."""
        raise NotImplementedError

    def as_drawn(self, seen: Tensor) -> NDArray[Any]:
        """The way back: examples of the domain."""
        raise NotImplementedError

    # --- what all models promise -----------------------------------------------------------------------------------------------------

    @property
    def players(self) -> tuple[Player, ...]:
        """D moves first, then G."""
        return self.settings.pair((DISCRIMINATOR, "discriminator."), (GENERATOR, "generator."))

    def check_batches(self, batch_size: int, examples: int) -> None:
        """Refuse batches that the game cannot be played with, before it begins.

        Raises:
            InputError: `packing` does not divide a step's batch, or a batch norm would see a single example.
        """
        packing, size = self.settings.packing, min(batch_size, examples)
        if size % packing:
            raise InputError(f"packing must divide the batch; got packing {packing} for batches of {size}")
        super().check_batches(batch_size, examples)

    def terms(self, player: str, batch: Batch, how: Compute) -> Terms:
        """A player's loss; D's parts are those of `discriminator_terms`. Examples of the batch that fill no pack are left out."""
        own, rng = self.settings, how.generator()
        count = len(batch) - len(batch) % own.packing
        if count == 0:
            raise InputError(f"packing must divide the batch; got packing {own.packing} for a batch of {len(batch)}")
        if self.training:
            super().check_batches(count, count)
        batch = batch[:count]
        real, classes = self.as_seen(batch.values), self.one_hot(batch.labels, count)
        noise = how.each(count, lambda whole: self.latents(whole, rng))
        if player == GENERATOR:
            verdict = self.logits(real, classes) if own.loss == "relativistic" else None
            return Terms(generator_loss(own.loss, self.logits(self.generate(noise, classes), classes), verdict))
        with torch.no_grad():
            fake = self.generate(noise, classes)
        together = not has_batch_norm(self.discriminator)
        return discriminator_terms(
            own,
            lambda seen: self.logits(seen, as_often(classes, seen)),
            real,
            fake,
            lambda: how.each(count, rng.random),
            together=together,
        )

    def drawn(self, noise: Tensor, classes: Tensor | None, seed: int) -> NDArray[Any]:
        """Examples of the domain from z; nothing else is drawn."""
        parts = [slice(start, start + AT_ONCE) for start in range(0, max(1, len(noise)), AT_ONCE)]
        return np.concatenate([self.as_drawn(self.generate(noise[part], None if classes is None else classes[part])) for part in parts])

    def judge(self, batch: Batch) -> Tensor:
        """How probable it is that each example is real, ``(N,)``: σ(s), or σ(s − s') with s' the mean logit of generated examples.

        The second is for critics (wasserstein, relativistic), whose logits mean nothing by themselves. With packing, an example is judged
        together with those behind it in the batch, the last with the first.
        """
        with self.at_rest():
            verdict = self._logits_of_each(self.as_seen(batch.values), self.one_hot(batch.labels, len(batch)))
            if self.settings.loss in CRITICS:
                whose = self.one_hot(np.arange(_REFERENCE) % max(1, self.classes), _REFERENCE)
                made = self.generate(self.latents(_REFERENCE, seeded(_REFERENCE_SEED)), whose)
                verdict = verdict - self._logits_of_each(made, whose).mean()
            return verdict.sigmoid()

    # --- the game, for whoever looks at it -------------------------------------------------------------------------------------------

    def generate(self, noise: Tensor, classes: Tensor | None = None) -> Tensor:
        """G(z): examples as networks see them."""
        made: Tensor = self.generator(noise if classes is None else torch.cat([noise, classes.to(noise)], 1))
        return made

    def networks(self) -> dict[str, PlainNetwork]:
        """D's logits of examples as networks see them, and G(z), for other programs; one-hot classes are a second input."""
        weight, own = next(self.parameters()), self.settings
        shape = self.domain.shape
        examples, noise = weight.new_zeros(2 * own.packing, *shape), weight.new_zeros(2 * own.packing, own.latent)
        classes = {"classes": weight.new_zeros(2 * own.packing, self.classes)} if self.classes else {}
        return {
            "discriminator": PlainNetwork(self.logits, {"examples": examples, **classes}, "logits"),
            "generator": PlainNetwork(self.generate, {"z": noise, **classes}, "examples"),
        }

    def logits(self, seen: Tensor, classes: Tensor | None = None) -> Tensor:
        """D's logits of ``packing`` examples together, ``(N / packing,)``."""
        if classes is not None:
            seen = torch.cat([seen, as_maps(classes, seen)], 1)
        packed = seen.reshape(seen.shape[0] // self.settings.packing, -1, *seen.shape[2:])  # len() would fix the batch of an export
        verdict: Tensor = self.discriminator(packed)
        return verdict.flatten()

    def handed_to_generator(self, fake: Tensor, real: Tensor, classes: Tensor | None = None) -> Tensor:
        """The gradient that D hands to G at each generated example: of G's loss, N times the mean over N.

        Args:
            fake: Generated examples as networks see them.
            real: Real ones, as many; relativistic alone looks at them.
            classes: One-hot classes of both.

        Returns:
            The shape of `fake`. Minus this is where each example is told to go.
        """
        with self.at_rest(), torch.enable_grad():
            fake = fake.detach().requires_grad_()
            verdict = self.logits(real, classes) if self.settings.loss == "relativistic" else None
            loss = len(fake) * generator_loss(self.settings.loss, self.logits(fake, classes), verdict)
            (gradient,) = torch.autograd.grad(loss, fake)
        return gradient

    def _logits_of_each(self, seen: Tensor, classes: Tensor | None) -> Tensor:
        """The logit of each example, ``(N,)``, in a pack with those behind it."""
        packing = self.settings.packing
        places = (torch.arange(len(seen))[:, None] + torch.arange(packing)).flatten() % max(1, len(seen))
        step = packing * max(1, AT_ONCE // packing)
        parts = [places[start : start + step] for start in range(0, len(places), step)]
        found = [self.logits(seen[part], None if classes is None else classes[part]) for part in parts]
        return torch.cat(found) if found else seen.new_empty(0)
