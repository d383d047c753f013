"""What a model draws while it is trained, as a file in `samples/`: a grid of images, or the points themselves."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlab.errors import RunError
from genlab.images import grid
from genlab.models.contract import Model, abilities
from genlab.runs import write_aside
from genlab.sampling import sample

SAMPLES = 64
_POINTS = 1024


def save_sample(folder: Path, step: int, model: Model, backend: str, real: NDArray[Any]) -> Path:
    """Draw from the model as it is, with seed 0, and write ``samples/step-00001234.png``; points become a ``.npz`` with ``values``.

    Args:
        folder: The run's.
        step: Goes into the file's name.
        model: The model.
        backend: What computes it.
        real: Validation examples, which a model's conditions are made from if it is drawn given another image.

    Raises:
        RunError: The disk is full or refuses.
    """
    domain = model.domain
    count = SAMPLES if domain.is_image else _POINTS
    asked: dict[str, Any] = {}
    if "causal" in abilities(model):
        asked["backend"] = backend  # nobody else has a choice
    if classes := getattr(model, "classes", 0):
        asked["labels"] = np.arange(count) % classes  # each class in turn
    if condition := getattr(model, "condition", None):
        asked["condition"] = condition.of(real[np.arange(count) % len(real)])
    values = sample(model, count, seed=0, **asked)
    content = io.BytesIO()
    drawable = domain.is_image and domain.levels is not None and domain.shape[0] in (1, 3)
    if drawable and domain.levels is not None:
        from PIL import Image

        Image.fromarray(grid(values, domain.levels, scale=max(1, 56 // max(domain.shape[1:])))).save(content, format="PNG")
    else:
        np.savez(content, values=values)
    file = folder / "samples" / f"step-{step:08d}.{'png' if drawable else 'npz'}"
    try:
        file.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise RunError(f"{file.parent} could not be made: {error.strerror}") from None
    write_aside(file, content.getbuffer())
    return file
