"""The trainer of the toy GAN, one run in float64: the reference in NumPy, pure Python, torch (autograd) and the native call.

    D(x) = σ(w·x + b)          G(z) = σ(z·v + c), pixel by pixel          σ(a) = 1 / (1 + e⁻ᵃ)

Step s takes face f = faces[s mod F] and the draw z = z[s], and makes three plain gradient steps, in this order:

    1. p = D(f)                        loss −ln p          w += lr·(1 − p)·f      b += lr·(1 − p)
    2. x = G(z), q = D(x)              loss −ln(1 − q)     w −= lr·q·x            b −= lr·q
    3. y = D(x) with the new w and b   loss −ln y          g = −(1 − y)·w⊙x⊙(1 − x)
       (minimax:                       loss ln(1 − y)      g = −y·w⊙x⊙(1 − x))
                                                           v −= lr·g·z            c −= lr·g

The four arrays of weights are one *state* of 13 numbers: w (4), b, v (4), c (4). The torch variant computes the three losses and
nothing else: its gradients come from autograd, so that the formulas above are held to someone else's calculus.

Minibatches, other optimisers and larger pictures are left out: `genlab.toy_gan` is the lecture's, to the last step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from genlab.kernels.sigmoid_neuron import sigmoid, sigmoid_of_float, softplus
from genlab.native import core

Array = npt.NDArray[Any]
Recorded = tuple[Array, Array]

PIXELS = 4
STATE = 3 * PIXELS + 1
D_WEIGHTS, D_BIAS, G_WEIGHTS, G_BIAS = slice(0, 4), 4, slice(5, 9), slice(9, 13)


def recorded_steps(steps: int, record_every: int) -> Array:
    """The numbers of the steps after which a run of `steps` steps is recorded: each `record_every`-th, and the last."""
    return np.append(np.arange(record_every, steps, record_every), steps)


# --- reference: NumPy, written as a notebook would -------------------------------------------------------------------------------


def _reference(faces: Array, z: Array, init: Array, learning_rate: float, minimax: bool, record_every: int) -> Recorded:
    w, b, v, c = init[D_WEIGHTS].copy(), init[D_BIAS], init[G_WEIGHTS].copy(), init[G_BIAS].copy()
    states, losses = [], []
    for step in range(len(z)):
        face = faces[step % len(faces)]
        real = face @ w + b
        p = sigmoid(real)
        w += learning_rate * (1 - p) * face
        b += learning_rate * (1 - p)

        x = sigmoid(z[step] * v + c)
        fake = x @ w + b
        q = sigmoid(fake)
        w -= learning_rate * q * x
        b -= learning_rate * q

        judged = x @ w + b
        y = sigmoid(judged)
        gradient = -(y if minimax else 1 - y) * w * x * (1 - x)
        v -= learning_rate * gradient * z[step]
        c -= learning_rate * gradient
        if (step + 1) % record_every == 0 or step + 1 == len(z):
            states.append(np.concatenate([w, [b], v, c]))
            losses.append([softplus(-real) + softplus(fake), -softplus(judged) if minimax else softplus(-judged)])
    return np.array(states), np.array(losses)


# --- pure Python -----------------------------------------------------------------------------------------------------------------


def _softplus(a: float) -> float:
    return max(a, 0.0) + math.log1p(math.exp(-abs(a)))


def python_steps(
    faces: list[list[float]], z: list[float], init: list[float], learning_rate: float, minimax: bool
) -> Iterator[tuple[list[float], tuple[float, float, float]]]:
    """The state after each step, and the three arguments of D's σ in it, over lists of floats."""
    w, b, v, c = init[D_WEIGHTS], init[D_BIAS], init[G_WEIGHTS], init[G_BIAS]
    for step, draw in enumerate(z):
        face = faces[step % len(faces)]
        real = _dot(w, face) + b
        p = sigmoid_of_float(real)
        w = [weight + learning_rate * (1 - p) * pixel for weight, pixel in zip(w, face, strict=True)]
        b += learning_rate * (1 - p)

        x = [sigmoid_of_float(draw * weight + offset) for weight, offset in zip(v, c, strict=True)]
        fake = _dot(w, x) + b
        q = sigmoid_of_float(fake)
        w = [weight - learning_rate * q * pixel for weight, pixel in zip(w, x, strict=True)]
        b -= learning_rate * q

        judged = _dot(w, x) + b
        y = sigmoid_of_float(judged)
        gradient = [-(y if minimax else 1 - y) * weight * pixel * (1 - pixel) for weight, pixel in zip(w, x, strict=True)]
        v = [weight - learning_rate * slope * draw for weight, slope in zip(v, gradient, strict=True)]
        c = [offset - learning_rate * slope for offset, slope in zip(c, gradient, strict=True)]
        yield [*w, b, *v, *c], (real, fake, judged)


def _dot(a: list[float], b: list[float]) -> float:
    return sum(one * other for one, other in zip(a, b, strict=True))


def _python(faces: Array, z: Array, init: Array, learning_rate: float, minimax: bool, record_every: int) -> Recorded:
    states, losses = [], []
    steps = python_steps(faces.tolist(), z.tolist(), init.tolist(), learning_rate, minimax)
    for step, (state, (real, fake, judged)) in enumerate(steps, start=1):
        if step % record_every == 0 or step == len(z):
            states.append(state)
            losses.append([_softplus(-real) + _softplus(fake), -_softplus(judged) if minimax else _softplus(-judged)])
    return np.array(states), np.array(losses)


# --- torch twin: the losses; autograd does the rest ------------------------------------------------------------------------------


def _torch(faces: Array, z: Array, init: Array, learning_rate: float, minimax: bool, record_every: int) -> Recorded:
    import torch
    from torch.nn.functional import softplus

    pictures, draws, state = torch.tensor(faces), torch.tensor(z), torch.tensor(init)
    w, b, v, c = (state[part].clone() for part in (D_WEIGHTS, D_BIAS, G_WEIGHTS, G_BIAS))

    def descend(loss: torch.Tensor, *parameters: torch.Tensor) -> None:
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter -= learning_rate * gradient

    states, losses = [], []
    # Gradients are wanted here whatever mode the caller is in.
    with torch.inference_mode(mode=False), torch.enable_grad():
        w, b, v, c = (part.clone().requires_grad_() for part in (w, b, v, c))
        for step in range(len(z)):
            real_loss = softplus(-(pictures[step % len(faces)] @ w + b))
            descend(real_loss, w, b)
            fake_loss = softplus(torch.sigmoid(draws[step] * v + c).detach() @ w + b)
            descend(fake_loss, w, b)
            judged = torch.sigmoid(draws[step] * v + c) @ w + b
            g_loss = -softplus(judged) if minimax else softplus(-judged)
            descend(g_loss, v, c)
            if (step + 1) % record_every == 0 or step + 1 == len(z):
                states.append(torch.cat([w, b[None], v, c]).detach().numpy())
                losses.append([(real_loss + fake_loss).item(), g_loss.item()])
    return np.array(states), np.array(losses)


# --- native call -----------------------------------------------------------------------------------------------------------------


def _native(faces: Array, z: Array, init: Array, learning_rate: float, minimax: bool, record_every: int) -> Recorded:
    states, losses = core().toy_gan_train(faces, z, init, learning_rate, minimax, record_every)
    return states, losses


TRAIN: Mapping[str, Callable[..., Recorded]] = {"reference": _reference, "python": _python, "torch": _torch, "native": _native}


# --- one case for tests and benchmarks -------------------------------------------------------------------------------------------


def example(
    rng: np.random.Generator,
    dtype: str,
    *,
    faces: int = 5,
    steps: int,
    learning_rate: float = 0.01,
    minimax: bool = False,
    record_every: int = 0,
) -> tuple[Array, Array, Array, float, bool, int]:
    """Draw arguments of `TRAIN`: faces and draws from U(0, 1), weights from N(0, 1). There is float64 alone."""
    assert dtype == "float64"
    return rng.random((faces, PIXELS)), rng.random(steps), rng.standard_normal(STATE), learning_rate, minimax, record_every or steps


def rounding(*arguments: Any) -> tuple[Array, Array]:
    """The rounding to expect of `TRAIN`, in units of the precision: that of its results, and of sums near 1 on the way."""
    states, losses = _reference(*arguments)
    return 1 + np.abs(states), 1 + np.abs(losses)
