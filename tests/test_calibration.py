"""Calibration and typicality: right where the truth is known, with intervals that hold it, and a sentence where nothing can be measured."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import digits, tiny_model

import genlab
from genlab.cli import main
from genlab.domain import Batch
from genlab.errors import InputError
from genlab.measures import measure
from genlab.measures.calibration import calibration
from genlab.measures.resampling import bootstrap
from genlab.measures.typicality import QUANTILES, typicality


def sharp(levels: int = 2, shape: tuple[int, int, int] = (1, 4, 4), **settings: Any) -> Any:
    """A model that is surer of some values than of others."""
    model = tiny_model(image_shape=shape, levels=levels, **settings)
    with torch.no_grad():
        model.nodes["output"].weight.mul_(12)  # type: ignore[operator, union-attr]
    return model


def sharpened(model: Any, factor: float) -> Any:
    """The same predictions, at a lower temperature."""
    other = copy.deepcopy(model)
    with torch.no_grad():
        for tensor in (other.nodes["output"].weight, other.nodes["output"].bias):
            tensor.mul_(factor)
    return other


@pytest.mark.parametrize(("levels", "shape"), [(2, (1, 4, 4)), (3, (1, 4, 4)), (3, (2, 3, 2))])
def test_a_model_is_calibrated_on_its_own_samples_and_one_that_is_too_sure_is_not(levels: int, shape: tuple[int, int, int]) -> None:
    model = sharp(levels, shape)
    batch = Batch(genlab.sample(model, 2000, seed=1))
    found = calibration(model, batch)
    assert found.images == 2000
    assert found.events == sum(each.count for each in found.bins) == 2000 * np.prod(shape) * (1 if levels == 2 else levels)
    held = [each.happened.low <= each.said <= each.happened.high for each in found.bins if each.count > 200]
    assert np.mean(held) >= 0.7
    too_sure = calibration(sharpened(model, 3.0), batch)
    assert too_sure.error.low > 3 * found.error.value
    assert too_sure.bins[-1].happened.high < too_sure.bins[-1].said


def test_bins_and_error_are_what_the_formula_says() -> None:
    model = sharp()
    batch = Batch(genlab.sample(model, 50, seed=2))
    found = calibration(model, batch, bins=4)
    p = model.logits(batch.values).double().softmax(-1)[..., 1].flatten().numpy()
    true, place = batch.values.reshape(-1), np.minimum((4 * p).astype(int), 3)
    error = 0.0
    for each in found.bins:
        inside = place == round(4 * each.least)
        assert each.count == inside.sum()
        np.testing.assert_allclose([each.said, each.happened.value], [p[inside].mean(), true[inside].mean()])
        assert each.happened.low <= each.happened.value <= each.happened.high
        error += inside.sum() / len(p) * abs(true[inside].mean() - p[inside].mean())
    np.testing.assert_allclose(found.error.value, error)


def test_intervals_are_over_images_and_hold_the_mean_about_as_often_as_they_say() -> None:
    generator = np.random.default_rng(0)
    held = 0
    for seed in range(200):
        values = generator.normal(3.0, 1.0, 40)

        def mean(weights: Any, values: Any = values) -> Any:
            return weights @ values[:, None] / len(values)

        (found,) = bootstrap(40, mean, seed)
        held += found.low <= 3.0 <= found.high
    assert 0.88 < held / 200 < 0.99


def test_images_of_the_model_are_typical_and_noise_is_not() -> None:
    model = sharp()
    own = typicality(model, Batch(genlab.sample(model, 500, seed=5)), seed=9)
    assert own.gap.low <= 0 <= own.gap.high
    assert 0.85 < own.inside.value < 0.95
    noise = np.random.default_rng(0).integers(0, 2, (500, *model.image_shape), dtype=np.uint8)
    strange = typicality(model, Batch(noise))
    assert strange.gap.low > 0.5
    assert strange.inside.high < own.inside.low
    np.testing.assert_allclose(strange.held_out.values, genlab.log_prob(model, noise))
    np.testing.assert_allclose(strange.held_out.quantiles, np.quantile(strange.held_out.values, QUANTILES))


@pytest.mark.parametrize("settings", [{"classes": 3}, {"given": "small"}])
def test_what_images_are_given_holds_for_samples_too(settings: dict[str, Any]) -> None:
    model = sharp(**settings)
    labels = np.arange(60) % 3 if "classes" in settings else None
    images = np.random.default_rng(0).integers(0, 2, (60, *model.image_shape), dtype=np.uint8)
    batch = Batch(images, labels)
    own = typicality(model, batch, draws=120)
    assert len(own.drawn.values) == 120
    assert calibration(model, batch).images == 60


def test_measures_of_any_model_with_these_abilities() -> None:
    model = tiny_model()
    found = measure(model, digits(), limit=20, more=("calibration_error", "typicality_gap", "typicality_inside"))
    assert set(found) == {"nats", "calibration_error", "typicality_gap", "typicality_inside"}
    for figure in found.values():
        assert figure.examples == 20
        assert figure.standard_error is not None
        assert figure.standard_error >= 0
    with pytest.raises(InputError, match=r"more must be one of .*; got .beauty."):
        measure(model, digits(), more=("beauty",))


class Cloud:
    """A model that can only draw."""

    name = "cloud"


@pytest.mark.parametrize(
    ("attempt", "sentence"),
    [
        (
            lambda: calibration(Cloud(), Batch(np.zeros((1, 2)))),
            "calibration needs one value after another, .* model 'cloud' does not have",
        ),
        (lambda: typicality(Cloud(), Batch(np.zeros((1, 2)))), "typicality needs an exact likelihood, which model 'cloud' does not have"),
        (lambda: calibration(tiny_model(), Batch(np.zeros((0, 1, 8, 8), np.uint8))), "batch must hold at least one image; got none"),
        (lambda: typicality(tiny_model(), Batch(np.zeros((1, 1, 8, 8), np.uint8))), "batch must hold at least two images; got 1"),
        (lambda: typicality(tiny_model(), Batch(np.zeros((2, 1, 8, 8), np.uint8)), draws=1), "draws must be at least 2; got 1"),
        (lambda: calibration(tiny_model(), Batch(np.zeros((1, 1, 8, 8), np.uint8)), bins=0), "bins must be between 1 and 1000; got 0"),
    ],
)
def test_bad_input_is_one_sentence(attempt: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        attempt()


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "found.json"
    asked = ["evaluate", "digits-pixelcnn", "--limit", "30", "--calibration", "--typicality", "--json", str(out)]
    assert main(asked) == 0
    printed = capsys.readouterr().out
    assert "calibration: expected error 0.0" in printed
    assert "typicality: a sample is" in printed
    document = json.loads(out.read_text())
    assert document["calibration"]["images"] == document["images"] == len(document["typicality"]["held_out"]["values"]) == 30
    assert document["calibration"]["events"] == 30 * 64 * 17
