"""Encoders and decoders as plain torch networks: fully connected, or convolutional with two strides of 2."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from genlab.models.latent.settings import Network, NetworkSettings

Shape = tuple[int, int, int]


def encoder_of(settings: NetworkSettings, outputs: int) -> nn.Module:
    """From values ``(N, C, H, W)`` to ``(N, outputs)``."""
    if settings.encoder == "dense":
        size = settings.image_shape[0] * settings.image_shape[1] * settings.image_shape[2]
        return nn.Sequential(nn.Flatten(), *dense(size, settings.hidden, settings.layers, outputs))
    return _convolutional_encoder(settings.image_shape, settings.channels, settings.blocks, settings.hidden, outputs)


def decoder_of(settings: NetworkSettings, inputs: int, channels: int, network: Network | None = None) -> nn.Module:
    """From codes ``(N, inputs)`` to maps ``(N, channels, H, W)``."""
    shape = (channels, *settings.image_shape[1:])
    if (network or settings.decoder) == "dense":
        return DenseDecoder(inputs, settings.hidden, settings.layers, shape)
    return ConvolutionalDecoder(inputs, settings.hidden, settings.channels, settings.blocks, shape)


def dense(inputs: int, hidden: int, layers: int, outputs: int) -> list[nn.Module]:
    """So many hidden layers, each before a SiLU x · σ(x), and a last one without."""
    sizes = [inputs, *[hidden] * layers]
    modules: list[nn.Module] = []
    for before, after in pairwise(sizes):
        modules += [nn.Linear(before, after), nn.SiLU()]
    return [*modules, nn.Linear(hidden, outputs)]


class DenseDecoder(nn.Sequential):
    """Fully connected layers, whose last one's outputs are the maps."""

    def __init__(self, inputs: int, hidden: int, layers: int, shape: Shape) -> None:
        super().__init__(*dense(inputs, hidden, layers, shape[0] * shape[1] * shape[2]))
        self.shape = shape

    def forward(self, codes: Tensor) -> Tensor:
        """``(N, inputs)`` to ``(N, *shape)``."""
        maps = cast(Tensor, super().forward(codes))  # type: ignore[no-untyped-call]
        return maps.reshape(-1, *self.shape)


class ConvolutionalDecoder(nn.Module):
    """Two fully connected layers make a coarse map, two transposed convolutions bring it up; what is over at odd sizes is cut off."""

    def __init__(self, inputs: int, hidden: int, channels: int, blocks: int, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        coarse = (2 * channels, _quarter(shape[1]), _quarter(shape[2]))
        self.code = nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, coarse[0] * coarse[1] * coarse[2]), nn.SiLU())
        self.coarse = coarse
        self.up = nn.Sequential(
            *residuals(2 * channels, blocks),
            nn.ConvTranspose2d(2 * channels, channels, 4, stride=2, padding=1),
            nn.SiLU(),
            *residuals(channels, blocks),
            nn.ConvTranspose2d(channels, shape[0], 4, stride=2, padding=1),
        )

    def forward(self, codes: Tensor) -> Tensor:
        """``(N, inputs)`` to ``(N, *shape)``."""
        maps: Tensor = self.up(self.code(codes).reshape(-1, *self.coarse))
        return maps[:, :, : self.shape[1], : self.shape[2]]


class Residual(nn.Module):
    """x + conv(SiLU(conv(SiLU(x)))), 3×3 each; the second begins at 0, so that a new block is the identity (He et al. 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, maps: Tensor) -> Tensor:
        """``(N, C, H, W)`` to the same."""
        more: Tensor = self.second(nn.functional.silu(self.first(nn.functional.silu(maps))))
        return maps + more


def residuals(channels: int, blocks: int) -> list[nn.Module]:
    """So many residual blocks."""
    return [Residual(channels) for _ in range(blocks)]


def _convolutional_encoder(shape: Shape, channels: int, blocks: int, hidden: int, outputs: int) -> nn.Sequential:
    size = 2 * channels * _quarter(shape[1]) * _quarter(shape[2])
    return nn.Sequential(
        nn.Conv2d(shape[0], channels, 3, stride=2, padding=1),
        *residuals(channels, blocks),
        nn.SiLU(),
        nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1),
        *residuals(2 * channels, blocks),
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(size, hidden),
        nn.SiLU(),
        nn.Linear(hidden, outputs),
    )


def _quarter(side: int) -> int:
    """A side after two strides of 2."""
    return (side + 3) // 4


def precise(dtype: str) -> torch.autocast:
    """In which format networks multiply: ``"float32"``, or ``"bfloat16"`` by torch's autocast."""
    return torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16")
