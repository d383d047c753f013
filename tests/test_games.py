"""Games of two networks looked at closely: the gradient that D hands on, an equilibrium found or not, a G that learns unfooled."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import softplus

import genlab
from genlab.errors import InputError
from genlab.games import equilibrium, learning
from genlab.games.equilibrium import FOUND, dirac_gan, distances, eigenvalue, growth
from genlab.games.gradient import LOSSES, handed_by
from genlab.games.interpolation import spherical, straight

# --- the gradient through D --------------------------------------------------------------------------------------------------------


def test_the_gradient_through_d_is_the_slope_and_fades_under_minimax_alone() -> None:
    found = handed_by(0, looks=(0, 10, 40, 160))
    for look in found.looks:
        for loss in LOSSES:
            assert look.difference[loss] == pytest.approx(look.gradient[loss], rel=1e-6)
    last = found.looks[-1]
    assert (last.right, last.looks_real < 0.01) == (1.0, True)
    largest = {loss: max(look.gradient[loss] for look in found.looks) for loss in LOSSES}
    assert last.gradient["minimax"] < 0.05 * largest["minimax"]
    assert last.gradient["nonsaturating"] == largest["nonsaturating"]
    assert found.without == 0.0
    # Both losses point the same way at each point, ∂L/∂s · ∇s with ∂L/∂s = −D or −(1 − D): only the lengths differ.
    ours, theirs = (last.arrows[loss] for loss in LOSSES)
    cosine = (ours * theirs).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
    np.testing.assert_allclose(cosine, 1, atol=1e-9)
    assert found.looks[0].field.min() > 0


@pytest.mark.parametrize("looks", [(), (-1,), (3, 3), (5, 2)])
def test_looks_that_do_not_rise_are_a_sentence(looks: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="looks must be rising steps from 0 on"):
        handed_by(0, looks=looks)


# --- an equilibrium ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("loss", "together"), list(product(equilibrium.LOSSES, (True, False))))
def test_a_step_is_gradient_descent_on_the_losses(loss: Any, together: bool) -> None:
    theta, psi = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (0.7, -0.4))

    def of_d() -> torch.Tensor:
        return (psi * theta.detach() if loss == "wasserstein" else softplus(psi * theta.detach())) + 0.3 / 2 * psi**2

    def of_g(psi: torch.Tensor) -> torch.Tensor:
        logit = psi.detach() * theta
        return {"minimax": -softplus(logit), "nonsaturating": softplus(-logit), "wasserstein": -logit}[loss]

    (slope,) = torch.autograd.grad(of_d(), psi)
    after = psi - 0.1 * slope
    (pull,) = torch.autograd.grad(of_g(psi if together else after), theta)
    path = dirac_gan(loss=loss, together=together, rate=0.1, penalty=0.3, start=(0.7, -0.4), steps=1)
    np.testing.assert_allclose(path[1], [(theta - 0.1 * pull).item(), after.item()], rtol=1e-12)


@pytest.mark.parametrize("loss", equilibrium.LOSSES)
def test_near_the_equilibrium_the_distance_grows_as_the_eigenvalue_says(loss: Any) -> None:
    c = 1.0 if loss == "wasserstein" else 0.5
    assert eigenvalue(loss=loss, rate=0.2) == pytest.approx(math.sqrt(1 + (0.2 * c) ** 2), rel=1e-12)
    assert eigenvalue(loss=loss, rate=0.2, together=False) == pytest.approx(1, abs=1e-9)
    near = {"loss": loss, "rate": 0.2, "start": (1e-5, 0.0), "steps": 800}
    assert growth(dirac_gan(**near)) == pytest.approx(eigenvalue(loss=loss, rate=0.2), abs=2e-4)
    assert growth(dirac_gan(**near, penalty=1.0)) == pytest.approx(eigenvalue(loss=loss, rate=0.2, penalty=1.0), abs=2e-3)


def test_who_finds_the_equilibrium_and_who_does_not() -> None:
    away, circling, arriving = (dirac_gan(loss="minimax", **how) for how in ({}, {"together": False}, {"penalty": 1.0}))
    assert distances(away)[-1] > 2
    assert 0.8 < distances(circling)[100:].min() <= distances(circling).max() < 1.2
    assert distances(arriving)[-1] < FOUND
    exploded = dirac_gan(loss="wasserstein", rate=100.0, steps=2000)
    assert np.isnan(exploded[-1]).all()
    assert np.isfinite(exploded[:10]).all()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"loss": "hinge"}, "loss must be one of"),
        ({"rate": 0.0}, "rate must be a number above 0"),
        ({"penalty": float("nan")}, "penalty must be a number from 0 on"),
        ({"steps": -1}, "steps must be between 0"),
        ({"start": (float("inf"), 0.0)}, "start must be two finite numbers"),
    ],
)
def test_a_game_that_cannot_be_played_is_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        dirac_gan(**settings)


# --- learning without fooling ------------------------------------------------------------------------------------------------------


def test_in_the_shipped_runs_d_is_right_and_g_learns() -> None:
    runs = learning.shipped()
    assert [run.seed for run in runs] == list(learning.SEEDS)
    for run in runs:
        assert run.steps.tolist() == list(learning.LOOKS)
        assert run.right[1:].mean() > learning.SELDOM
        assert run.distance[-1] < run.distance[0] / 2
        assert run.correlation < -0.8
    assert runs[0].samples.shape == (len(learning.LOOKS), 8, 1, 8, 8)


def test_the_shipped_runs_begin_as_this_code_does() -> None:
    """So far as rounding leaves them alike: ten steps."""
    again, kept = learning.course(0, looks=learning.LOOKS[:2]), learning.shipped()[0]
    np.testing.assert_allclose(again.distance, kept.distance[:2], rtol=0.02)
    np.testing.assert_allclose(again.right, kept.right[:2], atol=0.03)
    assert abs(again.samples[0].astype(int) - kept.samples[0].astype(int)).max() <= 1


def test_a_correlation_of_too_few_looks_is_none() -> None:
    few = learning.Course(0, np.arange(3), np.array([0.0, 1.0, 1.0]), np.array([3.0, 2.0, 1.0]), np.empty(0, np.uint8))
    assert math.isnan(few.correlation)
    falling = learning.Course(0, np.arange(5), np.ones(5), np.array([9.0, 4.0, 3.0, 2.0, 1.0]), np.empty(0, np.uint8))
    assert falling.correlation == pytest.approx(-1)


# --- from z to z -------------------------------------------------------------------------------------------------------------------


def test_the_way_on_the_sphere_has_equal_angles_and_keeps_the_length() -> None:
    first, last = np.random.default_rng(0).standard_normal((2, 64))
    last *= np.linalg.norm(first) / np.linalg.norm(last)
    places = spherical(first, last, 9)
    np.testing.assert_allclose(places[[0, -1]], [first, last], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(places, axis=1), np.linalg.norm(first), rtol=1e-12)
    cosines = (places[1:] * places[:-1]).sum(1) / np.linalg.norm(first) ** 2
    np.testing.assert_allclose(cosines, cosines[0], rtol=1e-12)
    assert np.linalg.norm(straight(first, last, 9)[4]) < 0.85 * np.linalg.norm(first)
    np.testing.assert_array_equal(spherical(first, 2 * first, 3), straight(first, 2 * first, 3))
    np.testing.assert_array_equal(spherical(0 * first, last, 2)[0], 0 * first)


@pytest.mark.parametrize(("first", "last", "count"), [([0.0], [0.0, 1.0], 3), ([np.nan], [1.0], 3), ([0.0], [1.0], 1)])
def test_ways_that_are_none_are_a_sentence(first: list[float], last: list[float], count: int) -> None:
    with pytest.raises(InputError, match=r"first and last must be finite and of one length|count must be at least 2"):
        spherical(np.array(first), np.array(last), count)


def test_a_gan_draws_along_a_way() -> None:
    model = genlab.create_model("mlp_gan", image_shape=(1, 8, 8), latent=4, hidden=8)
    places = spherical(*np.eye(4)[:2], 5)
    assert genlab.sample(model, 5, latents=places).shape == (5, 1, 8, 8)
