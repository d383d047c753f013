"""What is known before an image is drawn: a class, a small image, a grey one; by one mechanism, from training to the command line."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import genlab
from genlab.__main__ import main
from genlab.causal import Condition
from genlab.domain import Batch
from genlab.errors import InputError
from genlab.models.causal.model import CausalModel
from genlab.models.contract import Compute
from genlab.runs import save_model
from genlab.testing import check_model
from tests.tiny import digits, tiny_model

BACKENDS = ("native", "torch")


def small(name: str = "pixelcnn", **settings: Any) -> CausalModel:
    """A model of 4×4 images in three colours, each given the 2×2 image that it averages to."""
    settings = {"image_shape": (3, 4, 4), "levels": 4, "channels": 6, "first_kernel": 3, "given": "small", **settings}
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return genlab.create_model(name, **settings)  # type: ignore[no-any-return]


def images(model: CausalModel, n: int = 6) -> np.ndarray:
    return np.random.default_rng(0).integers(0, model.levels, (n, *model.image_shape), dtype=np.uint8)


def test_a_small_image_is_the_mean_and_a_grey_one_the_brightness() -> None:
    made = Condition("small", (1, 2, 4), 6, 2)
    assert made.of(np.array([[[[0, 1, 5, 5], [0, 1, 5, 4]]]], np.uint8)).tolist() == [[[[1, 5]]]]  # 0.5 and 4.75
    assert made.as_map(np.array([[[[0, 5]]]], np.uint8)).tolist() == [[[[-1, -1, 1, 1], [-1, -1, 1, 1]]]]
    grey = Condition("grey", (3, 1, 3), 256)
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)[None, :, None]  # red, green, blue side by side
    assert grey.of(colours).tolist() == [[[[76, 150, 29]]]]


@pytest.mark.parametrize("name", ["pixelcnn", "gated_pixelcnn"])
@pytest.mark.parametrize("given", ["small", "grey"])
def test_both_walks_score_train_and_draw_alike_given_an_image(name: str, given: str) -> None:
    model = small(name, given=given, classes=2, **({"blocks": 1} if name == "pixelcnn" else {"layers": 2}))
    values, labels = images(model), np.arange(6) % 2
    assert model.condition is not None
    known = {"labels": labels, "condition": model.condition.of(values)}
    nats = [genlab.log_prob(model, values, labels=labels, backend=backend) for backend in BACKENDS]
    np.testing.assert_allclose(*nats, rtol=1e-5)
    np.testing.assert_array_equal(nats[0], genlab.log_prob(model, values, **known, backend="native"))
    assert (np.abs(nats[1] - genlab.log_prob(model, values, labels=labels, condition=model.condition.of(values)[::-1])) > 1e-5).all()
    parts = [torch.autograd.grad(model.loss(values, backend, labels=labels), list(model.parameters())) for backend in BACKENDS]
    for ours, theirs in zip(*parts, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    drawn = [genlab.sample(model, 6, seed=2, backend=backend, **known) for backend in (*BACKENDS, "naive")]
    assert (drawn[0] == drawn[1]).all()
    assert (drawn[0] == drawn[2]).all()
    alone = genlab.sample(model, 2, seed=2, labels=labels[:2], condition=known["condition"][0])
    assert (alone[0] == drawn[0][0]).all(), "one condition for all"


def test_given_an_image_the_probabilities_of_all_sum_to_one() -> None:
    model = small(image_shape=(1, 2, 4), levels=2, blocks=1)
    everything = np.array(list(itertools.product(range(2), repeat=8)), np.uint8).reshape(-1, 1, 2, 4)
    for condition in ([[[0, 1]]], [[[1, 1]]]):
        assert abs(np.exp(genlab.log_prob(model, everything, condition=np.array(condition))).sum() - 1) < 1e-5


def test_batches_need_no_more_than_images() -> None:
    """Training, validation and evaluation make the condition of the batch itself."""
    model = small(blocks=1)
    values = images(model)
    assert model.condition is not None
    batch = Batch(values, np.zeros(6, np.int64))
    expected = genlab.log_prob(model, values, condition=model.condition.of(values))
    np.testing.assert_array_equal(model.validate(batch, Compute())["nats"], -expected)
    assert float(model.terms("model", batch, Compute()).total.detach()) == pytest.approx(-expected.mean(), rel=1e-5)
    features = torch.from_numpy(model.condition.as_map(model.condition.of(values))).requires_grad_()
    model.loss(values, given={"condition": features}).backward()  # type: ignore[no-untyped-call]
    assert features.grad is not None
    assert features.grad.abs().max() > 0


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        (None, "condition must be what model 'pixelcnn' draws images given, a small image 3×2×2; got None"),
        (np.zeros((3, 4, 4), np.uint8), r"a small image 3×2×2 or \(2, …\) of them, in levels from 0 to 3; got shape \(3, 4, 4\)"),
        (np.zeros((1, 2, 2), np.uint8), r"got shape \(1, 2, 2\), which is grey"),
        (np.zeros((5, 3, 2, 2), np.uint8), r"got shape \(5, 3, 2, 2\)"),
        (np.full((3, 2, 2), 4), "in levels from 0 to 3; got 4"),
        (np.full((3, 2, 2), -1), "got -1"),
        (np.full((3, 2, 2), np.nan), "got float64 with NaN"),
        (np.full((3, 2, 2), 0.5), "got float64$"),
        ([[1], [1, 2]], "condition must be a small image 3×2×2"),
        ({"low": np.zeros((2, 3, 4, 4))}, "given must be one of condition; got 'low'"),
    ],
)
def test_a_condition_that_is_none_is_one_sentence(condition: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        genlab.sample(small(blocks=1), 2, condition=condition)


def test_conditions_where_there_are_none_and_settings_that_make_none() -> None:
    plain = tiny_model()
    with pytest.raises(InputError, match="condition must be None: model 'pixelcnn' has no given maps"):
        genlab.sample(plain, 1, condition=np.zeros((1, 4, 4), np.uint8))
    with pytest.raises(InputError, match="condition must be None: model 'pixelcnn' goes by no other image"):
        genlab.log_prob(plain, np.zeros((1, 1, 8, 8), np.uint8), condition=np.zeros((1, 4, 4), np.uint8))
    with pytest.raises(InputError, match="condition must be maps by name"):
        genlab.sample(tiny_model(classes=2), 1, labels=0, condition=np.zeros((1, 4, 4), np.uint8))
    with pytest.raises(InputError, match=r"given must not be 'grey' where images have no colours: .* got 1"):
        small(image_shape=(1, 4, 4), given="grey")
    with pytest.raises(InputError, match="factor must divide the height and width of an image, 4 and 4; got 3"):
        small(factor=3)


def test_labels_that_do_not_fit_the_classes_stop_a_training_before_it_begins(tmp_path: Path) -> None:
    for data, sentence in (
        (digits(), "classes must be above every label of dataset 'digits', which go up to 9; got 3"),
        (genlab.load_dataset(images=digits().train.images), "data must have labels for a model of 3 classes"),
    ):
        with pytest.raises(InputError, match=sentence):
            genlab.train(tiny_model(classes=3), data, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_conditional_model_from_training_to_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tiny_model(classes=10, given="small")
    run = genlab.train(model, digits(), steps=2, out=tmp_path / "run")
    assert main(["evaluate", str(run.path)]) == 0
    assert "; each image is scored given its class and the small image 1×4×4 made from it" in capsys.readouterr().out
    picture, levels, out, torn = (tmp_path / name for name in ("three.png", "small.npy", "drawn.npz", "torn.npy"))
    torn.write_bytes(b"no array")
    Image.fromarray(np.where(digits().test.images[0, 0], 0, 255).astype(np.uint8)).resize((32, 32), 0).save(picture)
    made = Condition("small", (1, 8, 8), 2, 2).of(digits().test.images[:1])[0]
    np.save(levels, made)
    drawn = []
    for file in (picture, levels):
        assert main(["sample", str(run.path), "-n", "3", "--labels", "3", "--condition", str(file), "--out", str(out)]) == 0
        with np.load(out) as archive:
            drawn.append(archive["images"])
            np.testing.assert_array_equal(archive["condition"], made)
    assert (drawn[0] == drawn[1]).all()
    capsys.readouterr()
    save_model(tiny_model(), tmp_path / "plain.safetensors")
    for arguments, sentence in (
        ([str(run.path), "--labels", "3"], "--condition must be what model 'pixelcnn' draws images given"),
        ([str(run.path), "--condition", str(levels)], "--labels must say which of the 10 classes"),
        ([str(run.path), "--labels", "10", "--condition", str(levels)], "--labels must be classes from 0 to 9; got 10"),
        ([str(run.path), "--labels", "1", "--condition", str(tmp_path / "x.png")], "--condition must be a picture that exists"),
        ([str(tmp_path / "plain.safetensors"), "--condition", str(levels)], "--condition must be None: model 'pixelcnn' has no given maps"),
        ([str(tmp_path / "plain.safetensors"), "--condition", str(picture)], "--condition must not be a picture: model 'pixelcnn' makes"),
        ([str(run.path), "--labels", "1", "--condition", str(torn)], "npy file"),
    ):
        assert main(["sample", *arguments, "--out", str(out)]) == 2
        assert sentence in capsys.readouterr().err


def test_a_model_given_an_image_keeps_every_promise() -> None:
    found = check_model(small(image_shape=(1, 4, 4), levels=2, blocks=1))
    assert "not tried" not in found["backends_draw_alike"] + found["no_leak"]
