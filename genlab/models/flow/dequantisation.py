"""The noise that makes levels real values, u ~ q(u | x) in [0, 1), with log q(u | x)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genlab.models.flow.layers import Coupling, squeeze, unsqueeze

_COUPLINGS = 4


class Uniform(nn.Module):
    """U uniform: log q = 0 (Theis, van den Oord and Bethge 2016)."""

    def draw(self, shape: tuple[int, ...], generator: torch.Generator, dtype: torch.dtype) -> Tensor:
        """What u is made of: itself."""
        return torch.rand(shape, generator=generator, dtype=dtype)

    def forward(self, intensities: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
        """Noise ``(N, C, H, W)`` for each image out of what was drawn, and log q ``(N,)``."""
        return drawn, intensities.new_zeros(len(intensities))


class Variational(nn.Module):
    """U = σ(g(ε; x)), ε ~ N(0, I), with couplings g that see the image: log q = log N(ε) − log |det ∂u/∂ε| (Ho et al. 2019)."""

    def __init__(self, shape: tuple[int, int, int], hidden: int, kind: str, bins: int, *, squeezed: bool) -> None:
        super().__init__()
        self.squeezed = squeezed
        channels, height, width = (4 * shape[0], shape[1] // 2, shape[2] // 2) if squeezed else shape
        kernel = 1 if (height, width) == (1, 1) else 3
        self.context = nn.Conv2d(channels, hidden, kernel, padding=kernel // 2)
        self.couplings = nn.ModuleList(Coupling((channels, height, width), hidden, kind, bins, context=hidden) for _ in range(_COUPLINGS))

    def draw(self, shape: tuple[int, ...], generator: torch.Generator, dtype: torch.dtype) -> Tensor:
        """What u is made of: ε."""
        return torch.randn(shape, generator=generator, dtype=dtype)

    def forward(self, intensities: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
        """Noise ``(N, C, H, W)`` for each image out of what was drawn, and log q ``(N,)``."""
        log_q = log_normal(drawn)
        context = F.silu(self.context(squeeze(intensities) if self.squeezed else intensities))
        values = squeeze(drawn) if self.squeezed else drawn
        for coupling in self.couplings:
            values, log_det = coupling(values, context)
            log_q = log_q - log_det
        values = unsqueeze(values) if self.squeezed else values
        return values.sigmoid(), log_q + (F.softplus(values) + F.softplus(-values)).flatten(1).sum(1)


def log_normal(values: Tensor) -> Tensor:
    """Log N(x; 0, I), ``(N,)``."""
    return -0.5 * (values.square() + math.log(2 * math.pi)).flatten(1).sum(1)
