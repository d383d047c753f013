"""What a decoder's maps say of each value of an image, independently of all others: Bernoulli, categorical, discretised logistic.

    bernoulli     p(x = 1) = σ(l)
    categorical   p(x = k) = exp(l_k) / Σ_j exp(l_j)
    logistic      p(x = k) = σ((e_{k+1} − μ)/s) − σ((e_k − μ)/s), the bins of `genlab.causal.logistic_mixture` (Kingma et al. 2016)

Maps are ``(N, C · parameters, H, W)``, the parameters of a channel side by side. All are distributions over levels, exactly normalised.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from genlab.causal import DiscretizedLogisticMixture
from genlab.causal.distributions import draw
from genlab.models.latent.settings import Likelihood


@dataclass(frozen=True)
class Observation:
    """p(x | z) of an image, given the decoder's maps.

    Attributes:
        kind: ``"bernoulli"``, ``"categorical"`` or ``"logistic"``.
        levels: Number of levels of a value.
    """

    kind: Likelihood
    levels: int

    @property
    def parameters(self) -> int:
        """Maps for each channel of an image."""
        return {"bernoulli": 1, "categorical": self.levels, "logistic": 2}[self.kind]

    def log_prob(self, maps: Tensor, levels: Tensor) -> Tensor:
        """Log p of each image, ``(N,)``: the sum over its values; `levels` are ``(N, C, H, W)``, or ``(1, C, H, W)`` for all maps."""
        if self.kind == "bernoulli":
            signs = 1 - 2 * levels.to(maps.dtype)
            return -F.softplus(signs * maps).flatten(1).sum(1)
        parameters, levels = self._by_value(maps), levels.long().expand(len(maps), -1, -1, -1)
        if self.kind == "categorical":
            each = parameters.log_softmax(-1).gather(-1, levels.unsqueeze(-1)).squeeze(-1)
        else:
            each = self._mixture.log_prob(_of_one(parameters), levels.unsqueeze(-1))
        return each.flatten(1).sum(1)

    def expected(self, maps: Tensor) -> Tensor:
        """E[x] / (levels − 1), the mean of each value from 0 to 1, ``(N, C, H, W)``."""
        if self.kind == "bernoulli":
            return maps.sigmoid()
        return self._predictive(maps).exp() @ torch.linspace(0, 1, self.levels, dtype=maps.dtype, device=maps.device)

    def draw(self, maps: Tensor, uniforms: Tensor) -> Tensor:
        """Levels ``(N, C, H, W)``, each from one uniform in [0, 1)."""
        if self.kind == "bernoulli":
            return (uniforms < maps.double().sigmoid()).long()
        return draw(self._predictive(maps.double()), uniforms)

    def _predictive(self, maps: Tensor) -> Tensor:
        """Log p of every level, ``(N, C, H, W, levels)``."""
        parameters = self._by_value(maps)
        if self.kind == "categorical":
            return parameters.log_softmax(-1)
        return self._mixture.predictive(_of_one(parameters)).squeeze(-2)

    def _by_value(self, maps: Tensor) -> Tensor:
        """``(N, C, H, W, parameters)``."""
        n, channels, height, width = maps.shape
        return maps.reshape(n, channels // self.parameters, self.parameters, height, width).movedim(2, -1)

    @property
    def _mixture(self) -> DiscretizedLogisticMixture:
        return DiscretizedLogisticMixture(self.levels, 1)


def _of_one(parameters: Tensor) -> Tensor:
    """Mean and log-scale as those of a mixture of one component, whose weight says nothing."""
    return F.pad(parameters, (1, 0))
