"""Flow matching: where the velocity is known in closed form, everything that is made of it is too."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import genlab
from genlab.domain import Batch
from genlab.errors import InputError
from genlab.models.continuous.networks import Dense
from genlab.models.continuous.solver import SOLVERS, solve
from genlab.models.contract import Compute, abilities
from genlab.runs import Run, load_model
from genlab.testing import check_model
from tests import systems

PLANE: dict[str, Any] = {"image_shape": (2,), "levels": None}
MIDDLE, SIGMA = torch.tensor([1.0, -0.5]), 0.4


class Gaussian(nn.Module):
    """The best velocity for data N(m, s² I): v(x, t) = m + a (x − t m) with a = (t s² − (1 − t)) / ((1 − t)² + t² s²)."""

    def slope(self, time: Tensor) -> Tensor:
        return (time * SIGMA**2 - (1 - time)) / ((1 - time) ** 2 + (time * SIGMA) ** 2)

    def forward(self, points: Tensor, time: Tensor, labels: Tensor | None = None) -> Tensor:
        return MIDDLE + self.slope(time)[:, None] * (points - time[:, None] * MIDDLE)

    def with_tangents(self, points: Tensor, tangents: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        return self(points, time), self.slope(time)[:, None, None] * tangents


def known(**settings: Any) -> Any:
    """A model whose data are that Gaussian; its network's weights are there for their dtype alone."""
    model = systems.small("flow_matching", **PLANE, **settings)
    model.network.forward, model.network.with_tangents = Gaussian().forward, Gaussian().with_tangents
    return model


def around(steps: int, density: Any, reach: float = 8.0) -> float:
    """∫ p over a square."""
    axis = torch.from_numpy((np.arange(steps) + 0.5) * 2 * reach / steps - reach).float()
    points = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1).reshape(-1, 2)
    return float(density(points).exp().sum()) * (2 * reach / steps) ** 2


# --- the closed form -------------------------------------------------------------------------------------------------------------


def test_samples_of_a_known_field_are_gaussian() -> None:
    model = known()
    drawn = genlab.sample(model, 4000, seed=3, steps=32, solver="rk4")
    np.testing.assert_allclose(drawn, (model.noise(4000, 3) * SIGMA + MIDDLE).numpy(), atol=1e-4)  # noise is carried straight to its place
    np.testing.assert_allclose(drawn.mean(0), MIDDLE, atol=4 * SIGMA / 4000**0.5)
    np.testing.assert_allclose(np.cov(drawn.T), SIGMA**2 * np.eye(2), atol=0.015)


def test_log_prob_of_a_known_field_is_the_gaussian_s() -> None:
    model, points = known(), (1.5 * torch.randn(200, 2, generator=torch.Generator().manual_seed(0)))
    expected = torch.distributions.Normal(MIDDLE.double(), SIGMA).log_prob(points.double()).sum(1)
    np.testing.assert_allclose(model.log_prob(points), expected, atol=2e-3)
    assert float(model.solver_error(points).max()) < 2e-3
    assert float((known(density_steps=4).log_prob(points) - expected).abs().max()) > 1e-2  # so that the tolerance says something
    assert around(120, model.log_prob) == pytest.approx(1, abs=1e-3)


def test_where_the_data_lie_is_part_of_the_density() -> None:
    model, far = known(), known(middle=(30.0, -7.0), spread=2.5)
    points = torch.randn(20, 2, generator=torch.Generator().manual_seed(0))
    moved = 2.5 * points + torch.tensor([30.0, -7.0])
    np.testing.assert_allclose(far.log_prob(moved), model.log_prob(points) - 2 * math.log(2.5), atol=1e-4)
    np.testing.assert_allclose(genlab.sample(far, 5), 2.5 * genlab.sample(model, 5) + np.array([30.0, -7.0]), rtol=1e-5)


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("midpoint", 2), ("rk4", 4)])
def test_halved_steps_leave_what_the_order_says(solver: str, order: int) -> None:
    start, end = np.array([0.2]), 0.2 * math.e**2 / (0.8 + 0.2 * math.e**2)  # of a population that doubles until there is no room

    def found(steps: int) -> float:
        return float([*solve(lambda x, _: 2 * x * (1 - x), start, start=0, end=1, steps=steps, solver=solver)][-1][0])

    off = [abs(found(steps) - end) for steps in (8, 16, 32)]
    for coarse, fine in pairwise(off):
        assert math.log2(coarse / fine) == pytest.approx(order, abs=0.35)
    assert len([*solve(lambda x, _: x, start, start=0, end=1, steps=5, solver=solver)]) == 6
    assert sum(SOLVERS[solver].weights) == pytest.approx(1)


def test_training_comes_close_to_the_known_field() -> None:
    model, rng = systems.small("flow_matching", **PLANE, hidden=32), np.random.default_rng(0)
    points = (rng.standard_normal((512, 2)) * SIGMA + MIDDLE.numpy()).astype(np.float32)
    best = known().validate(Batch(points), Compute(key=(0,)))["velocity_error"].mean()
    before = model.validate(Batch(points), Compute(key=(0,)))["velocity_error"].mean()
    adam = torch.optim.Adam(model.parameters(), 1e-2)
    for step in range(250):
        adam.zero_grad()
        model.terms("model", Batch(points), Compute(key=(1, step))).total.backward()
        adam.step()
    after = model.validate(Batch(points), Compute(key=(0,)))["velocity_error"].mean()
    assert best < after < best + 0.06 * (before - best)  # nothing beats the closed form


# --- the density of a network ----------------------------------------------------------------------------------------------------


def rough() -> Any:
    """A network with random weights that bends the plane much."""
    model = systems.small("flow_matching", **PLANE, hidden=16)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.6)
    return model


def test_the_density_of_few_steps_adds_up_to_one() -> None:
    model = rough()
    for steps in (2, 16):

        @torch.no_grad()
        def density(points: Tensor, steps: int = steps) -> Tensor:
            noise, log_det = model.to_noise(points, steps)
            return log_det - 0.5 * noise.square().sum(1) - math.log(2 * math.pi)

        assert around(100, density) == pytest.approx(1, abs=2e-3)


def test_log_det_is_the_jacobian_s_and_in_the_limit_the_trace_s() -> None:
    model, points = rough(), torch.randn(5, 2, generator=torch.Generator().manual_seed(1))
    _, log_det = model.to_noise(points, 3)
    for one, ours in zip(points, log_det.detach(), strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda x: model.to_noise(x[None], 3)[0][0], one)
        assert float(torch.linalg.slogdet(jacobian).logabsdet) == pytest.approx(float(ours), abs=1e-4)

    def with_trace(state: Tensor, time: float) -> Tensor:
        """Chen et al. 2018: d log p / dt = −tr ∂v/∂x."""
        x = state[:, :2]
        slopes = torch.autograd.functional.jacobian(lambda x: model.velocity(x, torch.full((5,), time)).sum(0), x)
        return torch.cat((model.velocity(x, torch.full((5,), time)), slopes.diagonal(dim1=0, dim2=2).sum(1)[:, None]), 1).detach()

    *_, end = solve(with_trace, torch.cat((points, torch.zeros(5, 1)), 1), start=1.0, end=0.0, steps=64)
    np.testing.assert_allclose(model.to_noise(points, 64)[1].detach(), end[:, 2], atol=1e-4)


def test_tangents_are_derivatives() -> None:
    network, generator = Dense(3, 8, 2, 4), torch.Generator().manual_seed(0)
    points, time = torch.randn(4, 3, generator=generator), torch.rand(4, generator=generator)
    tangents = torch.randn(4, 2, 3, generator=generator)
    velocity, pushed = network.with_tangents(points, tangents, time)
    torch.testing.assert_close(velocity, network(points, time))
    for k in range(2):
        expected = torch.autograd.functional.jvp(lambda x: network(x, time), points, tangents[:, k])[1]
        torch.testing.assert_close(pushed[:, k], expected)


# --- levels, classes, options ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dequantisation", ["uniform", "none"])
@pytest.mark.parametrize("levels", [2, 17, 256])
def test_levels_come_back(levels: int, dequantisation: str) -> None:
    model = systems.small("flow_matching", levels=levels, image_shape=(1, 16, 16), dequantisation=dequantisation)
    images = np.resize(np.arange(levels, dtype=np.uint8), (3, 1, 16, 16))
    seen = model.as_seen(images, np.random.default_rng(0))
    assert -1 <= float(seen.min()) < float(seen.max()) <= 1
    # Uniform noise may be rounded up to the next level in float32; that is as rare as it can be.
    assert (model.as_drawn(seen) == images).mean() > 0.999


@pytest.mark.parametrize("network", ["unet", "dense"])
def test_every_network_keeps_its_promises_and_is_told_the_class(network: str) -> None:
    model = systems.small("flow_matching", levels=5, image_shape=(1, 3, 5), classes=3, network=network)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.mul_(30 if name.endswith("classes.weight") else 1)  # so that no class is like another
    assert check_model(model)["draws_examples"]
    drawn = [genlab.sample(model, 6, seed=1, labels=label) for label in (0, 1)]
    assert not np.array_equal(*drawn)
    some = genlab.sample(model, 6, seed=1, labels=np.array([0, 1, 0, 1, 0, 1]))
    np.testing.assert_array_equal(some, np.where(np.arange(6)[:, None, None, None] % 2, drawn[1], drawn[0]))
    assert abilities(model) == set()


def test_more_samples_keep_the_first_and_points_keep_their_promises() -> None:
    model = systems.small("flow_matching", image_shape=(3,), levels=None)
    assert abilities(model) == {"likelihood"}
    assert "draws_examples" in check_model(model)
    np.testing.assert_allclose(genlab.sample(model, 300)[:5], genlab.sample(model, 5), atol=1e-5)
    assert len(model.log_prob(np.zeros((0, 3), np.float32))) == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"image_shape": (2,), "levels": 4}, r"image_shape must be \(C, H, W\), of images with levels"),
        ({"image_shape": (1, 8, 8), "levels": None}, r"image_shape must be \(D,\), of points without levels"),
        ({"image_shape": (1, 3, 8), "scales": 2}, "sides that can be halved 2 times"),
        ({**PLANE, "classes": 3}, "classes must be 0 for points"),
        ({**PLANE, "middle": (1.0,)}, "middle must have 2 values"),
        ({"solver": "heun"}, "solver should be 'euler', 'midpoint' or 'rk4'"),
        ({"steps": 0}, "steps should be greater than or equal to 1"),
    ],
)
def test_settings_that_make_no_sense_are_a_sentence(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        systems.small("flow_matching", **settings)


def test_what_cannot_be_drawn_or_scored_is_a_sentence() -> None:
    points, told = systems.small("flow_matching", **PLANE), systems.small("flow_matching", classes=3)
    for model, options, words in (
        (points, {"steps": 0}, "steps must be a whole number from 1 to 10,000; got 0"),
        (points, {"steps": 2.5}, "steps must be a whole number"),
        (points, {"solver": "heun"}, "solver must be one of euler, midpoint, rk4; got 'heun'"),
        (points, {"labels": 1}, "option of model 'flow_matching' must be one of backend, solver, steps"),
        (told, {"labels": 3}, "labels must be from 0 to 2; got 3"),
        (told, {"labels": [0, 1]}, r"labels must be one class or integers of shape \(4,\)"),
    ):
        with pytest.raises(InputError, match=words):
            genlab.sample(model, 4, **options)
    for values, words in ((np.zeros((4, 3)), r"points must have shape \(N, 2\)"), (np.full((1, 2), np.nan), "points must be finite")):
        with pytest.raises(InputError, match=words):
            points.log_prob(values)
    with pytest.raises(InputError, match="labels must be given to a model of 3 classes"):
        told.validate(Batch(systems.images(told, 2)), Compute())
    with pytest.raises(InputError, match="dtype must be 'float32'"):
        points.terms("model", Batch(np.zeros((2, 2), np.float32)), Compute(dtype="bfloat16"))


# --- the models that come along --------------------------------------------------------------------------------------------------


def test_the_packaged_models_are_as_good_as_their_runs_said() -> None:
    """A Gaussian as wide as the spirals costs 2.9 nats a point; an untrained field of digits is off by as much as data and noise vary."""
    spirals, points = genlab.load_model("spirals-matching"), genlab.load_dataset("spirals").test.images[:400]
    assert -genlab.log_prob(spirals, points).mean() < 2
    assert float(spirals.solver_error(points[:100]).mean()) < 1e-3
    digits, images = genlab.load_model("digits-matching"), genlab.load_dataset("digits").test.images
    assert digits.validate(Batch(images), Compute(key=(0,)))["velocity_error"].mean() < 0.65


def test_it_is_trained_and_exported_like_any_other(tmp_path: Any) -> None:
    data = genlab.load_dataset("spirals")
    model = genlab.create_model(
        "flow_matching", image_shape=data.image_shape, levels=None, hidden=8, middle=data.middle, spread=data.spread
    )
    run = genlab.train(model, data, out=tmp_path / "run", steps=2, batch_size=16, valid_images=20, log_seconds=0)
    script = genlab.export.script(Run(run.path))
    compile(script, "again.py", "exec")
    assert "middle=data.middle, spread=data.spread" in script
    assert load_model(run).config == model.config
    assert run.best() is not None
