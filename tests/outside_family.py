"""A family from outside the package: two players, no likelihood, batch norms. Importing it enters it in the catalogue.

It learns to draw digits about as well as can be expected of forty lines; what it proves is that the house asks nothing more of a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from genlab.domain import Batch, Domain
from genlab.errors import InputError
from genlab.models import Entry, register
from genlab.models.contract import AdamSettings, Compute, Player, Report, Terms
from genlab.settings import Settings as _Settings

NAME = "forger"
NOISE = 4


class Settings(_Settings):
    """What a forger is made of."""

    image_shape: tuple[int, int, int] = Field((1, 8, 8), description="Channels, height and width of an image.")
    levels: int = Field(2, ge=2, le=256, description="Number of values a pixel can take.")
    hidden: int = Field(16, ge=1, le=256, description="Units of the hidden layers.")


class Forger(nn.Module):
    """A generator and a discriminator who play against each other."""

    report = Report("mean_distance", "distance", "mean distance of average pixels")
    players = (
        Player("discriminator", ("judge_net.",), AdamSettings(scale=0.5, beta1=0.5), moves=2),
        Player("generator", ("draw_net.",), AdamSettings(scale=0.25, beta1=0.5)),
    )

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__()
        self.name, self.settings = name, settings
        size, hidden = self.domain.size, settings.hidden
        self.draw_net = nn.Sequential(nn.Linear(NOISE, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, size), nn.Sigmoid())
        self.judge_net = nn.Sequential(nn.Linear(size, hidden), nn.BatchNorm1d(hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, 1))

    @property
    def config(self) -> dict[str, Any]:
        return {"name": self.name, "settings": self.settings.model_dump(mode="json")}

    @property
    def domain(self) -> Domain:
        return Domain(self.settings.image_shape, self.settings.levels)

    def terms(self, player: str, batch: Batch, how: Compute) -> Terms:
        forged = self.draw_net(torch.randn(len(batch), NOISE))
        loss = nn.functional.binary_cross_entropy_with_logits
        if player == "generator":
            return Terms(loss(self.judge_net(forged), torch.ones(len(batch), 1)))
        real, fake = self.judge_net(self._points(batch)), self.judge_net(forged.detach())
        parts = {"real": loss(real, torch.ones_like(real)), "fake": loss(fake, torch.zeros_like(fake))}
        return Terms(parts["real"] + parts["fake"], {name: part.detach() for name, part in parts.items()})

    def validate(self, batch: Batch, how: Compute) -> dict[str, np.ndarray]:
        drawn = torch.from_numpy(self._draw(256, how.seed())).flatten(1)
        return {"mean_distance": (drawn.mean(0) - self._points(batch).mean(0)).norm().double().numpy()}

    def sample(self, n: int, seed: int, options: Mapping[str, Any]) -> np.ndarray:
        if options:
            raise InputError(f"a forger's drawing has no options; got {', '.join(options)}")
        return (self._draw(n, seed) * (self.settings.levels - 1)).round().astype(np.uint8)

    @torch.no_grad()
    def judge(self, batch: Batch) -> Tensor:
        return self.judge_net(self._points(batch)).sigmoid()[:, 0]

    @torch.no_grad()
    def _draw(self, n: int, seed: int) -> np.ndarray:
        noise = torch.randn(n, NOISE, generator=torch.Generator().manual_seed(seed))
        return self.draw_net(noise).reshape(n, *self.domain.shape).numpy()

    def _points(self, batch: Batch) -> Tensor:
        return torch.from_numpy(batch.values).flatten(1).float() / (self.settings.levels - 1)


def create(name: str, settings: Settings) -> Forger:
    return Forger(name, settings)


register(Entry(NAME, __name__, "forgery", frozenset({"judge"}), "nobody, 2026", "Two players from outside the package."))
