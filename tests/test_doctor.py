"""The GAN doctor finds what was planted, in small trainings of several seeds, and accuses no healthy run."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

import genlab
from genlab import cli, doctor, jobs
from genlab.dashboard import doctor_panel
from genlab.dashboard.gan_lab.patient import as_model, as_settings, examine
from genlab.dashboard.gan_lab.settings import CHOICES
from genlab.dashboard.gan_lab.situations import SITUATIONS
from genlab.dashboard.gan_lab.state import State
from genlab.datasets import Dataset
from genlab.doctor import Diagnosis, diagnose, of_records, of_samples
from genlab.errors import InputError
from genlab.models import create_for, settings_class
from genlab.runs import Run, load_model
from tests.pages import press, rerun

ROOT = Path(__file__).parents[1]

SEEDS = (0, 1)
SMALL: dict[str, Any] = {"hidden": 64, "layers": 2, "discriminator_hidden": 64, "discriminator_layers": 2}
MOMENTS = {"beta1": 0.5, "beta2": 0.99}  # with momentum trouble comes sooner
STEPS = 500
PLANTED: dict[str, dict[str, Any]] = {
    "d_has_won": {"loss": "minimax", "discriminator_rate": 2.5, "generator_rate": 0.025, "discriminator_moves": 5},
    "collapse": {"loss": "nonsaturating", "discriminator_rate": 0.05, "generator_rate": 2.5},
    "oscillation": {"loss": "wasserstein", "penalty": 0.0, "discriminator_rate": 0.75, "generator_rate": 0.75},
}
HEALTHY: dict[str, dict[str, Any]] = {"relativistic": {}, "nonsaturating": {"loss": "nonsaturating", "penalty": 0.1}}


@cache
def ring() -> Dataset:
    return genlab.load_dataset("ring")


def game(out: Path, seed: int, data: Dataset, *, steps: int = STEPS, **settings: Any) -> Run:
    model = create_for(data, "gan2d", seed, {**SMALL, **MOMENTS, **settings})
    quiet: dict[str, Any] = {"log_seconds": 0, "checkpoint_seconds": 1e6, "sample_seconds": 1e6, "valid_images": 100}
    return genlab.train(model, data, out=out, steps=steps, seed=seed, **quiet)


def kinds(diagnosis: Diagnosis) -> set[str]:
    return {finding.kind for finding in diagnosis.findings}


# --- planted, and not --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", PLANTED)
def test_what_was_planted_is_found(tmp_path: Path, kind: str, seed: int) -> None:
    found = doctor.examine(game(tmp_path / "run", seed, ring(), **PLANTED[kind]), data=ring())
    wanted = {kind, "ignores_z"} if kind == "collapse" else {kind}  # the extreme of a collapse: one point, wherever D likes it now
    assert kinds(found) & wanted, found
    for finding in found.findings:
        assert finding.evidence
        assert finding.advice
        assert finding.cure


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("loss", HEALTHY)
def test_a_healthy_run_is_not_accused_and_one_that_ignores_z_is(tmp_path: Path, loss: str, seed: int) -> None:
    run = game(tmp_path / "run", seed, ring(), **HEALTHY[loss])
    assert kinds(doctor.examine(run, data=ring())) == {"healthy"}
    model = load_model(run, weights="raw")
    with torch.no_grad():
        model.generator[0].weight.zero_()  # z is not looked at any more
    figures = of_records(run.metrics("train"), run.config["model"]["settings"]) | of_samples(model, ring())
    assert kinds(diagnose(figures, run.config["model"]["settings"])) == {"ignores_z"}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_who_copies_is_caught_and_who_draws_anew_is_not(seed: int) -> None:
    """What is drawn are training points, moved a little, then points that were held out; moons, since a ring's points lie all alike."""
    data = genlab.load_dataset("moons")
    model = create_for(data, "gan2d", seed, SMALL)
    rng = np.random.default_rng(seed)
    known, others = data.train.images[:9000], data.test.images
    few = replace(data, train=replace(data.train, images=known, labels=None))
    healthy = {"records": 99.0, "accuracy": 0.5}
    for source, expected in ((known, "memorising"), (others, "healthy")):
        drawn = source[rng.permutation(len(source))[:1000]] + rng.normal(0, 1e-4, (1000, 2)).astype(np.float32)
        model.sample = lambda n, seed, options, drawn=drawn: drawn[:n]
        held_out = replace(few, test=replace(data.test, images=data.test.images[:0], labels=None))
        assert kinds(diagnose(healthy | of_samples(model, held_out), {})) == {expected}


# --- what it reads ---------------------------------------------------------------------------------------------------------------


def test_it_refuses_a_run_without_a_judge_and_says_when_it_is_too_early(trained: Path) -> None:
    with pytest.raises(InputError, match="runs of two players, one of whom judges; tiny has none that judges"):
        doctor.examine(Run(trained))
    assert of_records([], {}) == {}
    assert diagnose({"records": 2.0}, {}).kind == "too_early"


def test_a_training_that_broke_down_is_told_so(tmp_path: Path) -> None:
    found = diagnose({"records": 50.0, "accuracy": 0.6}, {"penalty": 0.0}, failed="the loss is not finite any more at step 3")
    assert found.kind == "diverged"
    assert found.findings[0].evidence == ("the loss is not finite any more at step 3",)
    assert found.findings[0].cure == {"penalty": 0.1}  # the model has no other of the settings


def test_a_cure_changes_only_what_is_not_so_yet() -> None:
    settings = {"loss": "relativistic", "penalty": None, "packing": 1, "generator_rate": 0.25, "discriminator_rate": 2.0}
    found = diagnose({"records": 99.0, "accuracy": 0.6, "spread": 0.5, "bins": 8.0, "bins missed": 4.0}, settings)
    assert found.kind == "collapse"
    assert found.findings[0].cure == {"penalty": 0.1, "packing": 2, "discriminator_rate": 0.25}


@pytest.mark.parametrize("missing", ["accuracy", "spread", "bins", "swing", "copied, at least"])
def test_a_figure_that_is_missing_accuses_nobody(missing: str) -> None:
    grave = {
        **{"records": 99.0, "accuracy": 1.0, "D(G(z))": 1e-4, "spread": 0.01, "bins": 8.0, "bins missed": 8.0, "swing": 0.3},
        **{"copied": 0.9, "copied, at least": 0.8, "distance": 0.1, "gradient of G, of its largest": 0.01},
    }
    whole = kinds(diagnose(grave, {}))
    assert whole == {"d_has_won", "ignores_z", "oscillation", "memorising"}
    assert kinds(diagnose({name: value for name, value in grave.items() if name != missing}, {})) < whole | {"collapse"}


def test_of_several_pairs_the_last_is_read() -> None:
    def record(first: float, last: float) -> dict[str, Any]:
        values = {"discriminator_7/accuracy": first, "generator_7/loss": 0.7, "discriminator_28/accuracy": last, "generator_28/loss": 0.9}
        return {"values": values}

    figures = of_records([record(0.5, 0.9)] * 30, {"loss": "nonsaturating"})
    assert figures["accuracy"] == pytest.approx(0.9)
    assert figures["D(G(z))"] == pytest.approx(np.exp(-0.9))


def test_the_command_line_says_it_and_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = game(tmp_path / "run", 0, ring(), steps=30)
    assert cli.main(["doctor", str(run.path), "-n", "300", "--json", str(tmp_path / "said.json")]) == 0
    said, written = capsys.readouterr().out, json.loads((tmp_path / "said.json").read_text())
    assert written["findings"][0]["words"] in said
    assert written["figures"]["accuracy"] == pytest.approx(of_records(run.metrics("train"), {})["accuracy"])


# --- in the 2-D lab --------------------------------------------------------------------------------------------------------------


def test_the_doctor_hears_the_browser() -> None:
    sure = {"discriminator/accuracy": 1.0, "discriminator/loss": 0.0, "generator/loss": -1e-6, "generator/gradient_norm": 1e-5}
    told = {
        "turns": [{"step": step, "values": sure} for step in range(40)],
        "looks": [{"step": 40, "values": {"spread": 0.3, "missed": 6}}],
    }
    found = examine(State("strong"), told)
    assert kinds(found) == {"d_has_won", "collapse"}
    assert as_settings(found.findings[0].cure) == {"loss": "relativistic", "penalty": 0.1, "lr_d": 0.001, "lr_g": 0.001, "moves": 1}
    cured = examine(State("strong", done=((500, "b"), ("loss", "nonsaturating"))), told)
    assert "D(G(z))" in cured.figures  # of the loss as it is now
    assert cured.figures["D(G(z))"] == pytest.approx(1.0, abs=1e-3)


def test_a_game_in_the_browser_that_has_just_begun_is_accused_of_nothing_but_a_victory() -> None:
    swinging = [
        {"step": step, "values": {"discriminator/accuracy": 0.4 + 0.3 * (step % 20 > 9), "generator/loss": 0.7}} for step in range(200)
    ]
    assert examine(State(done=((200, "b"),)), {"turns": swinging}).kind == "too_early"
    assert examine(State(done=((500, "b"),)), {"turns": swinging}).kind == "oscillation"


@pytest.mark.parametrize("told", [{}, {"turns": 3}, {"turns": [1, {"values": 2}, {"values": {"a": "b"}}], "looks": [{"values": {}}]}])
def test_nonsense_from_a_browser_is_too_early(told: dict[str, Any]) -> None:
    assert examine(State(), told).kind == "too_early"


def test_the_labs_settings_are_the_models() -> None:
    names = set(as_model({choice.name: choice.default for choice in CHOICES}))
    assert names <= set(settings_class("gan2d").model_fields)
    for situation in SITUATIONS:
        known = {"loss", "penalty", "discriminator_moves"}
        genlab.models.settings_class("gan2d").model_validate(
            {name: value for name, value in as_model(situation.settings).items() if name in known}
        )


# --- on a run's page -------------------------------------------------------------------------------------------------------------


def test_a_run_s_page_has_the_doctor_and_one_click_tries_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path))
    run = game(tmp_path / "mine", 0, ring(), steps=30, discriminator_rate=0.5)
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    app.query_params["run"] = "mine"
    app.switch_page("genlab/dashboard/pages/training.py")
    rerun(app)
    press(app, "Ask the doctor")
    said = [element.value for kind in (app.warning, app.success) for element in kind]
    assert any(words in "".join(said) for words in ("Mode collapse", "Healthy", "chase each other", "D has won", "ignores z"))
    asked: list[Any] = []
    monkeypatch.setattr(jobs, "start", lambda *arguments, **options: asked.append((arguments, options)))
    monkeypatch.setattr(doctor_panel, "visitor", lambda: "somebody")
    doctor_panel.train_anew(run.config, {"packing": 2, "discriminator_rate": 0.25})
    ((model, data, options), _), *_ = asked
    assert (model, data) == ("gan2d", "ring")
    assert {"model.packing=2", "model.discriminator_rate=0.25", "model.hidden=64", "training.steps=30"} <= set(options)
    assert not [option for option in options if option.startswith(("model.centres", "data.record"))]
