"""Of models with a lower bound on log p, and of those whose codes have a normal posterior.

    E_q[log p(x | z)] − KL(q(z | x) ‖ N(0, I))  ≤  E log (1/K) Σ_k w_k, which grows with K  ≤  log p(x),      w_k = p(x, z_k) / q(z_k | x)

Each is an expectation over codes and is estimated by draws; how far the estimate may be off is part of the sentence.
"""

from __future__ import annotations

import copy
import math
import time
from itertools import pairwise
from typing import Any, Protocol

import torch
from torch import Tensor

from genlab.domain import Batch
from genlab.errors import InputError
from genlab.measures.bound import INTEGRATED_AT_MOST, integrated_log_prob
from genlab.models.contract import Bound, Compute, Model, Posterior, require
from genlab.proofs.claim import Proof, at_least_one
from genlab.sampling import sample

_ERRORS = 4.0
"""So many standard errors an estimate may be off: one in 16,000 is, by chance."""
_GRID_TOLERANCE = 1e-3  # nats that every second point of a grid may differ by, for the grid to count as exact
_DRAWS_AT_ONCE = 500
_STEPS = (1e-4, 1e-5, 1e-6)  # of finite differences in float64
_SLOPE_TOLERANCE = 1e-5


class Bounded(Model, Bound, Protocol):
    """A model with a lower bound on log p."""


class Encoded(Model, Bound, Posterior, Protocol):
    """A model with a bound and a normal posterior behind it."""


def bounds_rise(model: Bounded, *, images: int = 4, repeats: int = 30, draws: tuple[int, ...] = (1, 8, 64), seed: int = 0) -> Proof:
    """ELBO ≤ IWAE(K), growing with K, ≤ log p(x), on images that the model draws itself; log p(x) exactly where a code is small enough.

    Each bound is estimated `repeats` times by fresh codes; a step downwards counts if it is larger than four standard errors.

    Args:
        model: A model with a bound.
        images: How many images.
        repeats: How often each bound is estimated, at least 2.
        draws: The numbers K of codes, in ascending order.
        seed: Decides images and codes.

    Raises:
        InputError: The model has no bound, or an argument breaks a rule.
    """
    start = time.perf_counter()
    require(model, "bound", "bounds_rise")
    at_least_one("images", images)
    if repeats < 2:
        raise InputError(f"repeats must be at least 2; got {repeats}")
    if len(draws) < 2 or list(draws) != sorted(set(draws)) or draws[0] < 1:
        raise InputError(f"draws must be at least two numbers in ascending order, from 1 on; got {draws}")
    batch = Batch(sample(model, images, seed=seed))
    keys = [Compute(key=(seed, repeat)) for repeat in range(repeats)]
    names = ["ELBO", *(f"IWAE({count})" for count in draws)]
    found = [torch.stack([model.elbo(batch, how)["elbo"] for how in keys])]
    found += [torch.stack([model.importance_bound(batch, count, how) for how in keys]) for count in draws]
    nats = [each.double().mean(1).numpy(force=True) for each in found]  # one for each repeat: the mean over images
    means, errors = [float(each.mean()) for each in nats], [float(each.std(ddof=1)) / math.sqrt(repeats) for each in nats]
    figures = dict(zip(names, means, strict=True))
    # The ELBO's expectation is that of IWAE(1), so that the first step may be nothing at all; each of the others is one up.
    steps = [(after[0] - before[0], math.hypot(before[1], after[1])) for before, after in pairwise(zip(means, errors, strict=True))]
    holds = all(rise >= -_ERRORS * error - 1e-6 for rise, error in steps)
    told = ", ".join(f"{name} {mean:.3f} ± {error:.3f}" for name, mean, error in zip(names, means, errors, strict=True))
    sentence = f"{images} images drawn from the model, each bound estimated {repeats} times, in nats: {told}."
    exact = _integrated(model, batch)
    if exact is None:
        sentence += f" Log p(x) itself is out of reach: a grid over codes of more than {INTEGRATED_AT_MOST} numbers is too large."
    else:
        log_p, off = exact
        figures |= {"log p(x), integrated": log_p, "its grid is off by": off}
        holds = holds and all(mean <= log_p + _ERRORS * error + off for mean, error in zip(means, errors, strict=True))
        sentence += f" Log p(x) by integrating over a grid of codes: {log_p:.3f}, {log_p - means[-1]:.3f} above the last."
        if off > _GRID_TOLERANCE:
            return Proof(
                None, f"{sentence} The grid is too coarse for this model, by {off:.1e} nats.", figures, time.perf_counter() - start
            )
    if max(means) - min(means) < 1e-9:
        return Proof(None, f"{sentence} All are the same, which shows nothing.", figures, time.perf_counter() - start)
    return Proof(holds, sentence, figures, time.perf_counter() - start)


def kl_fits_draws(model: Encoded, *, images: int = 8, draws: int = 20_000, seed: int = 0) -> Proof:
    """KL(q(z | x) ‖ N(0, I)) of the model's bound against the mean of log q(z | x) − log N(z; 0, I) over codes z ~ q(z | x).

    Args:
        model: A model with a normal posterior.
        images: How many images, drawn from the model.
        draws: Codes for each.
        seed: Decides both.

    Raises:
        InputError: The model has no such posterior, or a number is below 1.
    """
    start = time.perf_counter()
    require(model, "posterior", "kl_fits_draws")
    at_least_one("images", images)
    if draws < 2:
        raise InputError(f"draws must be at least 2; got {draws}")
    batch = Batch(sample(model, images, seed=seed))
    with torch.no_grad():
        posterior, formula = model.posterior(batch.values), model.elbo(batch, Compute(key=(seed,)))["kl"].double()
    mean, scale = (part.double().flatten(1) for part in (posterior.mean, posterior.stddev))
    generator = torch.Generator().manual_seed(seed)
    sums, squares = torch.zeros_like(formula), torch.zeros_like(formula)
    for begin in range(0, draws, _DRAWS_AT_ONCE):
        count = min(_DRAWS_AT_ONCE, draws - begin)
        noise = torch.randn((count, *mean.shape), generator=generator, dtype=torch.float64)
        ratio = ((mean + scale * noise).square() - noise.square()).sum(2) / 2 - scale.log().sum(1)
        sums, squares = sums + ratio.sum(0), squares + ratio.square().sum(0)
    drawn = sums / draws
    error = ((squares / draws - drawn.square()).clamp_min(0) / draws).sqrt()
    off = float(((drawn - formula).abs() / error.clamp_min(1e-12)).max())
    sentence = (
        f"{images} images, {draws:,} codes each: a KL of {float(formula.mean()):.4f} nats by formula and {float(drawn.mean()):.4f} ± "
        f"{float(error.square().sum().sqrt()) / images:.4f} by draws; the worst image is {off:.1f} standard errors off."
    )
    figures = {"KL by formula, nats": float(formula.mean()), "KL by draws, nats": float(drawn.mean()), "worst, standard errors": off}
    holds: bool | None = off < _ERRORS + 1
    if holds and float(formula.max()) < 1e-3:
        holds, sentence = None, f"{sentence} The posterior is the prior, so that there is nothing to tell apart."
    return Proof(holds, sentence, figures, time.perf_counter() - start)


def gradient_is_slope(model: Encoded, *, images: int = 4, seed: int = 0) -> Proof:
    """The gradient that goes through z = μ(x) + σ(x) ε, against finite differences of the loss in float64 with the same ε.

    The weights are moved along one random direction, all at once.

    Args:
        model: A model with a normal posterior.
        images: How many images, drawn from the model.
        seed: Decides images, ε and the direction.

    Raises:
        InputError: The model has no such posterior, or a number is below 1.
    """
    start = time.perf_counter()
    require(model, "posterior", "gradient_is_slope")
    at_least_one("images", images)
    batch, how = Batch(sample(model, images, seed=seed)), Compute(key=(seed, 1))
    moved: Any = copy.deepcopy(model)
    moved = moved.double().eval()
    weights = [tensor for _, tensor in moved.named_parameters()]
    begin = [tensor.detach().clone() for tensor in weights]
    generator = torch.Generator().manual_seed(seed)
    direction = [torch.randn(tensor.shape, generator=generator, dtype=torch.float64) for tensor in weights]

    def loss(step: float) -> Tensor:
        with torch.no_grad():
            for tensor, first, along in zip(weights, begin, direction, strict=True):
                tensor.copy_(first + step * along)
        total: Tensor = moved.terms(moved.players[0].name, batch, how).total
        return total

    with torch.enable_grad():
        gradients = torch.autograd.grad(loss(0.0), weights, allow_unused=True)
    products = [gradient * along for gradient, along in zip(gradients, direction, strict=True) if gradient is not None]
    slope, size = sum(float(each.sum()) for each in products), sum(float(each.abs().sum()) for each in products)
    with torch.no_grad():
        differences = [float(loss(step) - loss(-step)) / (2 * step) for step in _STEPS]
    nearest = min(differences, key=lambda difference: abs(difference - slope))
    off = abs(nearest - slope) / max(size, 1e-12)
    sentence = (
        f"Along a random direction through all {sum(tensor.numel() for tensor in weights):,} weights the loss of {images} images rises by "
        f"{slope:.6g} a step by gradient and by {nearest:.6g} by finite differences: {off:.1e} of the gradient's size apart."
    )
    figures = {"by gradient": slope, "by finite differences": nearest, "apart, relative": off}
    return Proof(off < _SLOPE_TOLERANCE if size > 0 else None, sentence, figures, time.perf_counter() - start)


def _integrated(model: Any, batch: Batch) -> tuple[float, float] | None:
    """Mean log p(x) by a grid over codes and how far the grid is off, or None where there is no such grid."""
    try:
        nats, off = integrated_log_prob(model, batch.values)
    except InputError:
        return None
    return float(nats.mean()), float(off.max())
