"""Of bijections between data and noise.

- `inverse_returns`: x comes back, f⁻¹(f(x)) = x, and of points so does noise, f(f⁻¹(z)) = z.
- `log_det_is_the_jacobians`: log |det ∂z/∂x| is that of a Jacobian by finite differences, in float64.
- `integrates_to_one`: over the plane the density adds up to 1.

A bijection of points in the plane is a density that can be added up; one of many values cannot, and the first two must do.
"""

from __future__ import annotations

import copy
import math
import time
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from genlab.errors import InputError
from genlab.models.contract import Invertible, Model, require
from genlab.proofs.claim import Proof, at_least_one

# A round trip is made in float32, and rounding grows where f is steep: in parts of the largest value.
_RETURN_TOLERANCE = 1e-3
_STEP = 1e-5  # of central differences in float64, of values of the order of 1
_JACOBIAN_TOLERANCE = 1e-3
_VALUES_AT_MOST = 4096  # of an example whose Jacobian is taken: a square matrix of them
_AT_ONCE = 512
_SIDE = 512  # the plane is added up over so many squares each way
_SQUARES_AT_ONCE = 2**14
_DRAWN = 10_000
_INTEGRAL_TOLERANCE = 0.01


class Bijection(Model, Invertible, Protocol):
    """A model with an inverse."""


@torch.no_grad()
def inverse_returns(model: Bijection, *, seed: int = 0, examples: int = 64) -> Proof:
    """|f⁻¹(f(x)) − x|, the largest over the model's own examples x; of points |f(f⁻¹(z)) − z| over noise z too.

    Noise may lead a little beyond an image's levels, where nothing is promised.

    Args:
        model: A model with an inverse.
        seed: Decides the examples and the noise.
        examples: How many of each.

    Raises:
        InputError: The model has no inverse, or `examples` is below 1.
    """
    start = time.perf_counter()
    require(model, "invertible", "inverse_returns")
    at_least_one("examples", examples)
    values = _own_values(model, examples, seed)
    figures = {"data apart": _apart(model.inverse(model.forward_and_log_det(values)[0]), values)}
    sentence = f"{examples} examples came back from noise to within {figures['data apart']:.1e} of the largest value"
    if model.domain.levels is None:
        noise = torch.from_numpy(np.random.default_rng(seed).standard_normal((examples, *model.domain.shape))).float()
        figures["noise apart"] = _apart(model.forward_and_log_det(model.inverse(noise))[0], noise)
        sentence += f", and as much noise from data to within {figures['noise apart']:.1e}"
    return Proof(max(figures.values()) < _RETURN_TOLERANCE, f"{sentence}.", figures, time.perf_counter() - start)


def log_det_is_the_jacobians(model: Bijection, *, seed: int = 0) -> Proof:
    """Log |det ∂z/∂x| of one of the model's own examples against that of its whole Jacobian, by central differences in float64.

    Args:
        model: A model with an inverse.
        seed: Decides the example.

    Raises:
        InputError: The model has no inverse, or an example has too many values for a square matrix of them.
    """
    start = time.perf_counter()
    require(model, "invertible", "log_det_is_the_jacobians")
    size = model.domain.size
    if size > _VALUES_AT_MOST:
        raise InputError(f"model must have examples of at most {_VALUES_AT_MOST} values, whose Jacobian is taken; it has {size}")
    value = _own_values(model, 1, seed).double()
    precise: Any = copy.deepcopy(model)
    precise.double()
    with torch.no_grad():
        claimed = float(precise.forward_and_log_det(value)[1])
        exact = float(torch.linalg.slogdet(_jacobian(precise, value)).logabsdet)
    off = abs(claimed - exact)
    sentence = f"The model's log |det| is {claimed:.4f}; that of the {size}×{size} Jacobian by finite differences is {exact:.4f}."
    holds = off < _JACOBIAN_TOLERANCE * (1 + abs(exact))
    return Proof(holds, sentence, {"claimed": claimed, "by differences": exact}, time.perf_counter() - start)


@torch.no_grad()
def integrates_to_one(model: Bijection, *, seed: int = 0) -> Proof:
    """∫ p(x) dx over a rectangle that holds nearly all of the model's own points, against the share that it holds.

    Args:
        model: A model of points with an inverse; other than in the plane nothing is added up, and nothing decided.
        seed: Decides the points.

    Raises:
        InputError: The model has no inverse.
    """
    start = time.perf_counter()
    require(model, "invertible", "integrates_to_one")
    if model.domain.shape != (2,) or model.domain.levels is not None:
        return Proof(None, f"A density is added up in the plane alone; this one is over {model.domain}.")
    points = model.sample(_DRAWN, seed, {})
    low, high = np.quantile(points, [0.001, 0.999], axis=0)
    margin = 0.5 * (high - low)
    low, high = low - margin, high + margin
    axes = [low[i] + (np.arange(_SIDE) + 0.5) * (high[i] - low[i]) / _SIDE for i in range(2)]
    middles = torch.from_numpy(np.stack(np.meshgrid(*axes), -1).reshape(-1, 2)).float()
    parts = (middles[i : i + _SQUARES_AT_ONCE] for i in range(0, len(middles), _SQUARES_AT_ONCE))
    density = math.fsum(float(_log_density(model, part).exp().sum()) for part in parts)
    integral = density * float(np.prod((high - low) / _SIDE))
    inside = float(((points > low) & (points < high)).all(1).mean())
    sentence = (
        f"Added up over {_SIDE}×{_SIDE} squares, the density gives {integral:.4f}; of {_DRAWN:,} points that the model drew, "
        f"{inside:.2%} lie there."
    )
    holds = abs(integral - inside) < _INTEGRAL_TOLERANCE
    return Proof(holds, sentence, {"integral": integral, "share inside": inside}, time.perf_counter() - start)


def _own_values(model: Bijection, n: int, seed: int) -> Tensor:
    """Real values of examples that the model draws: of levels, somewhere within each."""
    drawn = torch.from_numpy(model.sample(n, seed, {})).float()
    if model.domain.levels is None:
        return drawn
    return drawn + torch.rand(drawn.shape, generator=torch.Generator().manual_seed(seed)).clamp(0.05, 0.95)


def _apart(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max())


def _log_density(model: Bijection, values: Tensor) -> Tensor:
    """Log p(x) = log N(f(x); 0, I) + log |det ∂f/∂x|, float64."""
    codes, log_det = model.forward_and_log_det(values)
    codes = codes.double().flatten(1)
    return log_det.double() - 0.5 * (codes.square() + math.log(2 * math.pi)).sum(1)


def _jacobian(model: Bijection, value: Tensor) -> Tensor:
    """∂z/∂x of one example, ``(size, size)``, a row for each x_i."""
    size = model.domain.size
    rows = []
    unit = torch.eye(size, dtype=value.dtype)
    for part in (unit[i : i + _AT_ONCE] for i in range(0, size, _AT_ONCE)):
        shift = _STEP * part.reshape(len(part), *model.domain.shape)
        up, down = (model.forward_and_log_det(value + way * shift)[0].flatten(1) for way in (1, -1))
        rows.append((up - down) / (2 * _STEP))
    return torch.cat(rows)
