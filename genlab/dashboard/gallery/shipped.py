"""The first sets of the models that come with genlab, drawn beforehand, and their figures.

``python -m genlab.dashboard.gallery.shipped`` makes both files anew from the models themselves, in a minute or two: `sets.npz` holds
levels ``(IMAGES, C, H, W)`` by seed 0, `figures.json` each report's figure on the test images that come with genlab what drawing one
image took, and the model's parameters. A test draws and measures again.
"""

from __future__ import annotations

import json
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlab.domain import Domain
from genlab.models import entries
from genlab.runs import Run, open_run, pretrained_path

IMAGES = 12
SETS = Path(__file__).with_name("sets.npz")
FIGURES = Path(__file__).with_name("figures.json")
_DRAWINGS = 3  # of which the quickest counts: others may be at work meanwhile


def runs() -> list[Run]:
    """The image models that come with genlab and draw."""
    folder = pretrained_path("mnist-pixelcnn")
    found = [] if folder is None else [open_run(path.name) for path in sorted(folder.parent.iterdir()) if path.is_dir()]
    return [run for run in found if is_picture(run.domain) and _draws(run)]


def is_picture(domain: Domain) -> bool:
    """Whether an example has rows: a series is an image of one."""
    return domain.is_image and domain.shape[1] > 1


def _draws(run: Run) -> bool:
    """An autoencoder has no distribution of codes to draw from: it is one with a code and nothing else."""
    return run.abilities != {"latent"} and run.config["model"]["name"] in {entry.name for entry in entries()}


def images(name: str) -> NDArray[np.uint8] | None:
    """The first set of that model, if it is shipped."""
    return _sets().get(name)


def told(name: str) -> dict[str, Any] | None:
    """Its figure and what drawing took: ``mean``, ``standard_error``, ``examples``, ``seconds``, ``parameters``."""
    found: dict[str, Any] | None = _figures().get(name)
    return found


@cache
def _sets() -> dict[str, NDArray[np.uint8]]:
    with np.load(SETS, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


@cache
def _figures() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FIGURES.read_text(encoding="utf-8"))
    return found


def figure(name: str) -> dict[str, Any]:
    """The report of a model on the test images that come with genlab: its mean, standard error, and number of images."""
    from genlab.dashboard.stage.sources import Source, held_out_crowd, model_of
    from genlab.datasets.dataset import Split
    from genlab.measures.figures import split_figures

    source = Source(name, 0, name)
    values, labels, _ = held_out_crowd(source)
    model = model_of(source)
    found = split_figures(model, Split(values, labels, values, None, dynamic=False), len(values), seed=0)[model.report.key]
    error = float(found.std(ddof=1) / np.sqrt(len(found))) if len(found) > 1 else None
    return {"mean": float(found.mean()), "standard_error": error, "examples": len(values)}


def parameters(model: Any) -> int:
    """Their number; of a causal model without the masked ones, which it knows."""
    counted = getattr(model, "parameter_count", None)
    return int(counted() if counted else sum(parameter.numel() for parameter in model.parameters()))


def write() -> None:
    """Draw, measure, and write both files."""
    from genlab.dashboard.gallery.exhibits import draw
    from genlab.dashboard.stage.sources import Source, model_of

    sets, figures = {}, {}
    for run in runs():
        source = Source(run.name, 0, run.name)
        model, seconds = model_of(source), []
        for _ in range(_DRAWINGS):
            begun = time.perf_counter()
            sets[run.name] = draw(model, source, 0)
            seconds.append((time.perf_counter() - begun) / IMAGES)
        figures[run.name] = {**figure(run.name), "seconds": min(seconds), "parameters": parameters(model)}
        print(run.name, figures[run.name], file=sys.stderr)
    np.savez_compressed(SETS, allow_pickle=False, **sets)
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
