"""What a model is a distribution over, and a batch of it: the two words that datasets and models share.

Images have integer levels, points have real values. Knows neither torch nor any family of models.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Domain:
    """The space of one example.

    Attributes:
        shape: Of one example: ``(C, H, W)`` for images, ``(D,)`` for points.
        levels: Number of integer levels of a value, or None for real values.
    """

    shape: tuple[int, ...]
    levels: int | None = None

    @property
    def is_image(self) -> bool:
        """Whether examples are pictures ``(C, H, W)``."""
        return len(self.shape) == 3

    @property
    def size(self) -> int:
        """Number of values of one example."""
        return math.prod(self.shape)

    def __str__(self) -> str:
        values = "real values" if self.levels is None else f"{self.levels} levels"
        return f"{'×'.join(map(str, self.shape))}, {values}"


@dataclass(frozen=True)
class Batch:
    """Examples on their way from a dataset to a model.

    Attributes:
        values: ``(N, *shape)``: uint8 levels of images, float32 points.
        labels: int64 ``(N,)``, or None where there are none.
        given: What is known before an example is drawn: maps ``(N, C, H, W)`` by the name of the model's given node.
    """

    values: NDArray[Any]
    labels: NDArray[np.int64] | None = None
    given: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, part: slice | NDArray[Any]) -> Batch:
        """The examples that an index of the first axis picks, with their labels and maps."""
        labels = None if self.labels is None else self.labels[part]
        return Batch(self.values[part], labels, {name: array[part] for name, array in self.given.items()})
