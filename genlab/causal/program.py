"""Lowers a causal list to a program: a few kinds of instruction over buffers, ready for the native walk.

What happens on the way, and nothing else does:

- A convolution takes its bias along, an addition that alone reads it (the residual), and the ReLU of the result.
- A residual sum is kept in place where nobody needs the old value.
- Backwards, the gradient of a ReLU is a mask on the gradient of its source, so a ReLU has no gradient of its own; the gradient of a
  residual sum *is* the gradient of its second summand, so it stays where it lies.
- Buffers whose lives do not overlap share memory. Scoring remembers nothing, training what the way back reads, sampling the rows
  that taps reach.

`genlab.causal.lowering` emits the instructions; here is what they are made of, and where they find memory. This file knows no C++ and no
torch; csrc/program_spec.hpp describes the same instructions from the other side, csrc/program_check.cpp their rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from genlab.causal.graph import Graph
from genlab.causal.node import Tap
from genlab.causal.operations import CENTRE

Mode = Literal["score", "train", "sample"]
Phase = Literal["given", "row", "pixel", "late"]
Sweep = Literal["maps", "rows"]
NONE = -1


@dataclass
class Buffer:
    """Memory for one map: ``[row][x][image][channel]`` with a border of zeros as wide as taps reach.

    Attributes:
        channels: Number of channels.
        height: Of the map.
        width: See `height`.
        stride: Its pixels lie so many of the image's apart.
        everywhere: It is of one pixel, which stands for all pixels of the image.
        top: Rows of zeros above; likewise `bottom`, `left`, `right`.
        rows: How many rows are remembered; 0 means all of them.
        scratch: Only the current pixel is remembered.
        states: Its border holds the initial states of a recurrence, not zeros.
    """

    channels: int
    height: int
    width: int
    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0
    rows: int = 0
    scratch: bool = False
    stride: int = 1
    everywhere: bool = False
    states: bool = False


@dataclass
class Instruction:
    """One step of a program. Fields name buffers, `NONE` where there is none.

    ==================  ==================================================================================
    conv                sum = layer(first) + residual;  out = sum (if wanted);  act = max(0, sum) (if wanted)
    relu, add           out = max(0, first);  first + second
    gate                out = tanh(x) · σ(y), the halves of first's channels; identity_gate: x · σ(y)
    lstm                gates = i, f, o, g of first + layer(state) (kept if wanted);  cell;  state = out = h
    conv_grad_weight    layer's weight and bias gradient += first ⊗ grad
    conv_grad_input     out (+)= layerᵀ(grad), where mask > 0
    relu_grad           out (+)= grad, where mask > 0
    add_grad            out (+)= grad
    gate_grad           out (+)= ∂/∂first; likewise identity_gate_grad
    concat_elu          out = [elu(first), elu(−first)]
    concat_elu_grad     out (+)= the gradient of what concat_elu read; first is what it made
    dropout             out = first / (1 − rate), or 0: by a hash of a step's key, the image, `stream` and the position
    dropout_grad        out (+)= grad likewise
    lstm_grad           out = ∂/∂(first + layer(state));  carry = ∂/∂cell at the layer's tap
    lstm_grad_weight    layer's weight gradient += first ⊗ grad, and those of the initial states
    everywhere_grad     out (+)= Σ over pixels of grad, where mask > 0
    ==================  ==================================================================================

    `sweep` says how the pixels of a map are gone through where whole maps are computed: ``"maps"`` finishes the instruction first, and
    neighbours in the list that say ``"rows"`` take turns row by row, backwards from the last row to the first.
    """

    kind: str
    phase: Phase = "pixel"
    sweep: Sweep = "maps"
    layer: int = NONE
    first: int = NONE
    second: int = NONE
    grad: int = NONE
    mask: int = NONE
    residual: int = NONE
    out: int = NONE
    act: int = NONE
    state: int = NONE
    cell: int = NONE
    gates: int = NONE
    carry: int = NONE
    accumulate: bool = False
    taps: tuple[Tap, ...] = CENTRE
    mirrored_taps: tuple[Tap, ...] = CENTRE
    rate: float = 0.0
    stream: int = 0

    BUFFERS = ("first", "second", "grad", "mask", "residual", "out", "act", "state", "cell", "gates", "carry")

    def reads(self) -> Iterable[tuple[int, tuple[Tap, ...]]]:
        """The buffers it reads, with the taps at which it does."""
        at_first = CENTRE if self.kind == "lstm" else self.taps
        yield from ((self.first, at_first), (self.second, CENTRE), (self.mask, CENTRE), (self.residual, CENTRE))
        yield self.grad, self.mirrored_taps if self.kind == "conv_grad_input" else CENTRE
        yield from ((self.state, self.taps), (self.cell, self.taps))
        recurs_back = self.kind == "lstm_grad"
        yield from ((self.out if recurs_back else NONE, self.mirrored_taps), (self.carry if recurs_back else NONE, self.mirrored_taps))
        yield self.out if self.accumulate else NONE, CENTRE


@dataclass
class Program:
    """Instructions over buffers.

    Attributes:
        mode: Which walk it is for.
        buffers: Physical buffers.
        forward: Instructions in order; `backward` likewise (empty but for training).
        image: The buffer that holds the image's values.
        given: For each given node the buffer that holds it.
        given_grads: For each the buffer that holds its gradient in the end, or `NONE`.
        output: The buffer with the distribution's parameters, and the one for their gradient.
    """

    mode: Mode
    buffers: list[Buffer] = field(default_factory=list)
    forward: list[Instruction] = field(default_factory=list)
    backward: list[Instruction] = field(default_factory=list)
    image: int = NONE
    given: dict[str, int] = field(default_factory=dict)
    given_grads: dict[str, int] = field(default_factory=dict)
    output: int = NONE
    output_grad: int = NONE


def lower(graph: Graph, mode: Mode, *, given_grads: bool = False) -> Program:
    """The program of one walk over a graph.

    Args:
        graph: The list of nodes.
        mode: Which walk.
        given_grads: In training, whether the gradients of the given maps are wanted too.
    """
    from genlab.causal.lowering import Lowering

    lowering = Lowering(graph if mode == "train" else graph.certain, mode)
    lowering.emit_forward()
    if mode == "train":
        lowering.emit_gradients(given_grads)
    program = lowering.program
    _shape_buffers(program)
    _share_memory(program)
    return program


def _shape_buffers(program: Program) -> None:
    """Gives each buffer the border that taps reach into; buffers of a size get one border, so that they can share memory."""
    for instruction in (*program.forward, *program.backward):
        for index, taps in instruction.reads():
            if index == NONE or not taps:
                continue
            buffer = program.buffers[index]
            rows, columns = [dy for dy, _ in taps], [dx for _, dx in taps]
            buffer.top, buffer.bottom = max(buffer.top, -min(rows)), max(buffer.bottom, max(rows))
            buffer.left, buffer.right = max(buffer.left, -min(columns)), max(buffer.right, max(columns))
    apart = {program.image, *program.given.values()}
    alike: dict[tuple[int, ...], list[Buffer]] = {}
    for index, buffer in enumerate(program.buffers):
        if index not in apart and buffer.rows == 0 and not buffer.everywhere:
            alike.setdefault((buffer.channels, buffer.height, buffer.width, buffer.stride, buffer.scratch), []).append(buffer)
    for buffers in alike.values():
        for side in ("top", "bottom", "left", "right"):
            widest = max(getattr(buffer, side) for buffer in buffers)
            for buffer in buffers:
                setattr(buffer, side, widest)


def _share_memory(program: Program) -> None:
    """Lets buffers of one shape share memory where their lives do not overlap."""
    instructions = [*program.forward, *program.backward]
    if any(instruction.phase == "late" for instruction in instructions):
        return  # late nodes run once more after the draw and read what others left
    life: dict[int, tuple[int, int]] = {}
    for time, instruction in enumerate(instructions):
        for name in Instruction.BUFFERS:
            index = getattr(instruction, name)
            if index != NONE:
                life[index] = (life.get(index, (time, time))[0], time)
    # The image and what is given are there before the first instruction; the output is read between forward and backward.
    kept = {program.image, *program.given.values(), *program.given_grads.values()} - {NONE}
    if program.mode == "sample":
        kept |= {index for index, buffer in enumerate(program.buffers) if not buffer.scratch}
    turn = len(program.forward)
    life[program.output] = (life[program.output][0], max(turn, life[program.output][1]))
    if program.output_grad != NONE:
        life[program.output_grad] = (turn, life[program.output_grad][1])

    physical: list[Buffer] = []
    place: dict[int, int] = {}
    busy_until: list[int] = []
    for index in sorted(life.keys() | kept, key=lambda index: life.get(index, (0, 0))[0]):
        buffer = program.buffers[index]
        born, dies = life.get(index, (0, 0))
        free = (
            next((p for p, until in enumerate(busy_until) if until < born and physical[p] == buffer), None) if index not in kept else None
        )
        if free is None:
            physical.append(buffer)
            busy_until.append(0)
            free = len(physical) - 1
        place[index] = free
        busy_until[free] = dies if index not in kept else len(instructions) + 1
    place[NONE] = NONE
    for instruction in instructions:
        for name in Instruction.BUFFERS:
            setattr(instruction, name, place[getattr(instruction, name)])
    program.buffers = physical
    program.image, program.output, program.output_grad = place[program.image], place[program.output], place[program.output_grad]
    program.given = {name: place[index] for name, index in program.given.items()}
    program.given_grads = {name: place[index] for name, index in program.given_grads.items()}
