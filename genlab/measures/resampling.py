"""How sure a figure is that images decide, by drawing the images anew: pixels of one image belong together, images do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 400
NORMAL = 1.959963985
"""So many standard errors to either side hold 95% of a normal distribution."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95% interval; both ends are the figure itself where a single image tells nothing of the spread."""

    value: float
    low: float
    high: float

    @property
    def standard_error(self) -> float:
        """What a normal interval as wide would have."""
        return (self.high - self.low) / (2 * NORMAL)

    def text(self, digits: int) -> str:
        """The figure and its interval."""
        return f"{self.value:.{digits}f} (95%: {self.low:.{digits}f} to {self.high:.{digits}f})"


def bootstrap(images: int, figure: Callable[[NDArray[np.float64]], NDArray[np.float64]], seed: int) -> list[Estimate]:
    """Figures of images that are drawn anew with replacement (Efron 1979), `RESAMPLES` times.

    Args:
        images: Number of images.
        figure: From weights ``(R, images)``, how often each image counts, to figures ``(R, F)``; NaN where there is none.
        seed: Decides the draws.

    Returns:
        F figures, each with the 2.5% and the 97.5% quantile of its redrawn ones.
    """
    generator = np.random.Generator(np.random.Philox(key=seed))
    drawn = generator.multinomial(images, np.full(images, 1 / images), size=RESAMPLES).astype(np.float64)
    values, redrawn = figure(np.ones((1, images)))[0], figure(drawn)
    found = []
    for value, others in zip(values, redrawn.T, strict=True):
        known = others[~np.isnan(others)]
        low, high = np.quantile(known, (0.025, 0.975)) if len(known) else (value, value)
        found.append(Estimate(float(value), float(low), float(high)))
    return found
