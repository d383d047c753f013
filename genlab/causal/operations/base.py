"""What the engine must know of an operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from genlab.errors import InputError

if TYPE_CHECKING:
    import torch

    from genlab.causal.lowering import Lowering, Step
    from genlab.causal.node import Node, Tap

CENTRE: tuple[Tap, ...] = ((0, 0),)
HERE_ALONE = (CENTRE, (1, 1), 1, "B")
"""Taps, kernel_size, dilation and centre of a node that says nothing of them."""


class Operation:
    """An operation by the name that nodes use; the base of all is one that works on a pixel, value by value.

    Attributes:
        name: As in `Node.operation`, and of the instruction that runs it.
        arity: Number of inputs.
        is_source: It is put there, not computed.
        has_parameters: It holds a weight and a bias.
        is_recurrent: It reads itself, at pixels that are computed earlier in its own scan.
        pointwise: It reads the pixel that it computes alone, and passes on channel by channel.
        rides_as: ``"sum"`` or ``"act"``, what a convolution before it can take along at no cost; else None.
        takes_along: It is such a convolution.
        needs_inputs: Its way back reads what it read.
        masks_gradient: Its gradient is that of its input where its own value is above 0, so it needs none of its own.
        needs_output: Its way back reads what it has made.
        draws: It depends on a training step's key; wherever nobody trains it passes on what it reads.
    """

    name: ClassVar[str]
    arity: ClassVar[int] = 1
    is_source: ClassVar[bool] = False
    has_parameters: ClassVar[bool] = False
    is_recurrent: ClassVar[bool] = False
    pointwise: ClassVar[bool] = True
    rides_as: ClassVar[str | None] = None
    takes_along: ClassVar[bool] = False
    needs_inputs: ClassVar[bool] = False
    masks_gradient: ClassVar[bool] = False
    needs_output: ClassVar[bool] = False
    draws: ClassVar[bool] = False

    def check(self, node: Node, known: Mapping[str, Node]) -> None:
        """The rules of this operation alone; number and order of inputs, kernel and taps are looked at elsewhere.

        Raises:
            InputError: The node breaks one.
        """
        if node.taps != CENTRE:
            raise InputError(f"node {node.name!r} ({self.name}) works on one pixel; its taps must be ((0, 0),), got {node.taps}")
        if (node.taps, node.kernel_size, node.dilation, node.centre) != HERE_ALONE:
            raise InputError(
                f"node {node.name!r} ({self.name}) works on one pixel and passes on what it reads there; kernel_size, dilation and "
                f"centre must be (1, 1), 1 and 'B'; got {node.kernel_size}, {node.dilation} and {node.centre!r}"
            )
        if node.down != 1 or node.up != 1:
            raise InputError(
                f"node {node.name!r} ({self.name}) works on one pixel; its stride must be that of its inputs, {node.source_stride}; "
                f"got {node.stride}"
            )
        for source in node.inputs:
            if source in known:
                self.check_input(node, known[source])

    def check_input(self, node: Node, source: Node) -> None:
        """What an input must be like: as many channels, in as many parts.

        Raises:
            InputError: It is not.
        """
        if source.channels != node.channels:
            raise InputError(
                f"node {node.name!r} has {node.channels} channels, but its input {source.name!r} has {source.channels}; they must agree"
            )
        if source.parts != node.parts:
            raise InputError(
                f"node {node.name!r} has {node.parts} part(s), but its input {source.name!r} has {source.parts}; they must agree"
            )

    def taps(self, node: Node, source: str) -> tuple[Tap, ...]:
        """Where a node reads one of its inputs."""
        return CENTRE

    # Of an operation with parameters

    def weighs(self, node: Node) -> str:
        """The input that the weight is multiplied by."""
        return node.inputs[0]

    def outputs(self, node: Node) -> int:
        """What that gives: the first axis of the weight."""
        return node.channels

    def biases(self, node: Node) -> int:
        """How many numbers the bias holds."""
        return node.channels

    # In torch

    def compute(self, sources: Sequence[torch.Tensor]) -> torch.Tensor:
        """The value out of those of the inputs, at the same places."""
        raise NotImplementedError

    def forward(self, node: Node, sources: Sequence[torch.Tensor], parameters: tuple[torch.Tensor, torch.Tensor] | None) -> torch.Tensor:
        """A whole map ``(N, channels, H, W)``; `parameters` are the live weight and the bias, where it has any."""
        return self.compute(sources)

    def at_pixel(
        self, node: Node, read: Callable[[str, Tap], torch.Tensor], parameters: tuple[torch.Tensor, torch.Tensor] | None
    ) -> torch.Tensor:
        """One pixel ``(N, channels)`` out of those that `read` remembers; `parameters` as `pixel_parameters` made them."""
        return self.compute([read(name, (0, 0)) for name in node.inputs])

    def memory(self, node: Node) -> str:
        """The name under which the states of a recurrent node are remembered: what `at_pixel` returned, which begins with its value."""
        return f"{node.name}.states"

    def pixel_parameters(self, node: Node, live: torch.Tensor, bias: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The parameters in the form that `at_pixel` wants."""
        return live, bias

    def drop(self, node: Node, source: torch.Tensor, key: int) -> torch.Tensor:
        """A whole map of an operation that draws."""
        raise NotImplementedError

    # As instructions

    def lower(self, lowering: Lowering, step: Step) -> None:
        """The forward instruction."""
        lowering.emit_elementwise(step)

    def lower_gradient(self, lowering: Lowering, step: Step, grad: int) -> None:
        """The instructions that take the gradient of the step's result, in buffer `grad`, back to what it read."""
        raise NotImplementedError
