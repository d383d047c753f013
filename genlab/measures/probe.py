"""What a linear reader makes of a code: logistic regression on codes, on as many principal components, and on the pixels themselves.

"The decoder has done its job": a code learned without labels may need fewer of them. For each number of labels, that many are drawn from
the training split, as evenly over the classes as can be, and each reader is fitted to those alone; how much the accuracy on held-out images
depends on which labels were drawn is the interval.

The principal components are those of the same training images that the model was trained on, without labels. Every feature is scaled to
mean 0 and variance 1 over these images, and every reader has the same penalty (scikit-learn's `LogisticRegression`, C = 1).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from genlab.errors import InputError
from genlab.measures.figures import parts_of
from genlab.measures.resampling import Estimate
from genlab.models.contract import check_fits, require

if TYPE_CHECKING:
    from genlab.datasets import Dataset, Split

LABELS = (10, 100, 1000)
DRAWS = 20
_IMAGES_AT_MOST = 10_000  # that principal components and scales are taken from
_ROUNDS = 2000  # of the solver: enough for all that was tried; one that has not converged reads as well

Features = NDArray[np.float64]


@dataclass(frozen=True)
class Reading:
    """How well one reader does with so many labels.

    Attributes:
        features: ``"code"``, ``"pca"`` or ``"pixels"``.
        size: Numbers that it reads of an image.
        labels: How many labelled images it was fitted to.
        accuracy: Share of held-out images that it names rightly: the mean over draws of the labels, and its 95% interval (Student's t).
        draws: How often labels were drawn.
        held_out: Images that the accuracy is over.
    """

    features: str
    size: int
    labels: int
    accuracy: Estimate
    draws: int
    held_out: int


def probe(
    model: Any, data: Dataset, *, labels: Sequence[int] = LABELS, draws: int = DRAWS, seed: int = 0, limit: int | None = None
) -> list[Reading]:
    """How many labels a linear reader needs of a model's codes, of principal components of the same size, and of pixels.

    Args:
        model: A model that encodes.
        data: Labelled images; readers are fitted to training images and tried on the test split.
        labels: How many labels, at least one a class; more than there are training images are refused.
        draws: How often they are drawn anew, at least 2.
        seed: Decides the draws.
        limit: Try them on the first so many test images alone; None on all.

    Returns:
        A reading for each number of labels and each kind of features.

    Raises:
        InputError: The model has no code, the data no labels or one class, or a number is out of its range.
    """
    require(model, "latent", "probe")
    check_fits(model, data.domain, data.name)
    classes = _classes(data)
    if draws < 2:
        raise InputError(f"draws must be at least 2, for a spread over them; got {draws}")
    if limit is not None and limit < 1:
        raise InputError(f"limit must be at least 1; got {limit}")
    for count in labels:
        if not classes <= count <= len(data.train):
            raise InputError(f"labels must be from {classes}, the classes, to {len(data.train)}, the training images; got {count}")
    truth = _labels(data.test)[:limit]
    return [
        Reading(name, train.shape[1], count, _accuracy(train, held_out, data.train, truth, count, draws, seed), draws, len(truth))
        for name, train, held_out in _features(model, data, limit)
        for count in labels
    ]


def _features(model: Any, data: Dataset, limit: int | None) -> Iterator[tuple[str, Features, Features]]:
    """Name, training and held-out features ``(N, size)``, scaled."""
    from sklearn.decomposition import PCA

    train, held_out = (images.reshape(len(images), -1).astype(np.float64) for images in (data.train.images, data.test.images[:limit]))
    codes, held_out_codes = _codes(model, data.train.images), _codes(model, data.test.images[:limit])
    components = PCA(min(codes.shape[1], *train.shape), random_state=0).fit(train[:_IMAGES_AT_MOST])
    for name, fitted, tried in (
        ("code", codes, held_out_codes),
        ("pca", components.transform(train), components.transform(held_out)),
        ("pixels", train, held_out),
    ):
        mean, spread = fitted[:_IMAGES_AT_MOST].mean(0), fitted[:_IMAGES_AT_MOST].std(0)
        spread[spread == 0] = 1  # of a pixel that never changes
        yield name, (fitted - mean) / spread, (tried - mean) / spread


def _codes(model: Any, images: NDArray[np.uint8]) -> Features:
    with torch.no_grad():
        codes = [model.encode(images[part]).flatten(1) for part in parts_of(len(images), model.domain)]
    found: Features = torch.cat(codes).double().numpy(force=True)
    return found


def _accuracy(train: Features, held_out: Features, split: Split, truth: NDArray[np.int64], count: int, draws: int, seed: int) -> Estimate:
    """Of readers that are fitted to `count` labels, over draws of the labels; all kinds of features see the same draws."""
    from scipy.stats import t
    from sklearn.linear_model import LogisticRegression

    given = _labels(split)
    found = []
    for draw in range(draws):
        chosen = _drawn(given, count, np.random.default_rng([seed, count, draw]))
        reader = LogisticRegression(max_iter=_ROUNDS).fit(train[chosen], given[chosen])
        found.append(float((reader.predict(held_out) == truth).mean()))
    mean, error = float(np.mean(found)), float(np.std(found, ddof=1)) / math.sqrt(draws)
    off = float(t.ppf(0.975, draws - 1)) * error
    return Estimate(mean, mean - off, mean + off)


def _drawn(labels: NDArray[np.int64], count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Indices of `count` images: class after class gives one of its own, in an order that is drawn, until there are enough."""
    order = generator.permutation(len(labels))
    # How many of its own class come before an image: the first of each class come first, then the second of each.
    turn = np.empty(len(labels), np.int64)
    for each in np.unique(labels):
        own = order[labels[order] == each]
        turn[own] = np.arange(len(own))
    return order[np.argsort(turn[order], kind="stable")[:count]]


def _labels(split: Split) -> NDArray[np.int64]:
    assert split.labels is not None  # `_classes` has asked
    return split.labels


def _classes(data: Dataset) -> int:
    """How many classes the training labels tell apart."""
    if data.train.labels is None or data.test.labels is None:
        raise InputError(f"data must have labels for a reader to be fitted to; dataset {data.name!r} has none")
    classes = len(np.unique(data.train.labels))
    if classes < 2:
        raise InputError(f"data must have at least two classes for a reader to tell apart; dataset {data.name!r} has {classes}")
    return classes
