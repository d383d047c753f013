"""The rules of a causal list: its nodes are well formed, and none sees a pixel before it is drawn."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from genlab.causal.node import CENTRES, HERE, SCANS, VISITS, Node, Offset
from genlab.causal.operations import OPERATIONS
from genlab.errors import InputError, unknown_name

if TYPE_CHECKING:
    from genlab.causal.graph import Graph

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check(graph: Graph) -> dict[str, Offset | None]:
    """All rules of the list; returns every node's horizon."""
    horizons: dict[str, Offset | None] = {}
    known: dict[str, Node] = {}
    if graph.nodes and graph.nodes[0].operation == "image" and graph.nodes[0].channels != graph.image_shape[0]:
        raise InputError(
            f"node {graph.nodes[0].name!r} is the image and must have its {graph.image_shape[0]} channel(s) of image_shape; "
            f"got {graph.nodes[0].channels}"
        )
    for position, node in enumerate(graph.nodes):
        _check_form(node, position, known)
        known[node.name] = node
        horizons[node.name] = _horizon(node, known, horizons, graph.groups, graph.image_shape[2])
        horizon = horizons[node.name]
        if horizon is not None and horizon > HERE:
            raise InputError(f"node {node.name!r} would see a pixel that is drawn later: {_where(horizon)}")
        if node.visit == "row" and horizon is not None and horizon[0] >= 0:
            raise InputError(f"node {node.name!r} is visited by rows and must depend on earlier rows alone, but sees {_where(horizon)}")
        if node.visit == "given" and horizon is not None:
            raise InputError(
                f"node {node.name!r} is given before drawing starts and must not depend on the image, but sees {_where(horizon)}"
            )
    if graph.output not in known:
        raise unknown_name("output", graph.output, known)
    if known[graph.output].stride != 1:
        raise InputError(f"node {graph.output!r} is the output and must have stride 1; got {known[graph.output].stride}")
    if known[graph.output].visit == "given":
        raise InputError(f"node {graph.output!r} is the output and must be visited by rows or pixels; its visit is 'given'")
    if not graph.convolutions:
        raise InputError(f"node {graph.output!r} is the output of a list without parameters; at least one node must be a 'conv'")
    last = horizons[graph.output]
    if last is not None and last >= HERE:
        raise InputError(f"node {graph.output!r} is the output and must see earlier pixels alone, but sees {_where(last)}")
    expected = graph.distribution.output_channels(graph.image_shape[0])
    if known[graph.output].channels != expected:
        raise InputError(
            f"node {graph.output!r} is the output and must have what {graph.image_shape[0]} image channel(s) are drawn from by the "
            f"distribution {graph.distribution.name!r}, {expected} channels; got {known[graph.output].channels}"
        )
    return horizons


def _check_form(node: Node, position: int, known: Mapping[str, Node]) -> None:
    if not _NAME.fullmatch(node.name) or node.name in known:
        raise InputError(f"a node's name must be a word of its own (letters, digits, _); got {node.name!r}")
    if node.operation not in OPERATIONS:
        raise unknown_name(f"operation of node {node.name!r}", node.operation, OPERATIONS)
    if node.visit not in VISITS:
        raise unknown_name(f"visit of node {node.name!r}", node.visit, VISITS)
    if (position == 0) != (node.operation == "image"):
        raise InputError(f"node {node.name!r}: the image must be the first node, and the only one of its kind")
    if node.channels < 1:
        raise InputError(f"channels of node {node.name!r} must be at least 1; got {node.channels}")
    if node.parts < 1 or node.channels % node.parts:
        raise InputError(f"parts of node {node.name!r} must divide its {node.channels} channels; got {node.parts}")
    operation = OPERATIONS[node.operation]
    if len(node.inputs) != operation.arity:
        raise InputError(f"node {node.name!r} ({node.operation}) must have {operation.arity} input(s); got {len(node.inputs)}")
    if node.everywhere and node.operation != "given":
        raise InputError(f"node {node.name!r} ({node.operation}) is computed; only a given node can be everywhere")
    if not operation.is_recurrent and (node.name in node.inputs or (node.cell_tap, node.scan) != (None, "right")):
        raise InputError(
            f"node {node.name!r} ({node.operation}) is not recurrent: it must not read itself, and cell_tap and scan must be left alone"
        )
    if node.scan not in SCANS:
        raise unknown_name(f"scan of node {node.name!r}", node.scan, SCANS)
    for source in node.inputs:
        if source not in known and source != node.name:
            raise InputError(f"node {node.name!r} reads {source!r}, which is not an earlier node")
    _check_stride(node, known)
    height, width = node.kernel_size
    if height < 1 or width < 1 or height % 2 == 0 or width % 2 == 0:
        raise InputError(f"kernel_size of node {node.name!r} must be odd; got {node.kernel_size}")
    if node.dilation < 1:
        raise InputError(f"dilation of node {node.name!r} must be at least 1; got {node.dilation}")
    if len(set(node.taps)) != len(node.taps):
        raise InputError(f"taps of node {node.name!r} must differ; got {node.taps}")
    for dy, dx in node.taps:
        if dy % node.dilation or dx % node.dilation:
            raise InputError(f"tap {(dy, dx)} of node {node.name!r} must be a multiple of its dilation, {node.dilation}")
        if abs(dy) > height // 2 * node.dilation or abs(dx) > width // 2 * node.dilation:
            raise InputError(f"tap {(dy, dx)} of node {node.name!r} lies outside its {height}×{width} kernel")
    if node.centre not in CENTRES:
        raise unknown_name(f"centre of node {node.name!r}", node.centre, CENTRES)
    operation.check(node, known)


def _check_stride(node: Node, known: Mapping[str, Node]) -> None:
    if node.stride < 1:
        raise InputError(f"stride of node {node.name!r} must be at least 1; got {node.stride}")
    read = node.stride if node.source_stride is None else node.source_stride
    for source in node.inputs:
        stride = node.stride if source == node.name else known[source].stride
        if stride != read:
            raise InputError(
                f"node {node.name!r} reads maps of stride {read}, but its input {source!r} has stride {stride}; they must agree"
            )
    if node.inputs and node.stride % read and read % node.stride:
        raise InputError(f"stride of node {node.name!r} must be a multiple of its input's, {read}, or divide it; got {node.stride}")


def _horizon(node: Node, known: Mapping[str, Node], horizons: Mapping[str, Offset | None], groups: int, width: int) -> Offset | None:
    """The latest offset that `node` depends on; also checks that each input is computed by the time it is read."""
    if node.operation == "image":
        return HERE
    operation = OPERATIONS[node.operation]
    tap = HERE if operation.is_recurrent else node.latest_tap(groups)
    if tap is None:
        return None
    latest: Offset | None = None
    for source in node.inputs:
        if source == node.name:
            continue  # earlier in its own scan: the operation's check sees to it
        _check_available(node, known[source], tap)
        horizon = horizons[source]
        if horizon is not None:
            reached = (horizon[0] + tap[0], horizon[1] + tap[1], horizon[2] + tap[2])
            latest = reached if latest is None else max(latest, reached)
    if latest is not None and node.scan == "left":
        latest = (latest[0], max(latest[1], width), groups - 1)  # all that its input sees, up to the end of the row
    return latest


def _check_available(node: Node, source: Node, tap: Offset) -> None:
    if VISITS.index(source.visit) > VISITS.index(node.visit) and not (node.visit == "row" and tap[0] < 0):
        raise InputError(f"node {node.name!r} (visit {node.visit!r}) reads {source.name!r} (visit {source.visit!r}) before it is computed")
    too_late = tap[0] > 0 if source.visit == "row" else source.visit == "pixel" and tap[:2] > (0, 0)
    if too_late:
        raise InputError(f"node {node.name!r} would see a pixel that is drawn later: it reads {source.name!r} at {_where(tap)}")


def _where(offset: Offset) -> str:
    return f"(dy, dx, dc) = ({offset[0]:+d}, {offset[1]:+d}, {offset[2]:+d})"
