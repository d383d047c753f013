"""Layers of sigmoid neurons over NumPy arrays: the reference, pure Python, the torch twin and the native call.

    y[n, o] = σ(bias[o] + Σ_i weight[o, i] · x[n, i])          σ(a) = 1 / (1 + e⁻ᵃ),   σ'(a) = σ(a) · (1 − σ(a))

The lecture's discriminator is one such neuron with four inputs, its generator four neurons with one input. No a overflows: e is
raised to negative powers alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from genlab.errors import InputError
from genlab.native import core, resolve_backend

if TYPE_CHECKING:
    from torch import Tensor

Array = npt.NDArray[Any]
Gradients = tuple[Array, Array, Array]


def sigmoid(a: Array) -> Array:
    """1 / (1 + e⁻ᵃ) for any a, in the dtype of `a`."""
    e = np.exp(-np.abs(a))
    return np.asarray(np.where(a >= 0, np.ones((), e.dtype), e) / (1 + e))


def softplus(a: Array) -> Array:
    """The logarithm of 1 + eᵃ for any a; −ln σ(a) is that of −a, and −ln(1 − σ(a)) that of a."""
    return np.asarray(np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a))))


# --- the public pair -------------------------------------------------------------------------------------------------------------


def sigmoid_neuron(x: Array, weight: Array, bias: Array, *, backend: str = "auto") -> Array:
    """The outputs of a layer of sigmoid neurons.

        y[n, o] = σ(bias[o] + Σ_i weight[o, i] · x[n, i])

    Args:
        x: Inputs (N, I), float32 or float64. N may be 0.
        weight: (O, I), of the dtype of `x`.
        bias: (O,), of the dtype of `x`.
        backend: ``"reference"`` (NumPy), ``"python"``, ``"torch"``, ``"native"``, or ``"auto"``: native where it is available, torch
            elsewhere.

    Returns:
        y (N, O) of the dtype of `x`.

    Raises:
        InputError: An argument breaks one of the rules above.
        BackendError: ``"native"`` was asked for and is not available.
    """
    run = FORWARD[resolve_backend(backend, allowed=FORWARD)]
    _check(x, weight, bias)
    return run(x, weight, bias)


def sigmoid_neuron_backward(grad_output: Array, x: Array, weight: Array, bias: Array, *, backend: str = "auto") -> Gradients:
    """Turn the gradient of a loss to the output of `sigmoid_neuron` into those to its inputs.

        grad_sum[n, o]    = grad_output[n, o] · y[n, o] · (1 − y[n, o])
        grad_x[n, i]      = Σ_o grad_sum[n, o] · weight[o, i]
        grad_weight[o, i] = Σ_n grad_sum[n, o] · x[n, i]
        grad_bias[o]      = Σ_n grad_sum[n, o]

    Args:
        grad_output: (N, O), of the dtype of `x`.
        x: As given to `sigmoid_neuron`.
        weight: As given to `sigmoid_neuron`.
        bias: As given to `sigmoid_neuron`.
        backend: As for `sigmoid_neuron`.

    Returns:
        grad_x (N, I), grad_weight (O, I) and grad_bias (O,).

    Raises:
        InputError: An argument breaks one of the rules above.
        BackendError: ``"native"`` was asked for and is not available.
    """
    run = BACKWARD[resolve_backend(backend, allowed=BACKWARD)]
    _check(x, weight, bias)
    _check_array("grad_output", grad_output, x)
    if grad_output.shape != (len(x), len(weight)):
        raise InputError(f"grad_output must have the shape of the output, {(len(x), len(weight))}; got {grad_output.shape}")
    return run(grad_output, x, weight, bias)


# --- reference: in float64 -------------------------------------------------------------------------------------------------------


def _reference(x: Array, weight: Array, bias: Array) -> Array:
    return sigmoid(x.astype(np.float64) @ weight.astype(np.float64).T + bias).astype(x.dtype)


def _reference_backward(grad_output: Array, x: Array, weight: Array, bias: Array) -> Gradients:
    inputs, matrix = x.astype(np.float64), weight.astype(np.float64)
    y = sigmoid(inputs @ matrix.T + bias)
    grad_sum = grad_output * y * (1 - y)
    return (grad_sum @ matrix).astype(x.dtype), (grad_sum.T @ inputs).astype(x.dtype), grad_sum.sum(axis=0).astype(x.dtype)


# --- pure Python -----------------------------------------------------------------------------------------------------------------


def sigmoid_of_float(a: float) -> float:
    """1 / (1 + e⁻ᵃ) of one float."""
    if a >= 0:
        return 1 / (1 + math.exp(-a))
    e = math.exp(a)
    return e / (1 + e)


def _python(x: Array, weight: Array, bias: Array) -> Array:
    neurons = list(zip(weight.tolist(), bias.tolist(), strict=True))
    rows = [
        [sigmoid_of_float(offset + sum(w * a for w, a in zip(weights, row, strict=True))) for weights, offset in neurons]
        for row in x.tolist()
    ]
    return np.array(rows, x.dtype).reshape(len(x), len(weight))


def _python_backward(grad_output: Array, x: Array, weight: Array, bias: Array) -> Gradients:
    rows, matrix = x.tolist(), weight.tolist()
    outputs = _python(x.astype(np.float64), weight.astype(np.float64), bias.astype(np.float64)).tolist()
    neurons, inputs = range(weight.shape[0]), range(weight.shape[1])
    grad_sum = [[g * y * (1 - y) for g, y in zip(*pair, strict=True)] for pair in zip(grad_output.tolist(), outputs, strict=True)]
    grad_x = [[sum(grads[o] * matrix[o][i] for o in neurons) for i in inputs] for grads in grad_sum]
    grad_weight = [[sum(grads[o] * row[i] for grads, row in zip(grad_sum, rows, strict=True)) for i in inputs] for o in neurons]
    grad_bias = [sum(grads[o] for grads in grad_sum) for o in neurons]
    return np.array(grad_x, x.dtype).reshape(x.shape), np.array(grad_weight, x.dtype), np.array(grad_bias, x.dtype)


# --- torch twin ------------------------------------------------------------------------------------------------------------------


def torch_twin(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The formula of `sigmoid_neuron` over torch tensors."""
    import torch

    return torch.sigmoid(torch.nn.functional.linear(x, weight, bias))


def _torch(x: Array, weight: Array, bias: Array) -> Array:
    import torch

    y: Array = torch_twin(*(torch.tensor(array) for array in (x, weight, bias))).numpy()
    return y


def _torch_backward(grad_output: Array, x: Array, weight: Array, bias: Array) -> Gradients:
    import torch

    # Gradients are wanted here whatever mode the caller is in.
    with torch.inference_mode(mode=False), torch.enable_grad():
        inputs = [torch.tensor(array).requires_grad_() for array in (x, weight, bias)]
        grad_x, grad_weight, grad_bias = torch.autograd.grad(torch_twin(*inputs), inputs, torch.tensor(grad_output))
    return grad_x.numpy(), grad_weight.numpy(), grad_bias.numpy()


# --- native call -----------------------------------------------------------------------------------------------------------------


def _native(x: Array, weight: Array, bias: Array) -> Array:
    y: Array = core().sigmoid_neuron_forward(_dense(x), _dense(weight), _dense(bias))
    return y


def _native_backward(grad_output: Array, x: Array, weight: Array, bias: Array) -> Gradients:
    gradients: Gradients = core().sigmoid_neuron_backward(_dense(grad_output), _dense(x), _dense(weight), _native(x, weight, bias))
    return gradients


def _dense(array: Array) -> Array:
    """`array` in row-major, aligned memory: itself if it lies so already."""
    return np.require(array, requirements=["C", "A"])


FORWARD: Mapping[str, Callable[..., Array]] = {"reference": _reference, "python": _python, "torch": _torch, "native": _native}
BACKWARD: Mapping[str, Callable[..., Gradients]] = {
    "reference": _reference_backward,
    "python": _python_backward,
    "torch": _torch_backward,
    "native": _native_backward,
}


# --- one case for tests and benchmarks, and the rounding to expect ---------------------------------------------------------------


def example(rng: np.random.Generator, dtype: str, *, rows: int, inputs: int, neurons: int) -> tuple[Array, Array, Array]:
    """Draw arguments (x, weight, bias) of `FORWARD` from N(0, 1)."""
    shapes = ((rows, inputs), (neurons, inputs), (neurons,))
    x, weight, bias = (rng.standard_normal(shape).astype(dtype) for shape in shapes)
    return x, weight, bias


def example_backward(rng: np.random.Generator, dtype: str, **sizes: int) -> tuple[Array, Array, Array, Array]:
    """Draw arguments (grad_output, x, weight, bias) of `BACKWARD`, with the sizes of `example`."""
    x, weight, bias = example(rng, dtype, **sizes)
    return rng.standard_normal((len(x), len(weight))).astype(dtype), x, weight, bias


def rounding(x: Array, weight: Array, bias: Array) -> tuple[Array]:
    """The rounding to expect of `FORWARD`, in units of the precision: that of σ, and that of its sum times the largest slope, 1/4."""
    return (1 + np.sqrt(x.shape[1] + 1) / 4 * (np.abs(x) @ np.abs(weight).T + np.abs(bias)),)


def rounding_backward(grad_output: Array, x: Array, weight: Array, bias: Array) -> tuple[Array, Array, Array]:
    """The rounding to expect of `BACKWARD`: that of y · (1 − y), carried through sums of magnitudes."""
    grad_sum = np.abs(grad_output) * rounding(x, weight, bias)[0]
    rows, neurons = np.sqrt(len(x) + 1), np.sqrt(len(weight) + 1)
    return neurons * (grad_sum @ np.abs(weight)), rows * (grad_sum.T @ np.abs(x)), rows * grad_sum.sum(axis=0)


# --- checks ----------------------------------------------------------------------------------------------------------------------


def _check(x: Any, weight: Any, bias: Any) -> None:
    for name, array in (("x", x), ("weight", weight), ("bias", bias)):
        _check_array(name, array, x)
    for name, array in (("x", x), ("weight", weight)):
        if array.ndim != 2:
            raise InputError(f"{name} must have 2 dimensions; got shape {array.shape}")
    if not weight.size:
        raise InputError(f"weight must have at least 1 neuron and 1 input; got shape {weight.shape}")
    if x.shape[1] != weight.shape[1]:
        raise InputError(f"x must have the {weight.shape[1]} inputs of weight; got shape {x.shape}")
    if bias.shape != (len(weight),):
        raise InputError(f"bias must have shape ({len(weight)},), one value for each neuron; got {bias.shape}")


def _check_array(name: str, array: Any, x: Any) -> None:
    if not isinstance(array, np.ndarray) or array.dtype not in (np.float32, np.float64):
        got = f"an array of {array.dtype}" if isinstance(array, np.ndarray) else repr(type(array).__name__)
        raise InputError(f"{name} must be a NumPy array of float32 or float64; got {got}")
    if array.dtype != x.dtype:
        raise InputError(f"{name} must have the dtype of x, {x.dtype}; got {array.dtype}")
