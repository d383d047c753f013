"""A training step of PixelCNN in JAX, for whoever has installed it (``pip install -e '.[bench]'``): one jitted function.

Images are NHWC and kernels HWIO, the layouts that JAX's own networks use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from genlab.benchmark.table import Array

Parameters = dict[str, Any]
Step = Callable[[Any], tuple[Any, Parameters]]


def training_step(parameters: Mapping[str, Array], levels: Array, *, blocks: int, level_count: int, form: str) -> tuple[Step, Step]:
    """Functions of a batch: loss with gradients, and loss with the parameters after a step of Adam, which the next call starts from.

    Args:
        parameters: Weights (C_out, C_in, height, width) and biases by the names of genlab's list, ``"block1_conv.weight"``.
        levels: Any batch (N, 1, H, W): its shape is what the step is compiled for.
        blocks: Number of residual blocks.
        level_count: Number of values of a pixel.
        form: ``"dense"`` or ``"cropped"``, as in `genlab.benchmark.torch_peers`.
    """
    weights = {name: jnp.asarray(array.transpose(2, 3, 1, 0) if array.ndim == 4 else array) for name, array in parameters.items()}
    loss = partial(_loss, blocks=blocks, level_count=level_count, form=form)
    value_and_gradients = jax.jit(jax.value_and_grad(loss))
    zeros = jax.tree.map(jnp.zeros_like, weights)
    state: list[Any] = [weights, zeros, zeros, 0]

    def advance(weights: Parameters, first: Parameters, second: Parameters, count: int, batch: Any) -> Any:
        value, gradients = jax.value_and_grad(loss)(weights, batch)
        count = count + 1
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)
        rate = 1e-6 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        weights = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-8), weights, first, second)
        return value, weights, first, second, count

    compiled = jax.jit(advance)

    def gradients_of(batch: Any) -> tuple[Any, Parameters]:
        value, gradients = value_and_gradients(state[0], batch)
        arrays = {name: np.asarray(array) for name, array in gradients.items()}
        return np.asarray(value), {name: array.transpose(3, 2, 0, 1) if array.ndim == 4 else array for name, array in arrays.items()}

    def step(batch: Any) -> tuple[Any, Parameters]:
        value, *state[:] = compiled(*state, batch)
        for array in jax.tree.leaves(state):
            array.block_until_ready()
        return value, state[0]

    return gradients_of, step


def _loss(weights: Parameters, levels: Any, *, blocks: int, level_count: int, form: str) -> Any:
    """Mean negative log-likelihood in nats per image, of levels (N, H, W, 1)."""

    def convolve(x: Any, name: str, mask_type: str = "B") -> Any:
        weight = weights[f"{name}.weight"]
        height, width = weight.shape[:2]
        if height * width > 1:
            live = np.arange(height * width).reshape(height, width, 1, 1) < height * width // 2 + (mask_type == "B")
            weight = weight * live.astype(np.float32)
        above, below = height // 2, height // 2
        if form == "cropped":
            weight, below = weight[: above + 1], 0
        padding = ((above, below), (width // 2, width // 2))
        y = lax.conv_general_dilated(x, weight, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return y + weights[f"{name}.bias"]

    stream = convolve(2 * levels.astype(jnp.float32) / (level_count - 1) - 1, "input", "A")
    for block in range(1, blocks + 1):
        inner = convolve(jax.nn.relu(stream), f"block{block}_reduce")
        inner = convolve(jax.nn.relu(inner), f"block{block}_conv")
        stream = convolve(jax.nn.relu(inner), f"block{block}_expand") + stream
    hidden = convolve(jax.nn.relu(stream), "head")
    log_probabilities = jax.nn.log_softmax(convolve(jax.nn.relu(hidden), "output"))
    chosen = jnp.take_along_axis(log_probabilities, levels.astype(jnp.int32), -1)
    return -chosen.sum() / len(levels)
