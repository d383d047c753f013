"""Σ over taps of weight · input, plus a bias."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from genlab.causal.operations.base import Operation

if TYPE_CHECKING:
    import torch

    from genlab.causal.lowering import Lowering, Step
    from genlab.causal.node import Node, Tap


class Conv(Operation):
    """A convolution of any taps; natively it takes a residual sum and a ReLU of its result along."""

    name = "conv"
    has_parameters = True
    pointwise = False
    takes_along = True
    needs_inputs = True

    def check(self, node: Node, known: Mapping[str, Node]) -> None:
        """Nothing: kernel and taps are looked at for every node."""

    def taps(self, node: Node, source: str) -> tuple[Tap, ...]:
        return node.taps

    def forward(self, node: Node, sources: Sequence[torch.Tensor], parameters: tuple[torch.Tensor, torch.Tensor] | None) -> torch.Tensor:
        import torch.nn.functional as F

        assert parameters is not None
        weight, bias = parameters
        padding = tuple(node.dilation * (size // 2) for size in node.kernel_size)
        if node.up == 1:
            return F.conv2d(sources[0], weight, bias, stride=node.down, padding=padding, dilation=node.dilation)
        # A transposed convolution reads at mirrored taps; the walk cuts what lies beyond the map.
        mirrored = weight.flip(2, 3).transpose(0, 1)
        return F.conv_transpose2d(
            sources[0], mirrored, bias, stride=node.up, padding=padding, output_padding=node.up - 1, dilation=node.dilation
        )

    def at_pixel(
        self, node: Node, read: Callable[[str, Tap], torch.Tensor], parameters: tuple[torch.Tensor, torch.Tensor] | None
    ) -> torch.Tensor:
        import torch

        assert parameters is not None
        weight, bias = parameters
        neighbours = [read(node.inputs[0], tap) for tap in node.taps]
        return torch.addmm(bias, torch.cat(neighbours, dim=1), weight) if neighbours else bias

    def pixel_parameters(self, node: Node, live: torch.Tensor, bias: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The weight as one matrix ``(taps · C_in, C_out)``, taps in the order of `Node.taps`."""
        import torch

        parts = [live[:, :, *node.cell(tap)].T for tap in node.taps]
        return torch.cat(parts) if parts else live.new_zeros((0, node.channels)), bias

    def lower(self, lowering: Lowering, step: Step) -> None:
        lowering.emit_convolution(step)

    def lower_gradient(self, lowering: Lowering, step: Step, grad: int) -> None:
        source = step.node.inputs[0]
        here = lowering.summed(grad) if lowering.is_everywhere(lowering.value(source)) else grad
        lowering.emit_backward("conv_grad_weight", layer=step.node, first=lowering.value(source), grad=here)
        lowering.contribute(source, here, layer=step.node)
        if step.residual is not None:
            lowering.pass_on(step.residual.name, grad)
