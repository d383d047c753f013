"""In what space examples are compared, and how a model draws as many of them as there are real ones, of the same kinds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlab.digit_features import digit_features
from genlab.domain import Batch, Domain
from genlab.errors import InputError, unknown_name
from genlab.models.contract import Model
from genlab.sampling import sample

SPACES = ("digit features", "pixels", "coordinates")
DIGITS = ((1, 28, 28), (1, 8, 8))
"""Shapes that genlab's digit classifier is asked about where nobody says otherwise."""


def usual_space(domain: Domain) -> str:
    """Digit features for grey images of a digit's size, coordinates for points, else pixels."""
    if not domain.is_image:
        return "coordinates"
    return "digit features" if domain.shape in DIGITS else "pixels"


def in_space(values: NDArray[Any], domain: Domain, space: str) -> NDArray[np.float32]:
    """Examples as rows ``(N, D)``: 64 digit features, pixels from 0 to 1, or coordinates as they are.

    Args:
        values: ``(N, *domain.shape)``.
        domain: What they are examples of.
        space: A name in `SPACES`.

    Raises:
        InputError: An unknown space, or one that such examples have no place in.
    """
    if space not in SPACES:
        raise unknown_name("space", space, SPACES)
    if (space == "coordinates") == domain.is_image or (space == "digit features" and domain.shape[0] != 1):
        raise InputError(f"space must suit examples of {domain}; got {space!r}")
    if space == "digit features":
        return digit_features(values, domain.levels or 2)
    rows = values.reshape(len(values), -1).astype(np.float32)
    return rows / np.float32(domain.levels - 1) if domain.levels else rows


def drawn_like(model: Model, batch: Batch, n: int, seed: int) -> NDArray[Any]:
    """`n` examples out of a model; where it is told a class or another image, those of the real examples in turn."""
    told: dict[str, Any] = {}
    turn = np.arange(n) % max(1, len(batch))
    if getattr(model, "classes", 0) and batch.labels is not None:
        told["labels"] = batch.labels[turn]
    if condition := getattr(model, "condition", None):
        told["condition"] = condition.of(batch.values[turn])
    return sample(model, n, seed=seed, **told)
