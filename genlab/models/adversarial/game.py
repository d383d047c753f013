"""The game that all these models play: G turns noise into examples, D tells them from real ones, each moves in turn.

NOTE: z is standard normal. Every draw follows from the key or the seed, example after example, so that asking for more keeps the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from genlab.domain import Domain
from genlab.errors import InputError, unknown_name
from genlab.models.adversarial.losses import USUAL_PENALTY, Loss, discriminator_loss, penalty, squared_slopes
from genlab.models.contract import AdamSettings, Player, Terms
from genlab.settings import Settings

AT_ONCE = 1024
"""Examples that are drawn or judged in one pass."""

Rate = Annotated[float, Field(gt=0, le=1000)]
CRITICS = ("wasserstein", "relativistic")
"""Losses whose logits mean nothing by themselves."""


class GameSettings(Settings):
    """What every game has: the losses, and how its players move."""

    loss: Loss = Field("nonsaturating", description="What the players minimise.")
    penalty: float | None = Field(
        None, ge=0, le=1e6, description="Weight of the penalty of D's gradient; none: 10 with wasserstein, 0.02 with relativistic, else 0."
    )
    smoothing: float = Field(0.0, ge=0, lt=0.5, description="One-sided label smoothing: a real example is worth 1 − smoothing.")
    latent: int = Field(2, ge=1, le=4096, description="Number of values of z.")
    generator_rate: Rate = Field(0.25, description="G's learning rate, in parts of the training's.")
    discriminator_rate: Rate = Field(0.25, description="D's learning rate, in parts of the training's.")
    discriminator_moves: int = Field(1, ge=1, le=100, description="Moves of D in a step.")
    beta1: float = Field(0.5, ge=0, lt=1, description="Adam's β₁ of both players.")
    beta2: float = Field(0.99, ge=0, lt=1, description="Adam's β₂ of both players.")

    @property
    def penalty_weight(self) -> float:
        """The weight of the penalty, by the loss where none is set."""
        return USUAL_PENALTY.get(self.loss, 0.0) if self.penalty is None else self.penalty

    def pair(self, discriminator: tuple[str, str], generator: tuple[str, str]) -> tuple[Player, Player]:
        """Two players who move in turn, D first; each a name and the prefix of its parameters."""
        adam = {rate: AdamSettings(rate, self.beta1, self.beta2) for rate in (self.discriminator_rate, self.generator_rate)}
        return (
            Player(discriminator[0], (discriminator[1],), adam[self.discriminator_rate], self.discriminator_moves),
            Player(generator[0], (generator[1],), adam[self.generator_rate]),
        )


class Adversary(nn.Module):
    """What models of one pair of players and of many have in common.

    Attributes:
        name: The model's name in `genlab.list_models`.
        settings: Its validated settings.
        classes: Number of classes; 0: none.
    """

    classes = 0

    def __init__(self, name: str, settings: GameSettings) -> None:
        super().__init__()
        self.name, self.settings = name, settings

    @property
    def needs_whole_batch(self) -> str:
        """What D and G do with examples together, or with a generator that no key decides."""
        if has_batch_norm(self):
            return "its batch norm takes the moments of a whole batch (batch_norm=false trains without)"
        return "its dropout draws for a whole batch" if any(isinstance(module, nn.Dropout) for module in self.modules()) else ""

    @property
    def domain(self) -> Domain:
        """What it is a distribution over."""
        raise NotImplementedError

    @property
    def config(self) -> dict[str, Any]:
        """``{"name", "settings"}``: what `genlab.create_model` needs to build the same model again."""
        return {"name": self.name, "settings": self.settings.model_dump(mode="json")}

    def check_batches(self, batch_size: int, examples: int) -> None:
        """Refuse batches that the game cannot be played with, before it begins.

        Args:
            batch_size: Examples of a step.
            examples: In all; an epoch's last batch has what is left.

        Raises:
            InputError: A batch norm would see a single example.
        """
        smallest = min(batch_size, examples, examples % batch_size or batch_size)
        if smallest == 1 and has_batch_norm(self):
            raise InputError(
                f"batch_size must leave every batch at least 2 examples, which a batch norm needs; got {batch_size} of {examples} examples"
            )

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
        labels = self._given_labels(options.get("labels"), n, seed)
        with self.at_rest():
            return self.drawn(noise, self.one_hot(labels, n), seed)

    def drawn(self, noise: Tensor, classes: Tensor | None, seed: int) -> NDArray[Any]:
        """Examples of the domain from z; whatever else is drawn follows from the seed."""
        raise NotImplementedError

    def latents(self, n: int, rng: np.random.Generator) -> Tensor:
        """Z, standard normal ``(n, latent)``."""
        return self.noise((n, self.settings.latent), rng)

    def noise(self, shape: tuple[int, ...], rng: np.random.Generator) -> Tensor:
        """Standard normal numbers in the parameters' dtype."""
        return torch.from_numpy(rng.standard_normal(shape, np.float32)).to(next(self.parameters()))

    def one_hot(self, labels: NDArray[np.int64] | None, count: int) -> Tensor | None:
        """Classes as ``(N, classes)``, or None of a model that has none.

        Raises:
            InputError: A model with classes is given none, or too few.
        """
        if not self.classes:
            return None
        if labels is None or len(labels) != count:
            got = "None" if labels is None else f"{len(labels)} of them for {count} examples"
            raise InputError(f"labels must be given to a model of {self.classes} classes; got {got}")
        like = next(self.parameters())
        return nn.functional.one_hot(torch.from_numpy(np.asarray(labels, np.int64)).to(like.device), self.classes).to(like)

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


def discriminator_terms(
    own: GameSettings,
    critic: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    between: Callable[[], NDArray[np.float64]],
    *,
    together: bool,
) -> Terms:
    """D's loss, its parts, and how often it is right.

    ``accuracy`` is the share of examples on the right side of the line: of s = 0, or, of a critic whose logits mean nothing by themselves
    (wasserstein, relativistic), of the middle between the mean logits.

    Args:
        own: The game's settings.
        critic: From examples (real ones, generated ones, or both in a row) to logits.
        real: Real examples ``(N, …)``.
        fake: Generated ones, as many, without a gradient.
        between: Draws a number from 0 to 1 for each: how far on the way to a real example its gradient is punished (wasserstein).
        together: Both kinds go through D at once, which is sooner done; not through a batch norm, whose statistics would tell them apart.
    """
    slopes = None
    if together:
        seen = torch.cat([real, fake])
        is_punished = own.penalty_weight > 0 and own.loss != "wasserstein"
        verdict = critic(seen.requires_grad_(is_punished))
        on_real, on_fake = verdict.chunk(2)
        slopes = squared_slopes(verdict, seen).mean() if is_punished else None
    else:
        on_real, on_fake = critic(real), critic(fake)
    parts = discriminator_loss(own.loss, on_real, on_fake, own.smoothing)
    if own.penalty_weight:
        if slopes is None:
            slopes = penalty(own.loss, critic, real, fake, torch.from_numpy(between()).to(real))
        parts["penalty"] = own.penalty_weight * slopes
    total = torch.stack(list(parts.values())).sum()
    on_real, on_fake = on_real.detach(), on_fake.detach()
    line = (on_real.mean() + on_fake.mean()) / 2 if own.loss in CRITICS else 0.0
    accuracy = ((on_real > line).float().mean() + (on_fake < line).float().mean()) / 2
    return Terms(total, {name: part.detach() for name, part in parts.items()} | {"accuracy": accuracy})


def as_often(known: Tensor | None, seen: Tensor) -> Tensor | None:
    """What is known of N examples, once for each N of those that are `seen`."""
    return None if known is None else known.repeat(len(seen) // len(known), *[1] * (known.ndim - 1))


def as_maps(classes: Tensor, seen: Tensor) -> Tensor:
    """One-hot classes ``(N, classes)`` with the trailing axes of the examples."""
    return classes.to(seen).reshape(*classes.shape, *[1] * (seen.ndim - 2)).expand(-1, -1, *seen.shape[2:])


def has_batch_norm(network: nn.Module) -> bool:
    """Whether a batch norm is anywhere in it."""
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules())


def seeded(*seed: int) -> np.random.Generator:
    """NumPy's generator for a seed, or for one of several streams of it."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed)))
