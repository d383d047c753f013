"""What a causal network's output channels mean: the distribution of one pixel's levels, given the pixels before it.

A distribution is chosen by name in the graph. The torch walk uses the methods below; the native walk has the same distribution in
C++ under the same name (csrc/heads/).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from genlab.errors import InputError

if TYPE_CHECKING:
    import torch


class Distribution(ABC):
    """A distribution over the levels 0 … levels − 1 of a pixel's channels, each given those before it.

    Shapes below: parameters are the output's channels at a pixel, ``(…, output channels)``; levels are the pixel's, ``(…, C)``.

    Attributes:
        name: The name under which the native walk knows it.
        levels: Number of levels.
        channel_by_channel: Whether the network sees each channel of a pixel before the next is drawn, so that masks order the channels
            too; otherwise the parameters of a whole pixel are known before its first channel is drawn.
    """

    name: ClassVar[str]
    channel_by_channel: ClassVar[bool]
    levels: int

    @abstractmethod
    def output_channels(self, channels: int) -> int:
        """Number of output channels for an image of so many channels."""

    @abstractmethod
    def logits(self, parameters: torch.Tensor, levels: torch.Tensor | None = None) -> torch.Tensor:
        """Log-probabilities up to a constant, ``(…, C, levels)``; those of a channel may depend on the levels of the earlier ones."""

    def predictive(self, parameters: torch.Tensor, levels: torch.Tensor | None = None) -> torch.Tensor:
        """Log-probabilities ``(…, C, levels)`` of each channel's level, given the earlier channels' levels."""
        return self.logits(parameters, levels).log_softmax(-1)

    def log_prob(self, parameters: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        """Log p of a pixel's levels, ``(…)``."""
        return self.predictive(parameters, levels).gather(-1, levels.unsqueeze(-1)).squeeze(-1).sum(-1)

    @abstractmethod
    def draw(self, parameters: torch.Tensor, earlier: torch.Tensor, uniforms: torch.Tensor, *, temperature: float = 1.0) -> torch.Tensor:
        """The level of the channel after the `earlier` ones ``(…, c)``, from one uniform ``(…)`` in [0, 1): int64 ``(…)``."""


@dataclass(frozen=True)
class Categorical(Distribution):
    """p(level = k) = exp(l_k) / Σ_j exp(l_j): the softmax of PixelRNN (van den Oord et al. 2016), one logit a level."""

    name = "categorical"
    channel_by_channel = True
    levels: int

    def __post_init__(self) -> None:
        if not 2 <= self.levels <= 256:
            raise InputError(f"levels must be between 2 and 256; got {self.levels}")

    @property
    def parameters(self) -> int:
        """Number of output channels for each image channel: one logit for each level."""
        return self.levels

    def output_channels(self, channels: int) -> int:
        """One logit for each level of each channel."""
        return channels * self.levels

    def logits(self, parameters: torch.Tensor, levels: torch.Tensor | None = None) -> torch.Tensor:
        """The parameters themselves."""
        return parameters.reshape(*parameters.shape[:-1], parameters.shape[-1] // self.levels, self.levels)

    def draw(self, parameters: torch.Tensor, earlier: torch.Tensor, uniforms: torch.Tensor, *, temperature: float = 1.0) -> torch.Tensor:
        """By inverting the distribution function."""
        return draw(self.logits(parameters)[..., earlier.shape[-1], :], uniforms, temperature=temperature)


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
