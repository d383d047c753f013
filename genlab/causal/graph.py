"""A causal network as a list of nodes, its builder and its checks.

Every node computes one pixel of one feature map. What it may see is a matter of *offsets* ``(dy, dx, dc)``: rows down, columns to the
right, image channels onward. Offsets of a path through the network add up, and the raster order of offsets (lexicographic) is kept by
addition. So the latest value that a node depends on, its **horizon**, is

    horizon(node) = max over its inputs and taps of  horizon(input) + tap        (lexicographic maximum)

and the network is autoregressive, p(x) = ∏ p(x_i | x_1 … x_{i−1}), exactly if the output's horizon lies before ``(0, 0, 0)``.

This file knows neither torch nor C++: it is what both executors read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np

from genlab.causal.condition import Condition
from genlab.causal.distributions import Distribution
from genlab.causal.graph_checks import check
from genlab.causal.node import VISITS, Node, Offset, Tap, Visit
from genlab.causal.operations import CENTRE, OPERATIONS
from genlab.errors import InputError, unknown_name
from genlab.kernels.masked_conv2d import channel_mask

LABELS = "labels"
"""Name of the given node that holds an image's class, one channel a class; a list that has one is class-conditional."""


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
        object.__setattr__(self, "horizons", check(self))

    def __getitem__(self, name: str) -> Node:
        for node in self.nodes:
            if node.name == name:
                return node
        raise unknown_name("node", name, [node.name for node in self.nodes])

    @property
    def groups(self) -> int:
        """Number of ordered channels within a pixel: those of the image, where each is drawn before the next is computed."""
        return self.image_shape[0] if self.distribution.channel_by_channel else 1

    def size(self, node: Node) -> tuple[int, int]:
        """``(height, width)`` of a node's map: ⌈H / stride⌉ × ⌈W / stride⌉."""
        return -(-self.image_shape[1] // node.stride), -(-self.image_shape[2] // node.stride)

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
        # A coarser map is not there at every pixel, even where it is the same wherever it is.
        at_taps = {
            (node.name, name)
            for node in self.nodes
            for name in node.inputs
            if node.up > 1 or OPERATIONS[node.operation].taps(node, name) != CENTRE
        }
        read_at_taps = {name for _, name in at_taps}
        for node in self.nodes:
            drawn = OPERATIONS[node.operation].draws  # of what is the same everywhere, something else is left out at each pixel
            computed = node.visit == "given" and node.inputs and not drawn and not any((node.name, name) in at_taps for name in node.inputs)
            if (node.everywhere or (computed and alike.issuperset(node.inputs))) and node.name not in read_at_taps:
                alike.add(node.name)
        return frozenset(alike)

    @cached_property
    def certain(self) -> Graph:
        """The list without what draws at random: what is walked wherever nobody trains."""
        passed_on: dict[str, str] = {}
        nodes = []
        for node in self.nodes:
            inputs = tuple(passed_on.get(name, name) for name in node.inputs)
            if OPERATIONS[node.operation].draws:
                passed_on[node.name] = inputs[0]
            else:
                nodes.append(replace(node, inputs=inputs))
        return Graph(tuple(nodes), passed_on.get(self.output, self.output), self.distribution, self.image_shape) if passed_on else self

    def parameter_count(self) -> int:
        """Number of live parameters: masked weights do not count."""
        return int(sum(self.mask(node).sum() + OPERATIONS[node.operation].biases(node) for node in self.convolutions))

    def mask(self, node: Node) -> np.ndarray:
        """Which weights of a convolution are live: bool ``(C_out, C_in, height, width)``."""
        operation = OPERATIONS[node.operation]
        source = self[operation.weighs(node)]
        shape = (operation.outputs(node), source.channels, *node.kernel_size)
        mask = np.zeros(shape, dtype=bool)
        for tap in node.taps:
            mask[:, :, *node.cell(tap)] = True
        if (0, 0) in node.taps and node.centre != "all" and source.visit != "given":
            own, read = node.channel_groups(self.groups)[:, None], source.channel_groups(self.groups)[None, :]
            allowed = read < own if node.centre == "A" else read <= own
            mask[:, :, *node.cell((0, 0))] &= allowed
        return mask

    def multiply_adds_per_pixel(self) -> int:
        """Live multiply-adds that one pixel of the image costs, on average over all: the M of docs/performance.md."""
        coarser = {node.name: max(node.stride, node.source_stride or 1) for node in self.convolutions}
        return round(sum(float(self.mask(node).sum()) / coarser[node.name] ** 2 for node in self.convolutions))


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

    def given(self, name: str, channels: int, *, everywhere: bool = False, condition: Condition | None = None, stride: int = 1) -> str:
        """A map that is known before drawing starts.

        Args:
            name: The node's name.
            channels: Number of feature maps.
            everywhere: It is ``(N, channels, 1, 1)``, the same at every pixel, such as a class; otherwise
                ``(N, channels, ⌈H / stride⌉, ⌈W / stride⌉)``, such as a grey image.
            condition: How it is made from the image that is drawn; a walk then makes it where it is not handed over.
            stride: Its pixels lie so many of the image's apart, such as those of an image in low resolution.
        """
        node = Node(name, "given", (), channels, visit="given", everywhere=everywhere, condition=condition, stride=stride)
        return self._append(node)

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
        parts: int = 1,
        stride: int | None = None,
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
            parts: Of so many maps side by side the output consists, for an operation that takes them apart.
            stride: Of the result; None: the source's. From a finer map to a coarser one and back (then a transposed convolution: each
                of the coarser map's pixels adds to the finer ones around it), taps count pixels of the finer one.
        """
        height, width = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        if taps is None:
            live = channel_mask("B", 1, 1, (height, width))[0, 0]
            taps = [(dilation * (int(row) - height // 2), dilation * (int(column) - width // 2)) for row, column in np.argwhere(live)]
        source_stride = self._find(source).stride
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
                parts=parts,
                stride=source_stride if stride is None else stride,
                source_stride=source_stride,
            )
        )

    def relu(self, name: str, source: str) -> str:
        """max(0, source)."""
        return self._elementwise(name, "relu", (source,))

    def add(self, name: str, first: str, second: str) -> str:
        """First + second."""
        return self._elementwise(name, "add", (first, second))

    def gate(self, name: str, source: str, *, features: Literal["tanh", "identity"] = "tanh") -> str:
        """f(first half) · σ(second half) of a source of two parts: the gated activation of van den Oord et al. 2016b.

        Args:
            name: The node's name.
            source: Name of a node of two parts, features and gates side by side.
            features: What f is; PixelCNN++ gates features as they are.
        """
        halves = self._find(source)
        operation = "gate" if features == "tanh" else "identity_gate"
        return self._append(Node(name, operation, (source,), max(1, halves.channels // 2), visit=halves.visit, stride=halves.stride))

    def lstm(self, name: str, source: str, *, taps: Sequence[Tap], cell_tap: Tap, scan: Literal["right", "left"] = "right") -> str:
        """The state h of an LSTM that walks over the image (`genlab.causal.operations.lstm` has the formula).

        Args:
            name: The node's name.
            source: A convolution of four parts, the sums so far of its gates i, f, o and g.
            taps: Where it reads its own h: pixels that come earlier in its scan.
            cell_tap: Where it reads its own c: one of `taps`.
            scan: Within a row from left to ``"right"``, or to the ``"left"``, which only a node can that is visited by rows.
        """
        found = self._find(source)
        height, width = (1 + 2 * max((abs(tap[axis]) for tap in taps), default=0) for axis in (0, 1))
        return self._append(
            Node(
                name,
                "lstm",
                (source, name),
                found.channels // 4,
                tuple(taps),
                "row" if found.visit == "row" else "pixel",
                (height, width),
                cell_tap=cell_tap,
                scan=scan,
                stride=found.stride,
            )
        )

    def concat_elu(self, name: str, source: str) -> str:
        """[elu(source), elu(−source)], twice the channels and twice the parts."""
        node = self._find(source)
        return self._append(
            Node(name, "concat_elu", (source,), 2 * node.channels, visit=node.visit, parts=2 * node.parts, stride=node.stride)
        )

    def dropout(self, name: str, source: str, rate: float) -> str:
        """Source / (1 − rate), a share `rate` of its values left out at random while somebody trains; else source."""
        self._elementwise(name, "dropout", (source,))
        self._nodes[-1] = replace(self._nodes[-1], rate=rate)
        return name

    def build(self, output: str, distribution: Distribution) -> Graph:
        """The finished graph, checked."""
        # Where a pixel is drawn as one, mask A hides all of it: a centre that passes nothing on is no tap.
        whole = self.image_shape[0] == 1 or not distribution.channel_by_channel
        nodes = [
            replace(node, taps=tuple(tap for tap in node.taps if tap != (0, 0))) if whole and node.centre == "A" else node
            for node in self._nodes
        ]
        return Graph(tuple(nodes), output, distribution, self.image_shape)

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
        return self._append(Node(name, operation, sources, nodes[0].channels, visit=visit, parts=nodes[0].parts, stride=nodes[0].stride))

    def _append(self, node: Node) -> str:
        self._nodes.append(node)
        return node.name


def _image_shape(image_shape: Sequence[int]) -> tuple[int, int, int]:
    shape = tuple(int(size) for size in image_shape)
    if len(shape) != 3 or min(shape) < 1:
        raise InputError(f"image_shape must be (channels, height, width), each at least 1; got {tuple(image_shape)}")
    return shape
