"""Peak memory of a run's model, in a process of its own: ``python -m genlab.comparison.memory FOLDER`` prints it as JSON.

Bytes that were resident at most, beyond what the interpreter, torch and the data take: while 64 examples are drawn, and while the model
is trained for two steps and validated once, as in the run. Parameters, gradients and the optimiser's state count.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from genlab.benchmark.resident import forget_peak, peak_resident, resident
from genlab.comparison.measuring import MANY
from genlab.runs import Run, load_model

_BUDGET = ("epochs", "minutes", "steps", "patience")
_OUR_OWN = {"steps": 2, "valid_images": 256, "sample_seconds": 1e6, "checkpoint_seconds": 1e6}


def peaks(run: Run) -> dict[str, int]:
    """Bytes by figure."""
    from genlab.measures.features import drawn_like
    from genlab.measures.figures import generator_of
    from genlab.measures.likelihood import load_run_data
    from genlab.training import train

    data = load_run_data(run)
    like = data.valid.batch(generator_of(0, 0), np.arange(min(MANY, len(data.valid))))
    settings = {name: value for name, value in run.config["training"].items() if name not in _BUDGET}

    def draw(model: Any) -> None:
        drawn_like(model, like, MANY, seed=0)

    def learn(model: Any) -> None:
        with tempfile.TemporaryDirectory() as folder:
            train(model, data, out=Path(folder) / "run", **{**settings, **_OUR_OWN})

    def peak(work: Callable[[Any], None]) -> int:
        gc.collect()
        before = resident()
        forget_peak()
        work(load_model(run))
        return max(0, peak_resident() - before)

    for work in (draw, learn):  # what is loaded when it is first needed is there from now on
        peak(work)
    return {"training_bytes": peak(learn), "drawing_bytes": peak(draw)}


if __name__ == "__main__":
    print(json.dumps(peaks(Run(Path(sys.argv[1])))))
