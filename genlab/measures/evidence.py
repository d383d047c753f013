"""Log p(x) = log ∫ N(z; 0, I) p(x | z) dz of one image: integrated where a code has two numbers, and estimated by K codes of any proposal.

    log w_k = log p(x | z_k) + log N(z_k; 0, I) − log r(z_k),   z_k ~ r;   E log (1/K) Σ_k w_k ≤ log p(x), not falling with K

r is the model's own q(z | x) (Burda et al. 2016), or the prior: then the integral is looked for without an encoder, and of many latents not
found. `genlab.measures.bound.integrated_log_prob` takes the same grid everywhere; `log_evidence` takes a fine one where the mass of one
image's codes is, and so sees posteriors that are narrower.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from genlab.errors import InputError
from genlab.measures.resampling import NORMAL, Estimate
from genlab.models.contract import require

_CODES_AT_ONCE = 4096

_REACH = 5.0  # of the grid to either side
_COARSE, _FINE = 0.1, 0.0125  # between the nodes of the grid that finds the mass, and of the one that is summed
_NATS = 25.0  # what lies so far below the highest node is left out

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


@dataclass(frozen=True)
class Evidence:
    """Log p(x), integrated.

    Attributes:
        nats: The integral.
        error: How far a grid twice as wide is from it: an upper estimate, since what is left falls faster than any power of the width.
        passes: How many codes were decoded.
        seconds: What that took.
    """

    nats: float
    error: float
    passes: int
    seconds: float

    def of_more(self, latents: int) -> tuple[float, float]:
        """The decodings that the same takes of so many latents, and the seconds: a power of their number."""
        passes = math.sqrt(self.passes) ** latents
        return passes, passes * self.seconds / self.passes


def log_evidence(model: Any, image: NDArray[np.uint8]) -> Evidence:
    """Log p(x) by the trapezoidal rule over [−5, 5]², on a coarse grid first and on a fine one around its nodes that matter.

    Args:
        model: One with a normal posterior and two latents.
        image: Levels ``(1, C, H, W)``.

    Raises:
        InputError: The model has no posterior, or another number of latents.
    """
    require(model, "posterior", "log_evidence")
    if tuple(model.latent_shape) != (2,):
        raise InputError(f"model must have 2 latents for log p to be integrated on a grid; got {math.prod(model.latent_shape)}")
    begun = time.perf_counter()
    first = _log_joint(model, image, _COARSE, np.ones((round(2 * _REACH / _COARSE) + 1,) * 2, bool))
    inside = _around(first > first.max() - _NATS, round(_COARSE / _FINE))
    values = _log_joint(model, image, _FINE, inside)
    nats, rough = (float(np.logaddexp.reduce(part.ravel())) for part in (values, values[::2, ::2]))
    nats, rough = nats + 2 * math.log(_FINE), rough + 2 * math.log(2 * _FINE)
    return Evidence(nats, abs(nats - rough), first.size + int(inside.sum()), time.perf_counter() - begun)


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


def _log_joint(model: Any, image: NDArray[np.uint8], step: float, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Log p(x | z) + log N(z; 0, I) at the chosen nodes of a grid, −∞ at the others."""
    import torch

    codes = step * np.argwhere(chosen) - _REACH
    tensor = torch.from_numpy(codes.astype(np.float32))
    with torch.no_grad():
        parts = [model.log_likelihood_table(image, part)[0].double().numpy() for part in torch.split(tensor, _CODES_AT_ONCE)]
    joint = np.full(chosen.shape, -np.inf)
    joint[chosen] = np.concatenate(parts) - np.square(codes).sum(1) / 2 - math.log(2 * math.pi)
    return joint


def _around(chosen: NDArray[np.bool_], finer: int) -> NDArray[np.bool_]:
    """The nodes of a finer grid that are less than a step away from a chosen one of the coarser grid."""
    fine = np.zeros([(side - 1) * finer + 1 for side in chosen.shape], bool)
    for row, column in np.argwhere(chosen) * finer:
        fine[max(0, row - finer) : row + finer + 1, max(0, column - finer) : column + finer + 1] = True
    return fine
