"""Whether probabilities mean what they say: of all that is given probability 0.8, do eight tenths happen?

For each value x_i of each image and each level k the event "x_i = k" was given p = p(x_i = k | x_1 … x_{i−1}); with two levels k = 1 alone,
of which the other is the mirror. Events of like p form a bin b, of n_b events:

    said_b = mean of p        happened_b = share of events that came true
    expected calibration error = Σ_b n_b / Σ n · |happened_b − said_b|          (Naeini et al. 2015)

Intervals are over images, drawn anew: the pixels of an image err together. The error of few images is too large on average, even of a
perfect model, since noise never cancels in |…|; its interval does not hold that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlab.domain import Batch
from genlab.errors import InputError
from genlab.measures.figures import parts_of
from genlab.measures.resampling import Estimate, bootstrap
from genlab.models.contract import require

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Events of like probability.

    Attributes:
        least: The smallest probability of the bin.
        most: The largest.
        count: Number of events.
        said: Their mean probability.
        happened: The share that came true, with its interval.
    """

    least: float
    most: float
    count: int
    said: float
    happened: Estimate


@dataclass(frozen=True)
class Calibration:
    """A reliability curve.

    Attributes:
        bins: Those that hold an event, from the least likely to the likeliest.
        error: The expected calibration error.
        images: Number of images.
        events: Number of events.
    """

    bins: tuple[Bin, ...]
    error: Estimate
    images: int
    events: int


def calibration(model: Any, batch: Batch, *, bins: int = BINS, seed: int = 0, backend: str = "auto") -> Calibration:
    """The reliability of a model's predictions of images that it was not trained on.

    Args:
        model: A model that predicts each value given those before it.
        batch: The images, with labels or maps if the model goes by any.
        bins: Number of bins of equal width.
        seed: Decides the images that are drawn anew for the intervals.
        backend: ``"native"``, ``"torch"`` or ``"auto"``.

    Raises:
        InputError: The model has no such predictions, there is no image, or `bins` is out of range.
    """
    require(model, "causal", "calibration")
    if not 1 <= bins <= 1000:
        raise InputError(f"bins must be between 1 and 1000; got {bins}")
    if len(batch) == 0:
        raise InputError("batch must hold at least one image; got none")
    parts = [_counted(model, batch[part], bins, backend) for part in parts_of(len(batch), model.domain)]
    count, said, happened = (np.concatenate([part[which] for part in parts]) for which in range(3))

    def figures(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shares that came true, ``(R, bins)``, and the calibration error behind them."""
        n, p, true = weights @ count, weights @ said, weights @ happened
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = true / n
        error = np.abs(true - p).sum(1, keepdims=True) / n.sum(1, keepdims=True)
        return np.hstack([shares, error])

    *shares, error = bootstrap(len(batch), figures, seed)
    total, edges = count.sum(0), np.linspace(0, 1, bins + 1)
    found = [
        Bin(float(edges[b]), float(edges[b + 1]), int(total[b]), float(said[:, b].sum() / total[b]), shares[b])
        for b in range(bins)
        if total[b]
    ]
    return Calibration(tuple(found), error, len(batch), int(total.sum()))


def _counted(model: Any, batch: Batch, bins: int, backend: str) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Of each image and bin ``(N, bins)``: the number of events, their probabilities' sum, and how many came true."""
    logits = model.logits(batch, backend=backend).double()
    p = logits.softmax(-1).numpy(force=True).reshape(len(batch), -1, logits.shape[-1])
    true = batch.values.reshape(len(batch), -1, 1) == np.arange(p.shape[-1])
    if p.shape[-1] == 2:
        p, true = p[..., 1:], true[..., 1:]
    place = np.minimum((p * bins).astype(np.int64), bins - 1) + bins * np.arange(len(batch))[:, None, None]

    def summed(weights: NDArray[Any]) -> NDArray[np.float64]:
        sums = np.bincount(place.ravel(), weights.ravel(), minlength=bins * len(batch))
        return sums.astype(np.float64).reshape(len(batch), bins)

    return summed(np.ones_like(p)), summed(p), summed(true)
