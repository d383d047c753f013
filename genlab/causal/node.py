"""One entry of a causal list: how a pixel of a feature map is computed, and from what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from genlab.causal.condition import Condition

Offset = tuple[int, int, int]
Tap = tuple[int, int]
Visit = Literal["given", "row", "pixel"]

HERE: Offset = (0, 0, 0)
VISITS: tuple[Visit, ...] = ("given", "row", "pixel")
SCANS = ("right", "left")
CENTRES = ("A", "B", "all")


@dataclass(frozen=True)
class Node:
    """One feature map: how a pixel of it is computed, and from what.

    Attributes:
        name: A word, unique in its graph; parameters are stored under it.
        operation: ``image`` (the picture itself, levels mapped to ``scale·level + shift``), ``given`` (a map known before drawing
            starts), ``conv`` (Σ over taps of weight · input + bias), ``relu``, ``add``, ``gate`` (tanh(first part) · σ(second part)),
            ``identity_gate`` (first part · σ(second part)), ``lstm`` (a recurrent state),
            ``concat_elu`` ([elu(first), elu(−first)]) or ``dropout`` (first, some of it left out while somebody trains).
        inputs: Names of the nodes it reads. All but a node's own name must stand earlier in the list; a recurrent node names
            itself, at taps that are earlier than itself.
        channels: Number of feature maps.
        taps: The neighbours ``(dy, dx)`` it reads; ``((0, 0),)`` for operations on one pixel. Between maps of different strides they
            count pixels of the finer one, and read the coarser one where it has a pixel.
        visit: When it is computed: ``given``, ``row`` or ``pixel``.
        kernel_size: ``(height, width)``, odd, of the weight that holds the taps (``conv`` only).
        dilation: Distance in pixels between neighbouring entries of the weight (``conv`` only).
        centre: Which image channels the centre tap passes on: ``"A"`` earlier ones, ``"B"`` also the same, ``"all"``.
        scale: The image enters as ``scale · level + shift`` (``image`` only).
        shift: See `scale`.
        everywhere: One pixel that is given stands for all, such as a class (``given`` only).
        condition: How the map is made from the image that is drawn, if it is (``given`` only).
        cell_tap: Where a recurrent node reads its own cell (``lstm`` only).
        scan: Within a row a recurrent node goes to the ``"right"`` or to the ``"left"`` (``lstm`` only).
        parts: So many maps lie side by side in the channels, each with all of the image's channels in their order, such as what a
            gate's two halves or an LSTM's four gates are computed from.
        stride: Its map has ⌈H / stride⌉ × ⌈W / stride⌉ pixels; pixel ``(Y, X)`` lies at the image's ``(stride·Y, stride·X)``, and is
            computed when the image's pixel there is.
        source_stride: That of the map it reads, where it is another: `stride` must be a multiple of it or the reverse (``conv`` only).
        rate: The share of values that a training leaves out (``dropout`` only).
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
    condition: Condition | None = None
    cell_tap: Tap | None = None
    scan: Literal["right", "left"] = "right"
    parts: int = 1
    stride: int = 1
    source_stride: int | None = None
    rate: float = 0.0

    @property
    def down(self) -> int:
        """How many pixels of the map that it reads lie side by side on one of its own, if that map is the finer one; else 1."""
        return max(1, self.stride // (self.source_stride or self.stride))

    @property
    def up(self) -> int:
        """How many of its own pixels lie side by side on one of the map that it reads, if that map is the coarser one; else 1."""
        return max(1, (self.source_stride or self.stride) // self.stride)

    @property
    def image_taps(self) -> tuple[Tap, ...]:
        """The taps in pixels of the image."""
        pixel = min(self.stride, self.source_stride or self.stride)
        return tuple((pixel * dy, pixel * dx) for dy, dx in self.taps)

    @property
    def source_taps(self) -> tuple[Tap, ...]:
        """The taps in pixels of the map that it reads, seen from the one that lies on its own pixel."""
        return tuple((-(-dy // self.up), -(-dx // self.up)) for dy, dx in self.taps)

    @property
    def mirrored_taps(self) -> tuple[Tap, ...]:
        """Where the gradient of its input reads that of its own map, in pixels of that, seen from the one that lies there."""
        return tuple((-(dy // self.down), -(dx // self.down)) for dy, dx in self.taps)

    def channel_groups(self, groups: int) -> np.ndarray:
        """To which of the image's ordered channels each of its own belongs, int ``(channels,)``."""
        each = self.channels // self.parts
        return np.tile(np.arange(each) * groups // each, self.parts)

    def cell(self, tap: Tap) -> tuple[int, int]:
        """The (row, column) of the weight that a tap is multiplied by."""
        return self.kernel_size[0] // 2 + tap[0] // self.dilation, self.kernel_size[1] // 2 + tap[1] // self.dilation

    def latest_tap(self, groups: int) -> Offset | None:
        """The lexicographically latest offset this node reads its taps at, in pixels of the image, or None if every tap is dead."""
        onward = {"A": -1, "B": 0, "all": groups - 1}[self.centre]
        offsets = [(dy, dx, onward if (dy, dx) == (0, 0) else groups - 1) for dy, dx in self.image_taps]
        if self.centre == "A" and groups == 1:
            offsets = [offset for offset in offsets if offset[:2] != (0, 0)]
        return max(offsets, default=None)
