"""Whether a model finds its own samples as likely as real images that it never saw.

Samples x of p have −E log p(x) = H(p), and for images of many pixels nearly all of them are about as likely: they are typical. Real images
that are much less likely than samples are no samples of p. The other way round, a likelihood as high as the samples' is no proof: the
likeliest image of all is not typical either (Nalisnick et al. 2019).

    gap = mean log p(samples) − mean log p(held-out images)       in nats an image
    inside = share of held-out images between the samples' 5% and 95% quantiles; 0.9 where both are of one distribution
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlab.domain import Batch
from genlab.errors import InputError
from genlab.measures.likelihood import log_prob
from genlab.measures.resampling import NORMAL, Estimate, bootstrap
from genlab.models.contract import require
from genlab.sampling import sample

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Spread:
    """Log-likelihoods of some images, in nats.

    Attributes:
        mean: With its interval over images.
        quantiles: At `QUANTILES`.
        values: float64 ``(N,)``.
    """

    mean: Estimate
    quantiles: tuple[float, ...]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Typicality:
    """A model's own samples against held-out images.

    Attributes:
        drawn: Log p of the samples.
        held_out: Log p of the held-out images.
        gap: How much likelier a sample is on average, in nats.
        inside: The share of held-out images between the samples' outer quantiles; 0.9 if both were of one distribution.
    """

    drawn: Spread
    held_out: Spread
    gap: Estimate
    inside: Estimate


def typicality(model: Any, batch: Batch, *, draws: int | None = None, seed: int = 0, backend: str = "auto") -> Typicality:
    """How likely a model finds its own samples beside images that it was not trained on.

    Args:
        model: A model with an exact likelihood.
        batch: The images, with labels or maps if the model goes by any; the samples are drawn given the same.
        draws: Number of samples; None takes as many as there are images.
        seed: Decides the samples, and the images that are drawn anew for the intervals.
        backend: ``"native"``, ``"torch"`` or ``"auto"``.

    Raises:
        InputError: The model has no likelihood, there is no image, or `draws` is below 2.
    """
    require(model, "likelihood", "typicality")
    if len(batch) < 2:
        raise InputError(f"batch must hold at least two images; got {len(batch)}")
    draws = len(batch) if draws is None else draws
    if draws < 2:
        raise InputError(f"draws must be at least 2; got {draws}")
    around = batch[np.resize(np.arange(len(batch)), draws)]  # what samples are drawn given: what the images have, in turn
    images = sample(model, draws, seed=seed, **_known(model, around, "condition"))
    drawn = log_prob(model, images, **_known(model, around, "given"), backend=backend)
    held_out = log_prob(model, batch.values, **_known(model, batch, "given"), backend=backend)
    ours, theirs = _spread(drawn, seed), _spread(held_out, seed)
    return Typicality(ours, theirs, _gap(ours, theirs), _inside(ours, theirs, seed))


def _known(model: Any, batch: Batch, maps: str) -> dict[str, Any]:
    """What the images of a batch are drawn and scored given; `maps` is what its maps are called there."""
    known: dict[str, Any] = {"labels": batch.labels} if getattr(model, "classes", 0) else {}
    if batch.given:
        return {**known, maps: batch.given}
    made = getattr(model, "condition", None)
    return known if made is None else {**known, "condition": made.of(batch.values)}


def _spread(values: NDArray[np.float64], seed: int) -> Spread:
    (mean,) = bootstrap(len(values), lambda weights: weights @ values[:, None] / len(values), seed)
    return Spread(mean, tuple(float(quantile) for quantile in np.quantile(values, QUANTILES)), values)


def _gap(drawn: Spread, held_out: Spread) -> Estimate:
    """The difference of means; its interval is ±1.96 standard errors, of two independent means."""
    value = drawn.mean.value - held_out.mean.value
    half = NORMAL * float(np.sqrt(sum(each.values.var(ddof=1) / len(each.values) for each in (drawn, held_out))))
    return Estimate(value, value - half, value + half)


def _inside(drawn: Spread, held_out: Spread, seed: int) -> Estimate:
    low, high = drawn.quantiles[0], drawn.quantiles[-1]
    is_inside = ((held_out.values >= low) & (held_out.values <= high)).astype(np.float64)
    (share,) = bootstrap(len(is_inside), lambda weights: weights @ is_inside[:, None] / len(is_inside), seed)
    return share
