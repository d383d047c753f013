"""A causal network as a list of nodes, its builder and its checks.

Every node computes one pixel of one feature map. What it may see is a matter of *offsets* ``(dy, dx, dc)``: rows down, columns to the
right, image channels onward. Offsets of a path through the network add up, and the raster order of offsets (lexicographic) is kept by
addition. So the latest value that a node depends on, its **horizon**, is

    horizon(node) = max over its inputs and taps of  horizon(input) + tap        (lexicographic maximum)

and the network is autoregressive, p(x) = ∏ p(x_i | x_1 … x_{i−1}), exactly if the output's horizon lies before ``(0, 0, 0)``.

This file knows neither torch nor C++: it is what both executors read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from genlab.causal.distributions import Distribution
from genlab.causal.operations import CENTRE, OPERATIONS
from genlab.errors import BackendError, InputError, unknown_name
from genlab.kernels.masked_conv2d import channel_mask

Offset = tuple[int, int, int]
Tap = tuple[int, int]
Visit = Literal["given", "row", "pixel"]

LABELS = "labels"
"""Name of the given node that holds an image's class, one channel a class; a list that has one is class-conditional."""

HERE: Offset = (0, 0, 0)
VISITS: tuple[Visit, ...] = ("given", "row", "pixel")
CENTRES = ("A", "B", "all")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Node:
    """One feature map: how a pixel of it is computed, and from what.

    Attributes:
        name: A word, unique in its graph; parameters are stored under it.
        operation: ``image`` (the picture itself, levels mapped to ``scale·level + shift``), ``given`` (a map known before drawing
            starts), ``conv`` (Σ over taps of weight · input + bias), ``relu``, ``add`` or ``gate`` (tanh(first) · σ(second)).
        inputs: Names of the nodes it reads. All but a node's own name must stand earlier in the list; a recurrent node names
            itself, at taps that are earlier than itself.
        channels: Number of feature maps.
        taps: The neighbours ``(dy, dx)`` it reads; ``((0, 0),)`` for operations on one pixel.
        visit: When it is computed: ``given``, ``row`` or ``pixel``.
        kernel_size: ``(height, width)``, odd, of the weight that holds the taps (``conv`` only).
        dilation: Distance in pixels between neighbouring entries of the weight (``conv`` only).
        centre: Which image channels the centre tap passes on: ``"A"`` earlier ones, ``"B"`` also the same, ``"all"``.
        scale: The image enters as ``scale · level + shift`` (``image`` only).
        shift: See `scale`.
        everywhere: One pixel that is given stands for all, such as a class (``given`` only).
    """

    name: str
    operation: str
    inputs: tuple[str, ...]
    channels: int
    taps: tuple[Tap, ...] = ((0, 0),)
    visit: Visit = "pixel"
    kernel_size: tuple[int, int] = (1, 1)
    dilation: int = 1
    centre: Literal["A", "B", "all"] = "B"
    scale: float = 1.0
    shift: float = 0.0
    everywhere: bool = False

    def cell(self, tap: Tap) -> tuple[int, int]:
        """The (row, column) of the weight that a tap is multiplied by."""
        return self.kernel_size[0] // 2 + tap[0] // self.dilation, self.kernel_size[1] // 2 + tap[1] // self.dilation

    def latest_tap(self, groups: int) -> Offset | None:
        """The lexicographically latest offset this node reads at, or None if every tap is dead."""
        onward = {"A": -1, "B": 0, "all": groups - 1}[self.centre]
        offsets = [(dy, dx, onward if (dy, dx) == (0, 0) else groups - 1) for dy, dx in self.taps]
        if self.centre == "A" and groups == 1:
            offsets = [offset for offset in offsets if offset[:2] != (0, 0)]
        return max(offsets, default=None)


@dataclass(frozen=True, eq=False)
class Graph:
    """A checked list of nodes that ends in the parameters of a distribution over each pixel.

    Attributes:
        nodes: In an order in which they can be computed; the first is the image.
        output: Name of the node whose channels are the distribution's parameters, ``image channels · parameters`` of them.
        distribution: What the parameters mean.
        image_shape: ``(C, H, W)``.
        horizons: For each node the latest offset it depends on; None where it depends on no pixel.

    Raises:
        InputError: The list is malformed or a node could see a pixel before it is drawn; the sentence names the node.
    """

    nodes: tuple[Node, ...]
    output: str
    distribution: Distribution
    image_shape: tuple[int, int, int]
    horizons: Mapping[str, Offset | None] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "image_shape", _image_shape(self.image_shape))
        object.__setattr__(self, "horizons", _check(self))

    def __getitem__(self, name: str) -> Node:
        for node in self.nodes:
            if node.name == name:
                return node
        raise unknown_name("node", name, [node.name for node in self.nodes])

    @property
    def groups(self) -> int:
        """Number of ordered channels within a pixel: those of the image, where each is drawn before the next is computed."""
        return self.image_shape[0] if self.distribution.channel_by_channel else 1

    @property
    def convolutions(self) -> tuple[Node, ...]:
        """The nodes with parameters, in order."""
        return tuple(node for node in self.nodes if OPERATIONS[node.operation].has_parameters)

    @property
    def given(self) -> tuple[Node, ...]:
        """The maps that must be there before an image is scored or drawn, in order."""
        return tuple(node for node in self.nodes if node.operation == "given")

    @cached_property
    def everywhere(self) -> frozenset[str]:
        """The nodes that are the same at every pixel: given so, or computed from such alone; nobody reads them beyond the border."""
        alike: set[str] = set()
        read_at_taps = {name for node in self.nodes for name in node.inputs if OPERATIONS[node.operation].taps(node) != CENTRE}
        for node in self.nodes:
            computed = node.visit == "given" and node.inputs and OPERATIONS[node.operation].taps(node) == CENTRE
            if (node.everywhere or (computed and alike.issuperset(node.inputs))) and node.name not in read_at_taps:
                alike.add(node.name)
        return frozenset(alike)

    def parameter_count(self) -> int:
        """Number of live parameters: masked weights do not count."""
        return int(sum(self.mask(node).sum() + node.channels for node in self.convolutions))

    def refuse_recurrence(self) -> None:
        """For walks that cannot run a node that reads itself.

        Raises:
            BackendError: There is one; the sentence names it.
        """
        for node in self.nodes:
            if node.name in node.inputs:
                raise BackendError(f"no walk runs the recurrent node {node.name!r} yet: recurrent operations come with PixelRNN")

    def mask(self, node: Node) -> np.ndarray:
        """Which weights of a convolution are live: bool ``(C_out, C_in, height, width)``."""
        source = self[node.inputs[0]]
        shape = (node.channels, source.channels, *node.kernel_size)
        mask = np.zeros(shape, dtype=bool)
        for tap in node.taps:
            mask[:, :, *node.cell(tap)] = True
        if (0, 0) in node.taps and node.centre != "all" and source.visit != "given":
            allowed = channel_mask(node.centre, node.channels, source.channels, (1, 1), groups=self.groups)[:, :, 0, 0]
            mask[:, :, *node.cell((0, 0))] &= allowed
        return mask

    def multiply_adds_per_pixel(self) -> int:
        """Live multiply-adds that one pixel costs: the M of docs/performance.md."""
        return int(sum(self.mask(node).sum() for node in self.convolutions))


class GraphBuilder:
    """Builds a `Graph` node by node; each method returns the new node's name, to be handed to the next.

    Args:
        image_shape: ``(C, H, W)``.
        scale: The image enters as ``scale · level + shift``.
        shift: See `scale`.
    """

    def __init__(self, image_shape: Sequence[int], *, scale: float = 1.0, shift: float = 0.0) -> None:
        self.image_shape = _image_shape(image_shape)
        self.image = "image"
        self._nodes = [Node("image", "image", (), self.image_shape[0], scale=scale, shift=shift)]

    def given(self, name: str, channels: int, *, everywhere: bool = False) -> str:
        """A map that is known before drawing starts.

        Args:
            name: The node's name.
            channels: Number of feature maps.
            everywhere: It is ``(N, channels, 1, 1)``, the same at every pixel, such as a class; otherwise ``(N, channels, H, W)``, such as
                an image in low resolution.
        """
        return self._append(Node(name, "given", (), channels, visit="given", everywhere=everywhere))

    def conv(
        self,
        name: str,
        source: str,
        channels: int,
        *,
        kernel_size: int | tuple[int, int] = 1,
        dilation: int = 1,
        mask_type: Literal["A", "B"] = "B",
        taps: Sequence[Tap] | None = None,
        visit: Visit = "pixel",
    ) -> str:
        """Σ over taps of weight · source, plus a bias.

        Args:
            name: The node's name.
            source: Name of the node it reads.
            channels: Output channels.
            kernel_size: Odd height and width.
            dilation: Distance in pixels between neighbouring entries of the kernel (Yu and Koltun 2016).
            mask_type: The masks of van den Oord et al. 2016: ``"A"`` hides the pixel itself, ``"B"`` shows it.
            taps: Any other pattern of ``(dy, dx)`` in place of the raster mask; the centre then follows `mask_type`.
            visit: ``"row"`` for a node that depends on earlier rows alone.
        """
        height, width = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        if taps is None:
            live = channel_mask("B", 1, 1, (height, width))[0, 0]
            taps = [(dilation * (int(row) - height // 2), dilation * (int(column) - width // 2)) for row, column in np.argwhere(live)]
            if mask_type == "A" and self.image_shape[0] == 1 and self._visit(source) != "given":
                taps = [tap for tap in taps if tap != (0, 0)]
        return self._append(
            Node(
                name,
                "conv",
                (source,),
                channels,
                tuple(taps),
                visit,
                (height, width),
                dilation,
                "all" if self._visit(source) == "given" else mask_type,
            )
        )

    def relu(self, name: str, source: str) -> str:
        """max(0, source)."""
        return self._elementwise(name, "relu", (source,))

    def add(self, name: str, first: str, second: str) -> str:
        """First + second."""
        return self._elementwise(name, "add", (first, second))

    def gate(self, name: str, features: str, gates: str) -> str:
        """tanh(features) · σ(gates), the gated activation of van den Oord et al. 2016b."""
        return self._elementwise(name, "gate", (features, gates))

    def build(self, output: str, distribution: Distribution) -> Graph:
        """The finished graph, checked."""
        return Graph(tuple(self._nodes), output, distribution, self.image_shape)

    def _find(self, name: str) -> Node:
        for node in self._nodes:
            if node.name == name:
                return node
        raise unknown_name("source", name, [node.name for node in self._nodes])

    def _visit(self, name: str) -> Visit:
        return self._find(name).visit

    def _elementwise(self, name: str, operation: str, sources: tuple[str, ...]) -> str:
        nodes = [self._find(source) for source in sources]
        # An operation on one pixel is computed as late as the latest of its inputs.
        visit = max((node.visit for node in nodes), key=VISITS.index)
        return self._append(Node(name, operation, sources, nodes[0].channels, visit=visit))

    def _append(self, node: Node) -> str:
        self._nodes.append(node)
        return node.name


def _image_shape(image_shape: Sequence[int]) -> tuple[int, int, int]:
    shape = tuple(int(size) for size in image_shape)
    if len(shape) != 3 or min(shape) < 1:
        raise InputError(f"image_shape must be (channels, height, width), each at least 1; got {tuple(image_shape)}")
    return shape


def _check(graph: Graph) -> dict[str, Offset | None]:
    """All rules of the list; returns every node's horizon."""
    horizons: dict[str, Offset | None] = {}
    known: dict[str, Node] = {}
    if graph.nodes and graph.nodes[0].operation == "image" and graph.nodes[0].channels != graph.image_shape[0]:
        raise InputError(
            f"node {graph.nodes[0].name!r} is the image and must have its {graph.image_shape[0]} channel(s) of image_shape; "
            f"got {graph.nodes[0].channels}"
        )
    for position, node in enumerate(graph.nodes):
        _check_form(node, position, known)
        known[node.name] = node
        horizons[node.name] = _horizon(node, known, horizons, graph.groups)
        horizon = horizons[node.name]
        if horizon is not None and horizon > HERE:
            raise InputError(f"node {node.name!r} would see a pixel that is drawn later: {_where(horizon)}")
        if node.visit == "row" and horizon is not None and horizon[0] >= 0:
            raise InputError(f"node {node.name!r} is visited by rows and must depend on earlier rows alone, but sees {_where(horizon)}")
        if node.visit == "given" and horizon is not None:
            raise InputError(
                f"node {node.name!r} is given before drawing starts and must not depend on the image, but sees {_where(horizon)}"
            )
    if graph.output not in known:
        raise unknown_name("output", graph.output, known)
    if known[graph.output].visit == "given":
        raise InputError(f"node {graph.output!r} is the output and must be visited by rows or pixels; its visit is 'given'")
    if not graph.convolutions:
        raise InputError(f"node {graph.output!r} is the output of a list without parameters; at least one node must be a 'conv'")
    last = horizons[graph.output]
    if last is not None and last >= HERE:
        raise InputError(f"node {graph.output!r} is the output and must see earlier pixels alone, but sees {_where(last)}")
    expected = graph.distribution.output_channels(graph.image_shape[0])
    if known[graph.output].channels != expected:
        raise InputError(
            f"node {graph.output!r} is the output and must have what {graph.image_shape[0]} image channel(s) are drawn from by the "
            f"distribution {graph.distribution.name!r}, {expected} channels; got {known[graph.output].channels}"
        )
    return horizons


def _check_form(node: Node, position: int, known: Mapping[str, Node]) -> None:
    if not _NAME.fullmatch(node.name) or node.name in known:
        raise InputError(f"a node's name must be a word of its own (letters, digits, _); got {node.name!r}")
    if node.operation not in OPERATIONS:
        raise unknown_name(f"operation of node {node.name!r}", node.operation, OPERATIONS)
    if node.visit not in VISITS:
        raise unknown_name(f"visit of node {node.name!r}", node.visit, VISITS)
    if (position == 0) != (node.operation == "image"):
        raise InputError(f"node {node.name!r}: the image must be the first node, and the only one of its kind")
    if node.channels < 1:
        raise InputError(f"channels of node {node.name!r} must be at least 1; got {node.channels}")
    operation = OPERATIONS[node.operation]
    if len(node.inputs) != operation.arity:
        raise InputError(f"node {node.name!r} ({node.operation}) must have {operation.arity} input(s); got {len(node.inputs)}")
    if node.everywhere and node.operation != "given":
        raise InputError(f"node {node.name!r} ({node.operation}) is computed; only a given node can be everywhere")
    for source in node.inputs:
        if source not in known and source != node.name:
            raise InputError(f"node {node.name!r} reads {source!r}, which is not an earlier node")
    height, width = node.kernel_size
    if height < 1 or width < 1 or height % 2 == 0 or width % 2 == 0:
        raise InputError(f"kernel_size of node {node.name!r} must be odd; got {node.kernel_size}")
    if node.dilation < 1:
        raise InputError(f"dilation of node {node.name!r} must be at least 1; got {node.dilation}")
    if len(set(node.taps)) != len(node.taps):
        raise InputError(f"taps of node {node.name!r} must differ; got {node.taps}")
    for dy, dx in node.taps:
        if dy % node.dilation or dx % node.dilation:
            raise InputError(f"tap {(dy, dx)} of node {node.name!r} must be a multiple of its dilation, {node.dilation}")
        if abs(dy) > height // 2 * node.dilation or abs(dx) > width // 2 * node.dilation:
            raise InputError(f"tap {(dy, dx)} of node {node.name!r} lies outside its {height}×{width} kernel")
    if node.centre not in CENTRES:
        raise unknown_name(f"centre of node {node.name!r}", node.centre, CENTRES)
    operation.check(node, known)


def _horizon(node: Node, known: Mapping[str, Node], horizons: Mapping[str, Offset | None], groups: int) -> Offset | None:
    """The latest offset that `node` depends on; also checks that each input is computed by the time it is read."""
    if node.operation == "image":
        return HERE
    tap = node.latest_tap(groups)
    if tap is None:
        return None
    latest: Offset | None = None
    for source in node.inputs:
        if source == node.name:
            if tap >= HERE or (node.visit == "row" and tap[0] >= 0):
                raise InputError(f"node {node.name!r} reads itself at {_where(tap)}, which is not computed yet")
            continue
        _check_available(node, known[source], tap)
        horizon = horizons[source]
        if horizon is not None:
            reached = (horizon[0] + tap[0], horizon[1] + tap[1], horizon[2] + tap[2])
            latest = reached if latest is None else max(latest, reached)
    return latest


def _check_available(node: Node, source: Node, tap: Offset) -> None:
    if VISITS.index(source.visit) > VISITS.index(node.visit) and not (node.visit == "row" and tap[0] < 0):
        raise InputError(f"node {node.name!r} (visit {node.visit!r}) reads {source.name!r} (visit {source.visit!r}) before it is computed")
    too_late = tap[0] > 0 if source.visit == "row" else source.visit == "pixel" and tap[:2] > (0, 0)
    if too_late:
        raise InputError(f"node {node.name!r} would see a pixel that is drawn later: it reads {source.name!r} at {_where(tap)}")


def _where(offset: Offset) -> str:
    return f"(dy, dx, dc) = ({offset[0]:+d}, {offset[1]:+d}, {offset[2]:+d})"
