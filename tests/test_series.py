"""A series: read as stretches, modelled step by step, simulated from its past; the past stays, and nothing looks ahead."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import genlab
from genlab import receptive_field
from genlab.__main__ import main
from genlab.datasets.series import monthly_sunspots
from genlab.errors import InputError
from genlab.models.causal.model import CausalModel
from genlab.simulation import context, quantiles, simulate


def wave(length: int = 16, **settings: Any) -> CausalModel:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        settings = {"levels": 4, "channels": 6, "layers": 3, **settings}
        return genlab.create_model("wave_pixelcnn", image_shape=(1, 1, length), **settings)  # type: ignore[no-any-return]


def test_the_suns_spots_are_cut_into_stretches_that_share_no_month_between_splits() -> None:
    values = monthly_sunspots()
    assert len(values) == 3177  # January 1749 to September 2013
    assert values[:3].tolist() == [58.0, 62.6, 70.0]
    assert values[-1] == 37.0
    data = genlab.load_dataset("sunspots")
    assert data.image_shape == (1, 1, 264)
    whole = np.rint(values)
    assert (data.test.images[-1, 0, 0] == whole[-264:]).all()
    assert (data.train.images[0, 0, 0] == whole[1:265]).all()
    assert (data.train.images[-1, 0, 0, -1] == whole[len(values) - 2 * 476 - 1]).all()
    short = genlab.load_dataset("sunspots", size=100, levels=16)
    assert short.image_shape == (1, 1, 100)
    assert short.train.images.max() == 14  # 239 of 256
    with pytest.raises(InputError, match=r"size must be at most 476 for 'sunspots'.*; got 477"):
        genlab.load_dataset("sunspots", size=477)


def test_all_series_sum_to_one_and_both_walks_agree() -> None:
    model = wave(8, levels=2)
    everything = np.array(list(itertools.product(range(2), repeat=8)), np.uint8).reshape(-1, 1, 1, 8)
    nats = [genlab.log_prob(model, everything, backend=backend) for backend in ("native", "torch")]
    np.testing.assert_allclose(*nats, atol=1e-5)
    assert abs(np.exp(nats[0]).sum() - 1) < 1e-5
    parts = [torch.autograd.grad(model.loss(everything, backend), list(model.parameters())) for backend in ("native", "torch")]
    for ours, theirs in zip(*parts, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_it_sees_just_its_context() -> None:
    model = wave(16).double()
    assert context(model.graph) == 8
    images = np.random.default_rng(0).integers(0, 4, (8, 1, 1, 16), dtype=np.uint8)
    seen = np.abs(receptive_field.gradients(model, images, row=0, column=12)).max((0, 1, 2)) > 0
    assert np.flatnonzero(seen).tolist() == list(range(4, 12))


def test_futures_are_drawn_alike_by_every_backend_and_begin_where_the_past_ends() -> None:
    model = wave(16)
    past = np.random.default_rng(0).integers(0, 4, 30)
    futures = [simulate(model, past, 5, seed=1, backend=backend) for backend in ("native", "torch", "naive")]
    assert futures[0].shape == (5, 8)
    assert (futures[0] == futures[1]).all()
    assert (futures[0] == futures[2]).all()
    assert (simulate(model, past[-8:], 5, seed=1) == futures[0]).all(), "what lies before the context does not matter"
    # The first step is drawn from the model's own distribution after that past.
    stretch = np.zeros((1, 1, 1, 16), np.uint8)
    stretch[0, 0, 0, :8] = past[-8:]
    expected = model.logits(stretch)[0, 0, 0, 8].softmax(-1).numpy()
    found = np.bincount(simulate(model, past, 20_000, steps=8, seed=2)[:, 0], minlength=4) / 20_000
    np.testing.assert_allclose(found, expected, atol=0.02)
    assert quantiles(futures[0], [0.1, 0.5, 0.9]).shape == (3, 8)


@pytest.mark.parametrize(
    ("past", "steps", "sentence"),
    [
        (np.zeros(7, np.uint8), None, "past must be at least as long as the model's context, 8 steps; got 7"),
        (np.zeros(8), None, r"past must hold integer levels, one after another; got float64 of shape \(8,\)"),
        (np.full(8, np.nan), None, "with NaN"),
        (np.full(8, 4), None, "past must hold levels from 0 to 3; got 4"),
        (np.zeros((2, 8), int), None, r"of shape \(2, 8\)"),
        (np.zeros(8, int), 9, "steps must be from 1 to 8, the model's length 16 without its context 8; got 9"),
        (np.zeros(8, int), 0, "steps must be from 1 to 8"),
    ],
)
def test_a_past_that_will_not_do_is_one_sentence(past: Any, steps: int | None, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        simulate(wave(16), past, 2, steps=steps)


def test_a_series_shorter_than_its_context_and_images_that_are_no_series() -> None:
    with pytest.raises(InputError, match="a series must be at least as long as the context of 5 layers, 32 steps; got 16: fewer layers"):
        wave(16, layers=5)
    with pytest.raises(InputError, match=r"image_shape must be \(1, 1, length\) for a series; got \(1, 4, 4\)"):
        genlab.create_model("wave_pixelcnn", image_shape=(1, 4, 4))
    with pytest.raises(InputError, match="model must be of a series"):
        simulate(genlab.load_model("digits-pixelcnn"), np.zeros(8, int))


def test_a_run_is_simulated_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = genlab.load_dataset("sunspots", size=16, levels=4)
    run = genlab.train(wave(16), data, steps=1, out=tmp_path / "run")
    out = tmp_path / "futures.npz"
    assert main(["simulate", str(run.path), "-n", "6", "--steps", "5", "--out", str(out)]) == 0
    with np.load(out) as archive:
        assert archive["futures"].shape == (6, 5)
        assert archive["quantiles"].shape == (7, 5)
        np.testing.assert_array_equal(archive["past"], data.test.images[-1, 0, 0])
    np.save(tmp_path / "past.npy", np.zeros(3, np.uint8))
    assert main(["simulate", str(run.path), "--past", str(tmp_path / "past.npy"), "--out", str(out)]) == 2
    assert "--past must be at least as long as the model's context, 8 steps; got 3" in capsys.readouterr().err
