"""The pages Training and Runs, driven by Streamlit's own tester, on real runs; test_browser_jobs.py looks at them in a browser."""

import functools
import json
import math
import os
import re
import shutil
import signal
import sqlite3
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import outside_family
import pytest
import torch
from streamlit.testing.v1 import AppTest

import genlab
from genlab import cli, jobs
from genlab.dashboard.charts import learning_curve, overlaid_curves
from genlab.dashboard.components import filmstrip
from genlab.dashboard.downloads import weights
from genlab.dashboard.forms import _bounds, _step
from genlab.dashboard.navigation import PAGES
from genlab.dashboard.plain import plain
from genlab.dashboard.story import BITS_PER_DIM, Story, read_story
from genlab.domain import Domain
from genlab.errors import RunError
from genlab.jobs import Limits
from genlab.lecture import published
from genlab.models.contract import NATS
from genlab.runs import Run, load_model
from genlab.settings import TrainSettings
from genlab.training import SAMPLES
from tests.pages import components, press, rerun
from tests.tiny import digits
from tests.waiting import wait_until

ROOT = Path(__file__).parent.parent
ENDLESS = {"minutes": 30, "patience": 1000, "channels": 2, "blocks": 1}
MARKUP = "<img src=x onerror=alert(1)> **b** [l](http://x) $x$ :red[r]"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setattr(jobs.queue, "NICENESS", 0)  # what runs beside the tests would otherwise starve them
    yield tmp_path / "runs"
    for job in jobs.list_jobs():
        if job.pid:
            os.kill(job.pid, signal.SIGKILL)
            wait_until(lambda name=job.name: not jobs.get(name).is_active)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that keep a run folder as a training does, and compute nothing."""
    stub_trainer = str(Path(__file__).with_name("stub_trainer.py"))
    monkeypatch.setattr(jobs.queue, "training_command", lambda arguments: [sys.executable, stub_trainer, *arguments])


def opened(page: str, run: str | None = None) -> AppTest:
    # The door of an installed package: from the repository's, a link to a file relative to the door would be found as well.
    app = AppTest.from_file(str(ROOT / "genlab" / "app.py"), default_timeout=120)
    app.switch_page(PAGES[page].file)
    if run is not None:
        app.query_params["run"] = run
    return rerun(app)


def buttons(app: AppTest) -> set[str]:
    return {button.label for button in app.button}


def fill(app: AppTest, **values: float) -> AppTest:
    for label, value in values.items():
        next(field for field in app.number_input if field.label == label.replace("_", " ")).set_value(value)
    return app


def choose(app: AppTest, label: str, value: str) -> None:
    next(box for box in app.selectbox if box.label == label).set_value(value)


def run_in_address(app: AppTest) -> str:
    value = app.query_params["run"]
    return value if isinstance(value, str) else value[0]


def said(app: AppTest) -> str:
    kinds = (app.info, app.success, app.warning, app.error, app.caption, at_fields(app))
    return "\n".join(element.value.replace("\\", "") for kind in kinds for element in kind)


def at_fields(app: AppTest) -> list[Any]:
    """What stands at a field that was refused."""
    return [element for element in app.markdown if element.value.startswith(":red[")]


def finished_run(folder: Path, name: str = "mine", *settings: str) -> Run:
    """What a terminal trained; each kind of it once for all tests."""
    shutil.copytree(trained(settings), folder / name)
    (folder / name / "config.json").touch()
    return Run(folder / name)


@functools.cache
def trained(settings: tuple[str, ...]) -> Path:
    path = Path(tempfile.mkdtemp(prefix="genlab-trained-")) / "run"
    options = ["--set", "channels=2", "blocks=1", "epochs=2", "log_seconds=0", *settings]
    assert cli.main(["train", "pixelcnn", "--data", "digits", "--out", str(path), *options]) == 0
    return path


# Training ----------------------------------------------------------------------------------------------------------------------


def test_the_training_page_says_what_to_do_before_anything_is_trained() -> None:
    app = opened("training")
    assert app.title[0].value == "Training"
    assert "There is no run yet" in said(app)
    assert "run" not in app.query_params


def test_the_form_has_every_setting_of_the_command_line_with_its_bounds_and_default() -> None:
    app = opened("training")
    shown = {field.label for kind in (app.number_input, app.selectbox) for field in kind}
    watched = {"log_seconds", "sample_seconds", "checkpoint_seconds", "valid_images", "learning_rates"}
    assert {name.replace("_", " ") for name in TrainSettings.model_fields.keys() - watched} <= shown
    assert {"channels", "blocks", "levels", "binarize", "size", "seed of the split"} <= shown
    rate = next(field for field in app.number_input if field.label == "learning rate")
    entry = TrainSettings.model_fields["learning_rate"]
    assert (rate.value, rate.max, rate.help) == (entry.default, 10, entry.description)
    assert _bounds(TrainSettings.model_fields["epochs"].metadata) == {"min_value": 1, "max_value": 1_000_000}


@pytest.mark.parametrize(("value", "step"), [(64, 10), (5, 1), (0, 1), (None, 1), (1000, 1000)])
def test_the_buttons_of_a_whole_number_add_a_leading_digit(value: int | None, step: int) -> None:
    assert _step(value, int) == step


def test_train_stop_resume() -> None:
    app = opened("training")
    press(fill(app, **ENDLESS), "Train")
    name = run_in_address(app)
    pid = jobs.get(name).pid
    assert pid is not None
    wait_until(lambda: jobs.get(name).run.metrics("train"))
    assert f"in a process of its own ({pid})" in said(rerun(app))
    config = jobs.get(name).run.config["training"]
    assert (config["patience"], config["minutes"], config["steps"]) == (1000, 30, jobs.LIMITS.steps)

    press(app, "Stop training")
    wait_until(lambda: not jobs.get(name).is_active)
    assert re.search(r"\*\*Stopped\*\* at step \d+ on request", said(rerun(app)))

    press(app, "Resume training")
    assert jobs.get(name).is_active
    assert jobs.get(name).pid != pid


@pytest.mark.usefixtures("stub")
def test_a_series_has_a_model_of_its_own() -> None:
    app = opened("training")
    choose(app, "model", "wave_pixelcnn")
    press(fill(rerun(app), minutes=0.01), "Train")
    assert "image_shape must be (1, 1, length) for a series; got (1, 8, 8)" in said(app)
    choose(app, "images", "sunspots, 264 months, 32 levels (a series)")
    press(fill(rerun(app), minutes=0.01), "Train")
    assert jobs.list_names() == [run_in_address(app)]


@pytest.mark.usefixtures("stub")
def test_a_double_click_is_one_job_and_other_settings_wait_in_the_queue() -> None:
    app = opened("training")
    fill(app, **ENDLESS)
    press(app, "Train")
    press(app, "Train")
    assert len(jobs.list_names()) == 1
    press(fill(app, channels=4), "Train")
    assert len(jobs.list_names()) == 2
    assert jobs.get(run_in_address(app)).state == "queued"
    assert "**Waiting**: number 1 in the queue" in said(app)
    press(app, "Leave the queue")
    wait_until(lambda: not jobs.get(run_in_address(app)).is_active)
    assert "**Stopped** before the first step" in said(rerun(app))


@pytest.mark.usefixtures("stub")
def test_another_visitors_job_is_watched_and_cannot_be_touched() -> None:
    app = opened("training")
    press(fill(app, **ENDLESS), "Train")
    name = run_in_address(app)
    wait_until(lambda: jobs.get(name).run.metrics("train"))
    for page in ("training", "runs"):
        other = opened(page, name)  # a session of another browser
        assert "Started in another browser" in said(other)
        assert buttons(other).isdisjoint({"Stop training", "Change", "Rename"})
        assert not [label for label in buttons(other) if label.startswith("Delete")]
    assert {"Stop training", "Change"} <= buttons(rerun(app))


def test_the_learning_rate_is_changed_in_mid_run() -> None:
    app = opened("training")
    press(fill(app, **ENDLESS), "Train")
    job = jobs.get(run_in_address(app))
    wait_until(lambda: job.run.metrics("train"))
    press(fill(rerun(app), learning_rate_now=0.0005), "Change")
    wait_until(lambda: job.run.metrics("train")[-1]["learning_rate"] == 0.0005)
    rate = next(field for field in rerun(app).number_input if field.label == "learning rate now")
    assert rate.value == 0.0005
    press(fill(app, learning_rate_now=0.0), "Change")
    assert "learning_rate should be greater than 0" in said(app)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("learning_rate", 0.0, "learning rate must be above 0; got 0"),
        ("minutes", -1.0, "minutes must be above 0; got -1"),
        ("minutes", 241.0, "minutes must be at most 240 for a visitor"),
        ("steps", 2_000_001, "steps must be at most 2,000,000 for a visitor"),
        ("channels", 1024, "parameters must be at most 10,000,000 for a visitor"),
    ],
)
def test_a_bad_value_is_refused_before_anything_starts(field: str, value: float, sentence: str) -> None:
    app = press(fill(opened("training"), **{field: value}), "Train")
    assert sentence in said(app)
    assert jobs.list_names() == []
    # At the field, if there is one; and the settings are open only if it is among them.
    assert len(at_fields(app)) == (field != "channels")
    assert app.expander[0].proto.expanded is (field == "learning_rate")
    assert not at_fields(press(fill(app, **{field: 1, "minutes": 0.01}), "Train"))
    assert app.expander[0].proto.expanded is False


@pytest.mark.parametrize(("field", "value"), [("batch size", 0), ("ema decay", math.nan), ("channels", 10**9), ("blocks", -1)])
def test_a_tampered_value_never_reaches_a_run(folder: Path, field: str, value: float) -> None:
    # The tester, like a tampered browser, ignores the bounds that the page declares; the server goes back to the default, or refuses.
    app = press(fill(opened("training"), **{field: value}), "Train")
    name = field.replace(" ", "_")
    if not jobs.list_names():
        assert field in said(app)
        return
    with closing(sqlite3.connect(folder / ".jobs" / "jobs.sqlite")) as database:
        asked = [json.loads(arguments) for (arguments,) in database.execute("SELECT arguments FROM jobs")]
    assert len(asked) == 1
    assert [each for each in asked[0] if each.endswith(f"{name}={value}")] == []


@pytest.mark.usefixtures("stub")
def test_a_visitor_who_asks_for_too_many_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs.limits, "LIMITS", Limits(jobs=1))
    app = press(fill(opened("training"), **ENDLESS), "Train")
    press(fill(app, channels=4), "Train")
    assert "a visitor can have 1 trainings at work or in the queue" in said(app)
    assert len(jobs.list_names()) == 1


def test_a_finished_run_shows_its_numbers_its_curve_and_its_samples(folder: Path) -> None:
    run = finished_run(folder)
    app = opened("training")
    assert run_in_address(app) == "mine"
    assert "**Finished** 2 epochs" in said(app)
    assert "digits, 8×8, 17 levels" in said(app)
    best = min(record["bits_per_dim"] for record in run.metrics("valid"))
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["best validation"] == f"{best:.3f} bits/dim"
    assert shown["step"] == "46"
    assert len(app.get("vega_lite_chart")) == 1
    assert buttons(app).isdisjoint({"Stop training", "Resume training", "Change"})


def test_another_run_is_drawn_beside_it_only_under_the_same_protocol(folder: Path) -> None:
    finished_run(folder, "first")
    finished_run(folder, "other", "binarize=threshold")
    finished_run(folder, "newest")
    app = opened("training", "newest")
    choose(app, "compare with", "other")
    assert "Not drawn: other was scored under another protocol (digits, 8×8, 2 levels" in said(rerun(app))
    choose(app, "compare with", "first")
    assert "Not drawn" not in said(rerun(app))
    assert "earlier: first" in app.get("vega_lite_chart")[0].proto.spec


def test_published_figures_stand_only_beside_results_of_their_protocol(folder: Path) -> None:
    config = finished_run(folder).config
    assert read_story(jobs.get("mine")).references == []
    record = {**config["data"]["record"], "levels": 2}
    for data, count in (
        ({"name": "mnist", "binarize": "dynamic", "size": None}, len(published("mnist", levels=2, binarize="dynamic"))),
        ({"name": "mnist", "binarize": "dynamic", "size": 14}, 0),
        ({"name": "mnist", "binarize": "threshold", "size": None}, 0),
        ({"name": "mnist5k", "binarize": "dynamic", "size": None}, 0),
    ):
        story = Story({**config, "data": {**data, "record": record}}, NATS, Domain((1, 28, 28), 2))
        assert len(story.references) == count
        layers = learning_curve([], [], BITS_PER_DIM, references=story.references, dimensions=784)["layer"]
        assert len(layers) == (4 if count else 2)
    figure = next(each for each in published("mnist", levels=2, binarize="dynamic") if each.model == "PixelCNN")
    assert figure.bits_per_dim(784) == pytest.approx(81.45 / (784 * math.log(2)))


# Runs --------------------------------------------------------------------------------------------------------------------------


def test_the_runs_page_says_what_to_do_before_there_is_a_run() -> None:
    app = opened("runs")
    assert "There is no run yet" in said(app)
    assert not app.dataframe


def test_runs_are_listed_and_compared_and_what_differs_is_marked(folder: Path) -> None:
    finished_run(folder, "first")
    finished_run(folder, "second", "learning_rate=1e-3")
    (folder / "first" / "label.txt").write_text("my label")
    app = opened("runs")
    table = app.dataframe[0].value
    assert list(table["run"]) == ["second", "my label"]
    assert set(table["state"]) == {"✓ finished"}
    assert list(table["step"]) == [46, 46]
    best = min(record["bits_per_dim"] for record in Run(folder / "second").metrics("valid"))
    assert table["bits/dim"][0] == best
    differing = app.dataframe[1].value
    assert differing.to_numpy().tolist() == [["≠", "training.learning_rate", "0.001", "0.004"]]
    same = dict(app.dataframe[2].value.to_numpy().tolist())
    assert (same["model.channels"], same["seed"]) == ("2", "0")
    assert "training.learning_rate" not in same
    assert "different protocols" not in said(app)
    finished_run(folder, "third", "binarize=threshold")
    assert "different protocols" in said(opened("runs"))


def test_rename_delete_and_undo(folder: Path) -> None:
    run = finished_run(folder)
    app = opened("runs", "mine")
    next(field for field in app.text_input if field.label == "label").set_value(MARKUP[:60])
    press(app, "Rename")
    assert run.label == MARKUP[:60]
    press(app, next(label for label in buttons(app) if label.startswith("Delete this run")))
    assert (jobs.list_names(), jobs.list_removed()) == ([], ["mine"])
    assert "Deleted: **<img src=x onerror=alert(1)>" in said(app)  # by the name that people gave it
    press(app, "Bring it back")
    assert jobs.list_names() == ["mine"]
    assert run.label == MARKUP[:60]
    assert len(load_model(run).state_dict()) > 0


def test_what_can_be_downloaded_is_what_the_run_holds(folder: Path) -> None:
    run = finished_run(folder)
    app = opened("runs", "mine")
    assert [element.proto.label for element in app.get("download_button")] == [
        "Weights (safetensors)",
        "Page to mail (HTML)",
        "Config (JSON)",
        "Export as a Python script",
    ]
    assert app.code[0].value.startswith('"""The run \'mine\', once more.')
    file = folder / "downloaded.safetensors"
    file.write_bytes(weights(run))
    ours, theirs = load_model(run).state_dict(), load_model(file).state_dict()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


def test_one_of_ones_own_runs_is_shown_before_a_newer_one_of_others(folder: Path) -> None:
    finished_run(folder, "mine")
    app = opened("training", "mine")
    with closing(sqlite3.connect(folder / ".jobs" / "jobs.sqlite")) as database, database:
        row = ("mine", "[]", 1.0, 1.0, app.session_state["genlab_visitor"])
        database.execute("INSERT INTO jobs (name, arguments, created, started, visitor) VALUES (?, ?, ?, ?, ?)", row)
    finished_run(folder, "newer")
    for page in ("training", "runs"):
        app.query_params.clear()
        app.session_state["address of all pages"] = {}
        app.session_state["addresses of pages"] = {}
        app.switch_page(PAGES[page].file)
        assert run_in_address(rerun(app)) == "mine"
        assert run_in_address(opened(page)) == "newer"  # for anybody else


def test_a_family_from_outside_is_listed_its_report_is_its_curve_and_its_samples_are_shown(folder: Path) -> None:
    genlab.train(genlab.create_model(outside_family.NAME), digits(), out=folder / "forged", epochs=2, batch_size=512, log_seconds=0)
    finished_run(folder, "likely")
    app = opened("runs", "forged")
    table = app.dataframe[0].value.set_index("run")
    values = [record["values"]["mean_distance"] for record in Run(folder / "forged").metrics("valid")]
    assert list(table["curve"]["forged"]) == values
    assert table["reports"]["forged"] == f"{min(values):.4g} mean distance of average pixels"
    assert math.isnan(table["bits/dim"]["forged"])
    assert len(app.get("vega_lite_chart")) == 2  # what does not compare has an axis of its own
    app = opened("training", "forged")
    assert not app.error
    assert {metric.label: metric.value for metric in app.metric}["best validation"] == f"{min(values):.4g} mean distance of average pixels"
    curve, losses = (json.loads(chart.proto.spec) for chart in app.get("vega_lite_chart"))
    assert "mean_distance" in json.dumps(curve)
    assert "discriminator" in json.dumps(losses)
    strip = next(each for each in components(app) if each.proto.component_name == "genlab_filmstrip")
    assert len(json.loads(strip.proto.json)["frames"]) >= 1
    # A page lists the models that can do what it shows.
    assert "forged" not in opened("theatre").selectbox[0].options
    assert "other abilities than this page shows" in opened("theatre", "forged").warning[0].value


# Bad input and faults ----------------------------------------------------------------------------------------------------------


def test_markup_in_a_name_is_shown_and_does_nothing(folder: Path) -> None:
    name = "<b>x</b> **y** [z](http:evil)"
    run = finished_run(folder, name)
    (run.path / "label.txt").write_text(MARKUP)
    for page in ("training", "runs"):
        app = opened(page, name)
        for kind in (app.markdown, app.caption, app.info, app.success, app.warning, app.error):
            for element in kind:
                assert not getattr(element.proto, "allow_html", False)
                assert "<b>" not in element.value.replace("\\<", "")
                assert "](http" not in element.value
    failed = jobs.start("pixelcnn", f"{MARKUP}")
    wait_until(lambda: not jobs.get(failed.name).is_active)
    app = opened("training", failed.name)
    assert "**Failed**: genlab: error: " in said(app)
    assert plain(MARKUP) in app.error[0].value


@pytest.mark.parametrize("name", ["../../etc", "/etc/passwd", "..", ".jobs", "a\0b", MARKUP])
def test_a_path_in_the_address_leads_nowhere(folder: Path, name: str) -> None:
    finished_run(folder)
    for page in ("training", "runs"):
        app = opened(page, name)
        assert "The run in the address is not here" in said(app)
        assert run_in_address(app) == "mine"


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("config.json", "{", "is not JSON"),
        ("config.json", "[]", "names no format"),
        ("config.json", '{"format": 1, "model": 3, "data": 1, "training": [], "seed": 0}', "model should be a valid dictionary"),
        ("metrics.jsonl", "{torn\n{}\n", "is torn at line 1"),
        ("metrics.jsonl", '{"kind": "train", "step": "<b>"}\n{}\n', "is torn at line 1"),
        ("metrics.jsonl", '{"kind": "event", "step": 1}\n', "needs a sound 'event'"),
        ("metrics.jsonl", '{"kind": "valid", "step": 1}\n', "needs a sound 'seconds'"),
    ],
)
def test_a_damaged_run_is_told_in_a_sentence_and_the_others_are_unharmed(folder: Path, file: str, content: str, sentence: str) -> None:
    finished_run(folder, "good")
    run = finished_run(folder, "bad")
    (run.path / file).write_text(content)
    assert sentence in said(opened("training", "bad"))
    app = opened("runs", "bad")
    assert sentence in said(app)
    assert set(app.dataframe[0].value["run"]) == {"good", "bad"}
    assert "**Finished**" in said(opened("training", "good"))


def hostile(run: Run, how: str) -> None:
    """Spoil a run's checkpoint."""
    whole = run.checkpoint_path.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    if how == "truncated":
        content = whole[: len(whole) // 2]
    elif how == "pickle":
        content = b"\x80\x04\x95\x1c\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94\x8c\x06system\x94\x93\x94\x8c\x04true\x94\x85\x94R\x94."
    elif how == "endless header":
        content = (2**62).to_bytes(8, "little") + whole[8:]
    else:
        told = json.loads(header["__metadata__"]["genlab"])
        told["model"]["settings"] |= {"channels": 1024, "blocks": 100} if how == "a model of gigabytes" else {"channels": "<b>"}
        del told["sha256"]  # a stranger can pretend to have an older format, which had none
        header["__metadata__"]["genlab"] = json.dumps({**told, "format": 1})
        encoded = json.dumps(header).encode()
        content = len(encoded).to_bytes(8, "little") + encoded + whole[8 + length :]
    run.checkpoint_path.write_bytes(content)


@pytest.mark.parametrize("how", ["truncated", "pickle", "endless header", "a model of gigabytes", "settings that are none"])
def test_a_hostile_checkpoint_is_refused_in_a_sentence(folder: Path, how: str) -> None:
    run = finished_run(folder, "mine")
    hostile(run, how)
    with pytest.raises(RunError, match=r"torn|not a safetensors file|does not fit the model|cannot build"):
        load_model(run)
    for page in ("training", "runs", "theatre"):
        opened(page, "mine")


@pytest.mark.usefixtures("stub")
def test_a_locked_database_is_told_and_the_page_comes_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened("training")
    monkeypatch.setattr(jobs.records, "BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(folder / ".jobs" / "jobs.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        press(fill(app, **ENDLESS), "Train")
        assert "is busy: another process has kept it locked" in said(app)
        assert jobs.list_names() == []
        other.execute("COMMIT")
    monkeypatch.setattr(jobs.records, "BUSY_SECONDS", 5.0)
    press(app, "Train")
    assert jobs.get(run_in_address(app)).is_active


@pytest.mark.usefixtures("stub")
def test_a_killed_training_reads_lost_and_is_resumed_from_the_page() -> None:
    app = press(fill(opened("training"), **ENDLESS), "Train")
    job = jobs.get(run_in_address(app))
    wait_until(lambda: job.run.metrics("train"))
    os.kill(job.pid or 0, signal.SIGKILL)
    wait_until(lambda: not jobs.get(job.name).is_active)
    assert "**Lost**: the process ended without a word" in said(rerun(app))
    press(app, "Resume training")
    assert jobs.get(job.name).is_active


# Parts -------------------------------------------------------------------------------------------------------------------------


def test_a_long_curve_is_thinned_and_keeps_its_ends() -> None:
    records = [{"step": step, "bits_per_dim": 1.0} for step in range(5000)]
    for chart in (learning_curve(records, [], BITS_PER_DIM), overlaid_curves({"a": records}, BITS_PER_DIM)):
        rows = chart["data"]["values"]
        assert len(rows) == 400
        assert (rows[0]["step"], rows[-1]["step"]) == (0, 4999)


def test_the_filmstrip_cuts_grids_as_training_lays_them() -> None:
    assert math.ceil(math.sqrt(SAMPLES)) == filmstrip._COLUMNS


def test_plain_text_keeps_every_letter_and_loses_its_meaning() -> None:
    assert plain("run 1, Grüße") == "run 1, Grüße"
    assert re.sub(r"\\(.)|\u2060", r"\1", plain(MARKUP)) == MARKUP
    assert not re.search(r"(?<!\\)[<>*_\[\]$`]|:(?!\u2060)", plain(MARKUP))


def test_errors_become_sentences_in_one_place() -> None:
    """Messages hold names of data and runs: whoever showed one without `frame.say` would let its Markdown in."""
    shown = re.compile(r"st\.(error|warning|info|caption|markdown|success|write)\((f?\"[^\"]*\{error|str\(error|error\b)")
    sources = [file for file in (ROOT / "genlab" / "dashboard").rglob("*.py") if file.name != "frame.py"]
    assert [str(file) for file in sources if shown.search(file.read_text())] == []


def test_the_server_keeps_to_itself() -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert config["server"]["address"] == "127.0.0.1"
    assert config["browser"]["gatherUsageStats"] is False
    assert config["server"].get("enableXsrfProtection", True)
    assert config["server"].get("enableCORS", True)
    for file in (ROOT / "genlab" / "dashboard").rglob("*.*"):
        addresses = set(re.findall(r"https?://[^\s\"'<]+", file.read_text())) if file.suffix not in (".pyc", ".npz") else set()
        assert addresses <= {"http://www.w3.org/2000/svg"}, file
