"""What players are made of."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils.parametrize import register_parametrization

_FIRST_STEPS = 15  # of power iteration, before training begins

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(0.2),
    "tanh": nn.Tanh,
    "silu": nn.SiLU,
}


class Maxout(nn.Module):
    """The largest of so many pieces: ``(N, k · width)`` → ``(N, width)`` (Goodfellow et al. 2013)."""

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, values: Tensor) -> Tensor:
        """The maximum over each unit's pieces, as pooling, whose way back costs a tenth of that of `amax`."""
        return nn.functional.max_pool1d(values[:, None], self.pieces)[:, 0]


def mlp(
    inputs: int,
    outputs: int,
    *,
    hidden: int,
    layers: int,
    activation: str = "leaky_relu",
    maxout: int = 0,
    batch_norm: bool = False,
    spectral_norm: bool = False,
    dropout: float = 0.0,
) -> nn.Sequential:
    """Linear layers with an activation after all but the last.

    Args:
        inputs: Values that go in.
        outputs: Values that come out.
        hidden: Units of a hidden layer.
        layers: Number of hidden layers.
        activation: A name in `ACTIVATIONS`.
        maxout: Pieces of a maxout unit in its place; 0: none.
        batch_norm: Normalise over the batch before each activation.
        spectral_norm: Divide each weight by its largest singular value (Miyato et al. 2018).
        dropout: Share of the hidden units that is left out.
    """
    parts: list[nn.Module] = []
    width = inputs
    for _ in range(layers):
        parts.append(normed(nn.Linear(width, hidden * max(1, maxout), bias=not batch_norm), spectral_norm))
        if batch_norm:
            parts.append(nn.BatchNorm1d(hidden * max(1, maxout)))
        parts.append(Maxout(maxout) if maxout else ACTIVATIONS[activation]())
        if dropout:
            parts.append(nn.Dropout(dropout))
        width = hidden
    return nn.Sequential(*parts, normed(nn.Linear(width, outputs), spectral_norm))


class SpectralNorm(nn.Module):
    """W / σ(W): the weight divided by its largest singular value, by one step of power iteration a pass (Miyato et al. 2018).

        v = Wᵀu / ‖Wᵀu‖,   σ = ‖W v‖,   and, while it trains, u ← W v / σ

    NOTE: the paper takes u and v for constants on the way back; here σ is differentiated as it is computed: the gradient is the slope.
    """

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.u: Tensor
        self.register_buffer("u", normalize(torch.randn(len(weight), device=weight.device), dim=0))
        with torch.no_grad():
            for _ in range(_FIRST_STEPS):
                self.forward(weight)

    def forward(self, weight: Tensor) -> Tensor:
        """The weight, divided."""
        matrix = weight.flatten(1)
        reached = matrix @ normalize(matrix.T @ self.u.clone(), dim=0)
        sigma = reached.norm()
        if self.training:
            with torch.no_grad():
                self.u.copy_(reached / sigma)
        divided: Tensor = weight / sigma
        return divided


def normed(layer: nn.Module, spectral_norm: bool) -> nn.Module:
    """The layer, its weight divided by its largest singular value if that is asked for."""
    if spectral_norm:
        assert isinstance(layer.weight, Tensor)
        register_parametrization(layer, "weight", SpectralNorm(layer.weight.detach()))
    return layer
