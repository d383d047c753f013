"""The page 'Which tricks pay?', and a study as a job: one process in the queue, stopped and gone on with, nobody else's."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from genlab import jobs
from genlab.ablation import read, rows
from genlab.dashboard.charts import intervals
from genlab.jobs import JobError
from genlab.jobs.processes import born_at
from genlab.runs import Run
from tests.pages import components, press, rerun
from tests.waiting import wait_until

ROOT = Path(__file__).parents[1]
PAGE = "genlab/dashboard/pages/ablation.py"
SHIPPED = read(ROOT / "genlab" / "ablation" / "shipped")
TINY = ["--models", "pixelcnn", "--seeds", "1", "--set", "channels=2", "blocks=1", "first_kernel=3", "batch_size=2"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path / "runs"))
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


def opened(**asked: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / PAGE), default_timeout=120)
    for name, value in asked.items():
        app.query_params[name] = value
    return rerun(app)


def said(app: AppTest) -> str:
    kinds = (app.info, app.success, app.warning, app.error, app.caption, app.markdown, app.header)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def a_study(folder: Path, name: str = "mine", **changes: Any) -> dict[str, Any]:
    """A study's folder that somebody filled in a terminal."""
    document = {**copy.deepcopy(SHIPPED), **changes}
    (folder / name).mkdir()
    (folder / name / "ablation.json").write_text(json.dumps(document))
    return document


def test_the_study_that_comes_with_genlab_is_whole_and_of_a_budget_that_is_the_same_for_all() -> None:
    found = rows(SHIPPED)
    assert found[0].name == "plain"
    assert {row.name for row in found} >= {"plain", "gated", "no-shortcuts", "dilated", "no-average"}
    assert {(row.seeds, row.steps, row.failures) for row in found} == {(3, found[0].steps, ())}
    assert len((ROOT / "genlab" / "ablation" / "shipped" / "ablation.json").read_bytes()) < 200_000


def test_something_is_shown_at_once() -> None:
    app = opened()
    assert len(app.get("vega_lite_chart")) == 1
    assert len(components(app)) == len(rows(SHIPPED))  # samples of each variant
    assert "over 3 seeds (Student's t)" in said(app)
    assert "digits, 1×8×8, 17 levels" in said(app)
    assert not app.error


def test_the_chart_holds_every_variant_and_its_interval() -> None:
    found = rows(SHIPPED)
    every, first = intervals(found).to_dict()["datasets"].values()
    every, first = sorted((every, first), key=len, reverse=True)
    assert [value["variant"] for value in every] == [row.name for row in found]
    assert [value["variant"] for value in first] == ["plain"]
    for value, row in zip(every, found, strict=True):
        assert row.bits_per_dim is not None
        assert row.bits_per_dim.half is not None
        assert value["low"] == row.bits_per_dim.mean - row.bits_per_dim.half


def test_a_study_of_the_terminal_is_found_and_one_half_done_says_so(folder: Path) -> None:
    a_study(folder, runs=SHIPPED["runs"][:4])
    app = opened(study="mine")
    assert f"4 of {len(SHIPPED['runs'])} trainings are finished; the process ended" in said(app)
    assert [button.label for button in app.button if button.label == "Go on with it"]


def test_a_study_without_results_and_a_torn_one_are_a_sentence(folder: Path) -> None:
    a_study(folder, "empty", runs=[])
    assert "No training is finished yet" in said(opened(study="empty"))
    (folder / "torn").mkdir()
    (folder / "torn" / "ablation.json").write_text("{")
    assert "is not JSON" in said(opened(study="torn"))
    a_study(folder, "hostile", runs=[{"variant": "plain", "seed": 0, "failed": "<b>[x](http://y)</b> `a`"}])
    hostile = said(opened(study="hostile"))
    assert "[x](http://y)" not in hostile


def test_the_button_queues_a_study_for_this_visitor_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def launch(database: Any, row: jobs.records.Row, arguments: list[str]) -> None:
        asked.append((row.verb, arguments))
        alive = os.getpid(), born_at(os.getpid()), row.name
        database.execute("UPDATE jobs SET pid = ?, born = ?, begun = 1 WHERE name = ?", alive)

    monkeypatch.setattr(jobs.queue, "launch", launch)
    app = press(opened(), "Train them")
    assert asked[0][0] == "ablate"
    name = app.query_params["study"][0] if isinstance(app.query_params["study"], list) else app.query_params["study"]
    assert asked[0][1] == [
        "--out", str(folder.resolve() / name), "--data", "digits", "--variants", "plain", "gated", "no-shortcuts", "--seeds", "2",
        "--minutes", "0.2",
    ]  # fmt: skip
    (study,) = [study for study in jobs.list_studies() if study.name == name]
    assert study.visitor is not None
    assert not study.is_open_to("somebody else")
    with pytest.raises(JobError, match="belongs to another visitor"):
        jobs.stop_study(name, visitor="somebody else")
    assert jobs.list_jobs() == []


def test_nothing_chosen_and_a_budget_beyond_the_limits_are_refused() -> None:
    app = opened()
    app.button_group[0].set_value([])
    app = press(app, "Train them")
    assert "variants must name at least one; got none" in said(app)
    with pytest.raises(JobError, match="minutes must be at most 240 for a visitor; this training asks for 300"):
        jobs.start_study("digits", [], visitor="v", demand=jobs.Demand(minutes=300))
    with pytest.raises(JobError, match=r"study must be one of the studies in .*; got '\.\./x'"):
        jobs.stop_study("../x")


def test_a_study_is_a_job_that_can_be_stopped_and_gone_on_with(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs.queue, "NICENESS", 0)  # others use the cores as well, and a test has no page to step behind
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    study = jobs.start_study("slanted", [*TINY, "--minutes", "60"], key="once")
    assert jobs.start_study("slanted", [*TINY, "--minutes", "60"], key="once").name == study.name
    run = Run(study.path / "pixelcnn-0")
    wait_until(lambda: (run.path / "metrics.jsonl").exists() and bool(run.metrics("train")))
    assert jobs.list_jobs() == [], "a study is no training, and its trainings are its own"
    assert jobs.stop_study(study.name).is_stopping
    wait_until(lambda: not jobs.list_studies()[0].is_active)
    assert run.state() == "stopped"
    assert read(study.path)["runs"] == []
    assert jobs.go_on_with_study(study.name).is_active
    jobs.stop_study(study.name)
    wait_until(lambda: not jobs.list_studies()[0].is_active)
