"""Parzen windows: log p of held-out examples under samples blurred by a Gaussian. Here only as the lesson that they mislead.

    log p(x) ≈ log (1/N) Σ_j N(x; y_j, σ² I)

Early GAN papers compare models by it. But in many dimensions it rewards samples that lie in the middle of the data, not such as could be
taken for data: the centres of a k-means clustering beat real images (Theis et al. 2016, "A note on the evaluation of generative models").
`lesson` shows it on whatever images it is given. No page and no table of genlab compares models by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genlab.domain import Domain
from genlab.errors import InputError
from genlab.measures.features import in_space

if TYPE_CHECKING:
    from genlab.datasets import Dataset

_SIGMAS = np.geomspace(0.03, 1.0, 16)


@dataclass(frozen=True)
class Lesson:
    """What Parzen windows say of real images, which are a perfect model's samples, and of blurred averages of them.

    Attributes:
        real: Log p of held-out images under real training images, in nats.
        centres: The same under as many cluster centres.
        sigma: The windows' widths, each the best for its samples on other held-out images.
        windows: How many samples either has.
    """

    real: float
    centres: float
    sigma: tuple[float, float]
    windows: int


def parzen(samples: NDArray[Any], held_out: NDArray[Any], sigma: float) -> float:
    """The mean log-density of held-out rows ``(M, D)`` under windows of width σ around sample rows ``(N, D)``, in nats.

    Raises:
        InputError: No sample, nothing held out, or a width that is not positive.
    """
    from scipy.spatial.distance import cdist
    from scipy.special import logsumexp

    if not (np.isfinite(sigma) and sigma > 0):
        raise InputError(f"sigma must be above 0; got {sigma!r}")
    if not (len(samples) and len(held_out)):
        raise InputError(f"there must be samples and held-out examples; got {len(samples)} and {len(held_out)}")
    squares = cdist(held_out.astype(np.float64), samples.astype(np.float64), "sqeuclidean")
    dimensions = samples.shape[1]
    found = logsumexp(-squares / (2 * sigma**2), axis=1) - np.log(len(samples)) - dimensions / 2 * np.log(2 * np.pi * sigma**2)
    return float(found.mean())


def lesson(data: Dataset, *, windows: int = 200, seed: int = 0) -> Lesson:
    """Real images against the centres of clusters of real images, both as samples of a model.

    Args:
        data: Images.
        windows: How many samples either has.
        seed: Decides the clusters.

    Raises:
        InputError: There are fewer training images than windows.
    """
    from sklearn.cluster import KMeans

    if len(data.train) < windows:
        raise InputError(f"windows must be at most the {len(data.train)} training images; got {windows}")
    train, valid, test = (_pixels(split.images, data.domain) for split in (data.train, data.valid, data.test))
    centres = KMeans(windows, n_init=1, random_state=seed).fit(train).cluster_centers_
    scores, sigmas = zip(*(_best(samples, valid, test) for samples in (train[:windows], centres)), strict=True)
    return Lesson(scores[0], scores[1], (sigmas[0], sigmas[1]), windows)


def _best(samples: NDArray[Any], valid: NDArray[Any], test: NDArray[Any]) -> tuple[float, float]:
    """Log p of the test images at the width that is best for the validation images, and that width."""
    sigma = float(max(_SIGMAS, key=lambda width: parzen(samples, valid, width)))
    return parzen(samples, test, sigma), sigma


def _pixels(images: NDArray[Any], domain: Domain) -> NDArray[np.float32]:
    return in_space(images, domain, "pixels" if domain.is_image else "coordinates")
