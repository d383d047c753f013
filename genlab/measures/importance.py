"""How an estimate of log p(x) = log ∫ N(z; 0, I) p(x | z) dz rises with the number of codes it is made of, and with whose codes they are.

    log w_k = log p(x | z_k) + log N(z_k; 0, I) − log r(z_k),   z_k ~ r;   E log (1/K) Σ_k w_k ≤ log p(x), not falling with K

r is the model's own q(z | x) (Burda et al. 2016), or the prior: then the integral is looked for without an encoder, and of many latents
not found.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from genlab.measures.resampling import NORMAL, Estimate
from genlab.models.contract import require

_CODES_AT_ONCE = 4096

Proposal = Literal["posterior", "prior"]


@dataclass(frozen=True)
class BoundByDraws:
    """The bound by K codes.

    Attributes:
        draws: K.
        nats: Its mean over several such draws, and the 95% interval of that mean.
    """

    draws: int
    nats: Estimate


def log_weights(
    model: Any, image: NDArray[np.uint8], draws: int, *, seed: int = 0, proposal: Proposal = "posterior"
) -> NDArray[np.float64]:
    """Log w of each of so many codes, float64 ``(draws,)`` in nats.

    Args:
        model: One with a normal posterior.
        image: Levels ``(1, C, H, W)``.
        draws: How many codes.
        seed: Decides them.
        proposal: Where they come from.

    Raises:
        InputError: The model has no posterior.
    """
    import torch

    require(model, "posterior", "log_weights")
    generator = torch.Generator().manual_seed(seed)
    prior = torch.distributions.Normal(torch.zeros(1, *model.latent_shape), torch.ones(1, *model.latent_shape))
    found = []
    with torch.no_grad():
        source = model.posterior(image) if proposal == "posterior" else prior
        for start in range(0, draws, _CODES_AT_ONCE):
            noise = torch.randn(min(_CODES_AT_ONCE, draws - start), *model.latent_shape, generator=generator)
            codes = source.mean + source.stddev * noise
            # log N(z; 0, I) − log r(z): the constants cancel.
            ratio = ((noise.double().square() - codes.double().square()) / 2 + source.stddev.double().log()).flatten(1).sum(1)
            found.append(model.log_likelihood_table(image, codes)[0].double() + ratio)
    weights: NDArray[np.float64] = torch.cat(found).numpy(force=True)
    return weights


def bounds_by_draws(weights: NDArray[np.float64], counts: Sequence[int]) -> list[BoundByDraws]:
    """E log (1/K) Σ_k w_k for each K, over as many groups of K as the weights make, at least two."""
    found = []
    for draws in counts:
        groups = weights[: len(weights) // draws * draws].reshape(-1, draws)
        values = np.logaddexp.reduce(groups, axis=1) - math.log(draws)
        mean, half = float(values.mean()), NORMAL * float(values.std(ddof=1)) / math.sqrt(len(values))
        found.append(BoundByDraws(draws, Estimate(mean, mean - half, mean + half)))
    return found
