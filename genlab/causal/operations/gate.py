"""tanh(x) · σ(y), the gated activation of van den Oord et al. 2016b."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from genlab.causal.operations.base import Operation

if TYPE_CHECKING:
    import torch

    from genlab.causal.lowering import Lowering, Step


class Gate(Operation):
    """tanh(first) · σ(second)."""

    name = "gate"
    arity = 2
    needs_inputs = True

    def compute(self, sources: Sequence[torch.Tensor]) -> torch.Tensor:
        return sources[0].tanh() * sources[1].sigmoid()

    def lower_gradient(self, lowering: Lowering, step: Step, grad: int) -> None:
        features, gates = (lowering.value(name) for name in step.node.inputs)
        parts = [lowering.new(step.node), lowering.new(step.node)]
        lowering.emit_backward("gate_grad", grad=grad, first=features, second=gates, out=parts[0], out2=parts[1])
        for source, part in zip(step.node.inputs, parts, strict=True):
            lowering.pass_on(source, part)
