"""``genlab bench memory``: the peak memory of a training step."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from genlab.benchmark import training
from genlab.benchmark.examples import YARDSTICK, describe, random_model
from genlab.benchmark.resident import forget_peak, peak_resident, resident
from genlab.benchmark.table import Case, CaseResult, Contender, Figure, Settings, Side, Table
from genlab.native import native_info

if TYPE_CHECKING:
    from genlab.causal import Graph

ABOUT = """\
Peak memory of one training step in float32, the step of `genlab bench training`. Every side has a process to itself: a small network
takes a step first, so that libraries and compilers are loaded; then the mark is set, the network and its batch are made, one step runs
(and compiles), the kernel's high-water mark of resident memory is reset, a step runs, and what it stands above the first mark is
reported. Parameters, gradients, the optimiser's state and the batch count on every side, as do all memories kept between steps."""

SMALL = {**YARDSTICK, "image_shape": [1, 8, 8], "blocks": 1}


def cases(quick: bool) -> tuple[Case, ...]:
    """The yardstick; full, at two batch sizes, so that growth with the batch shows."""
    if quick:
        return (case(YARDSTICK, images=64, sides=(training.NATIVE, *training.EAGER[1::2])),)
    sides = (training.NATIVE, *training.EAGER, *training.COMPILED)
    return tuple(case(YARDSTICK, images=images, sides=sides) for images in (64, 256))


def case(model: Settings, *, images: int, sides: Sequence[str]) -> Case:
    """One network at one batch size."""
    name = f"one step in float32, batch {images}: {describe(model)}"
    return Case(name, {"model": dict(model), "images": images, "dtype": "float32"}, tuple(sides))


def weighed(prepare: Callable[..., Contender], *, model: Settings, images: int, dtype: str) -> Contender:
    """A contender of the training table that weighs its steps in place of being timed."""
    warm = prepare(model={**model, "image_shape": SMALL["image_shape"], "blocks": 1}, images=2, dtype=dtype)
    warm.outputs()
    warm.run()
    del warm
    before = resident()
    contender = prepare(model=model, images=images, dtype=dtype)

    def run() -> int:
        contender.run()
        gc.collect()
        forget_peak()
        contender.run()
        return peak_resident() - before

    return Contender(contender.outputs, run)


SIDES = {
    name: Side(side.process, partial(weighed, side.prepare), role=side.role)
    for name, side in training.SIDES.items()
    if name in (training.NATIVE, *training.EAGER, *training.COMPILED)
}


# --- figures ---------------------------------------------------------------------------------------------------------------------


def figures(results: Sequence[CaseResult]) -> list[Figure]:
    """Native beside torch, and beside the formula."""
    found = []
    for result in results:
        settings = result.case.settings
        key, name = f"batch{settings['images']}_", f", batch {settings['images']}"
        expected = native_bytes(random_model(settings["model"]).graph, native_info()["threads"])
        found += [
            Figure(key + "native_megabytes", result.native.median / 1e6, "MB, native" + name),
            Figure(key + "formula_megabytes", expected / 1e6, "MB, by the formula for native" + name),
            Figure(key + "torch_share", 1 / result.lead("torch"), "native / smallest eager form of torch" + name),
            Figure(key + "torch_compile_share", 1 / result.lead("torch.compile"), "native / smallest compiled form" + name),
        ]
        best = result.best_peer()
        found.append(Figure(key + "best_megabytes", best.median / 1e6 if best else math.nan, "MB, smallest peer" + name))
    return found


def native_bytes(graph: Graph, threads: int) -> int:
    """What a native training step in float32 keeps, whatever the batch.

        4 · (T · (Σ_b rows_b · columns_b · channels_b + P) + 6 P)

    over the buffers b of the lowered program, borders and padding to whole vectors included, with T threads and P padded
    parameters: each thread has its maps and its own gradients; once there are the parameters, their gradients, Adam's two moments,
    and the weights packed for both directions.
    """
    from genlab.causal.program import lower

    _, height, width = graph.image_shape
    lanes = native_info()["lanes"]
    maps = 0
    for buffer in lower(graph, "train").buffers:
        rows, columns = buffer.top + height + buffer.bottom, width + max(buffer.left, buffer.right)
        maps += (1 if buffer.scratch else rows * columns) * _padded(buffer.channels, lanes)
    parameters = 0
    for node in graph.convolutions:
        live = int(graph.mask(node).any(axis=0).sum())
        parameters += (live + 1) * _padded(node.channels, lanes)
    return 4 * (threads * (maps + parameters) + 6 * parameters)


def _padded(channels: int, lanes: int) -> int:
    return -(-channels // lanes) * lanes


TABLE = Table("memory", __name__, ABOUT, SIDES, cases, training.check, figures, unit="bytes")
