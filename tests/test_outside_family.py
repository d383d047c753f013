"""The proof that the house holds any family: one from outside the package trains, resumes, samples, is measured and listed."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import outside_family
import pytest
import torch
from safetensors.torch import load_file
from tiny import digits

import genlab
from genlab import cli
from genlab.errors import InputError
from genlab.measures import measure
from genlab.models.contract import Model, Player, abilities
from genlab.runs import Run, list_runs, load_model
from genlab.settings import TrainSettings
from genlab.training import Progress
from genlab.training.ranks import Ranks
from genlab.training.state import State
from genlab.training.turns import Moment, Turns

# Three steps an epoch.
SETTINGS: dict[str, Any] = {"epochs": 2, "batch_size": 512, "log_seconds": 0, "checkpoint_seconds": 0, "warmup_steps": 0}


def forger(seed: int = 0, **settings: Any) -> outside_family.Forger:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return genlab.create_model(outside_family.NAME, **settings)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return genlab.train(forger(), digits(), out=tmp_path_factory.mktemp("runs") / "forged", **SETTINGS)


def test_it_is_a_model_with_one_ability() -> None:
    assert isinstance(forger(), Model)
    assert abilities(forger()) == {"judge"}


def test_the_run_says_what_better_means(finished: Run) -> None:
    assert (finished.report, finished.abilities, finished.domain) == (outside_family.Forger.report, {"judge"}, digits().domain)
    values = finished.metrics("train")[-1]["values"]
    assert values.keys() == {
        "discriminator/loss",
        "discriminator/real",
        "discriminator/fake",
        "discriminator/gradient_norm",
        "generator/loss",
        "generator/gradient_norm",
    }
    assert values["discriminator/loss"] == pytest.approx(values["discriminator/real"] + values["discriminator/fake"], rel=1e-5)
    validations = finished.metrics("valid")
    assert [record["step"] for record in validations] == [3, 6]
    best = min(record["values"]["mean_distance"] for record in validations)
    assert finished.best_value() == best
    assert finished.metrics("event")[-1]["message"].startswith(
        f"finished 2 epochs: best validation {best:.5g} mean distance of average pixels"
    )
    assert "discriminator 1." in (finished.path / "log.txt").read_text() or "generator" in str(finished.metrics("train")[-1])


def test_stopped_and_resumed_it_has_the_bits_of_an_unbroken_run(finished: Run, tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.step == 4 and not progress.message.startswith("stopped"):
            os.kill(os.getpid(), signal.SIGTERM)

    stopped = genlab.train(forger(), digits(), out=tmp_path / "run", on_progress=stop, **SETTINGS)
    assert stopped.state() == "stopped"
    genlab.train(forger(seed=7), digits(), out=stopped.path, resume=True)
    ours, theirs = load_file(stopped.checkpoint_path), load_file(finished.checkpoint_path)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


def test_the_checkpoint_keeps_every_players_adam_and_the_buffers_of_each_average(finished: Run) -> None:
    saved = load_file(finished.checkpoint_path)
    names = {name for name, _ in forger().named_parameters()}
    state = set(forger().state_dict())
    assert state - names, "the family has buffers"
    for group in ("model", "ema", "best"):
        assert {name.removeprefix(f"{group}/") for name in saved if name.startswith(f"{group}/")} == state
    for player, prefix in (("discriminator", "judge_net."), ("generator", "draw_net.")):
        kept = {name.removeprefix(f"adam/{player}/exp_avg/") for name in saved if name.startswith(f"adam/{player}/exp_avg/")}
        assert kept == {name for name in names if name.startswith(prefix)}
    assert int(saved["model/draw_net.1.num_batches_tracked"]) == int(saved["ema/draw_net.1.num_batches_tracked"]) > 0
    assert not torch.equal(saved["model/draw_net.1.running_mean"], saved["ema/draw_net.1.running_mean"])


@pytest.mark.parametrize(("weights", "group"), [("best", "best"), ("ema", "ema"), ("raw", "model")])
def test_weights_are_loaded_with_the_buffers_that_belong_to_them(finished: Run, weights: str, group: str) -> None:
    saved = load_file(finished.checkpoint_path)
    model = load_model(finished, weights=weights)
    assert all(torch.equal(tensor, saved[f"{group}/{name}"]) for name, tensor in model.state_dict().items())
    assert not model.training


def test_a_validation_is_of_the_averages_with_their_buffers(finished: Run) -> None:
    figure = measure(load_model(finished), digits(), split="valid")["mean_distance"]
    assert (figure.mean, figure.standard_error, figure.examples) == (finished.best_value(), None, 180)


def test_a_players_move_leaves_the_others_alone() -> None:
    model = forger()
    state = State(model)
    discriminator, generator = state.movers
    others = {name: parameter.detach().clone() for name, parameter in model.named_parameters() if name.startswith("draw_net.")}
    turns = Turns(model, digits(), TrainSettings(), Ranks())
    figures, _ = turns.take(Moment(0, 0, 1, 0), generator.parameters)
    generator.move(figures["loss"], 0.0, None, when="")
    gradients = {name: model.get_parameter(name).grad.clone() for name in others}
    figures, _ = turns.take(Moment(0, 0, 0, 0), discriminator.parameters)
    discriminator.move(figures["loss"], 0.1, 1.0, when="")
    for name, before in others.items():
        assert torch.equal(model.get_parameter(name), before)
        assert torch.equal(model.get_parameter(name).grad, gradients[name])
    assert (discriminator.count, generator.count) == (1, 1)


def test_it_is_drawn_from(finished: Run) -> None:
    model = load_model(finished)
    images = model.sample(5, 3, {})
    assert (images.shape, images.dtype) == ((5, 1, 8, 8), np.uint8)
    assert np.array_equal(images, model.sample(5, 3, {}))
    assert [file.name for file in finished.sample_files] == ["step-00000000.png", "step-00000006.png"]


def test_what_it_cannot_do_is_one_sentence(finished: Run) -> None:
    for ask in (lambda: genlab.log_prob(load_model(finished), digits().test.images), lambda: genlab.evaluate(finished)):
        with pytest.raises(
            InputError, match="needs an exact likelihood, which model 'forger' does not have; it has an opinion on what is real"
        ):
            ask()


def test_it_is_listed_among_the_others(finished: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert list_runs(finished.path.parent) == [finished]
    assert cli.main(["runs", "list", str(finished.path.parent)]) == 0
    assert "forged" in capsys.readouterr().out
    assert cli.main(["runs", "show", str(finished.path)]) == 0
    assert "forger" in capsys.readouterr().out


# Models that break a rule ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("players", "sentence"),
    [
        ((), "players must be there"),
        ((Player("one", ("draw_net.",)),), r"parameter 'judge_net\.0\.weight' must belong to one player; it has none"),
        (
            (Player("one"), Player("two", ("draw_net.",))),
            "must belong to one player; it has one, two",
        ),
        ((Player("one"), Player("one")), "different names"),
        ((Player("one", moves=0),), "moves of player 'one' must be at least 1; got 0"),
        ((Player("a/b"),), "a player's name must be a word"),
        ((Player("one"), Player("two", ("x.",))), "player 'two' must own a parameter"),
    ],
)
def test_players_that_break_a_rule_are_refused_before_there_is_a_folder(tmp_path: Path, players: Any, sentence: str) -> None:
    model = forger()
    model.players = players
    with pytest.raises(InputError, match=sentence):
        genlab.train(model, digits(), out=tmp_path / "run", **SETTINGS)
    assert not (tmp_path / "run").exists()


def test_a_model_that_keeps_its_report_to_itself_is_told_so(tmp_path: Path) -> None:
    model = forger()
    model.validate = lambda batch, how: {"other": np.zeros(len(batch))}
    with pytest.raises(InputError, match="must give its report 'mean_distance' when validated; got other"):
        genlab.train(model, digits(), out=tmp_path / "run", **SETTINGS)
