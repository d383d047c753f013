"""Points in the plane: densities that are known, and points that somebody brought along."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import genlab
from genlab.errors import InputError


@pytest.mark.parametrize(("name", "modes", "sigma"), [("ring", 8, 0.01), ("grid25", 25, 0.05)])
def test_a_mixture_says_its_modes_and_keeps_to_them(name: str, modes: int, sigma: float) -> None:
    data = genlab.load_dataset(name)
    assert data.centres is not None
    assert (data.centres.shape, data.centres.dtype, data.sigma) == ((modes, 2), np.float32, sigma)
    assert len(np.unique(data.centres.round(4), axis=0)) == modes
    points, labels = data.train.images, data.train.labels
    assert (points.dtype, points.shape) == (np.float32, (20_000, 2))
    off = points - data.centres[labels]
    assert np.abs(off.mean(0)).max() < 5 * sigma / np.sqrt(len(off))
    assert np.allclose(off.std(0), sigma, rtol=0.02)
    counts = np.bincount(labels)
    assert np.abs(counts - len(labels) / modes).max() < 5 * np.sqrt(len(labels) / modes)
    assert data.record["centres"] == data.centres.tolist()
    assert data.record["sigma"] == sigma


def test_the_ring_is_that_of_the_paper() -> None:
    centres = genlab.load_dataset("ring").centres
    assert np.allclose(centres, [(np.cos(k * np.pi / 4), np.sin(k * np.pi / 4)) for k in range(8)], atol=1e-6)


def test_the_grid_is_that_of_the_paper() -> None:
    centres = genlab.load_dataset("grid25").centres
    assert {tuple(centre) for centre in centres.tolist()} == {(-4.0 + 2 * i, -4.0 + 2 * j) for i in range(5) for j in range(5)}


@pytest.mark.parametrize("name", ["spirals", "moons"])
def test_curves_have_no_modes_and_two_kinds(name: str) -> None:
    data = genlab.load_dataset(name)
    assert (data.centres, data.sigma) == (None, None)
    assert "centres" not in data.record
    assert set(np.unique(data.train.labels)) == {0, 1}
    assert data.describe() == f"{name}: 20000/5000/5000 points of 2 real values"


def test_spirals_are_two_arms_half_a_turn_apart() -> None:
    points, labels = genlab.load_dataset("spirals").train.images, genlab.load_dataset("spirals").train.labels
    radius = np.linalg.norm(points, axis=1)
    turned = np.arctan2(points[:, 1], points[:, 0]) - 1.5 * np.pi * radius - np.pi * labels
    off = np.abs((turned + np.pi) % (2 * np.pi) - np.pi)[radius > 0.5]
    assert np.mean(off < 0.5) > 0.99


def test_the_seed_decides_the_points_and_each_split_has_its_own() -> None:
    first, again, other = (genlab.load_dataset("moons", seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first.train.images, again.train.images)
    assert first.record["sha256"] == again.record["sha256"] != other.record["sha256"]
    assert not np.array_equal(first.valid.images, first.test.images)


def test_points_have_neither_levels_nor_a_size() -> None:
    for setting in ({"levels": 2}, {"size": 8}, {"binarize": "threshold"}):
        with pytest.raises(InputError, match=f"{next(iter(setting))} must be None for points"):
            genlab.load_dataset("ring", **setting)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_points_drawn_by_hand_are_one_sentence(count: int) -> None:
    sentence = r"must have shape \(N, D\), none of them 0; got \(0, 2\)" if count == 0 else f"at least 3 points are needed.*got {count}"
    with pytest.raises(InputError, match=sentence):
        genlab.load_dataset(points=np.zeros((count, 2)))


def test_three_points_drawn_by_hand_are_data() -> None:
    data = genlab.load_dataset(points=[[0.0, 0.0], [1.0, 2.0], [3.0, 1.0]])
    assert data.describe() == "own arrays: 1/1/1 points of 2 real values"


def test_points_in_a_file_are_found_again_by_their_path(tmp_path: Path) -> None:
    points = np.random.default_rng(0).standard_normal((40, 2))
    np.save(tmp_path / "drawn.npy", points)
    data = genlab.load_dataset(tmp_path / "drawn.npy")
    assert data.describe() == "drawn: 32/4/4 points of 2 real values"
    found = np.concatenate([data.train.images, data.valid.images, data.test.images])
    assert np.array_equal(np.sort(found, axis=0), np.sort(points.astype(np.float32), axis=0))
    np.save(tmp_path / "torn.npy", np.full((9, 2), np.nan))
    with pytest.raises(InputError, match="must hold finite numbers"):
        genlab.load_dataset(tmp_path / "torn.npy")
