"""A long short-term memory that walks over the image: each pixel's state follows from states that are already there.

    a = first(y, x) + Σ over taps t of U_t · h((y, x) + t)
    i, f, o, g = σ(a₁), σ(a₂), σ(a₃), tanh(a₄)
    c = f ⊙ c((y, x) + cell_tap) + i ⊙ g
    h = o ⊙ tanh(c)                                               (Hochreiter and Schmidhuber 1997; van den Oord et al. 2016)

`first` has the four gates as its parts. Beyond the image's border h and c are learned initial states, h₀ and c₀: the node's weight is
U, its bias h₀ and then c₀.

Pixels that do not wait for each other form a *line*. If every tap lies in an earlier row that is a row; else a diagonal of the pixels with
one ``x + slope · y``, where the slope is the least at which every tap leads to an earlier diagonal: 1 for the taps (−1, 0) and (0, −1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from genlab.causal.operations.base import CENTRE, Operation
from genlab.errors import InputError

if TYPE_CHECKING:
    import torch

    from genlab.causal.lowering import Lowering, Step
    from genlab.causal.node import Node, Tap

GATES = 4


class Lstm(Operation):
    """h of a convolutional LSTM whose inputs are the gates' sums so far, and itself."""

    name = "lstm"
    arity = 2
    has_parameters = True
    pointwise = False
    is_recurrent = True

    def check(self, node: Node, known: Mapping[str, Node]) -> None:
        source = known.get(node.inputs[0])
        if node.inputs[1] != node.name or source is None:
            raise InputError(f"node {node.name!r} (lstm) must read its gates' sums and itself; its inputs are {node.inputs}")
        if (source.channels, source.parts) != (GATES * node.channels, GATES):
            raise InputError(
                f"node {node.name!r} (lstm) has {node.channels} channels, so {source.name!r} must have {GATES * node.channels} in {GATES} "
                f"parts; got {source.channels} in {source.parts}"
            )
        if (node.parts, node.dilation, node.centre) != (1, 1, "B"):
            raise InputError(
                f"parts, dilation and centre of node {node.name!r} (lstm) must be 1, 1 and 'B'; got {node.parts}, {node.dilation} and "
                f"{node.centre!r}"
            )
        if node.source_stride is not None:
            raise InputError(f"source_stride of node {node.name!r} (lstm) must be None; got {node.source_stride}")
        if node.visit == "given" or (node.scan == "left" and node.visit != "row"):
            raise InputError(
                f"node {node.name!r} (lstm, scan {node.scan!r}) must be visited by rows, or, if it scans to the right, by pixels; "
                f"got {node.visit!r}"
            )
        onward = -1 if node.scan == "left" else 1
        for dy, dx in node.taps:
            if (dy, onward * dx) >= (0, 0):
                raise InputError(f"node {node.name!r} reads itself at (dy, dx) = ({dy:+d}, {dx:+d}), which is not computed yet")
        if node.cell_tap not in node.taps:
            raise InputError(f"cell_tap of node {node.name!r} must be one of its taps, {node.taps}; got {node.cell_tap}")

    def taps(self, node: Node, source: str) -> tuple[Tap, ...]:
        return node.taps if source == node.name else CENTRE

    def weighs(self, node: Node) -> str:
        return node.name

    def outputs(self, node: Node) -> int:
        return GATES * node.channels

    def biases(self, node: Node) -> int:
        return 2 * node.channels

    # In torch

    def forward(self, node: Node, sources: Sequence[torch.Tensor], parameters: tuple[torch.Tensor, torch.Tensor] | None) -> torch.Tensor:
        import torch

        assert parameters is not None
        matrix, states = self.pixel_parameters(node, *parameters)
        assert node.cell_tap is not None
        onward = -1 if node.scan == "left" else 1  # to the left: a mirrored scan to the right
        sums = sources[0].flip(3) if onward < 0 else sources[0]
        taps, cell_tap = [(dy, onward * dx) for dy, dx in node.taps], (node.cell_tap[0], onward * node.cell_tap[1])
        slope = _slope(taps)
        lines, inside = _lines(sums, slope)
        initial_hidden, initial_cell = (
            state[:, None].expand(len(sums), -1, lines.shape[3]) for state in (states[: node.channels], states[node.channels :])
        )
        hidden: list[torch.Tensor] = []
        cells: list[torch.Tensor] = []

        def read(past: list[torch.Tensor], initial: torch.Tensor, tap: Tap) -> torch.Tensor:
            back, along = tap if slope is None else (tap[1] + slope * tap[0], tap[0])
            return _moved(past[back], along, initial) if len(past) >= -back else initial

        for line, within in zip(lines, inside, strict=True):
            before = torch.cat([read(hidden, initial_hidden, tap) for tap in taps], dim=1)
            h, c = _step(line + torch.einsum("ko,nkp->nop", matrix, before), read(cells, initial_cell, cell_tap))
            hidden.append(h.where(within, initial_hidden))
            cells.append(c.where(within, initial_cell))
        result = _map(torch.stack(hidden), slope, sums.shape[3])
        return result.flip(3) if onward < 0 else result

    def at_pixel(
        self, node: Node, read: Callable[[str, Tap], torch.Tensor], parameters: tuple[torch.Tensor, torch.Tensor] | None
    ) -> torch.Tensor:
        """H and c together, ``(N, 2 · channels)``: what a recurrent node is remembered by."""
        import torch

        assert parameters is not None
        matrix, _ = parameters
        states = self.memory(node)
        before = torch.cat([read(states, tap)[:, : node.channels] for tap in node.taps], dim=1)
        assert node.cell_tap is not None
        cell = read(states, node.cell_tap)[:, node.channels :]
        return torch.cat(_step(read(node.inputs[0], (0, 0)) + before @ matrix, cell), dim=1)

    def pixel_parameters(self, node: Node, live: torch.Tensor, bias: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """U as one matrix ``(taps · channels, 4 · channels)``, and the initial states."""
        import torch

        return torch.cat([live[:, :, *node.cell(tap)].T for tap in node.taps]), bias

    # As instructions

    def lower(self, lowering: Lowering, step: Step) -> None:
        node = step.node
        sums = lowering.value(node.inputs[0])
        state, cell = lowering.new_states(node), lowering.new_states(node)
        gates = {}
        if lowering.program.mode == "train":
            # The gates are kept where their sums lay, if nobody reads these.
            in_place = lowering.is_read_by(node.inputs[0], node) and not lowering.is_everywhere(sums)
            gates = {"gates": sums if in_place else lowering.new_map(node, GATES)}
        lowering.kept[node.name] = (state, cell, *gates.values())
        lowering.emit(step, layer=node, first=sums, out=lowering.define(node), state=state, cell=cell, **gates)

    def lower_gradient(self, lowering: Lowering, step: Step, grad: int) -> None:
        node = step.node
        state, cell, gates = lowering.kept[node.name]
        sums, carry = lowering.new_map(node, GATES), lowering.new_map(node)
        lowering.emit_backward("lstm_grad", layer=node, grad=grad, gates=gates, cell=cell, out=sums, carry=carry)
        lowering.emit_backward("lstm_grad_weight", layer=node, first=state, grad=sums, carry=carry)
        lowering.pass_on(node.inputs[0], sums)


def _step(sums: torch.Tensor, cell: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """H and c from the gates' sums and the cell before; channels are the second axis."""
    i, f, o, g = sums.chunk(GATES, dim=1)
    cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
    return o.sigmoid() * cell.tanh(), cell


def _slope(taps: Sequence[Tap]) -> int | None:
    """Of the lines of a scan to the right: the least at which each tap leads to an earlier diagonal; None: lines are rows."""
    if all(dy < 0 for dy, _ in taps):
        return None
    return max([0, *(dx // -dy + 1 for dy, dx in taps if dy < 0)])


def _lines(sums: torch.Tensor, slope: int | None) -> tuple[torch.Tensor, torch.Tensor]:
    """A map ``(N, C, H, W)`` as lines ``(lines, N, C, pixels)``, and which of their pixels are within the image, ``(lines, pixels)``."""
    import torch

    _, _, height, width = sums.shape
    if slope is None:
        return sums.permute(2, 0, 1, 3), torch.ones((height, 1), dtype=torch.bool, device=sums.device)
    y = torch.arange(height, device=sums.device)
    x = torch.arange(width + slope * (height - 1), device=sums.device)[:, None] - slope * y
    return sums[:, :, y, x.clamp(0, width - 1)].permute(2, 0, 1, 3), (x >= 0) & (x < width)


def _map(lines: torch.Tensor, slope: int | None, width: int) -> torch.Tensor:
    """`_lines` undone."""
    import torch

    if slope is None:
        return lines.permute(1, 2, 0, 3)
    y = torch.arange(lines.shape[3], device=lines.device)[:, None]
    return lines[torch.arange(width, device=lines.device) + slope * y, :, :, y].permute(2, 3, 0, 1)


def _moved(line: torch.Tensor, along: int, initial: torch.Tensor) -> torch.Tensor:
    """``line[…, p + along]`` for each p; the initial state where that is none of its pixels."""
    import torch

    if along == 0:
        return line
    length = line.shape[-1]
    if abs(along) >= length:
        return initial
    if along < 0:
        return torch.cat([initial[..., :-along], line[..., :along]], dim=-1)
    return torch.cat([line[..., along:], initial[..., :along]], dim=-1)
