"""Emits the instructions of a program, node by node; each operation says for itself how (`genlab.causal.operations`)."""

from __future__ import annotations

from dataclasses import dataclass

from genlab.causal.graph import Graph
from genlab.causal.node import HERE, Node
from genlab.causal.operations import CENTRE, OPERATIONS, Operation
from genlab.causal.program import NONE, Buffer, Instruction, Mode, Phase, Program


@dataclass(frozen=True)
class Step:
    """One forward instruction as the graph sees it: a node, and what was fused with it."""

    node: Node
    residual: Node | None = None
    sum: Node | None = None
    act: Node | None = None

    @property
    def result(self) -> Node:
        """The node whose value is the sum."""
        return self.sum or self.node


def operation_of(node: Node) -> Operation:
    """What the engine knows of a node's operation."""
    return OPERATIONS[node.operation]


class Lowering:
    """A program in the making. What operations call has no underscore."""

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
        self.kept: dict[str, tuple[int, ...]] = {}  # buffers that an operation's way back reads, by node; the operation's own affair
        self._given_grads = False
        self._steps = self._fuse()

    # Which nodes become one instruction

    def _fuse(self) -> list[Step]:
        """The steps in the order of execution."""
        sums = self._sums_taken_along()
        taken = {convolution.name for convolution in sums.values()}
        steps: list[Step] = []
        acts: set[str] = set()
        for node in self.graph.nodes:
            if operation_of(node).is_source or node.name in taken or node.name in acts:
                continue
            first = sums.get(node.name, node)
            if not operation_of(first).takes_along:
                steps.append(Step(node))
                continue
            act = next((r for r in self._readers[node.name] if operation_of(r).rides_as == "act" and self._runs_with(r, node)), None)
            if act:
                acts.add(act.name)
            if first is node:
                steps.append(Step(first, act=act))
            else:
                residual = next(name for name in reversed(node.inputs) if name != first.name)
                steps.append(Step(first, self.graph[residual], node, act))
        return steps

    def _sums_taken_along(self) -> dict[str, Node]:
        """For each sum that a convolution takes along, that convolution: nothing else reads it, and both run at the same time."""
        sums: dict[str, Node] = {}
        for node in self.graph.nodes:
            readers = self._readers[node.name]
            alone = len(readers) == 1 and node.name != self.graph.output and operation_of(node).takes_along
            if alone and operation_of(readers[0]).rides_as == "sum" and self._runs_with(readers[0], node):
                sums[readers[0].name] = node
        return sums

    def _runs_with(self, node: Node, other: Node) -> bool:
        return self._phase(node) == self._phase(other) and self._is_small(node) == self._is_small(other)

    # Forwards

    def emit_forward(self) -> None:
        """The forward instructions, and where each node's value lies."""
        program, graph = self.program, self.graph
        program.image = self._values[graph.nodes[0].name] = self.new(graph.nodes[0])
        for node in graph.given:
            program.given[node.name] = self._values[node.name] = self.new(node)
        for step in self._steps:
            operation_of(step.node).lower(self, step)
        program.output = self._values[graph.output]

    def emit(self, step: Step, *, layer: Node | None = None, **buffers: int) -> None:
        """An instruction of the way there."""
        index, taps = (self._layers[layer.name], layer.taps) if layer else (NONE, CENTRE)
        instruction = Instruction(step.node.operation, self._phase(step.node), layer=index, taps=taps)
        for slot, buffer in buffers.items():
            setattr(instruction, slot, buffer)
        self.program.forward.append(instruction)

    def define(self, node: Node) -> int:
        """The buffer for a node's value."""
        self._values[node.name] = self.new(node)
        return self._values[node.name]

    def emit_elementwise(self, step: Step) -> None:
        """The instruction of an operation that works value by value."""
        first, *others = (self._values[name] for name in step.node.inputs)
        self.emit(step, first=first, second=others[0] if others else NONE, out=self.define(step.node))

    def emit_convolution(self, step: Step) -> None:
        """The instruction of a convolution and what it takes along."""
        result = step.result
        others = [reader for reader in self._readers[result.name] if reader is not step.act]
        wanted = bool(others) or result.name == self.graph.output
        if wanted:
            in_place = step.residual is not None and self._may_overwrite(step)
            self._values[result.name] = self._values[step.residual.name] if step.residual and in_place else self.new(result)
        if step.act:
            self._values[step.act.name] = self.new(step.act)
        if not wanted and not step.act:
            self._values[result.name] = self.new(result)  # nobody reads it; it is computed all the same
            wanted = True
        self.program.forward.append(
            Instruction(
                step.node.operation,
                self._phase(step.node),
                layer=self._layers[step.node.name],
                first=self._values[step.node.inputs[0]],
                residual=self._values[step.residual.name] if step.residual else NONE,
                out=self._values[result.name] if wanted else NONE,
                act=self._values[step.act.name] if step.act else NONE,
                taps=step.node.source_taps,
            )
        )

    def _may_overwrite(self, step: Step) -> bool:
        """Whether a residual sum may be kept where its second summand lies: nobody reads that any more."""
        old = step.residual
        assert old is not None
        if operation_of(old).is_source or old.name in (step.node.inputs[0], self.graph.output):
            return False
        if self._is_small(old) != self._is_small(step.result):
            return False
        shared = [name for name, buffer in self._values.items() if buffer == self._values[old.name]]
        for later in self._steps[self._steps.index(step) + 1 :]:
            if any(name in shared for name in (*later.node.inputs, later.residual.name if later.residual else "")):
                return False
        if self.program.mode == "sample":
            # While a pixel is drawn the sum is computed again and again, what runs in another phase is not.
            at_taps = any(operation_of(r).taps(r, n.name) != CENTRE for n in (old, step.result) for r in self._readers[n.name])
            return self._phase(old) == self._phase(step.result) and not at_taps
        needed = any(operation_of(reader).needs_inputs for name in shared for reader in self._readers[name])
        return not (self.program.mode == "train" and (needed or operation_of(old).masks_gradient or operation_of(old).needs_output))

    # Backwards

    def emit_gradients(self, given_grads: bool) -> None:
        """The backward instructions, in reverse order of the steps."""
        self._given_grads = given_grads
        self.program.output_grad = self._grads[self.graph.output] = self.new(self.graph[self.graph.output])
        for step in reversed(self._steps):
            if not operation_of(step.node).masks_gradient and step.result.name in self._grads:
                operation_of(step.node).lower_gradient(self, step, self._grads[step.result.name])
        self.program.given_grads = {name: self._grads.get(name, NONE) for name in self.program.given}

    def emit_backward(self, kind: str, *, layer: Node | None = None, accumulate: bool = False, **buffers: int) -> None:
        """An instruction of the way back."""
        instruction = Instruction(kind, accumulate=accumulate)
        if layer:
            instruction.layer = self._layers[layer.name]
            instruction.taps, instruction.mirrored_taps = layer.source_taps, layer.mirrored_taps
        for slot, buffer in buffers.items():
            setattr(instruction, slot, buffer)
        self.program.backward.append(instruction)

    def pass_on(self, source: str, grad: int) -> None:
        """Adds a gradient that nobody else needs any more to a node's: it simply becomes the node's where that has none yet."""
        target, mask = self._differentiable(source)
        if target is not None and mask == NONE and target not in self._grads and self._is_like(grad, self.graph[target]):
            self._grads[target] = grad
        else:
            self.contribute(source, grad)

    def contribute(self, source: str, grad: int, *, layer: Node | None = None) -> None:
        """Adds `grad`, or what a convolution passes back of it, to the gradient of a node."""
        target, mask = self._differentiable(source)
        if target is None:
            return
        wide = not self._is_like(grad, self.graph[target])  # the node is the same everywhere, what reads it is not
        if wide and layer is not None:
            part = self._new_buffer(self.graph[source], everywhere=False)
            self.emit_backward("conv_grad_input", layer=layer, grad=grad, out=part)
            grad, layer = part, None
        kind = "conv_grad_input" if layer else "everywhere_grad" if wide else "add_grad" if mask == NONE else "relu_grad"
        accumulate = target in self._grads
        if not accumulate:
            self._grads[target] = self.new(self.graph[target])
        self.emit_backward(kind, layer=layer, grad=grad, mask=mask, out=self._grads[target], accumulate=accumulate)

    def contribute_by(self, kind: str, source: str, node: Node, *, grad: int, first: int) -> None:
        """Adds what an instruction of `node`'s way back writes to the gradient of a node: at once, where nothing stands in between."""
        target, mask = self._differentiable(source)
        if target is None:
            return
        if mask == NONE and self._is_small(node) == self._is_small(self.graph[source]):
            accumulate = source in self._grads
            if not accumulate:
                self._grads[source] = self.new(self.graph[source])
            self.emit_backward(kind, grad=grad, first=first, out=self._grads[source], accumulate=accumulate)
        else:
            part = self._new_buffer(self.graph[source], everywhere=self._is_small(node))
            self.emit_backward(kind, grad=grad, first=first, out=part)
            self.contribute(source, part)

    def summed(self, grad: int) -> int:
        """A gradient summed over all pixels, as what stands for them all gets it."""
        if self.is_everywhere(grad):
            return grad
        total = self._add(Buffer(self.program.buffers[grad].channels, 1, 1, everywhere=True))
        self.emit_backward("everywhere_grad", grad=grad, out=total)
        return total

    def _differentiable(self, source: str) -> tuple[str | None, int]:
        """The node whose gradient a contribution to `source` belongs to, and the value that masks it."""
        mask = NONE
        node = self.graph[source]
        while operation_of(node).masks_gradient:
            mask = self._values[node.name] if mask == NONE else mask
            node = self.graph[node.inputs[0]]
        wanted = not operation_of(node).is_source or (self._given_grads and node.name in self.program.given)
        return (node.name if wanted else None), mask

    # Buffers

    def value(self, name: str) -> int:
        """The buffer that holds a node's value."""
        return self._values[name]

    def is_everywhere(self, buffer: int) -> bool:
        """Whether a buffer's one pixel stands for all pixels of the image."""
        return self.program.buffers[buffer].everywhere

    def new(self, node: Node) -> int:
        """A buffer for a node's value or gradient."""
        index = self._new_buffer(node, everywhere=self._is_small(node))
        if self.program.mode == "sample" and node.visit != "given":
            buffer, readers = self.program.buffers[index], self._readers[node.name]
            others = [reader for reader in readers if reader is not node]  # a recurrent node reads states of its own
            taps = [(reader.up, tap) for reader in others for tap in operation_of(reader).taps(reader, node.name)]
            buffer.rows = 1 + max((-dy // up for up, (dy, _) in taps), default=0)
            buffer.scratch = not operation_of(node).is_source and node.visit == "pixel" and all(tap == (0, 0) for _, tap in taps)
        return index

    def new_states(self, node: Node) -> int:
        """A buffer for the states of a recurrent node, whose border holds the initial ones."""
        index = self._new_buffer(node, everywhere=False)
        buffer = self.program.buffers[index]
        buffer.states = True
        if self.program.mode == "sample":
            buffer.rows = 1 + max(-dy for dy, _ in node.taps)
        return index

    def new_map(self, node: Node, parts: int = 1) -> int:
        """A buffer of a node's size, for so many maps of its channels side by side."""
        return self._add(Buffer(parts * node.channels, *self.graph.size(node), stride=node.stride))

    def is_read_by(self, source: str, node: Node) -> bool:
        """Whether a node is the only one that reads `source`, which is no source of the list's and no output."""
        return self._readers[source] == [node] and source != self.graph.output and not operation_of(self.graph[source]).is_source

    def _new_buffer(self, node: Node, *, everywhere: bool) -> int:
        if everywhere:
            return self._add(Buffer(node.channels, 1, 1, everywhere=True))
        return self._add(Buffer(node.channels, *self.graph.size(node), stride=node.stride))

    def _add(self, buffer: Buffer) -> int:
        self.program.buffers.append(buffer)
        return len(self.program.buffers) - 1

    def _is_small(self, node: Node) -> bool:
        return node.name in self.graph.everywhere

    def _is_like(self, buffer: int, node: Node) -> bool:
        return self.is_everywhere(buffer) == self._is_small(node)

    def _phase(self, node: Node) -> Phase:
        late = node.visit == "pixel" and self.graph.horizons[node.name] == HERE and not operation_of(node).is_source
        return "late" if late else node.visit
