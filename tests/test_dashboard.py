"""The dashboard's pages, driven by Streamlit's own tester, on real runs; what moves in the browser is test_browser.py's matter."""

import math
import os
import re
import signal
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

import genlab
from genlab import jobs
from genlab.dashboard.charts import learning_curve
from genlab.dashboard.components import filmstrip
from genlab.dashboard.components.theatre import draw_records
from genlab.training import SAMPLES
from tests.waiting import wait_until

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path / "runs"))
    yield tmp_path / "runs"
    for job in jobs.list_jobs():
        if job.pid:
            os.kill(job.pid, signal.SIGKILL)
            wait_until(lambda name=job.name: not jobs.get(name).is_active)


def opened(run: str | None = None) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    if run is not None:
        app.query_params["run"] = run
    return rerun(app)


def rerun(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception, app.exception
    return app


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click()
    return rerun(app)


def fill(app: AppTest, **values: float) -> AppTest:
    for label, value in values.items():
        next(field for field in app.number_input if field.label == label.replace("_", " ")).set_value(value)
    return app


def run_in_address(app: AppTest) -> str:
    value = app.query_params["run"]
    return value if isinstance(value, str) else value[0]


def said(app: AppTest) -> str:
    return "\n".join(element.value for kind in (app.info, app.success, app.warning, app.error, app.caption) for element in kind)


def finished_run() -> jobs.Job:
    options = ("--set", "channels=2", "blocks=1", "epochs=1", "sample_seconds=0")
    job = jobs.start("pixelcnn", "digits", options)
    wait_until(lambda: not jobs.get(job.name).is_active)
    return jobs.get(job.name)


def test_the_page_is_alive_before_anything_is_trained() -> None:
    app = opened()
    assert app.title[0].value == "PixelCNN: one pixel after another"
    assert len(app.get("bidi_component")) == 1  # the theatre
    assert "There is no run yet" in said(app)
    assert "run" not in app.query_params


def test_train_stop_resume() -> None:
    app = opened()
    press(fill(app, minutes=30, patience=1000, channels=2, blocks=1), "Train")
    name = run_in_address(app)
    pid = jobs.get(name).pid
    assert pid is not None
    wait_until(lambda: jobs.get(name).run.metrics("train"))
    assert f"in a process of its own ({pid})" in said(rerun(app))
    assert str(jobs.get(name).run.config["training"]["patience"]) == "1000"

    assert run_in_address(opened(name)) == name  # somebody else's browser
    press(app, "Stop training")
    wait_until(lambda: not jobs.get(name).is_active)
    assert "**Stopped** by SIGTERM" in said(rerun(app))

    press(app, "Resume training")
    assert jobs.get(name).is_active
    assert jobs.get(name).pid != pid


def test_a_double_click_is_one_job_and_other_settings_are_refused() -> None:
    app = opened()
    fill(app, minutes=30, patience=1000, channels=2, blocks=1)
    press(app, "Train")
    press(app, "Train")
    assert len(jobs.list_names()) == 1
    press(fill(app, channels=4), "Train")
    assert "only 1 training can be active at a time" in said(app)
    assert len(jobs.list_names()) == 1


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [("learning_rate", 0.0, "learning_rate should be greater than 0"), ("minutes", -1.0, "minutes should be greater than 0")],
)
def test_a_bad_value_is_refused_before_anything_starts(field: str, value: float, sentence: str) -> None:
    app = press(fill(opened(), **{field: value}), "Train")
    assert sentence in said(app)
    assert jobs.list_names() == []


def test_a_finished_run_shows_its_numbers_its_curve_and_its_samples() -> None:
    job = finished_run()
    app = opened()
    assert run_in_address(app) == job.name
    assert f"**Finished**{job.message.removeprefix('finished')}." in said(app)
    assert "digits, 8×8, 17 levels" in said(app)
    best = min(record["bits_per_dim"] for record in job.run.metrics("valid"))
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["best validation"] == f"{best:.3f} bits/dim"
    assert shown["step"] == "23"
    assert len(app.get("bidi_component")) == 2  # the theatre and the filmstrip
    assert len(app.get("vega_lite_chart")) == 1
    assert {button.label for button in app.button}.isdisjoint({"Stop training", "Resume training"})


def test_faults_are_told_in_a_sentence(folder: Path) -> None:
    job = finished_run()
    assert "not here" in said(opened("../../etc"))
    metrics = job.run.path / "metrics.jsonl"
    whole = metrics.read_text()
    metrics.write_text("{torn\n" + whole)
    assert "torn at line 1" in said(opened())
    metrics.write_text(whole)
    job.run.checkpoint_path.write_bytes(b"no checkpoint")
    assert "is torn or not a safetensors file" in said(opened())
    failed = jobs.start("pixelcnn", "<b>nodigits</b>")
    wait_until(lambda: not jobs.get(failed.name).is_active)
    assert "**Failed**: genlab: error: " in said(opened(failed.name))


def test_what_the_theatre_plays_is_what_the_model_expected() -> None:
    torch.manual_seed(0)
    model = genlab.create_model("pixelcnn", image_shape=(3, 4, 5), levels=7, channels=3, blocks=1)
    records = draw_records(model, images=6, seed=3)
    drawn = genlab.sample(model, 6, seed=3)
    assert np.array_equal(records.values.reshape(6, 4, 5, 3), drawn.transpose(0, 2, 3, 1))
    assert records.probabilities.shape == (6, 60, 7)
    np.testing.assert_allclose(records.probabilities.sum(-1), 1, rtol=1e-6)
    chosen = np.take_along_axis(records.probabilities, records.values[..., None].astype(int), -1)[..., 0]
    np.testing.assert_allclose(records.bits, -np.log2(chosen), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(records.bits.sum(1), -genlab.log_prob(model, drawn) / math.log(2), rtol=1e-4)
    assert ((records.entropy >= 0) & (records.entropy <= math.log2(7) + 1e-6)).all()


def test_a_model_of_many_levels_sends_fewer_images() -> None:
    model = genlab.create_model("pixelcnn", image_shape=(1, 28, 28), levels=256, channels=1, blocks=0)
    records = draw_records(model, images=32, seed=0)
    assert len(records.values) == 7
    assert records.probabilities.size <= 1_500_000


def test_a_long_curve_is_thinned_and_keeps_its_ends() -> None:
    records = [{"step": step, "bits_per_dim": 1.0} for step in range(5000)]
    rows = learning_curve(records, [])["data"]["values"]
    assert len(rows) == 400
    assert (rows[0]["step"], rows[-1]["step"]) == (0, 4999)


def test_the_filmstrip_cuts_grids_as_training_lays_them() -> None:
    assert math.ceil(math.sqrt(SAMPLES)) == filmstrip._COLUMNS


def test_the_server_keeps_to_itself() -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert config["server"]["address"] == "127.0.0.1"
    assert config["browser"]["gatherUsageStats"] is False
    for file in (ROOT / "genlab" / "dashboard").rglob("*.*"):
        addresses = set(re.findall(r"https?://[^\s\"'<]+", file.read_text())) if file.suffix != ".pyc" else set()
        assert addresses <= {"http://www.w3.org/2000/svg"}, file
