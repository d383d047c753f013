"""What a causal network's output channels mean: the distribution of one pixel's level, given the pixels before it.

A distribution is chosen by name in the graph. The torch walk uses the methods below; the native walk has the same distribution in
C++ under the same name (csrc/program.cpp).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from genlab.errors import InputError

if TYPE_CHECKING:
    import torch


class Distribution(Protocol):
    """A distribution over the levels 0 … levels − 1 of one image channel of one pixel."""

    @property
    def name(self) -> str:
        """The name under which the native walk knows it."""

    @property
    def levels(self) -> int:
        """Number of levels."""

    @property
    def parameters(self) -> int:
        """Number of output channels for each image channel."""

    def logits(self, parameters: torch.Tensor) -> torch.Tensor:
        """Unnormalised log-probabilities ``(…, levels)`` from parameters ``(…, parameters)``."""


@dataclass(frozen=True)
class Categorical:
    """p(level = k) = exp(l_k) / Σ_j exp(l_j): the softmax of PixelRNN (van den Oord et al. 2016), one logit a level."""

    levels: int
    name: str = "categorical"

    def __post_init__(self) -> None:
        if not 2 <= self.levels <= 256:
            raise InputError(f"levels must be between 2 and 256; got {self.levels}")

    @property
    def parameters(self) -> int:
        """One logit for each level."""
        return self.levels

    def logits(self, parameters: torch.Tensor) -> torch.Tensor:
        """The parameters themselves."""
        return parameters


def draw(logits: torch.Tensor, uniforms: torch.Tensor, *, temperature: float = 1.0) -> torch.Tensor:
    """Draws a level by inverting the distribution function: the number of levels k with P(level ≤ k) ≤ u.

    Args:
        logits: ``(…, levels)``.
        uniforms: ``(…)`` float64 in [0, 1).
        temperature: Logits are divided by it.

    Returns:
        int64 levels ``(…)``.
    """
    import torch

    probabilities = torch.exp((logits.double() - logits.double().amax(-1, keepdim=True)) / temperature)
    cumulative = probabilities.cumsum(-1)
    return (cumulative[..., :-1] <= uniforms.unsqueeze(-1) * cumulative[..., -1:]).sum(-1)
