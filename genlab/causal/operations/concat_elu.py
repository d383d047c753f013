"""Both signs of a map through an ELU, side by side: what PixelCNN++ has between its convolutions (Shang et al. 2016 for ReLUs)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from genlab.causal.operations.base import Operation
from genlab.errors import InputError

if TYPE_CHECKING:
    import torch

    from genlab.causal.lowering import Lowering, Step
    from genlab.causal.node import Node


class ConcatElu(Operation):
    """[elu(x), elu(−x)], elu(x) = x where x > 0, else e^x − 1: a map of twice the parts.

    Its way back reads what it has made, not what it read: where x > 0, elu(−x) + 1 is e^{−x}, the slope of the other half.
    """

    name = "concat_elu"
    needs_output = True

    def check_input(self, node: Node, source: Node) -> None:
        if (node.channels, node.parts) != (2 * source.channels, 2 * source.parts):
            raise InputError(
                f"node {node.name!r} ({self.name}) must have {2 * source.channels} channels in {2 * source.parts} parts, twice those of "
                f"its input {source.name!r}; got {node.channels} in {node.parts}"
            )

    def compute(self, sources: Sequence[torch.Tensor]) -> torch.Tensor:
        import torch
        import torch.nn.functional as F

        return F.elu(torch.cat([sources[0], -sources[0]], dim=1))

    def lower_gradient(self, lowering: Lowering, step: Step, grad: int) -> None:
        lowering.contribute_by("concat_elu_grad", step.node.inputs[0], step.node, grad=grad, first=lowering.value(step.node.name))
