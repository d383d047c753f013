"""The hand-out of a causal list: the same list of nodes, walked pixel by pixel in the browser (`causal.js`).

What is stored as a case is p(x_i | x_1 … x_{i−1}) of every value of an image, by the native walk, or torch's where there is none.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genlab.browser import base64
from genlab.causal import LABELS
from genlab.causal.operations import OPERATIONS
from genlab.datasets.test_digits import mnist_test_digits
from genlab.handout.described import Described
from genlab.handout.numbers import Tensor
from genlab.native import resolve_backend
from genlab.settings import DataSettings

if TYPE_CHECKING:
    from genlab.causal import Condition, Graph, Node

_DRAWN, _NOISE = 2, 1  # cases: images that the model draws, and images of noise, which no model expects
_CAN = frozenset({"image", "given", "conv", "relu", "add", "gate", "identity_gate", "concat_elu", "lstm"})


def describe(model: Any) -> Described:
    """What the browser walks over.

    Raises:
        InputError: The list has an operation or a given map that the page does not have.
    """
    from genlab.handout.kinds import without

    graph = model.graph.certain
    unknown = sorted({node.operation for node in graph.nodes} - _CAN)
    if unknown:
        raise without(model, f"has operations that no page computes yet: {', '.join(unknown)}")
    told = [node.name for node in graph.given if node.name != LABELS and node.condition is None]
    if told:
        raise without(model, f"must be told what nobody can draw on a page: {', '.join(told)}")
    if model.image_shape[1] == 1:
        raise without(model, "draws a series, not a picture")
    tensors = [part for node in graph.convolutions for part in _parameters(model, graph, node)]
    known = next((node for node in graph.given if node.condition), None)
    condition = None if known is None else known.condition
    data = {
        "shape": model.image_shape,
        "levels": model.levels,
        "classes": model.classes,
        "condition": known and condition and {"node": known.name, "kind": condition.kind, "shape": condition.shape},
        "start": base64(_in_order(_start(model, condition))),
        "nodes": [_node(graph, node, model) for node in graph.nodes],
        "output": graph.output,
        "groups": graph.groups,
        "distribution": {"name": graph.distribution.name, "components": getattr(graph.distribution, "components", 0)},
    }
    by = "the native walk" if resolve_backend("auto") == "native" else "the torch walk"
    return Described(data, tensors, lambda rounded: _cases(model, graph, known, rounded), by)


def _node(graph: Graph, node: Node, model: Any) -> dict[str, Any]:
    """A node as the browser reads it; its tensors are found in the order of the nodes that have some."""
    everywhere = node.name in graph.everywhere
    late = graph.horizons[node.name] == (0, 0, 0)
    said: dict[str, Any] = {
        "name": node.name,
        "operation": node.operation,
        "inputs": node.inputs,
        "channels": node.channels,
        "size": (1, 1) if everywhere else graph.size(node),
        "everywhere": everywhere,
        "visit": node.visit,
        "late": late,
        "taps": node.taps,
        "down": node.down,
        "up": node.up,
        "stride": node.stride,
        "scan": node.scan,
    }
    if OPERATIONS[node.operation].has_parameters:
        said["weighs"] = True
    if node.operation == "image":
        said |= {"scale": node.scale, "shift": node.shift}
    if node.cell_tap is not None:
        said["cellTap"] = node.cell_tap
    return said


def _parameters(model: Any, graph: Graph, node: Node) -> tuple[Tensor, Tensor]:
    """The live weight ``(outputs, taps · inputs)``, taps in the order of the node's, and the bias ``(1, n)``."""
    layer = model.nodes[node.name]
    live = np.where(graph.mask(node), layer.weight.detach().float().numpy(force=True), 0)
    parts = [live[:, :, *node.cell(tap)] for tap in node.taps]
    weight = np.concatenate(parts, axis=1) if parts else np.zeros((len(live), 0), np.float32)
    return weight.astype(np.float32), layer.bias.detach().float().numpy(force=True)[None]


def _with_parameters(model: Any, graph: Graph, tensors: Sequence[Tensor]) -> Any:
    """A copy of the model whose live weights are those."""
    import torch

    model = copy.deepcopy(model).float()
    with torch.no_grad():
        for node, weight, bias in zip(graph.convolutions, tensors[::2], tensors[1::2], strict=True):
            layer = model.nodes[node.name]
            for tap, part in zip(node.taps, np.split(weight, max(1, len(node.taps)), axis=1), strict=False):
                layer.weight[:, :, *node.cell(tap)] = torch.from_numpy(np.ascontiguousarray(part))
            layer.bias.copy_(torch.from_numpy(bias[0]))
    return model


def _cases(model: Any, graph: Graph, known: Node | None, rounded: Sequence[Tensor]) -> list[dict[str, Any]]:
    """Images, what was known before them, and how probable the model finds each value."""
    import torch

    own = _with_parameters(model, graph, rounded)
    told: dict[str, Any] = {}
    count = _DRAWN + _NOISE
    if model.classes:
        told["labels"] = np.arange(count) % model.classes
    if known is not None and known.condition is not None:
        image = _start(model, known.condition)
        told["given"] = {known.name: np.broadcast_to(image, (count, *image.shape))}
    channels, height, width = model.image_shape
    uniforms = np.random.Generator(np.random.Philox(key=0)).random((count, height, width, channels))
    images = own.draw(uniforms, **told)
    images[_DRAWN:] = np.random.default_rng(0).integers(0, model.levels, (_NOISE, *model.image_shape))
    logits = own.logits(images, **told).double()
    found = torch.softmax(logits, -1).gather(-1, torch.from_numpy(images.astype(np.int64)).unsqueeze(-1)).squeeze(-1)
    return [
        {
            "levels": base64(_in_order(images[number])),
            "probabilities": base64(_in_order(found[number].numpy()).astype("<f4")),
            "label": int(told["labels"][number]) if "labels" in told else None,
            "condition": base64(_in_order(told["given"][known.name][number])) if known else None,
        }
        for number in range(count)
    ]


def _start(model: Any, condition: Condition | None) -> NDArray[np.uint8]:
    """What the pad begins with: a digit where digits are drawn, else a ring; the whole image, or what is known of it."""
    channels, height, width = model.image_shape
    image = _ring(channels, height, width, model.levels)
    if model.image_shape == (1, 28, 28):
        settings = {"binarize": "threshold"} if model.levels == 2 else {"levels": model.levels}
        image = mnist_test_digits(DataSettings(name="mnist", **settings), 1)[0]
    return image if condition is None else condition.of(image[None])[0]


def _ring(channels: int, height: int, width: int, levels: int) -> NDArray[np.uint8]:
    """A ring of full ink."""
    y, x = np.mgrid[:height, :width]
    away = np.hypot((y + 0.5) / height - 0.5, (x + 0.5) / width - 0.5)
    inked = (away > 0.2) & (away < 0.36)
    return np.broadcast_to(inked * (levels - 1), (channels, height, width)).astype(np.uint8)


def _in_order(image: NDArray[Any]) -> NDArray[Any]:
    """``(C, H, W)`` in the order of drawing: rows, columns, channels."""
    ordered: NDArray[Any] = image.transpose(1, 2, 0)
    return ordered
