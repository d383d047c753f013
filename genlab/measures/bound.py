"""Lower bounds on log p of models that have no more: the ELBO, importance weights, and what a code of two numbers lets one integrate.

log p(x) = log ∫ N(z; 0, I) p(x | z) dz  ≥  E log (1/K) Σ_k p(x, z_k) / q(z_k | x)  ≥  E_q[log p(x | z)] − KL(q(z | x) ‖ N(0, I))
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from genlab.domain import Batch
from genlab.errors import InputError
from genlab.measures.figures import parts_of
from genlab.models.contract import Compute, require

DRAWS_AT_MOST = 1_000_000
INTEGRATED_AT_MOST = 2
"""Numbers of a code whose integral a grid still covers."""
_REACH = 6.0  # of the grid to either side: beyond it lies 4e-9 of the prior
_NUMBERS_AT_ONCE = 2**22  # of decoded images, 16 MB


def bound(model: Any, images: ArrayLike | torch.Tensor, draws: int = 1, seed: int = 0, *, backend: str = "auto") -> NDArray[np.float64]:
    """A lower bound on log p(x) of each image, natural logarithm: in expectation below it, and nearer with more draws.

    Args:
        model: A model with a bound.
        images: Integer levels ``(N, C, H, W)``; N may be 0.
        draws: K codes an image. 1 gives the evidence lower bound, its KL by formula where the model has one; more give
            log (1/K) Σ_k p(x, z_k) / q(z_k | x) (Burda et al. 2016), whose memory does not grow with K.
        seed: Decides the codes.
        backend: ``"native"``, ``"torch"`` or ``"auto"``.

    Returns:
        float64 ``(N,)``, in nats.

    Raises:
        InputError: The model has no bound (the sentence says what it has instead), images of another shape or levels out of range, or
            a number out of its range.
        BackendError: The backend cannot compute this here.
    """
    require(model, "bound", "bound")
    check_draws(draws)
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**63:
        raise InputError(f"seed must be a whole number from 0 and below 2**63; got {seed!r}")
    values = images.numpy(force=True) if isinstance(images, torch.Tensor) else np.asarray(images)
    shape = model.domain.shape
    if values.ndim != 1 + len(shape):
        raise InputError(f"images must have shape (N, {', '.join(map(str, shape))}); got {values.shape}")
    # One pass even if there is no image, so that an empty array of the wrong shape is refused too.
    parts = [
        bound_of(model, Batch(values[part]), draws, Compute(backend, key=(int(seed), index)))
        for index, part in enumerate(parts_of(max(1, len(values)), model.domain))
    ]
    return np.concatenate(parts)


def bound_of(model: Any, batch: Batch, draws: int, how: Compute) -> NDArray[np.float64]:
    """The bound of each example of a batch by so many draws, ``(N,)`` in nats."""
    found = model.elbo(batch, how)["elbo"] if draws == 1 else model.importance_bound(batch, draws, how)
    nats: NDArray[np.float64] = found.double().numpy(force=True)
    return nats


def check_draws(draws: Any, argument: str = "draws") -> None:
    """Refuse what is no number of codes.

    Raises:
        InputError: It is not a whole number from 1 to `DRAWS_AT_MOST`.
    """
    if isinstance(draws, bool) or not isinstance(draws, int | np.integer) or not 1 <= draws <= DRAWS_AT_MOST:
        raise InputError(f"{argument} must be a whole number from 1 to {DRAWS_AT_MOST:,}; got {draws!r}")


@torch.no_grad()
def integrated_log_prob(model: Any, images: ArrayLike, points: int = 241) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log p(x) = log ∫ N(z; 0, I) p(x | z) dz by a grid over the code, of a model whose code has one or two numbers.

    The trapezoid rule over [−6, 6] converges faster than any power of the spacing once that is below the width of what is integrated; how
    far it has come shows in the same rule over every second point.

    Args:
        model: A model with a normal posterior.
        images: Integer levels ``(N, C, H, W)``.
        points: Of the grid along each axis, an odd number; 241 lie 0.05 apart.

    Returns:
        Nats of each image, and how far every second point alone is from them; each float64 ``(N,)``.

    Raises:
        InputError: The model has no posterior, its code more than two numbers, or `points` is even or out of range.
    """
    require(model, "posterior", "integrated_log_prob")
    latents = math.prod(model.latent_shape)
    if latents > INTEGRATED_AT_MOST:
        raise InputError(
            f"model must have a code of at most {INTEGRATED_AT_MOST} numbers to be integrated by a grid; {model.name!r} has {latents}"
        )
    if not 3 <= points <= 2001 or points % 2 == 0:
        raise InputError(f"points must be an odd number from 3 to 2001; got {points}")
    axis = torch.linspace(-_REACH, _REACH, points, dtype=torch.float64)
    grid = torch.cartesian_prod(*[axis] * latents).reshape(-1, latents)
    every_second = (torch.arange(points) % 2 == 0).float()
    coarse = torch.cartesian_prod(*[every_second] * latents).reshape(len(grid), latents).prod(1).log()
    weights = -grid.square().sum(1) / 2 - latents * (math.log(2 * math.pi) / 2 - math.log(2 * _REACH / (points - 1)))
    kind = next(model.parameters())
    together = max(1, _NUMBERS_AT_ONCE // (model.domain.size * model.domain.levels))
    fine_parts, coarse_parts = [], []
    for codes, weight, second in zip(*(tensor.split(together) for tensor in (grid, weights, coarse)), strict=True):
        joint = model.log_likelihood_table(images, codes.to(kind)).double() + weight
        fine_parts.append(joint.logsumexp(1))
        coarse_parts.append((joint + second).logsumexp(1))
    fine = torch.stack(fine_parts).logsumexp(0)
    half = torch.stack(coarse_parts).logsumexp(0) + latents * math.log(2)
    return fine.numpy(), (half - fine).abs().numpy()
