"""The native executor: the three walks over a causal list in C++, depth-first.

To the outside, the training walk is one ``torch.autograd.Function``: parameters in, loss out, gradients in ``.grad``. Forward computes the
loss and every gradient in one go, image by image, so that activations never leave the core's caches; backward only hands them out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from genlab.causal import torch_walk
from genlab.causal.graph import Graph
from genlab.causal.native_program import compiled
from genlab.causal.program import Mode
from genlab.causal.torch_walk import Parameters, Progress, Rows
from genlab.errors import BackendError


def loss(graph: Graph, parameters: Parameters, levels: torch.Tensor, *, bfloat16: bool = False, second_order: bool = False) -> torch.Tensor:
    """The mean negative log-likelihood in nats per image, differentiable in the parameters.

    Args:
        graph: The list of nodes.
        parameters: Weights and biases, float32 or float64 on the CPU.
        levels: Integer levels ``(N, C, H, W)``.
        bfloat16: Multiply in bfloat16: maps and weights are rounded to its 8 bits, sums, gradients of weights and the parameters
            themselves stay in float32.
        second_order: Whether gradients may be differentiated again (``create_graph=True``): the torch walk then computes them. Otherwise
            that is a `BackendError`.
    """
    flat = [tensor for pair in parameters.values() for tensor in pair]
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in flat):
        result: torch.Tensor = _TrainingWalk.apply(graph, levels, bfloat16, second_order, *flat)  # type: ignore[no-untyped-call]
        return result
    return -log_prob(graph, parameters, levels, bfloat16=bfloat16).mean().to(flat[0].dtype)


def log_prob(graph: Graph, parameters: Parameters, levels: torch.Tensor, *, bfloat16: bool = False) -> torch.Tensor:
    """Log p(x) in nats of each image, float64 ``(N,)``."""
    nats, _ = _program(graph, "score", parameters, bfloat16).score(*_arrays(parameters), _bytes(levels), False)
    return torch.from_numpy(nats).neg_()


def parameters_map(graph: Graph, parameters: Parameters, levels: torch.Tensor, *, bfloat16: bool = False) -> torch.Tensor:
    """The output node's channels at every pixel, ``(N, C · parameters, H, W)`` in channels-last memory."""
    _, parameters_at = _program(graph, "score", parameters, bfloat16).score(*_arrays(parameters), _bytes(levels), True)
    return torch.from_numpy(parameters_at).permute(0, 3, 1, 2)


def sample(
    graph: Graph,
    parameters: Parameters,
    uniforms: np.ndarray,
    *,
    known: np.ndarray | None = None,
    known_mask: np.ndarray | None = None,
    temperature: float = 1.0,
    bfloat16: bool = False,
    on_progress: Progress | None = None,
    on_rows: Rows | None = None,
) -> np.ndarray:
    """Draws images; arguments as in `genlab.causal.torch_walk.sample`, as NumPy arrays.

    Returns:
        uint8 levels ``(N, C, H, W)``.
    """
    shape = (len(uniforms), *graph.image_shape)
    levels = np.zeros(shape, np.uint8) if known is None else known.astype(np.uint8)
    mask = np.zeros(shape, np.uint8) if known_mask is None else known_mask.astype(np.uint8)
    program = _program(graph, "sample", parameters, bfloat16)
    if on_rows is None:
        program.sample(*_arrays(parameters), levels, mask, uniforms, temperature, None, on_progress)
        return levels
    height = graph.image_shape[1]
    weights, biases = _arrays(parameters)
    drawn_from = np.zeros((len(uniforms), *graph.image_shape[1:], graph[graph.output].channels), weights[0].dtype)

    def report(done: int, total: int) -> None:
        if on_progress:
            on_progress(done, total)
        # A large batch is drawn in rounds: a row is drawn in every image once the last round has drawn it.
        if done > total - height:
            on_rows(done - (total - height), levels, drawn_from)

    program.sample(weights, biases, levels, mask, uniforms, temperature, drawn_from, report)
    return levels


class _TrainingWalk(torch.autograd.Function):
    """Loss and gradients in one depth-first pass over the batch."""

    @staticmethod
    def forward(ctx: Any, graph: Graph, levels: torch.Tensor, bfloat16: bool, second_order: bool, *flat: torch.Tensor) -> torch.Tensor:
        parameters = _by_node(graph, flat)
        nats, gradients = _program(graph, "train", parameters, bfloat16).train(*_arrays(parameters), _bytes(levels))
        ctx.gradients = [torch.from_numpy(gradient) for gradient in gradients]
        ctx.graph, ctx.levels, ctx.second_order = graph, levels, second_order and not bfloat16
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
        return None, None, None, None, *(g if needed else None for g, needed in zip(gradients, ctx.needs_input_grad[4:], strict=True))


def _differentiable_gradients(ctx: Any, grad_output: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The gradients once more, by the torch walk, whose own gradients autograd knows."""
    if not ctx.second_order:
        raise BackendError(
            "backend 'native' computes first gradients alone, and create_graph=True asks for more; use backend='torch' and dtype='float32'"
        )
    flat = ctx.saved_tensors
    output = torch_walk.parameters_map(ctx.graph, _by_node(ctx.graph, flat), ctx.levels)
    total = -torch_walk.log_prob(ctx.graph, output, ctx.levels).mean()
    gradients: tuple[torch.Tensor, ...] = torch.autograd.grad(
        total, flat, grad_output, create_graph=True, allow_unused=True, materialize_grads=True
    )
    return gradients


def _by_node(graph: Graph, flat: Sequence[torch.Tensor]) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    return {node.name: (flat[2 * i], flat[2 * i + 1]) for i, node in enumerate(graph.convolutions)}


def _program(graph: Graph, mode: Mode, parameters: Parameters, bfloat16: bool) -> Any:
    dtype = "bfloat16" if bfloat16 else str(next(iter(parameters.values()))[0].dtype).removeprefix("torch.")
    return compiled(graph, mode, dtype)


def _arrays(parameters: Parameters) -> tuple[list[np.ndarray], list[np.ndarray]]:
    weights = [weight.detach().contiguous().numpy() for weight, _ in parameters.values()]
    return weights, [bias.detach().contiguous().numpy() for _, bias in parameters.values()]


def _bytes(levels: torch.Tensor) -> np.ndarray:
    return levels.to(torch.uint8).contiguous().numpy()
