"""What players are made of."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm as _spectral_norm

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
        """The maximum over each unit's pieces."""
        return values.reshape(len(values), -1, self.pieces).amax(2)


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


def normed(layer: nn.Module, spectral_norm: bool) -> nn.Module:
    """The layer, its weight divided by its largest singular value if that is asked for."""
    return _spectral_norm(layer) if spectral_norm else layer
