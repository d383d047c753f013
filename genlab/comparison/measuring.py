"""What a finished run gives: what is known of log p, where its samples lie, and what it cost. Every figure with its standard error.

All figures of samples are of one drawing, `EXAMPLES` of them (or as many as there are test examples), so that they speak of the same
images. Times are medians of several drawings in a row, each after one that does not count.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genlab.ablation.study import parameters_of, stored
from genlab.benchmark import machine
from genlab.domain import Batch
from genlab.measures.figures import generator_of
from genlab.measures.resampling import RESAMPLES

if TYPE_CHECKING:
    from genlab.datasets import Dataset
    from genlab.measures.neighbours import Neighbours
    from genlab.runs import Run

EXAMPLES = 1_000
"""At most so many samples, and as many real examples, are compared."""
SCORED = 2_000
"""At most so many test examples are scored."""
SHOWN, MANY = 16, 64
_POINTS_SHOWN, _RASTER = 2_000, 64
_PATIENCE_SECONDS = 4.0  # of a drawing that is repeated
_REPEATS = 9
_FOR_SAMPLES = ("precision", "recall", "density", "coverage", "frechet")
# What is freed goes back to the system at once, so that what is resident is what is needed.
_TIDY = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}

Figures = dict[str, dict[str, float | None]]


def measured(run: Run, data: Dataset) -> dict[str, Any]:
    """Plain values: figures by name with their standard errors, the protocol of the likelihood, samples."""
    from genlab.measures.features import drawn_like, in_space, usual_space
    from genlab.measures.memorisation import HELD_OUT, SAMPLES, TRAINING, nearest_of
    from genlab.measures.neighbours import compared
    from genlab.runs import load_model

    model: Any = load_model(run)
    test = _first(data, "test", EXAMPLES)
    drawn = drawn_like(model, test, len(test), seed=0)
    space = usual_space(data.domain)
    lies = compared(in_space(test.values, data.domain, space), in_space(drawn, data.domain, space), space=space)
    plain = "pixels" if data.domain.is_image else "coordinates"
    seen, unseen = _first(data, "train", TRAINING), np.concatenate([_first(data, split, HELD_OUT).values for split in ("valid", "test")])
    parts = (drawn[:SAMPLES], seen.values, unseen[:HELD_OUT])
    copies = nearest_of(*(in_space(values, data.domain, plain) for values in parts), space=plain).excess
    told, log_p = _log_p(model, data)
    return {
        "figures": {
            **log_p,
            **_of(lies),
            "copies": figure(copies.value, copies.standard_error),
            "one_seconds": _drawing_seconds(model, test, 1),
            "many_seconds": _drawing_seconds(model, test, MANY),
            **_costs(run, data),
            "parameters": figure(parameters_of(model)),
        },
        **told,
        "space": space,
        "compared": len(drawn),
        "samples": shown(drawn, data),
    }


def of_the_data(data: Dataset) -> dict[str, Any]:
    """What every model is held against: real examples, and what figures of samples say of other real ones; the machine."""
    from genlab.measures.features import in_space, usual_space
    from genlab.measures.neighbours import NEIGHBOURS, compared

    test, valid = _first(data, "test", EXAMPLES), _first(data, "valid", EXAMPLES)
    space = usual_space(data.domain)
    real: Figures = {}
    if min(len(test), len(valid)) > NEIGHBOURS:
        real = _of(compared(*(in_space(each.values, data.domain, space) for each in (test, valid)), space=space))
    return {
        "machine": machine.describe(),
        "data": {"words": data.describe(), "training": len(data.train), "what": "images" if data.domain.is_image else "points"},
        "real": {"figures": real, "compared": min(len(test), len(valid)), "samples": shown(test.values, data)},
    }


def figure(value: float, standard_error: float | None = None) -> dict[str, float | None]:
    """A figure as it is stored."""
    return {"value": float(value), "standard_error": standard_error if standard_error is None else float(standard_error)}


def shown(values: NDArray[Any], data: Dataset) -> dict[str, Any]:
    """Images as they are, points as one picture of where they lie."""
    if data.domain.is_image:
        return stored(values[:SHOWN], data.levels or 2)
    train = np.asarray(data.train.batch(generator_of(0, 0), np.arange(len(data.train))).values)
    pair = [0, min(1, train.shape[1] - 1)]
    low, high = train[:, pair].min(0), train[:, pair].max(0)
    margin = 0.1 * (high - low) + 1e-6
    x, y = values[:_POINTS_SHOWN, pair].T
    bounds = [(low[1] - margin[1], high[1] + margin[1]), (low[0] - margin[0], high[0] + margin[0])]
    counts, _, _ = np.histogram2d(y, x, bins=_RASTER, range=bounds)
    light = np.minimum(1, counts[::-1] / max(1.0, float(np.quantile(counts[counts > 0], 0.9)) if counts.any() else 1.0))
    return stored((255 * light).round().astype(np.uint8)[None, None], 256)


def _first(data: Dataset, split: str, count: int) -> Batch:
    chosen = getattr(data, split)
    batch: Batch = chosen.batch(generator_of(0, 0), np.arange(min(len(chosen), count)))
    return batch


def _of(lies: Neighbours) -> Figures:
    estimates = {name: getattr(lies, name) for name in _FOR_SAMPLES}
    return {name: figure(each.value, each.standard_error) for name, each in estimates.items() if each is not None}


def _log_p(model: Any, data: Dataset) -> tuple[dict[str, Any], Figures]:
    """The protocol, and nats under the name of what they are: ``"exact"`` or ``"bound"``, never both; none of a model that has neither."""
    from genlab.measures.likelihood import evaluate
    from genlab.models.contract import abilities

    if model.report.kind == "distance" and not {"likelihood", "bound"} & abilities(model):
        return {}, {}
    found = evaluate(model, data, limit=SCORED)
    name = "bound" if found.is_bound else "exact"
    told = {"protocol": found.protocol, "scored": found.images, "bits_per_dim": found.bits_per_dim}
    return told, {name: figure(found.nats, found.standard_error)}


def _drawing_seconds(model: Any, like: Batch, n: int) -> dict[str, float | None]:
    """The median over drawings of n examples; how sure, only of one that is quick enough to be repeated."""
    from genlab.measures.features import drawn_like

    taken: list[float] = []
    drawn_like(model, like, n, seed=0)
    while not taken or (len(taken) < _REPEATS and sum(taken) < _PATIENCE_SECONDS):
        began = time.perf_counter()
        drawn_like(model, like, n, seed=len(taken))
        taken.append(time.perf_counter() - began)
    again = np.random.default_rng(0).choice(taken, (RESAMPLES, len(taken)))
    return figure(float(np.median(taken)), float(np.median(again, axis=1).std()) if len(taken) > 2 else None)


def _costs(run: Run, data: Dataset) -> Figures:
    steps = run.metrics("train")[-1]
    size = run.config["training"]["batch_size"]
    epochs, rest = divmod(steps["step"], math.ceil(len(data.train) / size))
    return {
        "training_seconds": figure(steps["seconds"]),
        "examples_seen": figure(epochs * len(data.train) + rest * size),
        **{name: figure(value) for name, value in _peaks(run.path).items()},
    }


def _peaks(folder: Path) -> Mapping[str, float]:
    """Peak memory, in a process of its own; nothing where it cannot be measured."""
    command = [sys.executable, "-m", "genlab.comparison.memory", str(folder.resolve())]
    done = subprocess.run(command, env={**os.environ, **_TIDY}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return {}
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
