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
CENTRES = ("A", "B", "all")


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
        condition: How the map is made from the image that is drawn, if it is (``given`` only).
        parts: So many maps lie side by side in the channels, each with all of the image's channels in their order, such as what a
            gate's two halves or an LSTM's four gates are computed from.
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
    parts: int = 1

    def channel_groups(self, groups: int) -> np.ndarray:
        """To which of the image's ordered channels each of its own belongs, int ``(channels,)``."""
        each = self.channels // self.parts
        return np.tile(np.arange(each) * groups // each, self.parts)

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
