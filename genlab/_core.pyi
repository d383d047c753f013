"""genlab's compiled kernels (private; use the genlab package)."""

from collections.abc import Callable
from typing import Any

import numpy as np

def info() -> dict[str, Any]: ...
def masked_conv2d_forward(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, mask: np.ndarray) -> np.ndarray: ...
def masked_conv2d_backward(
    grad: np.ndarray, x: np.ndarray, weight: np.ndarray, mask: np.ndarray, want_grad_x: bool = True
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]: ...
def sigmoid_neuron_forward(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray: ...
def sigmoid_neuron_backward(
    grad: np.ndarray, x: np.ndarray, weight: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]: ...
def toy_gan_train(
    faces: np.ndarray, z: np.ndarray, init: np.ndarray, learning_rate: float, minimax: bool, record_every: int
) -> tuple[np.ndarray, np.ndarray]: ...
def toy_gan_ensemble_advance(
    state: np.ndarray, keys: np.ndarray, faces: np.ndarray, learning_rate: np.ndarray, minimax: bool, first_step: int, steps: int
) -> np.ndarray: ...

class Program:
    def __init__(self, specification: dict[str, Any]) -> None: ...
    def score(
        self,
        weights: list[np.ndarray],
        biases: list[np.ndarray],
        levels: np.ndarray,
        want_map: bool,
        given: list[np.ndarray] = ...,
    ) -> tuple[np.ndarray, np.ndarray | None]: ...
    def train(
        self, weights: list[np.ndarray], biases: list[np.ndarray], levels: np.ndarray, given: list[np.ndarray] = ..., key: int = ...
    ) -> tuple[np.ndarray, list[np.ndarray | None]]: ...
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
        given: list[np.ndarray] = ...,
    ) -> None: ...

def fail_allocation(nth: int) -> None: ...
def roofline_multiply_adds(rounds: int, bfloat16: bool = False) -> tuple[float, float]:
    """Multiply-adds on registers alone, on all threads.

    Returns:
        Operations done, and the value that each register must hold: 2, or 2 · rounds in bfloat16.
    """

def roofline_matrix_products(rounds: int) -> tuple[float, float]:
    """Products on the matrix unit, on all threads: (operations, the value of each sum, 32 · rounds); (0, 0) where there is none."""

def roofline_read(x: np.ndarray, passes: int) -> float:
    """Σ x, float32 `(n,)`, over and over, each thread its own share; returns the sum of all passes."""
