"""The Dirac-GAN: the smallest game with an equilibrium, which some ways to play it find and others never do (Mescheder et al. 2018).

The data are the single point 0, G draws the single point θ, and D has one weight: s(x) = ψ x. At (θ, ψ) = (0, 0) nobody can do better.

    D minimises  softplus(ψ θ) + (γ / 2) ψ²        G minimises  softplus(−ψ θ)          nonsaturating, with the penalty R1
                 ψ θ + (γ / 2) ψ²                               −ψ θ                    wasserstein

Near (0, 0) a step of size h is a linear map, and its largest |eigenvalue| says what becomes of the distance, with c = ½ (wasserstein: 1):

    both at once                 I − h ((0, −c), (c, γ))                      γ = 0: |λ| = √(1 + h² c²) > 1, they spiral outwards
    one after the other, γ = 0   two shears, of determinant 1                  |λ| = 1 as long as h c ≤ 2, they circle for ever
    either, with γ > 0           |λ| < 1 for small h, they come to rest
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from genlab.errors import InputError, unknown_name

Loss = Literal["minimax", "nonsaturating", "wasserstein"]
LOSSES: tuple[Loss, ...] = ("minimax", "nonsaturating", "wasserstein")
FOUND = 1e-3
"""An equilibrium is found that is nearer than this."""
STEPS_AT_MOST = 1_000_000


def dirac_gan(
    *,
    loss: Loss = "nonsaturating",
    rate: float = 0.2,
    penalty: float = 0.0,
    together: bool = True,
    start: tuple[float, float] = (1.0, 0.0),
    steps: int = 500,
) -> NDArray[np.float64]:
    """Where the players are after each step.

    Args:
        loss: What they minimise.
        rate: Size h of a step of either.
        penalty: γ.
        together: Both step from the same place; else D first, and G answers to the new D.
        start: (θ, ψ).
        steps: How many.

    Returns:
        (θ, ψ), float64 ``(steps + 1, 2)``; once a number is no longer finite, NaN.

    Raises:
        InputError: An unknown loss, a number that is not finite, or one out of its range.
    """
    _check(loss, rate, penalty)
    if not 0 <= steps <= STEPS_AT_MOST:
        raise InputError(f"steps must be between 0 and {STEPS_AT_MOST}; got {steps}")
    if len(start) != 2 or not all(map(math.isfinite, start)):
        raise InputError(f"start must be two finite numbers; got {start}")
    path = np.full((steps + 1, 2), np.nan)
    theta, psi = path[0] = start
    for step in range(1, steps + 1):
        after = psi - rate * (theta * _weight(loss, psi * theta) + penalty * psi)
        seen = psi if together else after
        side = 1 if loss == "minimax" else -1  # G pulls at ln(1 − D), or at −ln D
        theta, psi = theta + rate * seen * _weight(loss, side * seen * theta), after
        if not (math.isfinite(theta) and math.isfinite(psi)):
            break
        path[step] = theta, psi
    return path


def eigenvalue(*, loss: Loss = "nonsaturating", rate: float = 0.2, penalty: float = 0.0, together: bool = True) -> float:
    """By how much one step multiplies a small distance from the equilibrium, in the long run: the largest |λ| of the map above.

    Raises:
        InputError: As `dirac_gan`.
    """
    _check(loss, rate, penalty)
    slope = _weight(loss, 0.0)
    of_d = np.array([[1.0, 0.0], [-rate * slope, 1.0 - rate * penalty]])
    of_g = np.array([[1.0, rate * slope], [0.0, 1.0]])
    step = of_d + of_g - np.eye(2) if together else of_g @ of_d
    return float(np.abs(np.linalg.eigvals(step)).max())


def distances(path: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far from the equilibrium each place is, ``(N, 2)`` → ``(N,)``."""
    return np.hypot(path[:, 0], path[:, 1])


def growth(path: NDArray[np.float64]) -> float:
    """By how much a step multiplied the distance in the newest half of a path, on average (geometric)."""
    far = distances(path)
    far = far[np.isfinite(far) & (far > 0)]
    half = len(far) // 2
    return float((far[-1] / far[half]) ** (1 / max(1, len(far) - 1 - half))) if len(far) > 1 else 1.0


def _weight(loss: str, product: float) -> float:
    """The slope of softplus, σ, or of the identity: what D's gradient is worth."""
    return 1.0 if loss == "wasserstein" else 0.5 * (1 + math.tanh(product / 2))


def _check(loss: str, rate: float, penalty: float) -> None:
    if loss not in LOSSES:
        raise unknown_name("loss", loss, LOSSES)
    if not (math.isfinite(rate) and rate > 0):
        raise InputError(f"rate must be a number above 0; got {rate}")
    if not (math.isfinite(penalty) and penalty >= 0):
        raise InputError(f"penalty must be a number from 0 on; got {penalty}")
