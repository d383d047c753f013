"""Explicit solvers of dx/dt = v(x, t).

Runge-Kutta methods in which every stage looks at the one before alone:

    k_i = v(x + h c_i k_{i−1}, t + h c_i),     x ← x + h Σ_i b_i k_i

Euler's, the midpoint's and the classical one of Kutta (1901); the error falls as h, h² and h⁴. Knows no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple


class Solver(NamedTuple):
    """A method: when its stages look, and what each weighs.

    Attributes:
        nodes: c_i, in parts of a step.
        weights: b_i, which add up to 1.
    """

    nodes: tuple[float, ...]
    weights: tuple[float, ...]


SOLVERS = {
    "euler": Solver((0.0,), (1.0,)),
    "midpoint": Solver((0.0, 0.5), (0.0, 1.0)),
    "rk4": Solver((0.0, 0.5, 0.5, 1.0), (1 / 6, 1 / 3, 1 / 3, 1 / 6)),
}


def solve(velocity: Callable[[Any, float], Any], state: Any, *, start: float, end: float, steps: int, solver: str = "rk4") -> Iterator[Any]:
    """What is there at the start and after each of so many equal steps.

    Args:
        velocity: From a state and a time to the state's velocity.
        state: An array or tensor.
        start: The time that it belongs to.
        end: The time of the last state; before `start` to go back.
        steps: How many steps.
        solver: A name in `SOLVERS`.
    """
    nodes, weights = SOLVERS[solver]
    step = (end - start) / steps
    yield state
    for number in range(steps):
        time, slope, total = start + number * step, 0.0, 0.0
        for node, weight in zip(nodes, weights, strict=True):
            slope = velocity(state + step * node * slope, time + step * node)
            total = total + weight * slope
        state = state + step * total
        yield state
