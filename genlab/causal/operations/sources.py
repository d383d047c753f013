"""What a list begins with: the image, and maps that are given."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from genlab.causal.operations.base import HERE_ALONE, Operation
from genlab.errors import InputError

if TYPE_CHECKING:
    from genlab.causal.node import Node


class _Source(Operation):
    arity = 0
    is_source = True
    visit: ClassVar[str]

    def check(self, node: Node, known: Mapping[str, Node]) -> None:
        if node.visit != self.visit or node.parts != 1 or (node.taps, node.kernel_size, node.dilation, node.centre) != HERE_ALONE:
            raise InputError(
                f"node {node.name!r} ({self.name}) is put there, not computed; its visit must be {self.visit!r}, and taps, kernel_size, "
                "dilation, centre and parts must be left alone"
            )
        if node.source_stride is not None:
            raise InputError(f"node {node.name!r} ({self.name}) reads nothing; its source_stride must be None, got {node.source_stride}")
        if not (math.isfinite(node.scale) and math.isfinite(node.shift)):
            raise InputError(f"scale and shift of node {node.name!r} must be finite; got {node.scale} and {node.shift}")


class Image(_Source):
    """The picture itself, levels mapped to ``scale·level + shift``."""

    name = "image"
    visit = "pixel"

    def check(self, node: Node, known: Mapping[str, Node]) -> None:
        super().check(node, known)
        if node.stride != 1:
            raise InputError(f"node {node.name!r} is the image and must have stride 1; got {node.stride}")


class Given(_Source):
    """A map that is known before drawing starts."""

    name = "given"
    visit = "given"
