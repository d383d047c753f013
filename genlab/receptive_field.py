"""What a prediction really depends on: gradients of the model itself, and what its list of nodes lets each layer see.

    gradient at j = ∂ log p(x_i | x_1 … x_{i−1}) / ∂ x_j

It is exactly zero for every x_j that the prediction of x_i cannot see: the later ones, and those in the blind spot of masked convolutions
(van den Oord et al. 2016b, figure 1). And from the list alone: which pixels must wait for which, when an image is scored and when it is
drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from genlab.causal import torch_walk
from genlab.causal.operations import CENTRE, OPERATIONS
from genlab.errors import InputError
from genlab.models.contract import Causal, require

if TYPE_CHECKING:
    from genlab.causal import Graph

Taps = frozenset[tuple[int, int]]


class Convolutional(Causal, Protocol):
    """A causal model that keeps the weight and bias of each convolution under its node's name."""

    nodes: Any

    def given_beside(self, levels: Any, labels: ArrayLike | None, given: Mapping[str, Any] | None) -> dict[str, Any]:
        """What must be there before images are scored, by node, checked; what is made from them is made."""
        ...


def gradients(
    model: Convolutional,
    images: ArrayLike,
    *,
    row: int,
    column: int,
    channel: int = 0,
    labels: ArrayLike | None = None,
    condition: Mapping[str, Any] | None = None,
) -> NDArray[np.float64]:
    """∂ log p(x_i | x_1 … x_{i−1}) / ∂ x_j, for each image, in nats for one level more of x_j.

    Args:
        model: A causal model.
        images: Integer levels ``(N, C, H, W)``.
        row: Where x_i is.
        column: See `row`.
        channel: See `row`.
        labels: Classes of the images, for a class-conditional model.
        condition: Maps that are given, by the name of the model's given node.

    Returns:
        float64 ``(N, C, H, W)``.

    Raises:
        InputError: The model is not causal, the pixel lies outside the image, or `images` does not fit the model.
    """
    require(model, "causal", "receptive_field")
    graph = model.graph
    levels = _levels(graph, images)
    for argument, value, size in zip(("channel", "row", "column"), (channel, row, column), graph.image_shape, strict=True):
        if not 0 <= value < size:
            raise InputError(f"{argument} must be from 0 to {size - 1}; got {value}")
    parameters: dict[str, tuple[Any, Any]] = {name: (layer.weight, layer.bias) for name, layer in model.nodes.items()}
    like = next(iter(parameters.values()))[0]
    given = {name: torch.as_tensor(maps).to(like) for name, maps in model.given_beside(levels, labels, condition).items()}
    levels = levels.to(like.device)
    seen = levels.to(like.dtype).requires_grad_()
    with torch.enable_grad():
        output = torch_walk.parameters_map(graph, parameters, seen, given)
        here = torch.log_softmax(torch_walk.logits(graph, output, levels)[:, channel, row, column], dim=-1)
        surprise = here.gather(-1, levels[:, channel, row, column][:, None]).sum()
        (gradient,) = torch.autograd.grad(surprise, seen)
    result: NDArray[np.float64] = gradient.double().numpy(force=True)
    return result


def _levels(graph: Graph, images: ArrayLike) -> torch.Tensor:
    """Checked integer levels ``(N, C, H, W)``."""
    array = np.asarray(images)
    most = graph.distribution.levels - 1
    if array.dtype.kind not in ("uib" if most == 1 else "ui"):
        raise InputError(f"images must hold integer levels; got an array of {array.dtype}")
    if array.ndim != 4 or array.shape[1:] != graph.image_shape:
        raise InputError(f"images must have shape (N, {', '.join(map(str, graph.image_shape))}), the model's; got {array.shape}")
    if array.size and not 0 <= array.min() <= array.max() <= most:
        raise InputError(f"images must hold levels from 0 to {most}; got {array.min() if array.min() < 0 else array.max()}")
    return torch.from_numpy(array.astype(np.int64))


@dataclass(frozen=True)
class Layer:
    """One convolution as it looks at its input.

    Attributes:
        name: The node's name.
        centre: ``"A"``, ``"B"`` or ``"all"``: what the centre tap passes on.
        channels: Input and output channels.
        live: bool ``(height, width)``: which taps the mask leaves alive.
        strength: ``(height, width)``: root mean square of the live weights at each tap, zero at dead ones.
        dilation: Distance in pixels between neighbouring taps.
        reach: Number of pixels of the image that a pixel of this layer can depend on, far from the border.
    """

    name: str
    centre: str
    channels: tuple[int, int]
    live: NDArray[np.bool_]
    strength: NDArray[np.float64]
    dilation: int
    reach: int


def layers(model: Convolutional) -> list[Layer]:
    """Every convolution of the model, in order, with its mask and its real weights.

    Raises:
        InputError: The model is not causal.
    """
    require(model, "causal", "receptive_field")
    reaches = reach(model.graph)
    found = []
    for node in model.graph.convolutions:
        mask = model.graph.mask(node)
        weight = model.nodes[node.name].weight.numpy(force=True)
        alive = mask.sum((0, 1))
        power = np.where(mask, weight.astype(np.float64) ** 2, 0).sum((0, 1))
        strength = np.sqrt(power / np.maximum(alive, 1))
        channels = (mask.shape[1], mask.shape[0])
        found.append(Layer(node.name, node.centre, channels, alive > 0, strength, node.dilation, len(reaches[node.name])))
    return found


def reach(graph: Graph) -> dict[str, Taps]:
    """For each node the offsets ``(dy, dx)`` of the image's pixels it can depend on: tap by tap, path by path, within the image's size."""
    _, height, width = graph.image_shape
    reaches: dict[str, Taps] = {}
    for node in graph.nodes:
        own: Taps = frozenset({(0, 0)} if node.operation == "image" else ())
        hides_centre = node.centre == "A" and graph.groups == 1
        recurs = OPERATIONS[node.operation].is_recurrent
        taps = {name: node.image_taps if name == node.name or not recurs else CENTRE for name in node.inputs}
        while True:
            moved = {
                (y + dy, x + dx)
                for name in node.inputs
                for y, x in (own if name == node.name else reaches[name])
                for dy, dx in taps[name]
                if (dy, dx) != (0, 0) or not hides_centre
            }
            grown = own | {(y, x) for y, x in moved if abs(y) < height and abs(x) < width}
            if grown == own or node.name not in node.inputs:
                reaches[node.name] = grown
                break
            own = grown
    return reaches


@dataclass(frozen=True)
class Waiting:
    """Which pixels of an image wait for which.

    Attributes:
        steps: ``(H, W)``, from 1: when a pixel can be computed, if each waits for no more than it must.
        awaited: bool ``(H, W, H, W)``: whether the first pixel waits for the second.
    """

    steps: NDArray[np.int64]
    awaited: NDArray[np.bool_]


def waiting_to_draw(graph: Graph) -> Waiting:
    """Each pixel waits for all that its prediction can depend on, since none of it is known before it is drawn."""
    before = [tap for tap in reach(graph)[graph.output] if tap < (0, 0)]
    return _scanned(np.zeros(graph.image_shape[1:], np.int64), before, onward=1)


def waiting_to_score(graph: Graph) -> Waiting:
    """In an image that is known no pixel waits, but for the states of a recurrence: each waits for those before it.

    Of recurrences that are laid upon each other the longest way through all of them counts.
    """
    size = graph.image_shape[1:]
    ready: dict[str, NDArray[np.int64]] = {}
    awaited = np.zeros((*size, *size), bool)
    is_recurrent = any(node.name in node.inputs for node in graph.nodes)
    for node in graph.nodes if is_recurrent else ():
        sources = [name for name in node.inputs if name != node.name]
        taps = node.taps if len(sources) == len(node.inputs) else ((0, 0),)
        ready[node.name] = np.max([np.zeros(size, np.int64), *(_moved(ready[name], tap) for name in sources for tap in taps)], axis=0)
        if len(sources) < len(node.inputs):
            found = _scanned(ready[node.name], node.taps, onward=-1 if node.scan == "left" else 1)
            ready[node.name], awaited = found.steps, awaited | found.awaited
    return Waiting(ready[graph.output] if is_recurrent else np.ones(size, np.int64), awaited)


def scans(graph: Graph) -> dict[str, Waiting]:
    """Each recurrence for itself, by its node: who waits for whom once all that it reads is ready. Of those that are alike, the first."""
    found: dict[str, Waiting] = {}
    for node in graph.nodes:
        if node.name in node.inputs:
            scan = _scanned(np.zeros(graph.image_shape[1:], np.int64), node.taps, onward=-1 if node.scan == "left" else 1)
            if not any(np.array_equal(scan.awaited, other.awaited) for other in found.values()):
                found[node.name] = scan
    return found


def _scanned(ready: NDArray[np.int64], taps: Iterable[tuple[int, int]], *, onward: int) -> Waiting:
    """A map whose pixels each take a step after those at `taps`, which are earlier in its scan, and after what they read is ready."""
    height, width = ready.shape
    steps, awaited = np.zeros_like(ready), np.zeros((height, width, height, width), bool)
    for y, x in np.ndindex(height, width):
        column = x if onward > 0 else width - 1 - x
        places = [(y + dy, column + dx) for dy, dx in taps if 0 <= y + dy < height and 0 <= column + dx < width]
        steps[y, column] = 1 + max([ready[y, column], *(steps[place] for place in places)])
        for place in places:
            awaited[(y, column, *place)] = True
    return Waiting(steps, awaited)


def _moved(values: NDArray[np.int64], tap: tuple[int, int]) -> NDArray[np.int64]:
    """What each pixel reads at a tap; nothing, 0, beyond the border."""
    (height, width), (dy, dx) = values.shape, tap
    moved = np.zeros_like(values)
    if abs(dy) < height and abs(dx) < width:
        there = values[max(0, dy) : height + min(0, dy), max(0, dx) : width + min(0, dx)]
        moved[max(0, -dy) : height + min(0, -dy), max(0, -dx) : width + min(0, -dx)] = there
    return moved
