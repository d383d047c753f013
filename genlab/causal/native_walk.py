"""The native executor: the three walks over a causal list in C++, depth-first.

To the outside, the training walk is one ``torch.autograd.Function``: parameters and given maps in, loss out, gradients in ``.grad``.
Forward computes the loss and every gradient in one go, image by image, so that activations never leave the core's caches; backward only
hands them out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from genlab.causal import native_program, torch_walk
from genlab.causal.graph import Graph
from genlab.causal.native_program import Arrays
from genlab.causal.torch_walk import Parameters, Progress, Rows
from genlab.errors import BackendError

Given = Mapping[str, torch.Tensor]
"""Maps ``(N, channels, H, W)`` or ``(N, channels, 1, 1)`` of the list's given nodes, by name."""


def loss(
    graph: Graph,
    parameters: Parameters,
    levels: torch.Tensor,
    *,
    given: Given | None = None,
    bfloat16: bool = False,
    second_order: bool = False,
    key: int | None = None,
) -> torch.Tensor:
    """The mean negative log-likelihood in nats per image, differentiable in the parameters and in the given maps.

    Args:
        graph: The list of nodes.
        parameters: Weights and biases, float32 or float64 on the CPU.
        levels: Integer levels ``(N, C, H, W)``.
        given: The given maps.
        bfloat16: Multiply in bfloat16: maps and weights are rounded to its 8 bits, sums, gradients of weights and the parameters
            themselves stay in float32.
        second_order: Whether gradients may be differentiated again (``create_graph=True``): the torch walk then computes them. Otherwise
            that is a `BackendError`.
        key: As of `torch_walk.parameters_map`.
    """
    flat = [tensor for pair in parameters.values() for tensor in pair]
    maps = _given(graph, given, flat[0].dtype)
    drawn = key is not None and graph.certain is not graph
    if drawn or (torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (*flat, *maps))):
        result: torch.Tensor = _TrainingWalk.apply(graph, levels, bfloat16, second_order, key, *flat, *maps)  # type: ignore[no-untyped-call]
        return result
    return -log_prob(graph, parameters, levels, given=given, bfloat16=bfloat16).mean().to(flat[0].dtype)


def log_prob(
    graph: Graph, parameters: Parameters, levels: torch.Tensor, *, given: Given | None = None, bfloat16: bool = False
) -> torch.Tensor:
    """Log p(x) in nats of each image, float64 ``(N,)``."""
    arrays, dtype = _arrays(graph, parameters, given, bfloat16)
    nats, _ = native_program.score(graph, arrays, _bytes(levels), dtype, want_map=False)
    return torch.from_numpy(nats).neg_()


def parameters_map(
    graph: Graph, parameters: Parameters, levels: torch.Tensor, *, given: Given | None = None, bfloat16: bool = False
) -> torch.Tensor:
    """The output node's channels at every pixel, ``(N, output channels, H, W)`` in channels-last memory."""
    arrays, dtype = _arrays(graph, parameters, given, bfloat16)
    _, parameters_at = native_program.score(graph, arrays, _bytes(levels), dtype, want_map=True)
    return torch.from_numpy(parameters_at).permute(0, 3, 1, 2)


def sample(
    graph: Graph,
    parameters: Parameters,
    uniforms: np.ndarray,
    *,
    known: np.ndarray | None = None,
    known_mask: np.ndarray | None = None,
    given: Given | None = None,
    temperature: float = 1.0,
    bfloat16: bool = False,
    on_progress: Progress | None = None,
    on_rows: Rows | None = None,
) -> np.ndarray:
    """Draws images; arguments as in `genlab.causal.torch_walk.sample`, as NumPy arrays.

    Returns:
        uint8 levels ``(N, C, H, W)``.
    """
    arrays, dtype = _arrays(graph, parameters, given, bfloat16)
    return native_program.draw(
        graph,
        arrays,
        uniforms,
        dtype,
        known=known,
        known_mask=known_mask,
        temperature=temperature,
        on_progress=on_progress,
        on_rows=on_rows,
    )


class _TrainingWalk(torch.autograd.Function):
    """Loss and gradients in one depth-first pass over the batch."""

    @staticmethod
    def forward(
        ctx: Any, graph: Graph, levels: torch.Tensor, bfloat16: bool, second_order: bool, key: int | None, *flat: torch.Tensor
    ) -> torch.Tensor:
        parameters, given = _by_node(graph, flat)
        arrays, dtype = _arrays(graph, parameters, given, bfloat16)
        wanted = any(ctx.needs_input_grad[5 + 2 * len(parameters) :])
        nats, gradients = native_program.train(graph, arrays, _bytes(levels), dtype, given_grads=wanted, key=key)
        ctx.gradients = [
            torch.zeros_like(tensor) if gradient is None else torch.from_numpy(gradient)
            for tensor, gradient in zip(flat, gradients, strict=True)
        ]
        ctx.graph, ctx.levels, ctx.second_order, ctx.key = graph, levels, second_order and not bfloat16, key
        ctx.save_for_backward(*flat)
        return flat[0].new_tensor(nats.mean())

    @staticmethod
    def backward(ctx: Any, grad_output: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        gradients: Sequence[torch.Tensor]
        if torch.is_grad_enabled():  # create_graph=True
            gradients = _differentiable_gradients(ctx, grad_output)
        else:
            scale = grad_output.item()
            gradients = ctx.gradients if scale == 1.0 else [gradient * scale for gradient in ctx.gradients]
        return *([None] * 5), *(g if needed else None for g, needed in zip(gradients, ctx.needs_input_grad[5:], strict=True))


def _differentiable_gradients(ctx: Any, grad_output: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The gradients once more, by the torch walk, whose own gradients autograd knows."""
    if not ctx.second_order:
        raise BackendError(
            "backend 'native' computes first gradients alone, and create_graph=True asks for more; use backend='torch' and dtype='float32'"
        )
    flat = ctx.saved_tensors
    wanted = [tensor for tensor, needed in zip(flat, ctx.needs_input_grad[5:], strict=True) if needed]
    parameters, given = _by_node(ctx.graph, flat)
    total = -torch_walk.log_prob(
        ctx.graph, torch_walk.parameters_map(ctx.graph, parameters, ctx.levels, given, key=ctx.key), ctx.levels
    ).mean()
    found = iter(torch.autograd.grad(total, wanted, grad_output, create_graph=True, allow_unused=True, materialize_grads=True))
    return tuple(next(found) if needed else torch.empty(0) for needed in ctx.needs_input_grad[5:])


def _by_node(graph: Graph, flat: Sequence[torch.Tensor]) -> tuple[dict[str, tuple[torch.Tensor, torch.Tensor]], dict[str, torch.Tensor]]:
    parameters = {node.name: (flat[2 * i], flat[2 * i + 1]) for i, node in enumerate(graph.convolutions)}
    return parameters, {node.name: tensor for node, tensor in zip(graph.given, flat[2 * len(parameters) :], strict=True)}


def _given(graph: Graph, given: Given | None, dtype: torch.dtype) -> list[torch.Tensor]:
    return [(given or {})[node.name].to(dtype) for node in graph.given]


def _arrays(graph: Graph, parameters: Parameters, given: Given | None, bfloat16: bool) -> tuple[Arrays, str]:
    """The numbers where they lie in memory, and the format to compute in."""
    dtype = next(iter(parameters.values()))[0].dtype
    weights = [weight.detach().contiguous().numpy() for weight, _ in parameters.values()]
    biases = [bias.detach().contiguous().numpy() for _, bias in parameters.values()]
    maps = [tensor.detach().contiguous().numpy() for tensor in _given(graph, given, dtype)]
    return Arrays(weights, biases, maps), "bfloat16" if bfloat16 else str(dtype).removeprefix("torch.")


def _bytes(levels: torch.Tensor) -> np.ndarray:
    return levels.to(torch.uint8).contiguous().numpy()
