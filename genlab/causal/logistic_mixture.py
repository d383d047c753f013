"""The discretised mixture of logistics of PixelCNN++: a whole pixel from one pass, a handful of parameters whatever the levels.

Salimans et al. 2017, "PixelCNN++", section 2.1 and 2.2. Level k stands for x = 2k/(levels − 1) − 1 and for the bin between the edges
e_k and e_{k+1}, e_k = (2k − 1)/(levels − 1) − 1, the first from −∞ and the last to +∞. One component m is drawn for the whole pixel, then

    p_m(x_c | x_1 … x_{c−1}) = σ((e_{k+1} − μ)/s) − σ((e_k − μ)/s),      μ = μ_{m,c} + Σ_{j<c} tanh(a_{m,c,j}) · x_j

NOTE: in the paper's code a bin below 1e-5 becomes the density at its middle, so that levels do not sum to 1. Here, with z and w the scaled
upper and lower edge, every bin is

    log(σ(z) − σ(w)) = log σ(z) + log σ(−w) + log(1 − e^{w − z})

three terms of one sign, exact for any scale; w − z is −2/((levels − 1)·s), never a difference of two large numbers.
NOTE: the paper's code draws without rounding; here what is drawn are levels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from genlab.causal.distributions import Distribution, draw
from genlab.errors import InputError

if TYPE_CHECKING:
    import torch

LEAST_LOG_SCALE = -7.0
"""Below it a log-scale counts as this: a component much narrower than a bin would learn nothing any more (the paper's code)."""


class _Parts(NamedTuple):
    """A pixel's parameters: ``(…, K)``, ``(…, C, K)`` twice, and ``(…, pairs, K)``."""

    logits: torch.Tensor
    means: torch.Tensor
    log_scales: torch.Tensor
    coefficients: torch.Tensor


@dataclass(frozen=True)
class DiscretizedLogisticMixture(Distribution):
    """Σ_m π_m ∏_c p_m(x_c | x_1 … x_{c−1}), exactly normalised over the levels.

    The output's channels are, components side by side in each: K logits of π, then for each image channel K means, for each K
    log-scales, and for each pair of channels, (1, 0), (2, 0), (2, 1) …, K coefficients: ``K·(1 + 2C + C(C − 1)/2)``.

    A pixel takes one uniform a channel, none for the component: given earlier channels, the next one's distribution is the mixture
    reweighted by how likely each component found them, and its distribution function is inverted. Backends so draw alike.

    Attributes:
        levels: Number of levels.
        components: The paper's K.
    """

    name = "logistic_mixture"
    channel_by_channel = False
    levels: int
    components: int

    def __post_init__(self) -> None:
        if not 2 <= self.levels <= 256:
            raise InputError(f"levels must be between 2 and 256; got {self.levels}")
        if not 1 <= self.components <= 256:
            raise InputError(f"components of a mixture must be between 1 and 256; got {self.components}")

    def output_channels(self, channels: int) -> int:
        """What one component has for a pixel, for each of them."""
        return self.components * (1 + 2 * channels + channels * (channels - 1) // 2)

    def logits(self, parameters: torch.Tensor, levels: torch.Tensor | None = None) -> torch.Tensor:
        """The log-probabilities themselves.

        Raises:
            InputError: There are several channels, and no levels to say what the later ones are given.
        """
        import torch

        parts = self._split(parameters)
        channels = parts.means.shape[-2]
        if levels is None and channels > 1:
            raise InputError(f"levels must be given: of {channels} channels a mixture's later ones depend on the earlier; got None")
        earlier = levels if levels is not None else torch.zeros((0,), dtype=torch.int64, device=parameters.device)
        return torch.stack([self._next(parts, earlier[..., :channel]) for channel in range(channels)], -2)

    def log_prob(self, parameters: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        """Log p of a pixel's levels, ``(…)``: two edges for each component and channel, not all levels."""
        parts = self._split(parameters)
        return self._joint(parts, parts.logits.log_softmax(-1), levels).logsumexp(-1)

    def draw(self, parameters: torch.Tensor, earlier: torch.Tensor, uniforms: torch.Tensor, *, temperature: float = 1.0) -> torch.Tensor:
        """By inverting the distribution function of the reweighted mixture."""
        return draw(self._next(self._split(parameters.double()), earlier), uniforms, temperature=temperature)

    def _split(self, parameters: torch.Tensor) -> _Parts:
        import torch

        each = parameters.shape[-1] // self.components  # 1 + 2C + C(C − 1)/2, so that C = (√(8·each + 1) − 3)/2
        channels = (math.isqrt(8 * each + 1) - 3) // 2
        by_component = parameters.reshape(*parameters.shape[:-1], each, self.components)
        logits, means, log_scales, coefficients = torch.split(by_component, [1, channels, channels, each - 1 - 2 * channels], -2)
        return _Parts(logits.squeeze(-2), means, log_scales, coefficients)

    def _next(self, parts: _Parts, earlier: torch.Tensor) -> torch.Tensor:
        """Log p of every level ``(…, levels)`` of the channel after the `earlier` ones ``(…, c)``."""
        import torch

        weights = self._joint(parts, parts.logits, earlier).log_softmax(-1)
        every = torch.arange(self.levels, device=weights.device)
        mean, log_scale = self._component(parts, earlier)
        return (weights.unsqueeze(-2) + self._bins(mean.unsqueeze(-2), log_scale.unsqueeze(-2), every.unsqueeze(-1))).logsumexp(-1)

    def _joint(self, parts: _Parts, weights: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        """Weights ``(…, K)`` and what each component makes of the first channels' `levels` ``(…, c)``, added up."""
        for channel in range(levels.shape[-1]):
            mean, log_scale = self._component(parts, levels[..., :channel])
            weights = weights + self._bins(mean, log_scale, levels[..., channel].unsqueeze(-1))
        return weights

    def _component(self, parts: _Parts, earlier: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and log-scale ``(…, K)`` of the channel after the `earlier` ones ``(…, c)``."""
        channel = earlier.shape[-1]
        mean, first_pair = parts.means[..., channel, :], channel * (channel - 1) // 2
        for j in range(channel):
            value = earlier[..., j].unsqueeze(-1).to(mean.dtype) * (2 / (self.levels - 1)) - 1
            mean = mean + parts.coefficients[..., first_pair + j, :].tanh() * value
        return mean, parts.log_scales[..., channel, :].clamp(min=LEAST_LOG_SCALE)

    def _bins(self, mean: torch.Tensor, log_scale: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        """Log σ(z) + log σ(−w) + log(1 − e^{w − z}) of a level's bin; shapes are broadcast."""
        import torch
        import torch.nn.functional as F

        inverse = torch.exp(-log_scale)
        # Edges follow from whole numbers: neighbouring bins meet in the very same one.
        lower, upper = (((2 * level + side).to(mean.dtype) / (self.levels - 1) - 1 - mean) * inverse for side in (-1, 1))
        width = 2 / (self.levels - 1) * inverse
        tiny = 1e-5  # of components this wide the width itself may vanish; its logarithm does not
        inner = torch.where(
            width > tiny,
            torch.log(-torch.expm1(-width.clamp(min=tiny))),
            math.log(2 / (self.levels - 1)) - log_scale - width / 2,
        )
        first, last = level == 0, level == self.levels - 1
        sides = torch.where(last, 0, F.logsigmoid(upper)) + torch.where(first, 0, F.logsigmoid(-lower))
        return sides + torch.where(first | last, 0, inner)
