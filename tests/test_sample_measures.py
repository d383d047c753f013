"""Measures of samples: against an independent count, on cases whose answer is known, and with a memoriser planted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.linalg import sqrtm
from tiny import tiny_model

import genlab
from genlab.digit_features import FEATURES, digit_classes, digit_features, frechet
from genlab.errors import InputError
from genlab.measures import measure
from genlab.measures.memorisation import Memoriser, memorisation, nearest_of, pairs
from genlab.measures.neighbours import compared, neighbours
from genlab.measures.parzen import lesson, parzen

DIGITS = genlab.load_dataset("digits")


def copyist(images: np.ndarray, noise: float = 0.0) -> Memoriser:
    """A model that draws what it is given: images of a split."""
    return Memoriser(images, 17, noise)


# Precision, recall, density, coverage --------------------------------------------------------------------------------------------


def counted(real: np.ndarray, drawn: np.ndarray, k: int) -> tuple[float, float, float, float]:
    """The definitions of Naeem et al. 2020, one pair after another."""

    def reach(rows: np.ndarray) -> list[float]:
        return [
            sorted(float(np.linalg.norm(row - other)) for at, other in enumerate(rows) if at != which)[k - 1]
            for which, row in enumerate(rows)
        ]

    of_real, of_drawn = reach(real), reach(drawn)
    near = [[float(np.linalg.norm(x - y)) for x in real] for y in drawn]
    inside = [[near[j][i] <= of_real[i] for i in range(len(real))] for j in range(len(drawn))]
    precision = np.mean([any(row) for row in inside])
    recall = np.mean([any(near[j][i] <= of_drawn[j] for j in range(len(drawn))) for i in range(len(real))])
    density = np.sum(inside) / (k * len(drawn))
    coverage = np.mean([any(row[i] for row in inside) for i in range(len(real))])
    return float(precision), float(recall), float(density), float(coverage)


@pytest.mark.parametrize("k", [1, 3])
def test_they_are_what_the_papers_define(k: int) -> None:
    rng = np.random.default_rng(0)
    real, drawn = rng.standard_normal((25, 2)), 0.8 * rng.standard_normal((30, 2)) + 0.3
    found = compared(real, drawn, space="coordinates", k=k)
    values = (found.precision.value, found.recall.value, found.density.value, found.coverage.value)
    assert values == pytest.approx(counted(real, drawn, k))
    for estimate in (found.precision, found.recall, found.density, found.coverage):
        assert estimate.low <= estimate.value <= estimate.high
    assert (found.real, found.drawn, found.neighbours) == (25, 30, k)


def test_a_collapsed_model_is_precise_and_covers_nothing() -> None:
    rng = np.random.default_rng(0)
    real, collapsed = rng.standard_normal((300, 2)), 0.01 * rng.standard_normal((300, 2))
    found = compared(real, collapsed, space="coordinates")
    assert found.precision.value == 1
    assert found.recall.value < 0.02
    assert found.coverage.value < 0.1
    assert found.density.value > 1  # right: samples lie where the data lie thickest


def test_the_data_themselves_are_perfect_and_ties_count() -> None:
    rows = np.random.default_rng(0).standard_normal((40, 3))
    found = compared(rows, rows, space="coordinates", k=1)
    assert (found.precision.value, found.recall.value, found.coverage.value) == (1, 1, 1)


def test_any_model_is_measured_in_digit_features() -> None:
    found = neighbours(copyist(DIGITS.train.images), DIGITS, limit=150)
    assert (found.space, found.real, found.drawn) == ("digit features", 150, 150)
    assert found.precision.value > 0.8
    assert found.frechet is not None
    assert found.frechet.low <= found.frechet.value <= found.frechet.high
    rough = neighbours(copyist(DIGITS.train.images, noise=6.0), DIGITS, limit=150)
    assert rough.precision.value < found.precision.value - 0.05
    assert rough.frechet is not None
    assert rough.frechet.value > 3 * found.frechet.value


def test_a_model_with_a_likelihood_is_measured_by_its_samples_too() -> None:
    data = genlab.load_dataset("digits", binarize="threshold")
    more = ("precision", "recall", "density", "coverage", "digit_frechet", "memorisation_excess")
    found = measure(tiny_model(), data, limit=40, more=more)
    assert set(more) < found.keys()
    assert found["precision"].examples == 40
    assert all(figure.standard_error is not None for name, figure in found.items() if name in more)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"space": "inception"}, "space must be one of .*; got 'inception'"),
        ({"space": "coordinates"}, "space must suit examples of 1×8×8, 17 levels; got 'coordinates'"),
        ({"k": 0}, "k must be at least 1; got 0"),
        ({"limit": 5}, "there must be more than k = 5 real and drawn examples; got 5 and 5"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(asked: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        neighbours(copyist(DIGITS.train.images), DIGITS, **asked)


# The digit classifier and the Fréchet distance -----------------------------------------------------------------------------------


def test_the_classifier_knows_digits_of_both_sizes() -> None:
    small = (digit_classes(DIGITS.test.images, 17) == DIGITS.test.labels).mean()
    mnist = genlab.load_dataset("mnist5k").test
    large = (digit_classes(mnist.images, 256) == mnist.labels).mean()
    assert (large > 0.97, small > 0.7) == (True, True), (large, small)  # the small ones are of other writers and another scanner
    assert digit_features(mnist.images[:3], 256).shape == (3, FEATURES)


def test_frechet_is_the_formula() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = rng.standard_normal((50, 4)) @ rng.standard_normal((4, 4)), 2 * rng.standard_normal((60, 4)) + 1
    a, b = np.cov(ours.T, bias=True), np.cov(theirs.T, bias=True)
    expected = np.square(ours.mean(0) - theirs.mean(0)).sum() + np.trace(a + b - 2 * np.real(sqrtm(a @ b)))
    assert frechet(ours, theirs) == pytest.approx(expected, rel=1e-9)
    assert frechet(ours, ours) == pytest.approx(0, abs=1e-9)
    assert frechet(ours, ours + np.array([3.0, 0, 0, 0])) == pytest.approx(9)
    assert np.isfinite(frechet(np.zeros((1, 4)), np.ones((1, 4))))  # constant images have no covariance


# Memorisation --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("space", ["pixels", "digit features"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_planted_memoriser_is_caught_and_honest_models_are_not(space: str, seed: int) -> None:
    memoriser = memorisation(copyist(DIGITS.train.images, noise=0.5), DIGITS, samples=400, space=space, seed=seed)
    assert memoriser.memorises, memoriser.excess
    # Draws of the same density that it has not seen, and a model that has seen nothing at all.
    rest = genlab.load_dataset("digits", seed=seed + 1)
    halves = {
        "train": DIGITS.train.images[::2],
        "valid": DIGITS.valid.images,
        "test": DIGITS.test.images,
    }
    data = genlab.load_dataset(images=halves, source_levels=17)
    honest = memorisation(copyist(DIGITS.train.images[1::2], noise=0.5), data, samples=400, space=space, seed=seed)
    assert not honest.memorises, honest.excess
    noise = memorisation(copyist(np.full((1, 1, 8, 8), 8), noise=5.0), rest, samples=400, space=space, seed=seed)
    assert not noise.memorises, noise.excess


def test_half_a_memoriser_has_half_an_excess() -> None:
    rng = np.random.default_rng(0)
    training, held_out, fresh = (rng.standard_normal((count, 8)) for count in (2000, 500, 1000))
    half = np.concatenate([fresh, training[:1000]])
    found = nearest_of(half, training, held_out, space="coordinates")
    assert found.excess.value == pytest.approx(0.5, abs=0.08)
    assert np.array_equal(found.nearest[1000:], np.arange(1000))
    assert np.allclose(found.distances[1000:], 0, atol=1e-6)


def test_pairs_show_who_is_nearest() -> None:
    shown = pairs(copyist(DIGITS.train.images), DIGITS, samples=50, space="pixels")
    assert np.array_equal(shown.drawn, shown.training)
    assert np.array_equal(DIGITS.train.images[shown.found.nearest], shown.training)
    off = [np.linalg.norm((ours.astype(float) - theirs) / 16) for ours, theirs in zip(shown.drawn, shown.held_out, strict=True)]
    np.testing.assert_allclose(off, shown.found.distances_held_out, rtol=1e-5)
    assert shown.found.sentence.startswith("Of 50 samples 100% have their nearest neighbour among the 1,437 training images; ")
    assert "it would be 80%" in shown.found.sentence
    assert shown.found.sentence.endswith("is 1.00 (95%: 1.00 to 1.00): it memorises.")


# Parzen windows ------------------------------------------------------------------------------------------------------------------


def test_parzen_of_one_window_is_a_gaussian() -> None:
    assert parzen(np.zeros((1, 3)), np.ones((2, 3)), 2.0) == pytest.approx(-3 / 8 - 1.5 * np.log(2 * np.pi * 4))
    for sigma in (0.0, np.nan):
        with pytest.raises(InputError, match="sigma must be above 0"):
            parzen(np.zeros((1, 3)), np.ones((2, 3)), sigma)


def test_parzen_windows_prefer_blurred_averages_to_real_images() -> None:
    found = lesson(DIGITS)
    assert found.centres > found.real + 1, found
