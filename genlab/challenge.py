"""Real or generated? Rounds of a challenge in the manner of an image CAPTCHA (slides 3–5), who else can play them, and guards of a door.

A round shows so many pictures, each of them generated with probability ½ whatever the others are, so that guessing is right half the
time. It follows from (seed, name, size, number) and the model's weights. Real pictures are handed over by the caller, in the same form.

A machine plays by one number for each picture: what a discriminator thinks of it, or log p. From pictures that no round shows it learns
where to draw the line, and which side is real. A door lets in whoever scores at least as high as a threshold; the two rates are the
shares of real and of generated pictures that it lets in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlab.domain import Batch, Domain
from genlab.errors import InputError
from genlab.measures.features import in_space, usual_space
from genlab.measures.fooling import Share
from genlab.models.contract import ABILITIES, abilities
from genlab.sampling import sample

SIZES = (1, 64)
"""Pictures of a round, at least and at most."""
SEEDS = 2**31
_SCORERS = ("judge", "likelihood", "bound")
_RIDGE, _NEWTON_STEPS = 1e-2, 20

Scores = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Round:
    """Pictures to be told apart.

    Attributes:
        images: uint8 ``(N, C, H, W)``.
        generated: bool ``(N,)``, which of them a model drew.
    """

    images: NDArray[np.uint8]
    generated: NDArray[np.bool_]


def make_round(model: Any, real: NDArray[np.uint8], *, size: int = 9, seed: int = 0, number: int = 0, name: str = "") -> Round:
    """One round: the same again from the same arguments.

    Args:
        model: What draws.
        real: Levels ``(M, C, H, W)`` of real images that the model never saw, quantised or binarised as those that it was trained on.
        size: Number of pictures.
        seed: Whose rounds these are.
        number: Which of them.
        name: The model's, so that what was revealed of one model says nothing about another's round.

    Raises:
        InputError: The model draws no pictures, the real ones are others or too few, or a number is out of its range.
    """
    _require_pictures(model.domain, model.name)
    if not SIZES[0] <= size <= SIZES[1]:
        raise InputError(f"size must be from {SIZES[0]} to {SIZES[1]}; got {size}")
    for what, value in (("seed", seed), ("number", number)):
        if not 0 <= value < SEEDS:
            raise InputError(f"{what} must be from 0 to {SEEDS - 1}; got {value}")
    if real.shape[1:] != model.domain.shape or len(real) < size:
        raise InputError(f"real must be at least {size} images {model.domain.shape}; got shape {real.shape}")
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, number, size, *name.encode()])))
    generated = rng.random(size) < 0.5
    images = real[rng.choice(len(real), size, replace=False)]
    if generated.any():
        images[generated] = draw(model, int(generated.sum()), int(rng.integers(SEEDS)))
    return Round(images, generated)


def draw(model: Any, n: int, seed: int) -> NDArray[np.uint8]:
    """`n` pictures, of classes drawn evenly if the model has any."""
    classes = getattr(model, "classes", 0)
    told: dict[str, Any] = {"labels": np.random.default_rng([seed, 1]).integers(0, classes, n)} if classes else {}
    images: NDArray[np.uint8] = sample(model, n, seed=seed, **told)
    return images


def _require_pictures(domain: Domain, name: str) -> None:
    if not has_pictures(domain.shape):
        raise InputError(f"model must draw pictures to be told from real ones; {name!r} draws {domain}")


def has_pictures(shape: tuple[int, ...]) -> bool:
    """Whether examples of that shape can be looked at: images of more than one row."""
    return len(shape) == 3 and shape[1] > 1


# --- machines that play too --------------------------------------------------------------------------------------------------------


def score(model: Any, images: NDArray[np.uint8], seed: int = 0) -> Scores:
    """What a model makes of each picture, float64 ``(N,)``: P(real) of a discriminator, else log p or a lower bound on it, in nats.

    A model with ten classes is told the one that genlab's digit classifier sees in the picture, for real and generated ones alike.

    Raises:
        InputError: The model has none of these, or other classes than digits.
    """
    able = scorer(abilities(model))
    if able is None:
        wanted = ", ".join(ABILITIES[name][1] for name in _SCORERS)
        raise InputError(f"model must have one of these to judge pictures: {wanted}; {model.name!r} has none")
    labels = _seen_classes(model, images)
    if able == "judge":
        judged: Scores = model.judge(Batch(images, labels)).double().numpy()
        return judged
    if able == "likelihood":
        from genlab.measures.likelihood import log_prob

        return log_prob(model, images, labels=labels)
    from genlab.measures.bound import bound

    return bound(model, images, seed=seed)


def scorer(able: frozenset[str]) -> str | None:
    """By which of its abilities a model judges pictures; None if it has none that would do."""
    return next((name for name in _SCORERS if name in able), None)


def _seen_classes(model: Any, images: NDArray[np.uint8]) -> NDArray[np.int64] | None:
    from genlab.digit_features import digit_classes

    classes = getattr(model, "classes", 0)
    if not classes:
        return None
    if classes != 10:
        raise InputError(f"model must have the classes of digits, or none, to judge pictures without labels; {model.name!r} has {classes}")
    return digit_classes(images, model.domain.levels)


@dataclass(frozen=True)
class Line:
    """Where a player by numbers draws the line.

    Attributes:
        threshold: Between the two sides.
        real_above: Whether it calls real what lies above.
    """

    threshold: float
    real_above: bool

    def calls_real(self, scores: Scores) -> NDArray[np.bool_]:
        """Of each picture, bool ``(N,)``."""
        real: NDArray[np.bool_] = (scores > self.threshold) == self.real_above
        return real


def learn_line(real: Scores, generated: Scores) -> Line:
    """The line with the highest mean of the two shares that it gets right, halfway between the scores beside it.

    Args:
        real: Scores of real pictures.
        generated: Scores of generated ones.

    Raises:
        InputError: There are none of one kind, or one is not finite.
    """
    both = np.concatenate([real, generated])
    if not len(real) or not len(generated) or not np.isfinite(both).all():
        raise InputError(f"scores must be finite and of both kinds; got {len(real)} of real and {len(generated)} of generated pictures")
    levels = np.unique(both)
    cuts = np.concatenate([[levels[0] - 1], (levels[1:] + levels[:-1]) / 2])
    # How far the share of real ones above a cut exceeds that of generated ones; below the smallest both are 1.
    lead = above(real, cuts) - above(generated, cuts)
    best = int(np.abs(lead).argmax())
    return Line(float(cuts[best]), bool(lead[best] >= 0))


def above(scores: Scores, thresholds: Scores) -> Scores:
    """The share of scores above each threshold."""
    shares: Scores = 1 - np.searchsorted(np.sort(scores), thresholds, side="right") / len(scores)
    return shares


# --- guards of a door --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Guard:
    """A classifier that was trained to tell real pictures from one model's: logistic regression.

    It reads digit features, or pixels where pictures are no digits (`genlab.measures.features`).

    Attributes:
        weights: Of the scaled features and a constant, ``(F + 1,)``.
        mean: Of each feature in training, ``(F,)``.
        spread: Its standard deviation, ``(F,)``.
        domain: Of the pictures.
    """

    weights: Scores
    mean: Scores
    spread: Scores
    domain: Domain

    def score(self, images: NDArray[np.uint8]) -> Scores:
        """Log odds that each picture is real, ``(N,)``."""
        scores: Scores = _scaled(_features(images, self.domain), self.mean, self.spread) @ self.weights
        return scores


def train_guard(real: NDArray[np.uint8], generated: NDArray[np.uint8], domain: Domain) -> Guard:
    """Fit a guard by Newton's method, both kinds counting alike: mean −log P(kind | x) + λ/2 |w|², λ = 0.01.

    Args:
        real: Levels ``(N, C, H, W)``.
        generated: Levels ``(M, C, H, W)``.
        domain: What they are examples of.

    Raises:
        InputError: There are none of one kind.
    """
    if not len(real) or not len(generated):
        raise InputError(f"a guard needs pictures of both kinds; got {len(real)} real and {len(generated)} generated ones")
    features = _features(np.concatenate([real, generated]), domain)
    is_real = np.arange(len(features)) < len(real)
    counts = np.where(is_real, 0.5 / len(real), 0.5 / len(generated))
    mean, spread = features.mean(0), features.std(0)
    spread[spread == 0] = 1  # of a feature that never shows
    x = _scaled(features, mean, spread)
    weights = np.zeros(x.shape[1])
    for _ in range(_NEWTON_STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -500, 500)))
        slope = x.T @ (counts * (p - is_real)) + _RIDGE * weights
        curvature = (x * (counts * p * (1 - p))[:, None]).T @ x + _RIDGE * np.eye(len(weights))
        weights = weights - np.linalg.solve(curvature, slope)
    return Guard(weights, mean, spread, domain)


def _features(images: NDArray[np.uint8], domain: Domain) -> Scores:
    return in_space(images, domain, usual_space(domain)).astype(np.float64)


def _scaled(features: Scores, mean: Scores, spread: Scores) -> Scores:
    return np.column_stack([(features - mean) / spread, np.ones(len(features))])


def let_in(scores: Scores, threshold: float) -> Share:
    """How many of some pictures a door lets in, which asks for at least that score."""
    return Share(int((scores >= threshold).sum()), len(scores))


def threshold_for(real: Scores, share: float) -> float:
    """The highest threshold that lets in at least that share of the real pictures.

    Raises:
        InputError: `share` is not from 0 to 1, or there are no scores.
    """
    if not 0 <= share <= 1 or not len(real):
        raise InputError(f"share must be from 0 to 1, of at least one picture; got {share} of {len(real)}")
    needed = int(np.ceil(share * len(real) - 1e-9))
    ordered = np.sort(real)[::-1]
    return float(ordered[needed - 1]) if needed else float(np.nextafter(ordered[0], np.inf))


def separation(real: Scores, generated: Scores) -> float:
    """P(a real picture scores higher than a generated one), ties counting half: the area under the two rates; ½ cannot tell."""
    ordered = np.sort(generated)
    below, not_above = (np.searchsorted(ordered, real, side=side) for side in ("left", "right"))
    return float((below + not_above).mean() / (2 * len(generated)))
