"""x + y."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from genlab.causal.operations.base import Operation

if TYPE_CHECKING:
    import torch

    from genlab.causal.lowering import Lowering, Step


class Add(Operation):
    """First + second: the convolution that one of them is takes it along, as its residual."""

    name = "add"
    arity = 2
    rides_as = "sum"

    def compute(self, sources: Sequence[torch.Tensor]) -> torch.Tensor:
        return sources[0] + sources[1]

    def lower_gradient(self, lowering: Lowering, step: Step, grad: int) -> None:
        first, second = step.node.inputs
        lowering.contribute(first, grad)
        lowering.pass_on(second, grad)
