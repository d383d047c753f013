"""Networks that say which way, v(x, t): dense layers, or of images a small U-Net (Ronneberger et al. 2015)."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_GROUPS = 8  # of a group norm, where the channels allow as many


def time_features(time: Tensor, frequencies: int) -> Tensor:
    """Sin πkt and cos πkt for k = 1 … `frequencies`, ``(N, 2 · frequencies)``, of times ``(N,)``."""
    angles = math.pi * time[:, None] * torch.arange(1, frequencies + 1).to(time)
    return torch.cat((angles.sin(), angles.cos()), 1)


class Dense(nn.Module):
    """Layers with SiLUs between them: from examples ``(N, …)``, times ``(N,)`` and classes ``(N,)`` or None to velocities ``(N, …)``."""

    def __init__(self, size: int, hidden: int, layers: int, frequencies: int, classes: int = 0) -> None:
        super().__init__()
        self.frequencies, self.classes = frequencies, classes
        widths = [size + 2 * frequencies + classes, *[hidden] * layers, size]
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))

    def forward(self, examples: Tensor, time: Tensor, labels: Tensor | None = None) -> Tensor:
        """V(x, t), or v(x, t, class)."""
        told = [] if labels is None else [F.one_hot(labels, self.classes).to(examples)]
        values = torch.cat((examples.flatten(1), time_features(time, self.frequencies), *told), 1)
        for layer in self.layers[:-1]:
            values = F.silu(layer(values))
        velocity: Tensor = self.layers[-1](values)
        return velocity.reshape(examples.shape)

    def with_tangents(self, points: Tensor, tangents: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """V(x, t), and (∂v/∂x) u of every tangent u at x: ``(N, D)`` and ``(N, K, D)``, of tangents ``(N, K, D)``; without classes."""
        values = torch.cat((points, time_features(time, self.frequencies)), 1)
        tangents = F.pad(tangents, (0, 2 * self.frequencies))  # time stands still
        *inner, last = (layer for layer in self.layers if isinstance(layer, nn.Linear))
        for layer in inner:
            before = layer(values)
            share = before.sigmoid()
            slope = share * (1 + before * (1 - share))  # of silu(y) = y σ(y)
            values, tangents = before * share, slope[:, None] * (tangents @ layer.weight.T)
        return last(values), tangents @ last.weight.T


class UNet(nn.Module):
    """Images ``(N, C, H, W)``, times ``(N,)`` and classes ``(N,)`` or None: to velocities ``(N, C, H, W)``.

    A block at each scale on the way down, one at the coarsest, one at each scale on the way up, which sees the way down's map beside it.
    """

    def __init__(self, colours: int, channels: int, scales: int, frequencies: int, classes: int) -> None:
        super().__init__()
        self.frequencies = frequencies
        told = 4 * channels
        widths = [channels * 2**scale for scale in range(scales + 1)]
        self.time = nn.Sequential(nn.Linear(2 * frequencies, told), nn.SiLU(), nn.Linear(told, told))
        self.classes = nn.Embedding(classes, told) if classes else None
        self.first = nn.Conv2d(colours, channels, 3, padding=1)
        self.down = nn.ModuleList(Block(width, width, told) for width in widths[:-1])
        self.wider = nn.ModuleList(nn.Conv2d(*pair, 1) for pair in pairwise(widths))
        self.coarsest = Block(widths[-1], widths[-1], told)
        self.up = nn.ModuleList(Block(below + width, width, told) for width, below in pairwise(widths))
        self.last = nn.Sequential(_norm(channels), nn.SiLU(), nn.Conv2d(channels, colours, 3, padding=1))

    def forward(self, images: Tensor, time: Tensor, labels: Tensor | None = None) -> Tensor:
        """V(x, t), or v(x, t, class)."""
        told = self.time(time_features(time, self.frequencies))
        if self.classes is not None:
            told = told + self.classes(labels)
        told = F.silu(told)
        values, passed = self.first(images), list[Tensor]()
        for block, wider in zip(self.down, self.wider, strict=True):
            values = block(values, told)
            passed.append(values)
            values = wider(F.avg_pool2d(values, 2, ceil_mode=True))
        values = self.coarsest(values, told)
        for block in reversed(self.up):
            beside = passed.pop()
            values = block(torch.cat((F.interpolate(values, beside.shape[2:]), beside), 1), told)
        velocity: Tensor = self.last(values)
        return velocity


class Block(nn.Module):
    """Two convolutions and a short-cut; what the block is told shifts each channel between them, once a norm can no longer take it back."""

    def __init__(self, inputs: int, outputs: int, told: int) -> None:
        super().__init__()
        self.first = nn.Sequential(_norm(inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1))
        self.between = _norm(outputs)
        self.told = nn.Linear(told, outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.past = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, values: Tensor, told: Tensor) -> Tensor:
        """The map ``(N, outputs, H, W)``."""
        between = self.between(self.first(values)) + self.told(told)[:, :, None, None]
        result: Tensor = self.past(values) + self.second(F.silu(between))
        return result


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(channels, _GROUPS), channels)
