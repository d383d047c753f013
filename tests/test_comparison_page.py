"""The page 'Families side by side': what comes with genlab at once, one of the terminal, one of one's own as a job."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from genlab import jobs
from genlab.comparison import read, rows
from genlab.comparison.outcome import FAMILIES, FIGURES, columns
from genlab.dashboard.charts import compared
from genlab.dashboard.taxonomy import ADVERSARIAL, AUTOREGRESSIVE, REVERSIBLE, VARIATIONAL
from genlab.jobs.processes import born_at
from tests.pages import components, press, rerun

ROOT = Path(__file__).parents[1]
SHIPPED = read(ROOT / "genlab" / "comparison" / "shipped")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path / "runs"))
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


def opened(**asked: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "genlab/dashboard/pages/comparison.py"), default_timeout=120)
    for name, value in asked.items():
        app.query_params[name] = value
    return rerun(app)


def said(app: AppTest) -> str:
    kinds = (app.info, app.success, app.warning, app.error, app.caption, app.markdown, app.header)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def a_comparison(folder: Path, name: str, **changes: Any) -> None:
    """A comparison's folder that somebody filled in a terminal."""
    (folder / name).mkdir()
    (folder / name / "comparison.json").write_text(json.dumps({**copy.deepcopy(SHIPPED), **changes}))


def test_the_comparison_that_comes_with_genlab_is_whole() -> None:
    found = rows(SHIPPED)
    assert {row.likelihood for row in found} == {"exact", "bound", "none"}
    assert {row.failures for row in found} == {()}
    assert len(SHIPPED["runs"]) == len(found) * len(SHIPPED["plan"]["seeds"])
    assert len((ROOT / "genlab" / "comparison" / "shipped" / "comparison.json").read_bytes()) < 300_000


def test_something_is_shown_at_once() -> None:
    app = opened()
    found = rows(SHIPPED)
    assert len(components(app)) == 1 + len(found)  # samples of each model, and real ones
    assert len(app.get("vega_lite_chart")) == 1
    (table,) = app.dataframe
    assert list(table.value["figure"]) == [FIGURES[key].head for key in columns(found)]
    assert "★: nobody is surely better" in said(app)
    assert "exactly" in said(app)
    assert "no likelihood" in said(app)
    assert not app.error
    assert len(app.get("download_button")) == 2


def test_families_are_called_as_on_the_map() -> None:
    assert {branch.title for branch in (AUTOREGRESSIVE, VARIATIONAL, REVERSIBLE, ADVERSARIAL)} <= set(FAMILIES.values())


def test_another_figure_has_its_own_chart() -> None:
    app = opened()
    app.selectbox[0].set_value("one_seconds")
    app = rerun(app)
    assert "Time to draw one example" in said(app)
    found = rows(SHIPPED)
    (values,) = compared(found, FIGURES["one_seconds"], None).to_dict()["datasets"].values()
    assert [value["model"] for value in values] == [row.name for row in found]
    assert all(0 < value["low"] <= value["value"] <= value["high"] for value in values)  # by ratios nothing is below nothing


def test_one_of_the_terminal_that_is_half_done_empty_or_torn(folder: Path) -> None:
    a_comparison(folder, "half", runs=SHIPPED["runs"][:1])
    app = opened(study="half")
    assert f"1 of {len(SHIPPED['runs'])} trainings are finished; the process ended" in said(app)
    assert [button.label for button in app.button if button.label == "Go on with it"]
    a_comparison(folder, "empty", runs=[])
    assert "No training is finished yet" in said(opened(study="empty"))
    (folder / "torn").mkdir()
    (folder / "torn" / "comparison.json").write_text("{")
    assert "is not JSON" in said(opened(study="torn"))
    assert {study.verb for study in jobs.list_studies()} == {"compare"}
    assert jobs.list_studies("ablate") == []


def test_the_button_queues_a_comparison_and_a_model_that_does_not_suit_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def launch(database: Any, row: jobs.records.Row, arguments: list[str]) -> None:
        asked.append((row.verb, arguments))
        alive = os.getpid(), born_at(os.getpid()), row.name
        database.execute("UPDATE jobs SET pid = ?, born = ?, begun = 1 WHERE name = ?", alive)

    monkeypatch.setattr(jobs.queue, "launch", launch)
    app = opened()
    next(box for box in app.selectbox if box.label == "data").set_value("eight heaps of points on a ring")
    app = press(app, "Train and measure them")
    assert "models must suit the data; 'pixelcnn' does not" in said(app)
    assert asked == []
    next(box for box in app.selectbox if box.label == "data").set_value("digits 8×8, 17 levels")
    app.button_group[0].set_value(["vae", "dcgan"])
    app = press(app, "Train and measure them")
    ((verb, arguments),) = asked
    assert verb == "compare"
    assert arguments[2:] == ["--data", "digits", "--models", "vae", "dcgan", "--seeds", "1", "--minutes", "0.2"]
    (study,) = jobs.list_studies("compare")
    assert study.visitor is not None
    assert not study.is_open_to("somebody else")
