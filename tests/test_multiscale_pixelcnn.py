"""The chain of scales: what it splits it joins, p sums to one, samples fit it, and both walks say the same."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

import genlab
from genlab.__main__ import main
from genlab.domain import Batch
from genlab.errors import InputError
from genlab.models.causal.chain import Chain, join, split
from genlab.models.contract import Compute
from tests.tiny import digits


def tiny(**settings: Any) -> Chain:
    settings = {"image_shape": (1, 4, 4), "levels": 2, "channels": 6, "layers": 2, "first_kernel": 3, "scales": 1, **settings}
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        model: Chain = genlab.create_model("multiscale_pixelcnn", **settings).eval()
        with torch.no_grad():
            for name, tensor in model.named_parameters():
                tensor.normal_(0, 0.3) if name.endswith("bias") else tensor.mul_(3 if "output" in name else 1)
    return model


def images_of(model: Chain, n: int = 6) -> np.ndarray:
    return np.random.default_rng(1).integers(0, model.levels, (n, *model.image_shape), dtype=np.uint8)


def test_what_is_split_is_joined() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 3, 4, 6), dtype=np.uint8)
    coarse, rest = split(images)
    assert coarse.shape == (3, 3, 2, 3)
    assert rest.shape == (3, 9, 2, 3)
    assert (coarse == images[:, :, ::2, ::2]).all()
    assert (join(coarse, rest) == images).all()


def test_the_probabilities_of_all_images_sum_to_one() -> None:
    model = tiny()
    everything = np.array(list(itertools.product(range(2), repeat=16)), np.uint8).reshape(-1, 1, 4, 4)
    assert abs(np.exp(genlab.log_prob(model, everything)).sum() - 1) < 1e-5


@pytest.mark.parametrize("shape", [(1, 2, 4), (3, 2, 2)])
def test_samples_fit(shape: tuple[int, int, int]) -> None:
    model = tiny(image_shape=shape)
    size = int(np.prod(shape))
    everything = np.array(list(itertools.product(range(2), repeat=size)), np.uint8).reshape(-1, *shape)
    expected = np.exp(genlab.log_prob(model, everything))
    drawn = genlab.sample(model, 20_000, seed=4).reshape(20_000, -1)
    found = np.bincount(drawn @ (1 << np.arange(size)[::-1]), minlength=2**size)
    often = 20_000 * expected >= 5
    assert often.sum() > 20
    counts, wanted = found[often], 20_000 * expected[often]
    if not often.all():  # the rare ones count as one
        counts, wanted = np.append(counts, found[~often].sum()), np.append(wanted, 20_000 * expected[~often].sum())
    assert stats.chisquare(counts, wanted * counts.sum() / wanted.sum()).pvalue > 1e-3


def test_both_walks_score_train_and_draw_alike() -> None:
    model = tiny(image_shape=(3, 8, 8), levels=4, scales=2, classes=3)
    images, labels = images_of(model), np.arange(6) % 3
    nats = [genlab.log_prob(model, images, labels=labels, backend=backend) for backend in ("native", "torch")]
    np.testing.assert_allclose(*nats, rtol=1e-5)
    assert (np.abs(nats[0] - genlab.log_prob(model, images, labels=(labels + 1) % 3)) > 1e-4).all()
    by_scale = model.log_prob_by_scale(images, labels=labels)
    assert by_scale.shape == (3, 6)
    np.testing.assert_allclose(by_scale.sum(0), nats[0])
    batch = Batch(images, labels)
    figures = model.validate(batch, Compute())
    assert sorted(figures) == ["nats", "nats_2x2", "nats_4x4", "nats_8x8"]
    parameters = list(model.parameters())
    ours, theirs = (torch.autograd.grad(model.terms("model", batch, Compute(backend)).total, parameters) for backend in ("native", "torch"))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)
    drawn = [genlab.sample(model, 6, seed=2, labels=labels, backend=backend) for backend in ("native", "torch", "naive")]
    assert (drawn[0] == drawn[1]).all()
    assert (drawn[0] == drawn[2]).all()
    assert (genlab.sample(model, 2, seed=2, labels=labels[:2]) == drawn[0][:2]).all(), "asking for more keeps the first ones"


def test_an_image_of_any_scale_is_where_it_begins() -> None:
    model = tiny(image_shape=(1, 8, 8), levels=4, scales=2)
    image = images_of(model, 1)[0]
    for step in (4, 2):
        drawn = genlab.sample(model, 5, seed=1, condition=image[:, ::step, ::step])
        assert (drawn[:, :, ::step, ::step] == image[:, ::step, ::step]).all()
        assert len(np.unique(drawn.reshape(5, -1), axis=0)) > 1
    whole = genlab.sample(model, 5, seed=1)
    assert (genlab.sample(model, 5, seed=1, condition=whole[:, :, ::2, ::2]) == whole).all()


def test_wrong_input_is_one_sentence() -> None:
    with pytest.raises(InputError, match="sides that 2 scales can halve, multiples of 4; got 6×8"):
        tiny(image_shape=(1, 6, 8), scales=2)
    model = tiny()
    for options, sentence in (
        ({"condition": np.zeros((1, 4, 4), np.uint8)}, r"condition must be a small image 1×2×2 .* got shape \(1, 4, 4\)"),
        ({"condition": np.full((1, 2, 2), 2)}, "in levels from 0 to 1; got 2"),
        ({"labels": 1}, "labels must be None"),
        ({"known": np.zeros((1, 4, 4), np.uint8)}, "option of model 'multiscale_pixelcnn' must be one of"),
        ({"temperature": 0.0}, "temperature must be a finite number above 0"),
    ):
        with pytest.raises(InputError, match=sentence):
            genlab.sample(model, 2, **options)
    with pytest.raises(InputError, match="levels from 0 to 1; got 2"):
        genlab.log_prob(model, np.full((1, 1, 4, 4), 2))
    with pytest.raises(InputError, match=r"images must have shape \(N, 1, 4, 4\)"):
        genlab.log_prob(model, np.zeros((1, 1, 2, 2), np.uint8))
    with pytest.raises(InputError, match="labels must say which of the 3 classes"):
        genlab.log_prob(tiny(classes=3), np.zeros((1, 1, 4, 4), np.uint8))


def test_one_run_folder_holds_all_scales(tmp_path: Path) -> None:
    model = tiny(image_shape=(1, 8, 8), scales=2)
    run = genlab.train(model, digits(), steps=3, out=tmp_path / "run")
    again = genlab.load_model(run.path)
    assert (genlab.sample(again, 3, seed=1) == genlab.sample(model, 3, seed=1)).all()
    np.save(tmp_path / "small.npy", digits().test.images[0, :, ::4, ::4])
    arguments = ["sample", str(run.path), "-n", "2", "--condition", str(tmp_path / "small.npy"), "--out", str(tmp_path / "large.npz")]
    assert main(arguments) == 0
    with np.load(tmp_path / "large.npz") as archive:
        assert (archive["images"][:, :, ::4, ::4] == digits().test.images[0, :, ::4, ::4]).all()
    values = run.best()["values"]  # type: ignore[index]
    assert values["nats"] == pytest.approx(sum(values[f"nats_{size}x{size}"] for size in (2, 4, 8)))
