"""Many runs of the toy GAN at once, in float32: the reference in NumPy, pure Python, torch (autograd) and the native call.

Every run is that of `genlab.kernels.toy_gan`, with a learning rate and a seed of its own. Its draws are a function of (seed, step)
alone, so that a run is the same whatever others are trained beside it, on however many threads, and in however many pieces:

    (key0, key1) = the halves of splitmix64(seed)
    h = key0 + step · 0x9e3779b9,  h = (h ^ h >> 17) · 0xed5ad4bb + key1,  h = (h ^ h >> 11) · 0xac4c1b51,
    h = (h ^ h >> 15) · 0x31848bab,  h = h ^ h >> 14,                       z = ((h >> 9) + 1/2) / 2²³

in whole numbers of 32 bits (Wellons' triple32, a hash chosen by search for its low bias, with the second key let in half-way, so
that no two seeds draw shifted copies of one sequence). z lies in (0, 1), and float32 holds it exactly.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from genlab.kernels.sigmoid_neuron import sigmoid
from genlab.kernels.toy_gan import D_BIAS, D_WEIGHTS, G_BIAS, G_WEIGHTS, PIXELS, STATE, python_steps
from genlab.native import core

Array = npt.NDArray[Any]

_GOLDEN = 0x9E3779B97F4A7C15  # 2⁶⁴ divided by the golden ratio
# Counters of what a run starts from; its draws are at 0, 1, 2 …, and no run is so long.
INIT_COUNTER = 2**31


# --- the generator ---------------------------------------------------------------------------------------------------------------


def keys_of(seeds: Array) -> Array:
    """Two keys of 32 bits for each seed: uint32 (2, runs) from uint64 (runs,)."""
    with np.errstate(over="ignore"):
        mixed = seeds.astype(np.uint64) + np.uint64(_GOLDEN)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed = mixed ^ (mixed >> np.uint64(31))
    return np.stack([mixed & np.uint64(0xFFFFFFFF), mixed >> np.uint64(32)]).astype(np.uint32)


def uniforms(keys: Array, counters: Array) -> Array:
    """The numbers at some counters of each run: float32 (counters, runs) in (0, 1), from keys (2, runs) and uint32 (counters,)."""
    with np.errstate(over="ignore"):
        h = keys[0] + (np.asarray(counters, np.uint32) * np.uint32(0x9E3779B9))[:, None]
        h = (h ^ (h >> np.uint32(17))) * np.uint32(0xED5AD4BB) + keys[1]
        h = (h ^ (h >> np.uint32(11))) * np.uint32(0xAC4C1B51)
        h = (h ^ (h >> np.uint32(15))) * np.uint32(0x31848BAB)
        h = h ^ (h >> np.uint32(14))
    numbers: Array = ((h >> np.uint32(9)).astype(np.float32) + np.float32(0.5)) * np.float32(2**-23)
    return numbers


def normals(keys: Array) -> Array:
    """What each run starts from before scaling: float64 (13, runs) from N(0, 1), by Box and Muller's transform."""
    pairs = (STATE + 1) // 2
    u = uniforms(keys, INIT_COUNTER + np.arange(2 * pairs)).astype(np.float64)
    radius, angle = np.sqrt(-2 * np.log(u[:pairs])), 2 * np.pi * u[pairs:]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:STATE]


# --- reference: NumPy over all runs ----------------------------------------------------------------------------------------------


def _reference(state: Array, keys: Array, faces: Array, learning_rate: Array, minimax: bool, first_step: int, steps: int) -> Array:
    state = state.copy()
    w, b, v, c = state[D_WEIGHTS], state[D_BIAS], state[G_WEIGHTS], state[G_BIAS]
    faces = faces.astype(state.dtype)
    for step in range(first_step, first_step + steps):
        face = faces[step % len(faces)][:, None]
        z = uniforms(keys, np.array([step]))[0].astype(state.dtype)
        move = learning_rate * sigmoid(-((w * face).sum(axis=0) + b))
        w += move * face
        b += move
        x = sigmoid(z * v + c)
        move = learning_rate * sigmoid((w * x).sum(axis=0) + b)
        w -= move * x
        b -= move
        judged = (w * x).sum(axis=0) + b
        move = learning_rate * (sigmoid(judged) if minimax else sigmoid(-judged)) * w * x * (1 - x)
        v += move * z
        c += move
    return state


# --- pure Python: one run after the other, in float64 ----------------------------------------------------------------------------


def _python(state: Array, keys: Array, faces: Array, learning_rate: Array, minimax: bool, first_step: int, steps: int) -> Array:
    turned = np.roll(faces, -(first_step % len(faces)), axis=0).tolist()
    z = uniforms(keys, first_step + np.arange(steps)).T
    columns = []
    for run, init in enumerate(state.T.tolist()):
        run_steps = python_steps(turned, z[run].tolist(), init, float(learning_rate[run]), minimax)
        columns.append(deque(run_steps, maxlen=1).pop()[0])
    return np.array(columns, state.dtype).reshape(-1, STATE).T


# --- torch twin: losses of all runs, summed; the gradient of each run is its own -------------------------------------------------


def _torch(state: Array, keys: Array, faces: Array, learning_rate: Array, minimax: bool, first_step: int, steps: int) -> Array:
    import torch
    from torch.nn.functional import softplus

    # Gradients are wanted here whatever mode the caller is in.
    with torch.inference_mode(mode=False), torch.enable_grad():
        rates = torch.tensor(learning_rate.astype(state.dtype))
        pictures = torch.tensor(faces.astype(state.dtype))
        w, b, v, c = (torch.tensor(state[part]).requires_grad_() for part in (D_WEIGHTS, D_BIAS, G_WEIGHTS, G_BIAS))

        def descend(loss: torch.Tensor, *parameters: torch.Tensor) -> None:
            gradients = torch.autograd.grad(loss.sum(), parameters)
            with torch.no_grad():
                for parameter, gradient in zip(parameters, gradients, strict=True):
                    parameter -= rates * gradient

        for step in range(first_step, first_step + steps):
            z = torch.tensor(uniforms(keys, np.array([step]))[0].astype(state.dtype))
            descend(softplus(-(pictures[step % len(faces)] @ w + b)), w, b)
            descend(softplus((torch.sigmoid(z * v + c).detach() * w).sum(dim=0) + b), w, b)
            judged = (torch.sigmoid(z * v + c) * w).sum(dim=0) + b
            descend(-softplus(judged) if minimax else softplus(-judged), v, c)
        return torch.cat([w, b[None], v, c]).detach().numpy()


# --- native call -----------------------------------------------------------------------------------------------------------------


def _native(state: Array, keys: Array, faces: Array, learning_rate: Array, minimax: bool, first_step: int, steps: int) -> Array:
    dense = (np.require(array, requirements=["C", "A"]) for array in (state, keys, faces.astype(np.float32), learning_rate))
    after: Array = core().toy_gan_ensemble_advance(*dense, minimax, first_step, steps)
    return after


ADVANCE: Mapping[str, Callable[..., Array]] = {"reference": _reference, "python": _python, "torch": _torch, "native": _native}


# --- one case for tests and benchmarks -------------------------------------------------------------------------------------------


def example(
    rng: np.random.Generator, dtype: str, *, runs: int, steps: int, faces: int = 5, minimax: bool = False, first_step: int = 0
) -> tuple[Array, Array, Array, Array, bool, int, int]:
    """Draw arguments of `ADVANCE`: faces from U(0, 1), weights from N(0, 1), learning rates from 0.001 to 0.1."""
    keys = keys_of(rng.integers(0, 2**63, runs, dtype=np.uint64))
    learning_rate = 10 ** rng.uniform(-3, -1, runs)
    return normals(keys).astype(dtype), keys, rng.random((faces, PIXELS)), learning_rate.astype(dtype), minimax, first_step, steps


def rounding(*arguments: Any) -> tuple[Array]:
    """The rounding to expect of `ADVANCE`, in units of the precision: that of its results, and of sums near 1 on the way."""
    return (1 + np.abs(_reference(*arguments)),)
