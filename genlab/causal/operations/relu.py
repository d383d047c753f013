"""max(0, x)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from genlab.causal.operations.base import Operation

if TYPE_CHECKING:
    import torch

    from genlab.causal.lowering import Lowering, Step


class Relu(Operation):
    """max(0, first): a convolution takes it along; backwards it is a mask on the gradient of its source."""

    name = "relu"
    rides_as = "act"
    masks_gradient = True

    def compute(self, sources: Sequence[torch.Tensor]) -> torch.Tensor:
        return sources[0].relu()

    def lower_gradient(self, lowering: Lowering, step: Step, grad: int) -> None:
        raise AssertionError("a ReLU has no gradient of its own")
