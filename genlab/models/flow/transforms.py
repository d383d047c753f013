"""What a coupling does to each value of one half: a monotone map with parameters from the other half.

Each takes values ``(N, C, H, W)`` and parameters ``(N, P, C, H, W)``, all of which may be broadcast over N, and gives the new values and
log |dy/dx| of each. Zero parameters are the identity. The second function of a pair is the inverse, without the derivative.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

_LOG_SCALE = 3.0  # an affine map scales by e^±3 at most: what it does to a value stays finite
TAIL = 4.0
"""A spline is the identity beyond ±TAIL, in standard deviations of what an activation norm leaves."""
_LEAST = 1e-3  # of a bin's width and height, in parts of the whole, and of a derivative
_SLOPE_1 = math.log(math.expm1(1 - _LEAST))  # softplus(this) + _LEAST = 1


def parameters_of(kind: str, bins: int) -> int:
    """How many parameters a value's map has."""
    return 2 if kind == "affine" else 3 * bins - 1


def transform(kind: str, values: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
    """The map of that kind."""
    return affine(values, parameters) if kind == "affine" else spline(values, parameters)


def transform_back(kind: str, values: Tensor, parameters: Tensor) -> Tensor:
    """Its inverse."""
    return affine_back(values, parameters) if kind == "affine" else spline_back(values, parameters)


def affine(values: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
    """Y = (x + t) eˢ with s = 3 tanh(s' / 3), from parameters (s', t)."""
    log_scale = _log_scale(parameters)
    return (values + parameters[:, 1]) * log_scale.exp(), log_scale.expand_as(values)


def affine_back(values: Tensor, parameters: Tensor) -> Tensor:
    """X = y e⁻ˢ − t."""
    return values * (-_log_scale(parameters)).exp() - parameters[:, 1]


def spline(values: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
    """The monotone rational-quadratic spline of Durkan et al. 2019 (equations 4 and 5), the identity beyond ±`TAIL`.

    In the bin from (x_k, y_k) to (x_{k+1}, y_{k+1}) with s = Δy / Δx, derivatives δ at its ends and ξ = (x − x_k) / Δx,

        y = y_k + Δy (s ξ² + δ_k ξ(1−ξ)) / (s + (δ_{k+1} + δ_k − 2s) ξ(1−ξ)).
    """
    # Clamped first: a value far outside would make the other branch of `where` infinite, and 0 · ∞ is no gradient.
    inside = values.abs() < TAIL
    clamped = values.clamp(-TAIL, TAIL)
    widths, heights, slopes = _bins(parameters)
    x, width, y, height, first, last = _bin_of(clamped, widths, heights, slopes, along=widths)
    s = height / width
    xi = (clamped - x) / width
    both = xi * (1 - xi)
    below = s + (first + last - 2 * s) * both
    moved = y + height * (s * xi.square() + first * both) / below
    rise = last * xi.square() + 2 * s * both + first * (1 - xi).square()
    log_slope = 2 * s.log() + rise.log() - 2 * below.log()
    return torch.where(inside, moved, values), torch.where(inside, log_slope, torch.zeros_like(log_slope))


def spline_back(values: Tensor, parameters: Tensor) -> Tensor:
    """Its inverse: ξ solves a quadratic equation (Durkan et al. 2019, equations 6 to 8)."""
    inside = values.abs() < TAIL
    clamped = values.clamp(-TAIL, TAIL)
    widths, heights, slopes = _bins(parameters)
    x, width, y, height, first, last = _bin_of(clamped, widths, heights, slopes, along=heights)
    s = height / width
    risen = clamped - y
    bend = risen * (first + last - 2 * s)
    a = height * (s - first) + bend
    b = height * first - bend
    c = -s * risen
    root = (b.square() - 4 * a * c).clamp_min(0).sqrt()  # not below 0 but for rounding
    xi = (2 * c / (-b - root)).clamp(0, 1)
    return torch.where(inside, x + xi * width, values)


def _log_scale(parameters: Tensor) -> Tensor:
    return _LOG_SCALE * (parameters[:, 0] / _LOG_SCALE).tanh()


def _bins(parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Widths and heights ``(N, K, …)`` that add up to 2 · TAIL, and derivatives at the knots ``(N, K + 1, …)``, 1 at both ends."""
    bins = (parameters.shape[1] + 1) // 3
    sizes = torch.stack((parameters[:, :bins], parameters[:, bins : 2 * bins]))
    shares = _LEAST + (1 - _LEAST * bins) * sizes.softmax(2)
    inner = F.softplus(parameters[:, 2 * bins :] + _SLOPE_1) + _LEAST
    end = torch.ones_like(inner[:, :1])
    return 2 * TAIL * shares[0], 2 * TAIL * shares[1], torch.cat((end, inner, end), 1)


def _bin_of(values: Tensor, widths: Tensor, heights: Tensor, slopes: Tensor, *, along: Tensor) -> tuple[Tensor, ...]:
    """Of the bin that each value lies in: left and width, lower and height, derivatives at both ends."""
    rights, uppers = widths.cumsum(1) - TAIL, heights.cumsum(1) - TAIL
    ends = rights if along is widths else uppers
    bin_ = (values[:, None] >= ends[:, :-1]).sum(1, keepdim=True)

    def chosen(of: Tensor, index: Tensor) -> Tensor:
        return of.expand(values.shape[0], *of.shape[1:]).gather(1, index)[:, 0]

    width, height = chosen(widths, bin_), chosen(heights, bin_)
    return (
        chosen(rights, bin_) - width,
        width,
        chosen(uppers, bin_) - height,
        height,
        chosen(slopes, bin_),
        chosen(slopes, bin_ + 1),
    )
