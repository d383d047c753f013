"""``genlab bench systems``: each causal system of the catalogue, trained and drawn from, against its twin in plain torch."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from genlab.benchmark import peers, roofline, sampling, training
from genlab.benchmark.examples import YARDSTICK, describe, random_model
from genlab.benchmark.table import Case, CaseResult, Check, Contender, Figure, Settings, Side, Table

ABOUT = """\
Every causal system that has an independent twin in plain torch, at the sizes that its claims are made for: batch 64 of binary 28×28, of
PixelCNN++ batch 16 of 32×32 in colour.
- A training step in float32 and in bfloat16: sides, peers and checks are those of `genlab bench training`.
- 64 images drawn, against one forward pass over as many; one image drawn, against naive torch: as in `genlab bench sampling`, naive
  draws timed by their first 14 pixels.
- A compiled side that is not ready within 900 s sits out: torch.compile unrolls an LSTM's loop over lines, of a diagonal one 330 a step.
Where the processor has a matrix unit for bfloat16 (AMX), both sides use it, and its peak is what bfloat16 has a share of."""

NATIVE = training.NATIVE
STEP, DRAW = "step", "draw"
COMPILE_LIMIT = 900.0  # seconds

SYSTEMS: dict[str, dict[str, Any]] = {
    "pixelcnn": YARDSTICK,
    "gated_pixelcnn": {"image_shape": [1, 28, 28], "levels": 2, "channels": 64, "layers": 5},
    "row_lstm": {"image_shape": [1, 28, 28], "levels": 2, "channels": 32, "layers": 3},
    "diagonal_bilstm": {"image_shape": [1, 28, 28], "levels": 2, "channels": 32, "layers": 3},
    "pixelcnn_pp": {"image_shape": [3, 32, 32], "levels": 256, "channels": 32, "blocks": 2, "mixtures": 5},
}
"""The sizes of each system's claims; a system enters the table when `genlab.benchmark.peers` names its twin."""


def cases(quick: bool) -> tuple[Case, ...]:
    """A step in both number formats, many images and one; the quick form compiles nothing and times no bfloat16."""
    found = []
    for system in (name for name in SYSTEMS if name in peers.FILES):
        model = {**SYSTEMS[system], "family": system}
        images = 64 if model["image_shape"][0] == 1 else 16
        compiled = () if quick else training.COMPILED
        step = partial(case, model, STEP, images=images)
        found.append(step(sides=(NATIVE, *training.EAGER, *compiled, roofline.PEAK)))
        if roofline.peaks_beside() and not quick:
            found.append(step(dtype="bfloat16", sides=(NATIVE, *training.EAGER, *compiled, *roofline.peaks_beside())))
        found.append(case(model, DRAW, images=64, sides=(NATIVE, sampling.FORWARD)))
        found.append(case(model, DRAW, images=1, sides=(NATIVE, *(sampling.NAIVE[1::2] if quick else sampling.NAIVE))))
    return tuple(found)


def case(model: Settings, what: str, *, images: int, sides: Sequence[str], dtype: str = "float32") -> Case:
    """One system, trained or drawn from."""
    words = f"one step in {dtype}, batch {images}" if what == STEP else f"{images} image{'s' if images > 1 else ''} in {dtype}"
    return Case(f"{words}: {describe(model)}", {"model": dict(model), "what": what, "images": images, "dtype": dtype}, tuple(sides))


def native(*, what: str, **settings: Any) -> Contender:
    """Genlab's own walk: a step or a draw."""
    walks: dict[str, Callable[..., Contender]] = {STEP: training.genlab_contender, DRAW: sampling.genlab_contender}
    return walks[what]("native", **settings)


def without_what(prepare: Callable[..., Contender], *, what: str, **settings: Any) -> Contender:
    """A side that knows one thing to do."""
    return prepare(**settings)


SIDES = {
    NATIVE: Side("genlab", native, role="native"),
    sampling.FORWARD: Side("genlab", partial(without_what, sampling.forward_contender), role="context"),
    **{
        name: replace(side, prepare=partial(without_what, side.prepare), limit=COMPILE_LIMIT if name in training.COMPILED else None)
        for name, side in itertools.chain(training.SIDES.items(), sampling.SIDES.items())
        if name in (*training.EAGER, *training.COMPILED, *sampling.NAIVE)
    },
    **roofline.PEAKS,
}


def check(settings: Settings) -> Check:
    """As in the tables of training and of sampling."""
    checks: dict[str, Callable[[Settings], Check]] = {STEP: training.check, DRAW: sampling.check}
    return checks[settings["what"]](settings)


def figures(results: Sequence[CaseResult]) -> list[Figure]:
    """A row for each system: ahead of torch, near the peak, forward passes, ahead of naive, ahead in bfloat16."""
    found = []
    for result in results:
        settings = result.case.settings
        system, name = settings["model"]["family"], f" ({result.case.name})"
        if settings["what"] == DRAW:
            if sampling.FORWARD in result:
                passes = 1 / result.ratio(result[sampling.FORWARD])
                found.append(Figure(f"{system}_passes", passes, "forward passes that a draw takes" + name))
            else:
                found.append(Figure(f"{system}_over_naive", result.lead(), "naive torch / native" + name))
            continue
        bfloat16 = settings["dtype"] == "bfloat16"
        key = f"{system}_bfloat16" if bfloat16 else system
        rate = training.step_operations(random_model(settings["model"]).graph) * settings["images"] / result.native.median
        share = rate / roofline.peak_rate(result, bfloat16)
        found += [
            Figure(f"{key}_milliseconds", result.native.median * 1e3, "ms a step, native" + name),
            Figure(f"{key}_share_of_peak", share, "native's share of the peak" + name),
            Figure(f"{key}_over_best", result.lead(), "fastest form of torch / native" + name),
            Figure(f"{key}_over_torch", result.lead("torch"), "best eager form of torch / native" + name),
        ]
        if any(side.process == "torch.compile" for side in result.sides):
            found.append(Figure(f"{key}_over_torch_compile", result.lead("torch.compile"), "best compiled form of torch / native" + name))
    return found


TABLE = Table("systems", __name__, ABOUT, SIDES, cases, check, figures, notes=roofline.notes)
