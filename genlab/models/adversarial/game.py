"""The game that all these models play: G turns noise into examples, D tells them from real ones, each moves in turn.

NOTE: z is standard normal. Every draw follows from the key or the seed, example after example, so that asking for more keeps the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from genlab.domain import Batch, Domain
from genlab.errors import InputError, unknown_name
from genlab.models.adversarial.losses import USUAL_PENALTY, Loss, discriminator_loss, generator_loss, penalty
from genlab.models.contract import AdamSettings, Compute, Player, Terms
from genlab.settings import Settings

DISCRIMINATOR, GENERATOR = "discriminator", "generator"
_AT_ONCE = 1024  # examples that are drawn or judged in one pass
_REFERENCE = 256  # generated examples that a critic's verdict is relative to
_REFERENCE_SEED = 0x6A75646765

Rate = Annotated[float, Field(gt=0, le=1000)]


class GameSettings(Settings):
    """What every game has: the losses, and how its players move."""

    loss: Loss = Field("nonsaturating", description="What the players minimise.")
    penalty: float | None = Field(
        None, ge=0, le=1e6, description="Weight of the penalty of D's gradient; none: 10 with wasserstein, 0.1 with relativistic, else 0."
    )
    smoothing: float = Field(0.0, ge=0, lt=0.5, description="One-sided label smoothing: a real example is worth 1 − smoothing.")
    latent: int = Field(2, ge=1, le=4096, description="Number of values of z.")
    packing: int = Field(1, ge=1, le=64, description="D judges so many examples together (PacGAN); it must divide the batch.")
    generator_rate: Rate = Field(0.25, description="G's learning rate, in parts of the training's.")
    discriminator_rate: Rate = Field(0.25, description="D's learning rate, in parts of the training's.")
    discriminator_moves: int = Field(1, ge=1, le=100, description="Moves of D in a step.")
    beta1: float = Field(0.5, ge=0, lt=1, description="Adam's β₁ of both players.")
    beta2: float = Field(0.99, ge=0, lt=1, description="Adam's β₂ of both players.")

    @property
    def penalty_weight(self) -> float:
        """The weight of the penalty, by the loss where none is set."""
        return USUAL_PENALTY.get(self.loss, 0.0) if self.penalty is None else self.penalty


class Gan(nn.Module):
    """Two players. Who makes one says what examples look like to a network, and what better means.

    Attributes:
        name: The model's name in `genlab.list_models`.
        settings: Its validated settings.
        generator: From z ``(N, latent)``, with one-hot classes behind it if there are any, to examples as a network sees them.
        discriminator: From such examples (``packing`` of them side by side, with maps of classes) to logits ``(N / packing, 1)``.
        classes: Number of classes; 0: none.
    """

    classes = 0

    def __init__(self, name: str, settings: GameSettings, generator: nn.Module, discriminator: nn.Module) -> None:
        super().__init__()
        self.name, self.settings = name, settings
        self.generator, self.discriminator = generator, discriminator

    # --- what a subclass says --------------------------------------------------------------------------------------------------------

    @property
    def domain(self) -> Domain:
        """What it is a distribution over."""
        raise NotImplementedError

    def as_seen(self, values: NDArray[Any]) -> Tensor:
        """Examples of the domain as networks see them, in the parameters' dtype."""
        raise NotImplementedError

    def as_drawn(self, seen: Tensor) -> NDArray[Any]:
        """The way back: examples of the domain."""
        raise NotImplementedError

    # --- what all models promise -----------------------------------------------------------------------------------------------------

    @property
    def config(self) -> dict[str, Any]:
        """``{"name", "settings"}``: what `genlab.create_model` needs to build the same model again."""
        return {"name": self.name, "settings": self.settings.model_dump(mode="json")}

    @property
    def players(self) -> tuple[Player, ...]:
        """D moves first, then G."""
        own = self.settings
        moves = {DISCRIMINATOR: (own.discriminator_rate, own.discriminator_moves), GENERATOR: (own.generator_rate, 1)}
        return tuple(Player(name, (f"{name}.",), AdamSettings(rate, own.beta1, own.beta2), count) for name, (rate, count) in moves.items())

    def check_batches(self, batch_size: int, examples: int) -> None:
        """Refuse batches that the game cannot be played with, before it begins.

        Args:
            batch_size: Examples of a step.
            examples: In all; an epoch's last batch has what is left.

        Raises:
            InputError: `packing` does not divide a step's batch, or a batch norm would see a single example.
        """
        packing, rest = self.settings.packing, examples % batch_size or batch_size
        size = min(batch_size, examples)
        if size % packing:
            raise InputError(f"packing must divide the batch; got packing {packing} for batches of {size}")
        smallest = min(size, rest)
        if smallest == 1 and any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in self.modules()):
            raise InputError(
                f"batch_size must leave every batch at least 2 examples, which a batch norm needs; got {batch_size} of {examples} examples"
            )

    def terms(self, player: str, batch: Batch, how: Compute) -> Terms:
        """A player's loss; D's parts are those of its loss, and how often it is right.

        ``accuracy`` is the share of examples on the right side of the line: of s = 0, or, of a critic whose logits mean nothing by
        themselves (wasserstein, relativistic), of the middle between the mean logits.
        """
        own, rng = self.settings, how.generator()
        count = len(batch) - len(batch) % own.packing  # those that fill no pack are left out
        if count == 0:
            raise InputError(f"packing must divide the batch; got packing {own.packing} for a batch of {len(batch)}")
        self._refuse_single(count)
        batch = batch[:count]
        real, classes = self.as_seen(batch.values), self._one_hot(batch.labels, count)
        noise = self.latents(count, rng)
        if player == GENERATOR:
            # Parameters of D take no gradient here; the session asks for G's alone.
            fake = self.generate(noise, classes)
            verdict = self.logits(real, classes) if own.loss == "relativistic" else None
            return Terms(generator_loss(own.loss, self.logits(fake, classes), verdict))
        with torch.no_grad():
            fake = self.generate(noise, classes)
        on_real, on_fake = self.logits(real, classes), self.logits(fake, classes)
        parts = discriminator_loss(own.loss, on_real, on_fake, own.smoothing)
        total = torch.stack(list(parts.values())).sum()
        if own.penalty_weight:
            between = torch.from_numpy(rng.random(count)).to(real)
            parts["penalty"] = own.penalty_weight * penalty(own.loss, lambda x: self.logits(x, classes), real, fake, between)
            total = total + parts["penalty"]
        found = {name: part.detach() for name, part in parts.items()}
        return Terms(total, found | {"accuracy": self._accuracy(on_real.detach(), on_fake.detach())})

    def sample(self, n: int, seed: int, options: Mapping[str, Any]) -> NDArray[Any]:
        """`n` examples.

        Args:
            n: Number of examples.
            seed: Decides z.
            options: ``latents``, z ``(n, latent)`` in place of drawn ones; ``labels``, one class or ``(n,)``, of a model with classes.

        Raises:
            InputError: Another option, or one of another shape.
        """
        known = ("latents", "labels") if self.classes else ("latents",)
        for option in options:
            if option not in known:
                raise unknown_name("option", option, known)
        noise = self._given_latents(options["latents"], n) if "latents" in options else self.latents(n, seeded(seed))
        classes = self._one_hot(self._given_labels(options.get("labels"), n, seed), n)
        with self.at_rest():
            parts = [
                self.generate(noise[start : start + _AT_ONCE], None if classes is None else classes[start : start + _AT_ONCE])
                for start in range(0, n, _AT_ONCE)
            ]
        if not parts:
            return self.as_drawn(noise.new_empty(0, *self.domain.shape))
        return self.as_drawn(torch.cat(parts))

    def judge(self, batch: Batch) -> Tensor:
        """How probable it is that each example is real, ``(N,)``: σ(s), or σ(s − s') with s' the mean logit of generated examples.

        The second is for critics (wasserstein, relativistic), whose logits mean nothing by themselves. With packing, an example is judged
        together with those behind it in the batch, the last with the first.
        """
        with self.at_rest():
            classes = self._one_hot(batch.labels, len(batch))
            verdict = self._logits_of_each(self.as_seen(batch.values), classes)
            if self.settings.loss in ("wasserstein", "relativistic"):
                rng = seeded(_REFERENCE_SEED)
                whose = None if not self.classes else self._one_hot(np.arange(_REFERENCE) % self.classes, _REFERENCE)
                verdict = verdict - self._logits_of_each(self.generate(self.latents(_REFERENCE, rng), whose), whose).mean()
            return verdict.sigmoid()

    # --- the game, for whoever looks at it -------------------------------------------------------------------------------------------

    def latents(self, n: int, rng: np.random.Generator) -> Tensor:
        """Z, standard normal ``(n, latent)``."""
        like = next(self.parameters())
        return torch.from_numpy(rng.standard_normal((n, self.settings.latent), np.float32)).to(like)

    def generate(self, noise: Tensor, classes: Tensor | None = None) -> Tensor:
        """G(z): examples as networks see them."""
        made: Tensor = self.generator(noise if classes is None else torch.cat([noise, classes.to(noise)], 1))
        return made

    def logits(self, seen: Tensor, classes: Tensor | None = None) -> Tensor:
        """D's logits of ``packing`` examples together, ``(N / packing,)``."""
        if classes is not None:
            maps = classes.to(seen).reshape(*classes.shape, *[1] * (seen.ndim - 2)).expand(-1, -1, *seen.shape[2:])
            seen = torch.cat([seen, maps], 1)
        packed = seen.reshape(len(seen) // self.settings.packing, -1, *seen.shape[2:])
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

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Meanwhile nothing counts, drops or learns."""
        was = self.training
        self.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self.train(was)

    # --- parts -----------------------------------------------------------------------------------------------------------------------

    def _logits_of_each(self, seen: Tensor, classes: Tensor | None) -> Tensor:
        """The logit of each example, ``(N,)``, in a pack with those behind it."""
        packing = self.settings.packing
        places = (torch.arange(len(seen))[:, None] + torch.arange(packing)).flatten() % max(1, len(seen))
        step = packing * max(1, _AT_ONCE // packing)
        found = [
            self.logits(seen[part], None if classes is None else classes[part])
            for part in (places[start : start + step] for start in range(0, len(places), step))
        ]
        return torch.cat(found) if found else seen.new_empty(0)

    def _accuracy(self, on_real: Tensor, on_fake: Tensor) -> Tensor:
        """The share of logits on the right side."""
        is_critic = self.settings.loss in ("wasserstein", "relativistic")
        line = (on_real.mean() + on_fake.mean()) / 2 if is_critic else 0.0
        return ((on_real > line).float().mean() + (on_fake < line).float().mean()) / 2

    def _refuse_single(self, count: int) -> None:
        if count == 1 and self.training:
            self.check_batches(1, 1)

    def _one_hot(self, labels: NDArray[np.int64] | None, count: int) -> Tensor | None:
        """Classes as ``(N, classes)``, or None of a model that has none."""
        if not self.classes:
            return None
        if labels is None:
            raise InputError(f"labels must be given to a model of {self.classes} classes; got None")
        chosen = torch.from_numpy(np.asarray(labels, np.int64)).to(next(self.parameters()).device)
        return nn.functional.one_hot(chosen, self.classes).to(next(self.parameters()))

    def _given_latents(self, latents: Any, n: int) -> Tensor:
        values = np.asarray(latents)
        shape = (n, self.settings.latent)
        if values.shape != shape or values.dtype.kind not in "iuf" or not np.isfinite(values).all():
            raise InputError(f"latents must be finite numbers of shape {shape}; got {values.dtype} {values.shape}")
        return torch.from_numpy(values.astype(np.float32)).to(next(self.parameters()))

    def _given_labels(self, labels: Any, n: int, seed: int) -> NDArray[np.int64] | None:
        """Classes to draw: those that are asked for, or any by the seed."""
        if not self.classes:
            return None
        if labels is None:
            return np.random.default_rng([seed, 1]).integers(0, self.classes, n)
        values = np.asarray(labels)
        if values.dtype.kind not in "iu" or values.shape not in ((), (n,)):
            raise InputError(f"labels must be one class or integers of shape ({n},); got {values.dtype} {values.shape}")
        outside = values[(values < 0) | (values >= self.classes)]
        if outside.size:
            raise InputError(f"labels must be from 0 to {self.classes - 1}; got {outside.flat[0]}")
        return np.broadcast_to(values, (n,)).astype(np.int64)


def seeded(seed: int) -> np.random.Generator:
    """NumPy's generator for a seed."""
    return np.random.Generator(np.random.Philox(key=seed % 2**64))
