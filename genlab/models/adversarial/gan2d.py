"""A GAN in the plane, where its whole game can be seen: multilayer perceptrons, and what it has found of the modes while it trains.

Goodfellow et al. 2014; packing after Lin et al. 2018 (PacGAN); by default the losses of R3GAN (Huang et al. 2024).

What better means: the sliced Wasserstein distance of as many generated points as real ones (Bonneel et al. 2015), in the data's units,

    (1/K) Σ_k (1/N) Σ_i |⟨x_(i), u_k⟩ − ⟨G(z)_(i), u_k⟩|          u_k: K directions evenly around the half circle, (i): sorted

which is 0 for one density alone, whether or not it has modes. Where the data have modes, each validation also draws 2,500 points and
counts: a point within 3σ of a mode is good, a mode with a good point is found.

NOTE: points are moved and scaled to mean 0 and standard deviation 1 for the networks, so that defaults serve any of them.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field
from torch import Tensor

from genlab.datasets.points import mode_of
from genlab.domain import Batch, Domain
from genlab.models.adversarial.game import Rate
from genlab.models.adversarial.gan import Gan, GanSettings
from genlab.models.adversarial.losses import Loss
from genlab.models.adversarial.networks import ACTIVATIONS, mlp
from genlab.models.contract import Compute, Report

JUDGED = 2_500
"""Points that are drawn to count modes, as the papers do."""
_DIRECTIONS = 32


def _in_the_plane(value: Any) -> Any:
    if isinstance(value, tuple | list) and len(value) != 2:
        raise ValueError(f"must be a point of the plane, where this model draws; the data have {len(value)} values an example")
    return value


Activation = Annotated[str, Field(pattern=f"^({'|'.join(ACTIVATIONS)})$")]


def _plain(value: Any) -> Any:
    """Centres as a dataset has them, in plain numbers."""
    return () if value is None else value.tolist() if isinstance(value, np.ndarray) else value


class Settings(GanSettings):
    """What a GAN in the plane is made of."""

    loss: Loss = Field("relativistic", description="What the players minimise.")
    generator_rate: Rate = Field(0.075, description="G's learning rate, in parts of the training's.")
    beta1: float = Field(0.0, ge=0, lt=1, description="Adam's β₁ of both players.")
    hidden: int = Field(128, ge=1, le=4096, description="Units of G's hidden layers.")
    layers: int = Field(3, ge=1, le=20, description="G's hidden layers.")
    activation: Activation = Field("leaky_relu", description=f"Of both players: {', '.join(ACTIVATIONS)}.")
    batch_norm: bool = Field(False, description="Batch norm in G.")
    discriminator_hidden: int = Field(128, ge=1, le=4096, description="Units of D's hidden layers.")
    discriminator_layers: int = Field(3, ge=1, le=20, description="D's hidden layers.")
    maxout: int = Field(0, ge=0, le=64, description="Pieces of D's maxout units; 0: the activation.")
    spectral_norm: bool = Field(False, description="Spectral norm in D.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of D's hidden units that is left out.")
    centres: Annotated[tuple[tuple[float, float], ...], BeforeValidator(_plain)] = Field(
        (), description="The modes of the data, if they have some."
    )
    sigma: float | None = Field(None, gt=0, description="The standard deviation around each of them.")
    middle: Annotated[tuple[float, float], BeforeValidator(_in_the_plane)] = Field((0.0, 0.0), description="The mean of the data.")
    spread: float = Field(1.0, gt=0, description="Their standard deviation in one coordinate.")


class Gan2d(Gan):
    """A generator and a discriminator of points."""

    report = Report("sliced_wasserstein", "distance", "sliced Wasserstein distance")
    settings: Settings

    def __init__(self, name: str, settings: Settings) -> None:
        own = settings
        generator = mlp(own.latent, 2, hidden=own.hidden, layers=own.layers, activation=own.activation, batch_norm=own.batch_norm)
        discriminator = mlp(
            2 * own.packing,
            1,
            hidden=own.discriminator_hidden,
            layers=own.discriminator_layers,
            activation=own.activation,
            maxout=own.maxout,
            spectral_norm=own.spectral_norm,
            dropout=own.dropout,
        )
        super().__init__(name, settings, generator, discriminator)

    @property
    def domain(self) -> Domain:
        """The plane."""
        return Domain((2,), None)

    def as_seen(self, values: NDArray[Any]) -> Tensor:
        """Points with mean 0 and standard deviation 1."""
        like = next(self.parameters())
        return (torch.from_numpy(np.asarray(values, np.float32)).to(like) - like.new_tensor(self.settings.middle)) / self.settings.spread

    def as_drawn(self, seen: Tensor) -> NDArray[np.float32]:
        """Points where the data are."""
        return (seen * self.settings.spread + seen.new_tensor(self.settings.middle)).float().numpy(force=True)

    def validate(self, batch: Batch, how: Compute) -> dict[str, NDArray[np.float64]]:
        """The distance, and where the data have modes: how many are found, and the share of good points."""
        count = max(len(batch), JUDGED) if self.settings.centres else len(batch)
        drawn = self.sample(count, how.seed(), {})
        found = {"sliced_wasserstein": sliced_wasserstein(drawn[: len(batch)], batch.values)}
        if self.settings.centres and self.settings.sigma:
            modes = mode_of(drawn[:JUDGED], np.array(self.settings.centres), self.settings.sigma)
            found |= {"modes": len(np.unique(modes[modes >= 0])), "good": float((modes >= 0).mean())}
        return {name: np.asarray(value, np.float64) for name, value in found.items()}


def sliced_wasserstein(ours: NDArray[np.floating], theirs: NDArray[np.floating]) -> float:
    """The mean over directions of the Wasserstein distance of projections, for as many points of the plane here as there, ``(N, 2)``."""
    angles = np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
    directions = np.stack([np.cos(angles), np.sin(angles)])
    projected = [np.sort(points.astype(np.float64) @ directions, axis=0) for points in (ours, theirs)]
    return float(np.abs(projected[0] - projected[1]).mean())


def create(name: str, settings: Settings) -> Gan2d:
    """The model of these settings, with random weights."""
    return Gan2d(name, settings)
