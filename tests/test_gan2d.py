"""A GAN in the plane: its losses are the lecture's, D's gradient is right, the known optimum is reached, bad input is one sentence."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import genlab
from genlab import cli
from genlab.doctor import examine
from genlab.domain import Batch
from genlab.errors import InputError, TrainingError
from genlab.lecture import worked
from genlab.measures import modes
from genlab.models.adversarial.gan2d import sliced_wasserstein
from genlab.models.adversarial.losses import LOSSES, discriminator_loss, generator_loss, penalty
from genlab.models.contract import Compute
from genlab.runs import load_model
from genlab.training import Progress

QUICK: dict[str, Any] = {"log_seconds": 0, "checkpoint_seconds": 0, "sample_seconds": 1e6, "batch_size": 64}


def gan(seed: int = 0, **settings: Any) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return genlab.create_model(
            "gan2d", **{"hidden": 16, "discriminator_hidden": 16, "layers": 2, "discriminator_layers": 2, **settings}
        )


def logit(probability: float) -> torch.Tensor:
    return torch.tensor([math.log(probability / (1 - probability))], dtype=torch.float64)


# The lecture's numbers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prediction", worked.PREDICTIONS)
def test_losses_are_those_of_slides_57_to_61(prediction: float) -> None:
    said = logit(prediction)
    judged = discriminator_loss("minimax", said, said)
    assert float(judged["real"]) == pytest.approx(worked.error_of(prediction, real=True))  # −ln p: 2.30 and 0.11
    assert float(judged["fake"]) == pytest.approx(worked.error_of(prediction, real=False))  # −ln(1 − p): 0.11 and 2.30
    assert float(generator_loss("nonsaturating", said)) == pytest.approx(worked.error_of(prediction, real=True))
    assert float(generator_loss("minimax", said)) == pytest.approx(-worked.error_of(prediction, real=False))


def test_at_equilibrium_the_losses_are_ln_4_and_ln_2() -> None:
    undecided = torch.zeros(5)
    of_d, of_g = worked.ideal_losses()
    for kind in ("minimax", "nonsaturating"):
        assert float(sum(discriminator_loss(kind, undecided, undecided).values())) == pytest.approx(of_d) == math.log(4)
    assert float(generator_loss("nonsaturating", undecided)) == pytest.approx(of_g) == math.log(2)
    assert float(generator_loss("minimax", undecided)) == pytest.approx(-math.log(2))
    assert float(discriminator_loss("relativistic", undecided, undecided)["pair"]) == pytest.approx(math.log(2))


def test_where_d_is_sure_minimax_saturates_and_the_other_does_not() -> None:
    slopes = {}
    for kind in ("minimax", "nonsaturating"):
        sure = torch.tensor([-10.0], requires_grad=True)
        (slopes[kind],) = torch.autograd.grad(generator_loss(kind, sure), sure)
    assert abs(float(slopes["minimax"])) < 1e-4
    assert abs(float(slopes["nonsaturating"])) > 0.99


def test_smoothing_is_one_sided() -> None:
    said = torch.tensor([2.0])
    plain, smooth = (discriminator_loss("nonsaturating", said, said, smoothing) for smoothing in (0.0, 0.1))
    assert float(smooth["fake"]) == float(plain["fake"])
    p = float(said.sigmoid())
    assert float(smooth["real"]) == pytest.approx(-0.9 * math.log(p) - 0.1 * math.log(1 - p))


def test_penalties_are_those_of_a_critic_that_is_a_plane() -> None:
    slope = torch.tensor([3.0, 4.0])  # of norm 5
    critic = lambda x: x @ slope  # noqa: E731
    real, fake, between = torch.randn(7, 2), torch.randn(7, 2), torch.rand(7)
    assert float(penalty("wasserstein", critic, real, fake, between)) == pytest.approx((5 - 1) ** 2)
    assert float(penalty("relativistic", critic, real, fake, between)) == pytest.approx((25 + 25) / 2)


# The game ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("packing", [1, 2])
def test_the_gradient_that_d_hands_to_g_is_the_slope_of_gs_loss(kind: str, packing: int) -> None:
    model = gan(loss=kind, packing=packing, activation="tanh").double().eval()
    generator = torch.Generator().manual_seed(3)
    fake, real = (torch.randn(6, 2, generator=generator, dtype=torch.float64) for _ in range(2))
    handed = model.handed_to_generator(fake, real)

    def loss(points: torch.Tensor) -> float:
        with torch.no_grad():
            return len(points) * float(generator_loss(kind, model.logits(points), model.logits(real)))

    h = 1e-5
    for which in range(fake.numel()):
        step = torch.zeros_like(fake).view(-1)
        step[which] = h
        step = step.view_as(fake)
        slope = (loss(fake + step) - loss(fake - step)) / (2 * h)
        assert slope == pytest.approx(float(handed.view(-1)[which]), rel=1e-6, abs=1e-9)
    assert float(handed.abs().max()) > 1e-4


def test_the_optimal_discriminator_of_two_gaussians_is_reached() -> None:
    """D*(x) = p(x) / (p(x) + q(x)) (Goodfellow et al. 2014, proposition 1); for N(±μ, I) its logit is 2 μ·x."""
    mu = torch.tensor([0.7, 0.0])
    model = gan(loss="nonsaturating", discriminator_hidden=32)
    optimiser = torch.optim.Adam(model.discriminator.parameters(), 5e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(400):
        real, fake = (sign * mu + torch.randn(512, 2, generator=generator) for sign in (1, -1))
        loss = sum(discriminator_loss("nonsaturating", model.logits(real), model.logits(fake)).values())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    seen = torch.cat([sign * mu + torch.randn(500, 2, generator=generator) for sign in (1, -1)])
    exact = (2 * seen @ mu).sigmoid()
    judged = model.judge(Batch(seen.numpy()))
    assert float((judged - exact).abs().mean()) < 0.03
    assert float((judged - 0.5).abs().mean()) > 0.1


def test_a_critics_verdict_is_relative_to_what_is_generated() -> None:
    model = gan(loss="relativistic")
    seen = Batch(np.random.default_rng(0).standard_normal((9, 2)).astype(np.float32))
    before = model.judge(seen)
    with torch.no_grad():
        model.discriminator[-1].bias += 7
    assert torch.allclose(model.judge(seen), before, atol=1e-6)


def test_packing_judges_points_together() -> None:
    model = gan(packing=3)
    assert model.discriminator[0].in_features == 6
    points = torch.randn(6, 2)
    assert model.logits(points).shape == (2,)
    packed = torch.stack([torch.cat([points[0], points[1], points[2]]), torch.cat([points[3], points[4], points[5]])])
    assert torch.allclose(model.logits(points), model.discriminator(packed).flatten())


def test_the_first_points_stay_when_more_are_asked_for_and_latents_decide_them() -> None:
    model = gan()
    few, many = genlab.sample(model, 3, seed=5), genlab.sample(model, 9, seed=5)
    assert (many.shape, many.dtype) == ((9, 2), np.float32)
    assert np.allclose(few, many[:3], atol=1e-6)
    latents = np.random.default_rng(0).standard_normal((4, 2))
    assert np.array_equal(genlab.sample(model, 4, seed=1, latents=latents), genlab.sample(model, 4, seed=2, latents=latents))


def test_sliced_wasserstein_of_a_shift_is_its_mean_over_directions() -> None:
    points = np.random.default_rng(0).standard_normal((500, 2))
    assert sliced_wasserstein(points, points[::-1]) == 0
    assert sliced_wasserstein(points, points + np.array([3.0, 0.0])) == pytest.approx(3 * 2 / math.pi, rel=1e-3)


# Training ------------------------------------------------------------------------------------------------------------------------


def test_it_records_the_modes_it_finds(tmp_path: Path) -> None:
    data = genlab.load_dataset("ring")
    model = genlab.models.create_for(data, "gan2d", 0, {"batch_norm": True, "hidden": 16, "packing": 2, "loss": "nonsaturating"})
    run = genlab.train(model, data, steps=3, out=tmp_path / "run", **QUICK)
    values = run.metrics("valid")[-1]["values"]
    assert values.keys() == {"sliced_wasserstein", "modes", "good"}
    again = load_model(run)
    assert again.settings == model.settings
    assert np.allclose(again.settings.centres, data.centres)
    drawn = genlab.sample(again, 2500, seed=0)
    found = modes(drawn, data.centres, data.sigma)
    assert (found.modes, found.points) == (8, 2500)
    train = run.metrics("train")[-1]["values"]
    assert {"discriminator/real", "discriminator/fake", "discriminator/accuracy", "generator/loss"} <= train.keys()
    with np.load(run.path / "samples" / "step-00000003.npz") as kept:
        assert kept["values"].shape == (1024, 2)


def test_a_loss_that_is_not_finite_stops_the_run_with_the_last_good_state(tmp_path: Path) -> None:
    data = genlab.load_dataset("ring")
    model = genlab.models.create_for(data, "gan2d", 0, {"loss": "wasserstein", "discriminator_rate": 1000.0, "generator_rate": 1000.0})
    with pytest.raises(
        TrainingError, match=r"is not finite any more .*the checkpoint before is kept; the GAN doctor advises lower"
    ) as broke:
        genlab.train(model, data, steps=2000, out=tmp_path / "run", learning_rate=10, warmup_steps=0, clip_norm=None, **QUICK)
    run = genlab.runs.open_run(tmp_path / "run")
    assert run.state() == "failed"
    assert run.metrics("event")[-1]["message"] == str(broke.value)
    found = examine(run, data=data, samples=100)
    assert found.kind == "diverged"
    assert found.findings[0].evidence[0].endswith("the checkpoint before is kept")  # without what the doctor said himself
    assert all(f"{name}={value}" in str(broke.value) for name, value in found.findings[0].cure.items())
    assert all(tensor.isfinite().all() for tensor in load_model(run, weights="raw").state_dict().values())


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"latent": 0}, "latent should be greater than or equal to 1; got 0"),
        ({"loss": "least squares"}, "loss should be 'minimax', 'nonsaturating', 'wasserstein', 'hinge' or 'relativistic'"),
        ({"packing": 0}, "packing should be greater than or equal to 1"),
        ({"activation": "gelu"}, "activation .*; got 'gelu'"),
        ({"smoothing": 0.7}, "smoothing should be less than 0.5"),
    ],
)
def test_settings_out_of_bounds_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        gan(**settings)


def test_a_rate_beyond_all_bounds_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["train", "gan2d", "--data", "ring", "--out", str(tmp_path / "run"), "--set", "learning_rate=1e9"]
    assert cli.main(arguments) != 0
    assert "learning_rate should be less than or equal to 10; got '1e9'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "batch_size", "sentence"),
    [
        ({"packing": 3}, 64, "packing must divide the batch; got packing 3 for batches of 64"),
        ({"batch_norm": True}, 1, "at least 2 examples, which a batch norm needs; got 1 of 20000"),
        ({"batch_norm": True}, 19_999, "at least 2 examples, which a batch norm needs; got 19999 of 20000"),
    ],
)
def test_batches_that_no_game_can_be_played_with_are_refused_before_there_is_a_run(
    tmp_path: Path, settings: dict[str, Any], batch_size: int, sentence: str
) -> None:
    data = genlab.load_dataset("ring")
    model = genlab.models.create_for(data, "gan2d", 0, settings)
    with pytest.raises(InputError, match=sentence):
        genlab.train(model, data, steps=1, out=tmp_path / "run", batch_size=batch_size)
    assert not (tmp_path / "run" / "config.json").exists()


def test_a_batch_that_is_smaller_than_a_pack_is_refused_and_what_fills_none_is_left_out() -> None:
    model = gan(packing=4)
    points = np.random.default_rng(0).standard_normal((6, 2)).astype(np.float32)
    with pytest.raises(InputError, match="packing must divide the batch; got packing 4 for a batch of 3"):
        model.terms("discriminator", Batch(points[:3]), Compute(key=(1,)))
    totals = [model.terms("discriminator", Batch(points[:count]), Compute(key=(1,))).total for count in (4, 6)]
    assert torch.equal(*totals)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"temperature": 0.5}, "option must be .*latents.*got 'temperature'"),
        ({"latents": np.zeros((4, 3))}, r"latents must be finite numbers of shape \(4, 2\); got float64 \(4, 3\)"),
        ({"latents": np.full((4, 2), np.nan)}, "latents must be finite numbers"),
    ],
)
def test_options_it_does_not_know_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        genlab.sample(gan(), 4, **options)


def test_points_all_alike_are_learnt_without_a_nan(tmp_path: Path) -> None:
    data = genlab.load_dataset(points=np.full((9, 2), 3.0))
    model = genlab.models.create_for(data, "gan2d", 0, {"batch_norm": True})
    run = genlab.train(model, data, steps=3, out=tmp_path / "run", **QUICK)
    assert np.isfinite(genlab.sample(load_model(run), 5)).all()


# Modes ---------------------------------------------------------------------------------------------------------------------------


def test_modes_are_counted_by_hand() -> None:
    centres = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 5.0]])
    points = np.array([[0.1, 0.0], [0.0, -0.29], [1.0, 0.31], [0.5, 0.0], [1.2, 0.0]])
    found = modes(points, centres, 0.1)
    assert (found.found, found.modes, found.counts, found.points) == (2, 3, (2, 1, 0), 5)
    assert found.good.value == pytest.approx(3 / 5)
    assert found.good.low < found.good.value < found.good.high


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((np.zeros((0, 2)), [[0.0, 0.0]], 1.0), r"points must have shape \(N, D\), none of them 0"),
        (([[0.0, 0.0]], None, 1.0), "centres must be the modes of the data; got None"),
        (([[0.0, 0.0]], [[0.0]], 1.0), r"points and centres must have one dimension; got \(1, 2\) and \(1, 1\)"),
        (([[0.0, 0.0]], [[0.0, 0.0]], 0), "sigma must be above 0; got 0"),
        (([[0.0, 0.0]], [[0.0, 0.0]], None), "sigma must be above 0; got None"),
        (([[0.0, math.inf]], [[0.0, 0.0]], 1.0), "points must hold finite numbers"),
    ],
)
def test_modes_of_what_has_none_are_refused(arguments: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        modes(*arguments)


@pytest.mark.parametrize(
    ("model", "data", "sentence"),
    [
        ("gan2d", {"name_or_path": "digits"}, "data must be points for model 'gan2d'; dataset 'digits' has images: 1×8×8, 17 levels"),
        ("dcgan", {"name_or_path": "ring"}, "data must be images for model 'dcgan'; dataset 'ring' has points: 2, real values"),
        ("gan2d", {"points": np.zeros((9, 3))}, "middle must be a point of the plane, where this model draws; the data have 3 values"),
    ],
)
def test_a_model_of_points_is_not_for_images_nor_the_other_way_round(model: str, data: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        genlab.models.create_for(genlab.load_dataset(**data), model, 0, {})


def test_it_says_what_it_is_doing(tmp_path: Path) -> None:
    data = genlab.load_dataset("moons")
    told: list[Progress] = []
    genlab.train(genlab.models.create_for(data, "gan2d", 0, {}), data, steps=2, out=tmp_path / "run", on_progress=told.append, **QUICK)
    assert "sliced Wasserstein distance" in told[-1].message


def test_the_command_line_trains_draws_and_measures_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, drawn = tmp_path / "run", tmp_path / "points.npz"
    quick = ["steps=2", "hidden=8", "discriminator_hidden=8", "valid_images=50"]
    assert cli.main(["train", "gan2d", "--data", "ring", "--seed", "1", "--out", str(run), "--set", *quick]) == 0
    assert "draw points      genlab sample" in capsys.readouterr().out
    assert cli.main(["sample", str(run), "-n", "7", "--out", str(drawn)]) == 0
    with np.load(drawn) as kept:
        assert (kept["images"].shape, kept["images"].dtype) == ((7, 2), np.float32)
    capsys.readouterr()
    assert cli.main(["evaluate", str(run), "--samples", "--limit", "60", "--json", str(tmp_path / "found.json")]) == 0
    told = capsys.readouterr().out
    for words in ("sliced Wasserstein distance, 60 examples", "precision", "coverage", "of 8 found", "no sign of memorising"):
        assert words in told
    document = json.loads((tmp_path / "found.json").read_text())
    assert {"figures", "neighbours", "memorisation", "modes"} <= document.keys()
    assert cli.main(["evaluate", str(run), "--typicality"]) != 0
    assert "needs an exact likelihood, which model 'gan2d' does not have" in capsys.readouterr().err


# What comes with the package -----------------------------------------------------------------------------------------------------


def test_a_run_on_the_ring_comes_with_its_history_and_has_found_all_modes() -> None:
    run = genlab.runs.open_run("ring-gan2d")
    validations = run.metrics("valid")
    assert len(validations) > 5
    assert validations[-1]["values"]["modes"] == 8
    files = [run.path / record["file"] for record in run.metrics("sample")]
    assert len(files) > 10
    for file in files:
        with np.load(file) as kept:
            assert kept["values"].shape == (1024, 2)
    data = genlab.load_dataset("ring")
    found = modes(genlab.sample(load_model(run), 2500), data.centres, data.sigma)
    assert found.found == 8
    assert found.good.value > 0.3
