"""genlab's compiled kernels (private; use the genlab package)."""

from collections.abc import Callable
from typing import Any

import numpy as np

def info() -> dict[str, Any]: ...
def masked_conv2d_forward(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, mask: np.ndarray) -> np.ndarray: ...
def masked_conv2d_backward(
    grad: np.ndarray, x: np.ndarray, weight: np.ndarray, mask: np.ndarray, want_grad_x: bool = True
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]: ...

class Program:
    def __init__(self, specification: dict[str, Any]) -> None: ...
    def score(
        self, weights: list[np.ndarray], biases: list[np.ndarray], levels: np.ndarray, want_map: bool
    ) -> tuple[np.ndarray, np.ndarray | None]: ...
    def train(self, weights: list[np.ndarray], biases: list[np.ndarray], levels: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]: ...
    def sample(
        self,
        weights: list[np.ndarray],
        biases: list[np.ndarray],
        levels: np.ndarray,
        known: np.ndarray,
        uniforms: np.ndarray,
        temperature: float,
        map: np.ndarray | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None: ...
