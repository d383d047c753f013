"""Likelihoods: exact sums whatever the batches, and a protocol beside every number."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import digits, tiny_model, tiny_run

import genlab
from genlab.errors import InputError, RunError
from genlab.measures import figures
from genlab.measures.likelihood import bits_per_dim, evaluate, load_run_data, log_prob
from tests.files import write_mnist


@pytest.mark.parametrize("backend", ["native", "torch", "auto"])
def test_log_prob_is_the_models_own_whatever_the_batches(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, images = tiny_model(), digits().test.images[:50]
    whole = log_prob(model, images, backend=backend)
    assert (whole.shape, whole.dtype) == ((50,), np.float64)
    assert np.allclose(whole, model.log_prob(images, backend="torch").numpy(), atol=1e-3)
    monkeypatch.setattr(figures, "LOGITS_AT_ONCE", 7 * 2 * 64)
    assert np.allclose(log_prob(model, images, backend=backend), whole, atol=1e-4)
    assert np.allclose(log_prob(model, torch.from_numpy(images.copy()), backend=backend), whole, atol=1e-4)


def test_probabilities_sum_to_one() -> None:
    model = tiny_model(image_shape=(1, 2, 2), levels=3)
    images = np.array(list(itertools.product(range(3), repeat=4))).reshape(-1, 1, 2, 2)
    assert np.exp(log_prob(model, images)).sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("backend", ["native", "torch"])
def test_no_images_have_no_likelihoods(backend: str) -> None:
    assert log_prob(tiny_model(), np.zeros((0, 1, 8, 8), np.uint8), backend=backend).shape == (0,)


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (np.zeros((1, 8, 8), np.uint8), r"images must have shape \(N, 1, 8, 8\); got \(1, 8, 8\)"),
        (np.zeros((2, 1, 8, 9), np.uint8), "images must have shape"),
        (np.zeros((0, 1, 8, 9), np.uint8), "images must have shape"),
        (np.zeros((2, 1, 8, 8)), "images must hold integer levels; got .*float64"),
        (np.full((2, 1, 8, 8), 2), "images must hold levels from 0 to 1; got 2"),
        (np.full((2, 1, 8, 8), -1), "images must hold levels from 0 to 1; got -1"),
    ],
)
def test_images_that_do_not_fit_are_refused(images: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        log_prob(tiny_model(), images)


def test_evaluation_is_the_mean_over_the_split() -> None:
    model, data = tiny_model(), digits()
    nats = -log_prob(model, data.test.images)
    result = evaluate(model, data)
    assert result.nats == pytest.approx(nats.mean())
    assert result.standard_error == pytest.approx(nats.std(ddof=1) / math.sqrt(len(nats)))
    assert result.bits_per_dim == pytest.approx(result.nats / (64 * math.log(2))) == bits_per_dim(result.nats, (1, 8, 8))
    assert (result.images, result.split, result.draws) == (180, "test", 1)
    assert result.protocol == "digits, 1×8×8, 2 levels, binarised by a fixed threshold at one half, split of seed 0"
    assert evaluate(model, data, split="valid", limit=7).images == 7
    assert evaluate(model, data, limit=1).standard_error is None


def test_dynamic_binarisation_is_drawn_anew_by_the_seed() -> None:
    model, data = tiny_model(), digits("dynamic")
    first, again, other = (evaluate(model, data, seed=seed, limit=60) for seed in (1, 1, 2))
    assert first == again
    assert first.nats != other.nats
    many = evaluate(model, data, draws=3, seed=1, limit=60)
    assert many.draws == 3
    assert many.nats != first.nats
    assert "dynamic binarisation, 3 draws an image (seed 1)" in many.protocol


def test_without_dynamic_binarisation_there_is_nothing_to_draw() -> None:
    once, thrice = (evaluate(tiny_model(), digits(), draws=draws) for draws in (1, 3))
    assert once == thrice


def test_a_run_brings_its_own_data_and_best_weights(tmp_path: Path) -> None:
    model = tiny_model()
    run = genlab.train(model, digits(), epochs=2, out=tmp_path / "run")
    expected = evaluate(model, digits())
    assert evaluate(run) == evaluate(run.path) == evaluate(str(run.path)) == expected
    assert load_run_data(run).record == digits().record
    best = min(record["nats"] for record in run.metrics("valid"))
    assert evaluate(run, split="valid").nats == pytest.approx(best, rel=1e-12)


def test_data_that_changed_since_training_are_refused(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run")
    config = run.config
    config["data"]["record"]["sha256"] = "0" * 64
    (run.path / "config.json").write_text(json.dumps(config))
    with pytest.raises(RunError, match="no longer those"):
        evaluate(run)
    assert evaluate(run, digits()).images == 180, "data given by hand are the caller's decision"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"data": None}, "data must be given with a model"),
        ({"split": "tset"}, "split must be one of test, train, valid; got 'tset'"),
        ({"draws": 0}, "draws must be from 1 to 10,000; got 0"),
        ({"seed": -1}, "seed must be at least 0 and below .*; got -1"),
        ({"limit": 0}, "limit must be at least 1; got 0"),
        ({"backend": "naive"}, "backend must be one of auto, native, torch; got 'naive'"),
    ],
)
def test_bad_input_is_one_sentence(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        evaluate(tiny_model(), **{"data": digits(), **arguments})


def test_data_of_another_shape_or_other_levels_are_refused() -> None:
    with pytest.raises(InputError, match="data must have the model's levels"):
        evaluate(tiny_model(levels=5), digits())
    with pytest.raises(InputError, match="data must have the model's image_shape"):
        evaluate(tiny_model(image_shape=(1, 4, 8)), digits())


def test_published_figures_stand_beside_a_result_of_their_protocol_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mnist(tmp_path)
    monkeypatch.setenv("GENLAB_DATA_DIR", str(tmp_path))
    data = genlab.load_dataset("mnist", binarize="dynamic")
    model = genlab.create_model("pixelcnn", image_shape=data.image_shape, levels=2, channels=1, blocks=0)
    figures = genlab.evaluate(model, data, limit=2).published
    assert 81.45 in {figure.value for figure in figures if figure.model == "PixelCNN"}
    assert genlab.evaluate(model, data, split="valid", limit=2).published == ()
    assert genlab.evaluate(tiny_model(), digits(), limit=2).published == ()
