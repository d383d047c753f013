"""Lowers a causal list to a program: a few kinds of instruction over buffers, ready for the native walk.

What happens on the way, and nothing else does:

- A convolution takes its bias along, an addition that alone reads it (the residual), and the ReLU of the result.
- A residual sum is kept in place where nobody needs the old value.
- Backwards, the gradient of a ReLU is a mask on the gradient of its source, so a ReLU has no gradient of its own; the gradient of a
  residual sum *is* the gradient of its second summand, so it stays where it lies.
- Buffers whose lives do not overlap share memory. Scoring remembers nothing, training what the way back reads, sampling the rows
  that taps reach.

This file knows no C++ and no torch; csrc/program.hpp describes the same instructions from the other side.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from genlab.causal.graph import HERE, Graph, Node, Tap

Mode = Literal["score", "train", "sample"]
Phase = Literal["given", "row", "pixel", "late"]
Kind = Literal["conv", "relu", "add", "gate", "conv_grad_weight", "conv_grad_input", "relu_grad", "add_grad", "gate_grad"]
CENTRE: tuple[Tap, ...] = ((0, 0),)
NONE = -1


@dataclass
class Buffer:
    """Memory for one map: ``[row][x][image][channel]`` with a border of zeros as wide as taps reach.

    Attributes:
        channels: Number of channels.
        top: Rows of zeros above; likewise `bottom`, `left`, `right`.
        rows: How many rows are remembered; 0 means all of them.
        scratch: Only the current pixel is remembered.
    """

    channels: int
    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0
    rows: int = 0
    scratch: bool = False


@dataclass
class Instruction:
    """One step of a program. Fields name buffers, `NONE` where there is none.

    ==================  ==================================================================================
    conv                sum = layer(first) + residual;  out = sum (if wanted);  act = max(0, sum) (if wanted)
    relu, add, gate     out = max(0, first);  first + second;  tanh(first) · σ(second)
    conv_grad_weight    layer's weight and bias gradient += first ⊗ grad
    conv_grad_input     out (+)= layerᵀ(grad), where mask > 0
    relu_grad           out (+)= grad, where mask > 0
    add_grad            out (+)= grad
    gate_grad           out (+)= ∂/∂first, out2 (+)= ∂/∂second
    ==================  ==================================================================================
    """

    kind: Kind
    phase: Phase = "pixel"
    layer: int = NONE
    first: int = NONE
    second: int = NONE
    grad: int = NONE
    mask: int = NONE
    residual: int = NONE
    out: int = NONE
    out2: int = NONE
    act: int = NONE
    accumulate: bool = False
    accumulate2: bool = False
    taps: tuple[Tap, ...] = CENTRE

    BUFFERS = ("first", "second", "grad", "mask", "residual", "out", "out2", "act")

    def reads(self) -> Iterable[tuple[int, tuple[Tap, ...]]]:
        """The buffers it reads, with the taps at which it does."""
        backwards = tuple((-dy, -dx) for dy, dx in self.taps)
        yield from ((self.first, self.taps), (self.second, CENTRE), (self.mask, CENTRE), (self.residual, CENTRE))
        yield self.grad, backwards if self.kind == "conv_grad_input" else CENTRE
        yield self.out if self.accumulate else NONE, CENTRE
        yield self.out2 if self.accumulate2 else NONE, CENTRE


@dataclass
class Program:
    """Instructions over buffers.

    Attributes:
        mode: Which walk it is for.
        buffers: Physical buffers.
        forward: Instructions in order; `backward` likewise (empty but for training).
        image: The buffer that holds the image's values.
        given: For each given node the buffer that holds it.
        output: The buffer with the distribution's parameters, and the one for their gradient.
    """

    mode: Mode
    buffers: list[Buffer] = field(default_factory=list)
    forward: list[Instruction] = field(default_factory=list)
    backward: list[Instruction] = field(default_factory=list)
    image: int = NONE
    given: dict[str, int] = field(default_factory=dict)
    output: int = NONE
    output_grad: int = NONE


def lower(graph: Graph, mode: Mode) -> Program:
    """The program of one walk over a graph."""
    graph.refuse_recurrence()
    lowering = _Lowering(graph, mode)
    lowering.emit_forward()
    if mode == "train":
        lowering.emit_backward()
    program = lowering.program
    _shape_buffers(program, graph)
    _share_memory(program)
    return program


@dataclass(frozen=True)
class _Step:
    """One forward instruction as the graph sees it: a node, and what was fused with it."""

    node: Node
    residual: Node | None = None
    sum: Node | None = None
    act: Node | None = None

    @property
    def result(self) -> Node:
        """The node whose value is the sum."""
        return self.sum or self.node


class _Lowering:
    def __init__(self, graph: Graph, mode: Mode) -> None:
        self.graph = graph
        self.program = Program(mode)
        self._readers: dict[str, list[Node]] = {node.name: [] for node in graph.nodes}
        for node in graph.nodes:
            for source in node.inputs:
                self._readers[source].append(node)
        self._layers = {node.name: index for index, node in enumerate(graph.convolutions)}
        self._values: dict[str, int] = {}
        self._grads: dict[str, int] = {}
        self._steps = self._fuse()

    # Forwards

    def _fuse(self) -> list[_Step]:
        """The steps in the order of execution."""
        fused_adds: dict[str, Node] = {}  # add → the convolution that takes it along
        for node in self.graph.convolutions:
            readers = self._readers[node.name]
            alone = len(readers) == 1 and node.name != self.graph.output
            if alone and readers[0].operation == "add" and self._phase(readers[0]) == self._phase(node):
                fused_adds[readers[0].name] = node
        taken = {convolution.name for convolution in fused_adds.values()}
        steps: list[_Step] = []
        fused_relus: set[str] = set()
        for node in self.graph.nodes:
            if node.operation in ("image", "given") or node.name in taken or node.name in fused_relus:
                continue
            convolution = fused_adds.get(node.name, node)
            if convolution.operation != "conv":
                steps.append(_Step(node))
                continue
            act = next((r for r in self._readers[node.name] if r.operation == "relu" and self._phase(r) == self._phase(node)), None)
            if act:
                fused_relus.add(act.name)
            if convolution is node:
                steps.append(_Step(convolution, act=act))
            else:
                residual = next(name for name in reversed(node.inputs) if name != convolution.name)
                steps.append(_Step(convolution, self.graph[residual], node, act))
        return steps

    def emit_forward(self) -> None:
        """The forward instructions, and where each node's value lies."""
        program, graph = self.program, self.graph
        for node in graph.nodes:
            if node.operation == "image":
                program.image = self._values[node.name] = self._new(node)
            elif node.operation == "given":
                program.given[node.name] = self._values[node.name] = self._new(node)
        for index, step in enumerate(self._steps):
            if step.node.operation == "conv":
                self._emit_convolution(index, step)
                continue
            sources = [self._values[name] for name in step.node.inputs]
            self._values[step.node.name] = out = self._new(step.node)
            kind: Kind = step.node.operation  # type: ignore[assignment]
            second = sources[1] if len(sources) > 1 else NONE
            program.forward.append(Instruction(kind, self._phase(step.node), first=sources[0], second=second, out=out))
        program.output = self._values[graph.output]

    def _emit_convolution(self, index: int, step: _Step) -> None:
        result = step.result
        others = [reader for reader in self._readers[result.name] if reader is not step.act]
        wanted = bool(others) or result.name == self.graph.output
        if wanted:
            in_place = step.residual is not None and self._may_overwrite(index, step)
            self._values[result.name] = self._values[step.residual.name] if step.residual and in_place else self._new(result)
        if step.act:
            self._values[step.act.name] = self._new(step.act)
        self.program.forward.append(
            Instruction(
                "conv",
                self._phase(step.node),
                layer=self._layers[step.node.name],
                first=self._values[step.node.inputs[0]],
                residual=self._values[step.residual.name] if step.residual else NONE,
                out=self._values[result.name] if wanted else NONE,
                act=self._values[step.act.name] if step.act else NONE,
                taps=step.node.taps,
            )
        )

    def _may_overwrite(self, index: int, step: _Step) -> bool:
        """Whether a residual sum may be kept where its second summand lies: nobody reads that any more."""
        old = step.residual
        assert old is not None
        if old.operation in ("image", "given") or old.name in (step.node.inputs[0], self.graph.output):
            return False
        shared = [name for name, buffer in self._values.items() if buffer == self._values[old.name]]
        for later in self._steps[index + 1 :]:
            if any(name in shared for name in (*later.node.inputs, later.residual.name if later.residual else "")):
                return False
        if self.program.mode == "sample" and self._phase(old) != self._phase(step.result):
            return False  # while a pixel is drawn the sum is computed again and again, the summand is not
        if self.program.mode == "sample" and any(taps_of(r) != CENTRE for n in (old, step.result) for r in self._readers[n.name]):
            return False
        needed_backwards = any(reader.operation in ("conv", "gate") for name in shared for reader in self._readers[name])
        return not (self.program.mode == "train" and (needed_backwards or old.operation == "relu"))

    # Backwards

    def emit_backward(self) -> None:
        """The backward instructions, in reverse order of the steps."""
        self.program.output_grad = self._grads[self.graph.output] = self._new(self.graph[self.graph.output])
        for step in reversed(self._steps):
            node, result = step.node, step.result
            if node.operation == "relu" or result.name not in self._grads:
                continue
            grad = self._grads[result.name]
            if node.operation == "conv":
                source = node.inputs[0]
                layer = self._layers[node.name]
                self._append(Instruction("conv_grad_weight", layer=layer, first=self._values[source], grad=grad, taps=node.taps))
                self._contribute(source, Instruction("conv_grad_input", layer=layer, grad=grad, taps=node.taps))
                if step.residual is not None:
                    self._pass_on(step.residual.name, grad)
            elif node.operation == "add":
                for source in node.inputs:
                    self._contribute(source, Instruction("add_grad", grad=grad))
            elif node.operation == "gate":
                self._emit_gate_gradient(node, grad)

    def _emit_gate_gradient(self, node: Node, grad: int) -> None:
        features, gates = (self._values[name] for name in node.inputs)
        parts = [self._new(node), self._new(node)]
        self._append(Instruction("gate_grad", grad=grad, first=features, second=gates, out=parts[0], out2=parts[1]))
        for source, part in zip(node.inputs, parts, strict=True):
            self._pass_on(source, part)

    def _pass_on(self, source: str, grad: int) -> None:
        """Adds a gradient that nobody else needs any more to a node's: it simply becomes the node's where that has none yet."""
        target, mask = self._differentiable(source)
        if target is not None and mask == NONE and target not in self._grads:
            self._grads[target] = grad
        else:
            self._contribute(source, Instruction("add_grad", grad=grad))

    def _contribute(self, source: str, instruction: Instruction) -> None:
        """Adds what an instruction computes to the gradient of a node."""
        target, mask = self._differentiable(source)
        if target is None:
            return
        accumulate = target in self._grads
        if not accumulate:
            self._grads[target] = self._new(self.graph[target])
        kind: Kind = "relu_grad" if instruction.kind == "add_grad" and mask != NONE else instruction.kind
        self._append(replace(instruction, kind=kind, mask=mask, out=self._grads[target], accumulate=accumulate))

    def _differentiable(self, source: str) -> tuple[str | None, int]:
        """The node whose gradient a contribution to `source` belongs to, and the ReLU's value that masks it."""
        mask = NONE
        node = self.graph[source]
        while node.operation == "relu":
            mask = self._values[node.name] if mask == NONE else mask
            node = self.graph[node.inputs[0]]
        depends = node.operation not in ("image", "given")
        return (node.name if depends else None), mask

    def _append(self, instruction: Instruction) -> None:
        self.program.backward.append(instruction)

    def _phase(self, node: Node) -> Phase:
        late = node.visit == "pixel" and self.graph.horizons[node.name] == HERE and node.operation != "image"
        return "late" if late else node.visit

    def _new(self, node: Node) -> int:
        keeps_all = self.program.mode != "sample" or node.visit == "given"
        readers = self._readers[node.name]
        buffer = Buffer(node.channels)
        if not keeps_all:
            buffer.rows = 1 + max((-dy for reader in readers for dy, _ in taps_of(reader)), default=0)
            buffer.scratch = node.operation != "image" and node.visit == "pixel" and all(taps_of(reader) == CENTRE for reader in readers)
        self.program.buffers.append(buffer)
        return len(self.program.buffers) - 1


def taps_of(node: Node) -> tuple[Tap, ...]:
    """Where a node reads its inputs."""
    return node.taps if node.operation == "conv" else CENTRE


def _shape_buffers(program: Program, graph: Graph) -> None:
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
    alike: dict[tuple[int, bool], list[Buffer]] = {}
    for index, buffer in enumerate(program.buffers):
        if index not in apart and buffer.rows == 0:
            alike.setdefault((buffer.channels, buffer.scratch), []).append(buffer)
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
    kept = {program.image, *program.given.values()}
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
