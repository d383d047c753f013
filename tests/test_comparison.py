"""The families side by side: exact likelihoods and bounds never mixed, all else measured of what was trained, and sentences that follow."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

import genlab
from genlab.ablation import Variant, plan_again
from genlab.ablation.outcome import student
from genlab.cli import main
from genlab.comparison import FIGURES, FILE, MEMBERS, REPORT, compare, comparison_of, measuring, read, rows, table
from genlab.comparison.findings import balances, findings
from genlab.comparison.outcome import conditions, how_sure, leaders, real
from genlab.comparison.report import report
from genlab.errors import InputError, RunError
from genlab.measures.features import drawn_like, in_space
from genlab.measures.neighbours import compared
from genlab.runs import Run

MODELS = ["pixelcnn", "vae", "mlp_gan"]
SMALL = {"channels": 2, "blocks": 1, "first_kernel": 3, "hidden": 4, "latents": 2}
QUICK = {"steps": 2, "batch_size": 8, "sample_seconds": 1e6}
ONE_SEED = "there is one seed"
PEAKS = {"training_bytes": 3_000_000, "drawing_bytes": 1_000_000}


@pytest.fixture(scope="module")
def quickly() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "_peaks", lambda _: PEAKS)  # a process of its own for each; one of them is tried below
        patch.setattr(measuring, "_REPEATS", 3)
        yield


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, quickly: None) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("comparison") / "out"
    data = genlab.load_dataset("digits", size=4)
    return folder, compare(comparison_of(data, models=MODELS, seeds=1, model=SMALL, training=QUICK), folder, data=data)


# --- what is measured ------------------------------------------------------------------------------------------------------------


def test_exact_likelihoods_and_bounds_have_columns_of_their_own(done: tuple[Path, dict[str, Any]]) -> None:
    folder, document = done
    found = rows(document)
    assert [(row.name, row.likelihood) for row in found] == [("pixelcnn", "exact"), ("vae", "bound"), ("mlp_gan", "none")]
    assert not [row for row in found if {"exact", "bound"} <= row.figures.keys()]
    head, *lines = table(document)
    exact, bound = (head.index(FIGURES[key].head) for key in ("exact", "bound"))
    assert [[line[exact][:1].isdigit(), line[bound][:1].isdigit()] for line in lines] == [[True, False], [False, True], [False, False]]
    assert (lines[2][exact], lines[2][bound]) == ("none", "none")
    for row in found[:2]:
        assert math.isclose(row.figures[row.likelihood].mean, genlab.evaluate(Run(folder / f"{row.name}-0")).nats)


def test_figures_are_those_of_the_run(done: tuple[Path, dict[str, Any]]) -> None:
    folder, document = done
    data = genlab.load_dataset("digits", size=4)
    run = Run(folder / "vae-0")
    row = rows(document)[1]
    drawn = drawn_like(genlab.load_model(run), data.test.batch(np.random.default_rng(0), np.arange(180)), 180, 0)
    lies = compared(in_space(data.test.images, data.domain, "pixels"), in_space(drawn, data.domain, "pixels"), space="pixels")
    for name in ("precision", "recall", "density", "coverage"):
        estimate = getattr(lies, name)
        assert row.figures[name].mean == estimate.value
        assert row.figures[name].half == pytest.approx((estimate.high - estimate.low) / 2)
    assert row.samples is not None
    assert np.array_equal(row.samples, drawn[:16])
    assert row.figures["examples_seen"].mean == pytest.approx(2 * 8 / 1000)
    assert row.figures["training_bytes"].mean == 3.0
    assert row.figures["one_seconds"].mean > 0
    assert row.figures["parameters"].mean == sum(each.numel() for each in genlab.load_model(run).parameters()) / 1000
    held_out = real(document)
    assert held_out is not None
    assert held_out.figures["precision"].mean > max(each.figures["precision"].mean for each in rows(document))
    assert any("180 samples against as many test examples, in pixels" in sentence for sentence in conditions(document))


def test_peak_memory_is_taken_in_a_process_of_its_own(done: tuple[Path, dict[str, Any]]) -> None:
    command = [sys.executable, "-m", "genlab.comparison.memory", str(done[0] / "vae-0")]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    peaks = json.loads(found.stdout.splitlines()[-1])
    assert peaks.keys() == PEAKS.keys()
    assert all(0 <= value < 2**30 for value in peaks.values())


def test_points_have_coordinates_for_features_and_a_picture(tmp_path: Path, quickly: None) -> None:
    data = genlab.load_dataset("ring")
    plan = comparison_of(data, models=["realnvp"], seeds=1, model={"depth": 1, "hidden": 4, "bins": 4}, training=QUICK)
    (row,) = rows(compare(plan, tmp_path / "out", data=data))
    assert row.likelihood == "exact"
    assert "frechet" not in row.figures
    assert row.samples is not None
    assert row.samples.shape == (1, 1, 64, 64)
    assert row.bits_per_dim is None


def test_what_is_finished_is_not_done_again_and_what_was_cut_off_is(done: tuple[Path, dict[str, Any]], quickly: None) -> None:
    folder, document = done
    heard: list[str] = []

    def watch(number: int, variant: Variant, seed: int) -> None:
        heard.append(variant.name)

    plan = plan_again(read(folder)["plan"])
    assert compare(plan, folder, watch=watch) == document
    assert heard == []
    # As if it had been killed while the last model was measured: its training is finished and is not made again.
    (folder / FILE).write_text(json.dumps({**document, "runs": document["runs"][:-1]}))
    again = compare(plan, folder, watch=watch)
    assert heard == ["mlp_gan"]
    assert again["runs"][-1]["figures"]["precision"] == document["runs"][-1]["figures"]["precision"]
    assert [each["event"] for each in Run(folder / "mlp_gan-0").metrics("event")] == ["started", "finished"]
    assert (folder / REPORT).read_text(encoding="utf-8") == report(again)


def test_usual_members_are_those_that_the_data_suit() -> None:
    digits = {variant.name for variant in comparison_of(genlab.load_dataset("digits"), training=QUICK).variants}
    assert digits >= {"pixelcnn", "gated_pixelcnn", "pixelcnn_pp", "vae", "pixelvae", "realnvp", "mlp_gan", "dcgan"}
    assert "gan2d" not in digits
    ring = [variant.name for variant in comparison_of(genlab.load_dataset("ring"), training=QUICK).variants]
    assert set(ring) >= {"realnvp", "gan2d"}
    assert ring == [name for name in MEMBERS if name in ring]
    with pytest.raises(InputError, match="models must suit the data; 'gan2d' does not: data must be points for model 'gan2d'"):
        comparison_of(genlab.load_dataset("digits"), models=["vae", "gan2d"], training=QUICK)


# --- what follows from it --------------------------------------------------------------------------------------------------------

FAMILY_OF = {"pixelcnn": "exact", "vae": "bound", "realnvp": "bound", "dcgan": "none"}


def a_document(seeds: int = 1, **figures: dict[str, float]) -> dict[str, Any]:
    """A comparison of the four families with these means, a standard error of a hundredth each, and seeds a hundredth apart."""
    runs = []
    for seed in range(seeds):
        for model, kind in FAMILY_OF.items():
            means = {name: values[model] for name, values in figures.items()} | ({} if kind == "none" else {kind: 10.0})
            found = {name: {"value": mean * (1 + seed / 100), "standard_error": mean / 100} for name, mean in means.items()}
            runs.append({"variant": model, "seed": seed, "figures": found})
    plan = {"variants": [{"name": name, "model": name, "words": ""} for name in FAMILY_OF], "data": {"name": "d"}, "training": {"steps": 2}}
    return {"plan": {**plan, "seeds": list(range(seeds))}, "runs": runs}


def each(*values: float) -> dict[str, float]:
    return dict(zip(FAMILY_OF, values, strict=True))


def verdicts(document: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {(finding.family.split()[0], finding.claim.split(":")[0]): finding.verdict for finding in findings(rows(document))}


def test_claims_are_borne_out_contradicted_or_left_open_by_the_figures() -> None:
    told = verdicts(
        a_document(one_seconds=each(0.5, 0.01, 0.02, 0.001), precision=each(0.9, 0.5, 0.6, 0.7), recall=each(0.8, 0.8, 0.8, 0.1))
    )
    assert told["Autoregressive", "p(x) can be computed"] == "borne out"
    assert told["Reversible", "p(x) can be computed"] == "contradicted"  # of levels a flow has a bound alone
    assert told["Adversarial", "no density"] == "borne out"
    assert told["Autoregressive", "drawing is sequential, hence slow"] == "borne out"
    assert told["Adversarial", "the fastest to draw"] == "borne out"
    assert told["Adversarial", "the sharpest samples"] == "contradicted"
    assert told["Adversarial", "modes collapse"] == "borne out"
    assert told["Variational", "blurred"] == "borne out"
    other = verdicts(a_document(one_seconds=each(0.5, 0.001, 0.6, 0.00101), recall=each(0.1, 0.8, 0.8, 0.8)))
    assert other["Adversarial", "the fastest to draw"] == "undecided"
    assert other["Autoregressive", "drawing is sequential, hence slow"] == "contradicted"
    assert other["Adversarial", "modes collapse"] == "contradicted"


def test_pros_and_cons_claim_nothing_where_intervals_touch() -> None:
    found = {
        balance.family: balance
        for balance in balances(rows(a_document(one_seconds=each(0.5, 0.2, 0.2, 0.001), recall=each(0.8, 0.8, 0.8, 0.81))))
    }
    gan = found["Adversarial (GAN)"]
    assert gan.pros == ("fastest to draw one (dcgan, 1.00 ± 0.02 ms)",)
    assert gan.cons == ("dcgan has no likelihood",)
    assert found["Autoregressive"].pros == ("pixelcnn has an exact likelihood (10.00 ± 0.20 nats)",)
    assert found["Autoregressive"].cons == ("slowest to draw one (pixelcnn, 500 ± 10 ms)",)
    assert found["Reversible"].cons == ("realnvp has a bound (at most 10.00 ± 0.20 nats)",)


def test_intervals_are_over_seeds_where_there_are_several_and_say_what_they_are_over() -> None:
    document = a_document(seeds=3, precision=each(0.5, 0.6, 0.7, 0.8))
    row = rows(document)[0]
    assert row.seeds == 3
    assert row.figures["precision"] == student([0.5, 0.505, 0.51])
    assert "over 3 seeds (Student's t)" in how_sure(document)
    assert ONE_SEED in how_sure(a_document())
    assert leaders(rows(document), "precision") == {"dcgan"}
    assert leaders(rows(document), "examples_seen") == set()


@pytest.mark.parametrize(
    "record",
    [
        3,
        {},
        {"variant": "vae", "seed": 0, "figures": 3},
        {"variant": "vae", "seed": 0, "figures": {"precision": {"value": math.nan, "standard_error": None}}},
        {"variant": "vae", "seed": 0, "figures": {}, "samples": {"shape": [1], "levels": 2, "base64": "?"}},
    ],
)
def test_a_strangers_results_are_one_sentence(record: Any) -> None:
    with pytest.raises(RunError, match="the file of the comparison holds what no comparison writes"):
        rows({**a_document(), "runs": [record]})


# --- the page of HTML ------------------------------------------------------------------------------------------------------------


def test_the_report_needs_nothing_else_and_lets_nothing_in(done: tuple[Path, dict[str, Any]]) -> None:
    _, document = done
    page = report(document)
    assert not re.search(r"https?:|<script|<link|@import|url\(", page)
    assert set(re.findall(r"src='(.{5})", page)) == {"data:"}
    assert page.count("<img") == 1 + len(MODELS)
    failed = {"variant": "vae", "seed": 1, "failed": "<b onload=x>"}
    hostile = report({**document, "runs": [*document["runs"], failed]})
    assert "<b onload" not in hostile
    assert "&lt;b onload=x&gt;" in hostile
    assert "No training is finished yet" in report({**document, "runs": []})


@pytest.mark.browser
def test_the_report_opens_without_a_network_in_light_and_dark_on_screens_and_on_paper(
    browser: Browser, done: tuple[Path, dict[str, Any]]
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    tab = context.new_page()
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto((done[0] / REPORT).as_uri())
    assert tab.locator("h1").inner_text() == "Families of generative models, side by side"
    assert tab.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    grounds = []
    for scheme in ("light", "dark"):
        tab.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        grounds.append(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert [f"{each['id']} {each['nodes'][0]['html']}" for each in Axe().run(tab).response["violations"]] == []
    tab.emulate_media(color_scheme="dark", media="print")
    grounds.append(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds == ["rgb(251, 250, 247)", "rgb(21, 24, 29)", "rgb(255, 255, 255)"]
    tab.emulate_media(media="screen")
    tab.set_viewport_size({"width": 390, "height": 900})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


# --- the command line ------------------------------------------------------------------------------------------------------------


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], quickly: None) -> None:
    out = tmp_path / "it is"
    small = ["size=4", "channels=2", "blocks=1", "first_kernel=3", "batch_size=8"]
    asked = ["compare", "--data", "digits", "--seeds", "1", "--models", "pixelcnn", "--set", *small, "--out", str(out)]
    assert main([*asked, "--steps", "1"]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0].split() == ["model", "pixelcnn"]
    assert "Autoregressive: + pixelcnn has an exact likelihood" in printed.out
    assert printed.out.splitlines()[-2:] == [str(out / FILE), str(out / REPORT)]
    assert main(["compare", "--out", str(out)]) == 0
    assert "1 of 1" not in capsys.readouterr().err
    assert main([*asked, "--steps", "2"]) == 2
    assert "steps must be 1 to go on with the comparison in" in capsys.readouterr().err
    (out / FILE).write_text("{")
    assert main(["compare", "--out", str(out)]) == 4
    assert f"{out / FILE} is not JSON" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (["--models", "pixelcn"], "model must be one of .*; got 'pixelcn'; did you mean 'pixelcnn'"),
        (["--minutes", "0"], "--minutes should be greater than 0; got '0'"),
        (["--seeds", "0"], "--seeds must be between 1 and 100; got 0"),
        (["--data", "ring", "--models", "realnvp", "pixelcnn"], "--models must suit the data; 'pixelcnn' does not: data must be images"),
        (["--data", "slanted"], "--data must have more than 5 test examples for precision and recall; 'slanted' has"),
        (["--set", "channels=0"], "channels"),
    ],
)
def test_bad_input_is_one_sentence_before_any_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: list[str], sentence: str
) -> None:
    assert main(["compare", *asked, "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert re.search(sentence, told)
    assert told.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_with_something_else_and_an_interruption(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ablation.json").write_text("{}")
    assert main(["compare", "--models", "vae", "--out", str(tmp_path)]) == 2
    assert "--out must be a new or empty folder, or that of a comparison" in capsys.readouterr().err

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("genlab.comparison.compare", interrupted)
    assert main(["compare", "--models", "vae", "--out", str(tmp_path / "new")]) == 130
    assert f"interrupted; go on with: genlab compare --out {tmp_path / 'new'}" in capsys.readouterr().err
