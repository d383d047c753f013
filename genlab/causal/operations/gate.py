"""f(x) · σ(y) of a map of two parts, x and y side by side: van den Oord et al. 2016b, where f is tanh; in PixelCNN++ it is the identity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from genlab.causal.operations.base import Operation
from genlab.errors import InputError

if TYPE_CHECKING:
    import torch

    from genlab.causal.lowering import Lowering, Step
    from genlab.causal.node import Node


class Gate(Operation):
    """tanh(first part) · σ(second part)."""

    name = "gate"
    needs_inputs = True

    def check_input(self, node: Node, source: Node) -> None:
        if (source.parts, source.channels) != (2, 2 * node.channels) or node.parts != 1:
            raise InputError(
                f"node {node.name!r} ({self.name}) multiplies one half of its input by the other: {source.name!r} must have "
                f"{2 * node.channels} channels in 2 parts, and itself 1 part; got {source.channels} in {source.parts}, and {node.parts}"
            )

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """What is multiplied by σ."""
        return x.tanh()

    def compute(self, sources: Sequence[torch.Tensor]) -> torch.Tensor:
        x, y = sources[0].chunk(2, dim=1)
        return self.features(x) * y.sigmoid()

    def lower_gradient(self, lowering: Lowering, step: Step, grad: int) -> None:
        source = step.node.inputs[0]
        lowering.contribute_by(f"{self.name}_grad", source, step.node, grad=grad, first=lowering.value(source))


class IdentityGate(Gate):
    """First part · σ(second part)."""

    name = "identity_gate"

    def features(self, x: torch.Tensor) -> torch.Tensor:
        return x
