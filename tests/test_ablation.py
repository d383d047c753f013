"""Variants on equal budgets: every one and seed a run, gone on with where it stopped, with intervals that say what they are over."""

from __future__ import annotations

import json
import math
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import t

import genlab
from genlab.ablation import VARIANTS, Variant, plan_again, plan_of, read, rows, study, table
from genlab.ablation.outcome import how_sure, student
from genlab.cli import main
from genlab.errors import InputError, RunError
from genlab.runs import Run

QUICK: dict[str, Any] = {"data": {"name": "slanted"}, "training": {"steps": 2, "batch_size": 2, "sample_seconds": 1e6}}
TINY: dict[str, Any] = {**QUICK, "model": {"channels": 2, "blocks": 1, "layers": 1, "first_kernel": 3}}
TWO = {"variants": ["plain", "no-shortcuts"], **TINY}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("study") / "out"
    return folder, study(plan_of(seeds=2, **TWO), folder)


def test_each_variant_and_seed_is_an_ordinary_run(done: tuple[Path, dict[str, Any]]) -> None:
    folder, document = done
    assert [(each["variant"], each["seed"]) for each in document["runs"]] == [
        ("plain", 0),
        ("no-shortcuts", 0),
        ("plain", 1),
        ("no-shortcuts", 1),
    ]
    assert read(folder) == document
    for record in document["runs"]:
        run = Run(folder / record["folder"])
        assert run.state() == "finished"
        assert run.config["seed"] == record["seed"]
        assert record["steps"] == 2
        assert math.isclose(genlab.evaluate(run).nats, record["nats"])
    assert not Run(folder / "no-shortcuts-0").config["model"]["settings"]["shortcuts"]
    found = rows(document)
    assert found[0].samples is not None
    assert np.array_equal(found[0].samples, genlab.sample(genlab.load_model(folder / "plain-0"), 16))
    assert (folder / "ablation.md").read_text(encoding="utf-8").count("\n") == 4


def test_intervals_are_students_over_seeds_and_differences_are_taken_seed_by_seed(done: tuple[Path, dict[str, Any]]) -> None:
    _, document = done
    bits = {name: [each["bits_per_dim"] for each in document["runs"] if each["variant"] == name] for name in TWO["variants"]}
    plain, other = rows(document)
    assert plain.bits_per_dim == student(bits["plain"])
    assert plain.worth is None
    differences = np.subtract(bits["no-shortcuts"], bits["plain"])
    assert other.worth is not None
    assert math.isclose(other.worth.mean, differences.mean())
    assert other.worth.half is not None
    assert math.isclose(other.worth.half, t.ppf(0.975, 1) * differences.std(ddof=1) / math.sqrt(2))
    assert other.verdict == ("undecided" if abs(other.worth.mean) <= other.worth.half else "better" if other.worth.mean < 0 else "worse")
    assert "over 2 seeds (Student's t)" in how_sure(document)


def test_one_seed_has_an_interval_over_the_test_images_and_says_so(done: tuple[Path, dict[str, Any]]) -> None:
    _, document = done
    one = {**document, "runs": document["runs"][:2]}
    row = rows(one)[0]
    record = one["runs"][0]
    assert row.nats is not None
    if record["standard_error"] is not None:
        assert row.nats.half is not None
        assert math.isclose(row.nats.half, 1.959963985 * record["standard_error"])
    assert "over the test images, for there is one seed" in how_sure(one)


def test_what_is_finished_is_not_trained_again_and_more_seeds_may_be_asked_for(
    done: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, document = done
    heard: list[tuple[int, str, int]] = []

    def watch(number: int, variant: Variant, seed: int) -> None:
        heard.append((number, variant.name, seed))

    again = study(plan_again(read(folder)["plan"]), folder, watch=watch)
    assert again == document
    assert heard == []
    more = study(plan_again(read(folder)["plan"], seeds=3), folder, watch=watch)
    assert heard == [(4, "plain", 2), (5, "no-shortcuts", 2)]
    assert more["runs"][:4] == document["runs"]


def test_another_budget_or_other_data_or_settings_are_refused(done: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = done
    for changed, sentence in (
        ({"training": {**TINY["training"], "steps": 3}}, "training.steps must be 2 to go on with the study in .*; got 3"),
        ({"data": {"name": "digits"}}, "data.name must be 'slanted' to go on with the study in .*; got 'digits'"),
        ({"model": {**TINY["model"], "channels": 4}}, "variant 'plain' must have the settings of the study"),
    ):
        with pytest.raises(InputError, match=sentence):
            study(plan_of(seeds=2, **{**TWO, **changed}), folder)


def test_an_interrupted_study_goes_on_where_it_stopped(tmp_path: Path) -> None:
    plan = plan_of(variants=["plain", "no-average"], seeds=1, **{**TINY, "training": {**TINY["training"], "steps": 6, "log_seconds": 0}})
    whole = study(plan, tmp_path / "whole")

    interrupted: list[int] = []

    def interrupting(number: int, _: Variant, __: int) -> Any:
        def show(progress: Any) -> None:
            if number == 1 and progress.step == 3 and not interrupted:  # a second one would end it at once
                interrupted.append(progress.step)
                signal.raise_signal(signal.SIGINT)

        return show

    with pytest.raises(KeyboardInterrupt):
        study(plan, tmp_path / "parts", watch=interrupting)
    half = Run(tmp_path / "parts" / "no-average-0")
    assert half.state() == "stopped"
    assert len(read(tmp_path / "parts")["runs"]) == 1
    went_on = study(plan_again(read(tmp_path / "parts")["plan"]), tmp_path / "parts")
    assert [record["nats"] for record in went_on["runs"]] == [record["nats"] for record in whole["runs"]]
    assert [event["event"] for event in half.metrics("event")] == ["started", "stopped", "resumed", "finished"]


def test_a_variant_that_cannot_be_trained_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import genlab.training
    from genlab.ablation import study as module
    from genlab.errors import TrainingError

    def train(model: Any, data: Any, *, out: Path, **settings: Any) -> Run:
        if settings.get("ema_decay") == 0:
            raise TrainingError("the loss at step 1 must be finite; got nan")
        return honest(model, data, out=out, **settings)

    honest = genlab.training.train
    monkeypatch.setattr(genlab.training, "train", train)
    document = module(plan_of(variants=["plain", "no-average"], seeds=1, **TINY), tmp_path / "out")
    plain, failed = rows(document)
    assert plain.seeds == 1
    assert (failed.verdict, failed.failures) == ("failed", ("seed 0: the loss at step 1 must be finite; got nan",))
    assert table(document)[2][1] == "–"


def test_systems_that_have_not_landed_are_left_out_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    from genlab.ablation import plan as module

    later = Variant("later", "a trick", "words", "no_such_model")
    other = Variant("other", "a trick", "words", "pixelcnn", {"no_such_setting": 1})
    monkeypatch.setattr(module, "VARIANTS", (*VARIANTS[:1], later, other))
    plan = plan_of(**QUICK)
    assert [variant.name for variant in plan.variants] == ["plain"]
    assert plan.left_out == (
        "later is left out: model 'no_such_model' is not in the catalogue",
        "other is left out: model 'pixelcnn' has no setting 'no_such_setting'",
    )
    with pytest.raises(InputError, match="variants must hold one that can be trained; got none: later is left out"):
        plan_of(variants=["later"], **QUICK)


def test_every_line_of_the_table_that_can_be_trained_is_a_network() -> None:
    plan = plan_of(**QUICK)
    assert {variant.name for variant in plan.variants} >= {"plain", "gated", "no-shortcuts", "dilated", "no-average"}
    assert len({variant.name for variant in VARIANTS}) == len(VARIANTS)
    assert plan_again(json.loads(json.dumps(plan.as_json()))) == plan
    data = genlab.load_dataset("digits")
    for variant in plan.variants:
        assert genlab.models.create_for(data, variant.model, 0, variant.settings).domain == data.domain
    assert {variant.name for variant in plan_of(variants=["systems"], **QUICK).variants} >= {"pixelcnn", "gated_pixelcnn"}


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"variants": ["plane"]}, "variants must be one of .*plain.*; got 'plane'"),
        ({"models": ["pixelcn"]}, "model must be one of .*; got 'pixelcn'"),
        ({"variants": ["plain"], "models": ["pixelcnn"]}, "variants and models must not be given both"),
        ({"seeds": 0}, "seeds must be between 1 and 100; got 0"),
        ({"training": {}}, "minutes, steps or epochs must say how long each variant is trained; got none of them"),
        ({"training": {"steps": 1, "seed": 3}}, "training.seed must not be set: every variant is trained with seeds 0 to 2; got 3"),
        ({"training": {"minutes": -1}}, "minutes should be greater than 0; got -1"),
        ({"data": {"name": "digits", "levels": 1}}, "levels"),
        ({"model": {"channels": 0}}, "channels"),
    ],
)
def test_bad_input_is_one_sentence(asked: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        plan_of(**{**QUICK, **asked})


VARIANT = {"name": "a", "trick": "", "words": "", "model": "pixelcnn", "settings": {}, "training": {}}
PLAN = {"variants": [VARIANT], "seeds": [0], "data": {}, "training": {"steps": 1}, "left_out": []}


@pytest.mark.parametrize("content", ["nonsense", "[" * 10**5, "[]", '{"format": 2}', '{"format": 1, "plan": {}, "runs": 3}'])
def test_a_file_that_is_no_study_is_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "ablation.json").write_text(content)
    with pytest.raises(RunError, match=r"ablation\.json"):
        read(tmp_path)


@pytest.mark.parametrize(
    "changed",
    [
        {"variants": [{}]},
        {"variants": [{**VARIANT, "name": "../x"}]},
        {"seeds": 3},
        {"training": {}},
        {"variants": [{**VARIANT, "settings": {"x": 1}}]},
    ],
)
def test_a_strangers_plan_is_one_sentence(changed: dict[str, Any]) -> None:
    assert plan_again(PLAN).variants[0].name == "a"
    with pytest.raises((RunError, InputError)):
        plan_again({**PLAN, **changed})


@pytest.mark.parametrize("record", [3, {}, {"variant": "a", "seed": 0, "bits_per_dim": "x", "nats": 1}])
def test_a_strangers_results_are_one_sentence(record: Any) -> None:
    with pytest.raises(RunError, match="the file of the study holds what no study writes"):
        rows({"plan": PLAN, "runs": [record]})


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(InputError, match=r"out must be a new or empty folder, or that of a study; .* holds 'letters.txt'"):
        study(plan_of(**TWO), tmp_path)


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "it is"
    common = ["--out", str(out)]
    small = ["channels=2", "blocks=1", "first_kernel=3", "batch_size=2"]
    assert main(["ablate", "--data", "slanted", "--steps", "1", "--seeds", "1", "--models", "pixelcnn", "--set", *small, *common]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0].split()[:2] == ["variant", "bits/dim"]
    assert printed.out.splitlines()[-1] == str(out / "ablation.json")
    assert "1 of 1: pixelcnn, seed 0" in printed.err
    assert main(["ablate", "--seeds", "2", *common]) == 0
    assert "2 of 2: pixelcnn, seed 1" in capsys.readouterr().err
    assert main(["ablate", "--steps", "5", *common]) == 2
    assert "steps must be 1 to go on with the study" in capsys.readouterr().err
    assert main(["ablate", "--variants", "plane", "--out", str(tmp_path / "x")]) == 2
    assert "got 'plane'" in capsys.readouterr().err


def test_what_has_no_likelihood_is_measured_by_its_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slide 65's switches, of a GAN: each is one difference, and less distance is better, seed by seed."""
    monkeypatch.setattr(sys.modules["genlab.ablation.study"], "_COMPARED", 40)
    whole = plan_of(variants=["switches"], seeds=2, data={"name": "digits"}, training={"steps": 2, "sample_seconds": 1e6})
    plain, others = whole.variants[0], whole.variants[1:-1]
    for other in others:
        changed = {name for name in plain.settings if plain.settings[name] != other.settings[name]}
        assert len(changed) + (plain.training != other.training) == 1
    document = study(replace(whole, variants=whole.variants[:2]), tmp_path / "study")
    first, second = rows(document)
    distances = {name: [each["frechet"] for each in document["runs"] if each["variant"] == name] for name in (first.name, second.name)}
    assert first.figure == first.frechet == student(distances[first.name])
    assert second.worth == student([ours - theirs for ours, theirs in zip(distances[second.name], distances[first.name], strict=True)])
    assert (first.bits_per_dim, first.precision is None) == (None, False)
    assert table(document)[0][:4] == ["variant", "digit Fréchet", "precision", "recall"]
    assert how_sure(document) == "± is a 95% interval over 2 seeds (Student's t); differences are taken seed by seed."
