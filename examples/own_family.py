"""A family of one's own: whatever trains, says what better means, and draws. Here: independent pixels, a likelihood in closed form.

python examples/own_family.py
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

import genlab
from genlab.domain import Batch, Domain
from genlab.errors import InputError
from genlab.models import Entry, register
from genlab.models.contract import MINIMISER, NATS, Compute, Terms
from genlab.settings import Settings as BaseSettings
from genlab.testing import check_model


class Settings(BaseSettings):
    """What the model is made of."""

    image_shape: tuple[int, int, int] = Field(default=(1, 8, 8), description="Channels, height and width of an image.")
    levels: int = Field(default=2, ge=2, le=256, description="Number of values a pixel can take.")


class Independent(nn.Module):
    """log p(x) = Σ_i log softmax(θ_i)[x_i]: every pixel has its own distribution and knows of no other."""

    report = NATS
    players = MINIMISER

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__()
        self.name, self.settings = name, settings
        self.logits = nn.Parameter(torch.zeros(*settings.image_shape, settings.levels))

    @property
    def config(self) -> dict[str, Any]:
        """What `genlab.create_model` needs to build it again."""
        return {"name": self.name, "settings": self.settings.model_dump(mode="json")}

    @property
    def domain(self) -> Domain:
        """Images of integer levels."""
        return Domain(self.settings.image_shape, self.settings.levels)

    def log_prob(self, images: Any, backend: str = "auto", dtype: str = "float32") -> Tensor:
        """Nats of each image, float64 ``(N,)``; the ability `likelihood`."""
        values = images.values if isinstance(images, Batch) else images
        levels = torch.as_tensor(np.asarray(values)).long()
        table = self.logits.double().log_softmax(-1).expand(len(levels), *self.logits.shape)
        return table.gather(-1, levels[..., None]).flatten(1).sum(1)

    def terms(self, player: str, batch: Batch, how: Compute) -> Terms:
        """−(1/N) Σ_n log p(x_n)."""
        nats = -self.log_prob(batch).mean()
        return Terms(nats, {"nats": nats.detach()})

    @torch.no_grad()
    def validate(self, batch: Batch, how: Compute) -> Mapping[str, NDArray[np.float64]]:
        """−log p of each image."""
        return {"nats": -self.log_prob(batch).numpy()}

    @torch.no_grad()
    def sample(self, n: int, seed: int, options: Mapping[str, Any]) -> NDArray[np.uint8]:
        """Images uint8 ``(n, C, H, W)``."""
        if options:
            raise InputError(f"independent pixels are drawn without options; got {', '.join(options)}")
        chances = self.logits.double().softmax(-1).cumsum(-1).numpy()
        uniforms = np.random.default_rng(seed).random((n, *self.settings.image_shape, 1))
        drawn: NDArray[np.uint8] = (uniforms > chances[..., :-1]).sum(-1).astype(np.uint8)
        return drawn


def create(name: str, settings: Settings) -> Independent:
    """The model of these settings."""
    return Independent(name, settings)


register(Entry("independent", __name__, "counting", frozenset({"likelihood"}), "you, today", "Every pixel for itself."))


def main() -> None:
    """Check what its abilities promise, train it on real digits, compare with what is in the house."""
    data = genlab.load_dataset("digits", binarize="threshold")
    model = genlab.create_model("independent", image_shape=data.image_shape, levels=data.levels)
    for found in check_model(model, Batch(data.train.images[:8])):
        print(found)
    with tempfile.TemporaryDirectory() as folder:
        run = genlab.train(model, data, steps=200, learning_rate=0.1, out=Path(folder) / "run")
        print(f"independent pixels: {genlab.evaluate(run, data).nats:.2f} nats an image")


if __name__ == "__main__":
    main()
