"""Every page of the dashboard, driven by Streamlit's own tester: alive without a click, honest about faults, unmoved by nonsense."""

import base64
import gc
import io
import json
import re
import sys
import tomllib
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from streamlit.testing.v1 import AppTest

import genlab
from genlab import proofs, runs, sampling
from genlab.causal import GraphBuilder
from genlab.causal.logistic_mixture import DiscretizedLogisticMixture
from genlab.dashboard import charts, long_lived, uploads
from genlab.dashboard.components import pad
from genlab.dashboard.components.pad import Drawing
from genlab.dashboard.components.race import Race, Runner, run_race
from genlab.dashboard.components.theatre import Place, draw_records, read_place, score_records
from genlab.dashboard.components.tree import _as_data, models_of
from genlab.dashboard.navigation import FIRST, PAGES, SECTIONS
from genlab.dashboard.proof_button import LABELS
from genlab.dashboard.sampling_slot import SAMPLING_SLOT
from genlab.dashboard.stage import causal, front, sources, uses
from genlab.dashboard.taxonomy import TREE
from genlab.datasets.test_digits import ALL, COUNT, mnist_test_digits
from genlab.models import entries
from genlab.models.causal.own import of_graph
from genlab.proofs import Proof
from genlab.settings import DataSettings
from tests.pages import components, press, rerun
from tests.photographs import photograph

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def no_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path / "runs"))


def opened(page, **query):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for name, value in query.items():
        app.query_params[name] = str(value)
    if page != FIRST:
        app.switch_page(PAGES[page].file)
    return rerun(app)


def in_address(app):
    return {name: value if isinstance(value, str) else value[0] for name, value in app.query_params.items()}


def a_run(name="mine", **settings):
    """A run folder with random weights."""
    torch.manual_seed(0)
    model = genlab.create_model("pixelcnn", **{"image_shape": (1, 8, 8), "levels": 17, "channels": 2, "blocks": 1, **settings})
    run = runs.Run(runs.runs_folder() / name)
    run.path.mkdir(parents=True)
    data = {"name": "digits", "levels": None, "binarize": None, "size": None, "seed": 0, "record": {}}
    runs.write_config(run, {"model": model.config, "data": data, "training": {}, "seed": 0})
    runs.save_model(model, run.checkpoint_path)
    return run


# --- every page ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_alive_without_a_click(page):
    app = opened(page)
    assert len(app.title) == 1
    assert not app.error
    assert [each for each in app.get("bidi_component") if each.proto.component_name == "genlab_link"]


def test_every_page_is_in_the_sidebar_and_every_script_is_a_page():
    scripts = {path.stem for path in (ROOT / "genlab" / "dashboard" / "pages").glob("*.py")}
    assert scripts == set(PAGES)
    assert sum(len(entries) for entries in SECTIONS.values()) == len(PAGES)


def test_the_map_opens_real_pages_and_says_what_is_not_here():
    app = opened("map")
    assert len(components(app)) == 3  # fresh digits, the tree, the lecture's way
    assert models_of(TREE) >= {"mnist-pixelcnn", "mnist-flow", "mnist-vae", "mnist-dcgan"}
    leaf = _as_data(TREE, {"theatre": "Pixel theatre"}, {})["branches"][0]["branches"][0]["branches"]
    assert [(door["page"], door["title"]) for door in leaf[0]["doors"]] == [("theatre", "Pixel theatre")]
    assert leaf[1]["doors"] == []
    assert re.search(r"To draw 24 took [\d.]+ m?s, with a network of [\d,]+ parameters", app.caption[0].value)
    assert any(each.value.startswith("In this order **Next** leads") for each in app.markdown)


def test_fresh_digits_differ_from_the_last():
    first, again = front.front_digits(0), front.front_digits(1)
    assert first[0].shape == again[0].shape
    assert not np.array_equal(first[0], again[0])


# --- the theatre -----------------------------------------------------------------------------------------------------------------


def test_real_digits_are_scored_and_not_drawn():
    app = opened("theatre")
    assert len(components(app)) == 4  # the theatre, the receptive field, real digits and their bits
    app.segmented_control[0].set_value("real")
    rerun(app)
    source = sources.sources()[0]
    records, words = causal.real(source)
    assert records.real
    assert "never saw" in words
    images = records.values.reshape(-1, *records.image_shape)  # one channel
    expected = -genlab.log_prob(sources.model_of(source), images) / np.log(2)
    np.testing.assert_allclose(records.bits.sum(1), expected, rtol=1e-4)


def test_what_the_theatre_plays_is_what_the_model_expected():
    torch.manual_seed(0)
    model = genlab.create_model("pixelcnn", image_shape=(3, 4, 5), levels=7, channels=3, blocks=1)
    records = draw_records(model, images=6, seed=3)
    drawn = genlab.sample(model, 6, seed=3)
    assert np.array_equal(records.values.reshape(6, 4, 5, 3), drawn.transpose(0, 2, 3, 1))
    assert records.probabilities.shape == (6, 60, 7)
    np.testing.assert_allclose(records.probabilities.sum(-1), 1, rtol=1e-6)
    chosen = np.take_along_axis(records.probabilities, records.values[..., None].astype(int), -1)[..., 0]
    np.testing.assert_allclose(records.bits, -np.log2(chosen), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(records.bits.sum(1), -genlab.log_prob(model, drawn) / np.log(2), rtol=1e-4)
    assert ((records.entropy >= 0) & (records.entropy <= np.log2(7) + 1e-6)).all()


def test_a_model_of_many_levels_sends_fewer_images():
    model = genlab.create_model("pixelcnn", image_shape=(1, 28, 28), levels=256, channels=1, blocks=0)
    records = draw_records(model, images=32, seed=0)
    assert len(records.values) == 7
    assert records.probabilities.size <= 1_500_000


def test_colours_are_drawn_channel_by_channel_or_as_one_pixel_as_the_model_does() -> None:
    assert draw_records(genlab.create_model("pixelcnn", image_shape=(3, 4, 4), channels=2, blocks=0), images=1, seed=0).together == 1
    builder, mixture = GraphBuilder((3, 4, 4)), DiscretizedLogisticMixture(4, 2)
    seen = builder.relu("seen", builder.conv("input", builder.image, 6, kernel_size=3, mask_type="A"))
    model = of_graph(builder.build(builder.conv("output", seen, mixture.output_channels(3)), mixture))
    records = draw_records(model, images=2, seed=0)
    assert records.together == 3
    np.testing.assert_allclose(records.probabilities.sum(-1), 1, rtol=1e-5)
    images = genlab.sample(model, 2, seed=0)
    np.testing.assert_allclose(records.bits.sum(1), -genlab.log_prob(model, images) / np.log(2), rtol=1e-4)


def test_the_race_is_run_there_and_then():
    app = press(opened("slow", model="digits-pixelcnn"), "Race them")  # 8×8: the textbook's way is soon home
    assert len(components(app)) == 2
    result = app.session_state["race"][1]
    assert [runner.backend for runner in result.runners] == ["native", "torch", "jacobi", "naive"]
    passes = [runner.passes for runner in result.runners]
    assert passes[0] == passes[1] == 1 < passes[2] < passes[3] == 8 * 8
    assert all(runner.stamps[-1][0] > 0 for runner in result.runners)
    press(app, "Race them")
    assert app.session_state["race"][2] == 2


def test_who_is_not_home_in_time_is_stopped_where_it_is():
    torch.manual_seed(0)
    model = genlab.create_model("pixelcnn", image_shape=(1, 12, 8), levels=3, channels=4, blocks=1)
    result = run_race(model, images=2, seed=0, seconds_at_most=0)
    native, *others = result.runners
    assert native.finished
    assert not any(runner.finished for runner in others if runner.backend != "jacobi")  # which may need one pass alone
    assert others[-1].stamps[-1][1] == pytest.approx(1 / 12)
    assert "the textbook's way was stopped, 8% of the way" in result.sentence
    finished = run_race(model, images=2, seed=0, seconds_at_most=1000)
    assert finished.alike == 2
    assert "2 come out alike in all 4 lanes." in finished.sentence
    assert 1 <= finished.runners[2].passes <= 96 == finished.runners[3].passes
    assert "2 images, drawn " in finished.sentence
    assert np.array_equal(finished.images, genlab.sample(model, 2, seed=0))


def test_every_causal_system_of_the_catalogue_shows_what_waits_for_what_and_can_race() -> None:
    app = opened("slow")
    (grids,) = [each for each in components(app) if each.proto.component_name == "genlab_waits"]
    wanted = [entry.name for entry in entries() if entry.abilities >= PAGES["slow"].needs]
    for group in json.loads(grids.proto.json)["groups"]:
        assert list(dict.fromkeys(panel["title"] for panel in group["panels"])) == wanted
        assert all(len(panel["at"]) == panel["width"] * panel["height"] == len(panel["waits"]) for panel in group["panels"])
    assert not [caption.value for caption in app.caption if "is not shown" in caption.value]
    assert set(app.selectbox[0].options) >= {f"{name}, untrained" for name in wanted}
    app.selectbox[0].select(wanted[-1])
    assert "draws noise" in rerun(app).warning[0].value


def test_a_race_says_one_share_of_who_was_stopped():
    runners = [Runner("native", [(0.01, 1.0)], True), Runner("naive", [(2.0, 1 / 28)], False)]
    race = Race((1, 28, 28), 2, np.zeros((1, 1, 28, 28), np.uint8), runners, 1)
    assert "stopped, 3% of the way" in race.sentence  # 3.57: its lane rounds down too


EXACT = [LABELS[name] for name in ("no_leak", "sums_to_one", "samples_fit", "native_is_torch")]
"""What the theatre proves; the labs of other families prove the rest."""


def test_each_claim_is_proved_at_the_press_of_a_button():
    app = opened("theatre")
    for number, label in enumerate(EXACT, 1):
        press(app, label)
        assert len(app.success) == number
        assert app.success[-1].value.startswith("**Holds.**")
        assert "The check took" in app.success[-1].value


def test_what_cannot_be_decided_is_neither_held_nor_refuted(monkeypatch):
    monkeypatch.setattr(proofs, "samples_fit", lambda model: Proof(None, "Too few draws are expected.", {}, 0.1))
    app = press(opened("theatre"), LABELS["samples_fit"])
    assert "**Cannot be decided.** Too few draws are expected." in app.info[0].value
    assert not app.success
    assert not app.error


def test_a_claim_that_cannot_be_checked_here_says_why():
    a_run(image_shape=(3, 4, 4), levels=256)
    app = press(opened("theatre", run="mine"), LABELS["sums_to_one"])
    assert "This cannot be checked here: model must have few enough levels" in app.warning[0].value
    assert set(EXACT) <= {button.label for button in app.button}  # and the page goes on


@pytest.mark.parametrize(
    "said",
    [
        None,
        "x",
        {"id": "another", "image": 1, "row": 1, "column": 1},
        {"id": "me", "image": 99, "row": 1, "column": 1},
        {"id": "me", "image": 1, "row": -1, "column": 1},
        {"id": "me", "image": 1, "row": 1.0, "column": 1},
        {"id": "me", "image": True, "row": 1, "column": 1},
        {"id": "me", "row": 1, "column": 1},
    ],
)
def test_nonsense_from_the_browser_points_at_no_pixel(said):
    model = genlab.create_model("pixelcnn", image_shape=(1, 4, 6), levels=3, channels=2, blocks=0)
    records = score_records(model, genlab.sample(model, 3))
    assert read_place(said, "me", records) is None
    assert read_place({"id": "me", "image": 2, "row": 3, "column": 5}, "me", records) == Place(2, 3, 5)


# --- whose model -----------------------------------------------------------------------------------------------------------------


def test_runs_of_ones_own_can_be_chosen_by_address():
    a_run("older")
    a_run("mine")
    words = [source.words for source in sources.sources()]
    assert words[0].endswith("comes with genlab")
    assert set(words[-2:]) == {"run older", "run mine"}
    app = opened("theatre", run="mine")
    assert app.selectbox[0].value == "mine"


@pytest.mark.parametrize("asked", ["../../etc", "<b>x</b>", "gone"])
def test_a_run_that_is_not_here_is_told(asked):
    a_run()
    app = opened("theatre", run=asked)
    assert "not here" in app.warning[0].value


def test_broken_weights_are_told_in_a_sentence():
    run = a_run()
    run.checkpoint_path.write_bytes(b"no weights")
    for page in ("theatre", "completion", "temperature"):
        assert "is torn or not a safetensors file" in opened(page, run="mine").error[0].value


def test_a_model_in_colour_is_drawn_and_completed_in_colour():
    a_run(image_shape=(3, 8, 8), levels=4)
    app = opened("completion", model="mine")
    assert len(components(app)) == 2
    assert not app.file_uploader  # a picture of ink is of no use to it
    assert "12 completions of 96 values each" in app.caption[0].value
    assert " a value." in components(opened("theatre", model="mine"))[0].proto.json


# --- completion ------------------------------------------------------------------------------------------------------------------


def test_twelve_completions_keep_what_was_given():
    app = opened("completion")
    assert len(components(app)) == 2  # the pad and the wall
    source = sources.sources()[0]
    shape = sources.model_of(source).image_shape
    given = sources.held_out(source)[0][3]
    images, bits, _ = causal.completions(source, given.tobytes(), shape[1] // 2, 1.0, 0)
    assert images.shape == (12, *shape)
    assert (images[:, :, : shape[1] // 2] == given[:, : shape[1] // 2]).all()
    assert len(np.unique(images, axis=0)) > 6
    whole, none = (causal.completions(source, given.tobytes(), rows, 1.0, 0) for rows in (0, shape[1]))
    np.testing.assert_allclose(whole[1], -genlab.log_prob(sources.model_of(source), whole[0]) / np.log(2), rtol=1e-4)
    assert (none[0] == given).all()
    assert (none[1] == 0).all()
    assert (bits > 0).all()


def test_another_digit_other_draws_another_temperature():
    app = press(press(opened("completion"), "Another digit"), "Draw others")
    app.slider[0].set_value(0.5)
    assert in_address(rerun(app)) == {"digit": "1", "seed": "1", "temperature": "0.5"}


def test_a_strangers_picture_goes_on_the_pad_and_anything_else_is_refused():
    app = opened("completion")
    app.file_uploader[0].upload("seven.png", picture(), "image/png")
    assert not rerun(app).error
    app.file_uploader[0].upload("seven.png", b"<svg onload='alert(1)'/>", "image/png")
    assert "its content is an SVG drawing" in rerun(app).error[0].value
    assert len(components(app)) == 2  # and the page goes on with a digit of its own


def test_a_photograph_of_a_digit_goes_on_the_pad_and_its_threshold_can_be_slid():
    app = opened("completion")
    app.file_uploader[0].upload("seven.jpg", photograph(), "image/jpeg")
    assert not rerun(app).error
    seven = pad.from_text(in_address(app)["drawing"], (1, 28, 28), 2).levels[0]
    rows, columns = np.flatnonzero(seven.any(1)), np.flatnonzero(seven.any(0))
    assert 19 <= rows[-1] - rows[0] + 1 <= 21  # as MNIST's digits are fitted
    assert seven[rows[0] + 1].sum() > 6 > 4 >= seven[rows[-1] - 2].sum()  # its bar is above, its stem below
    assert len(app.get("image")) == 1
    slider = next(slider for slider in app.slider if slider.label == "ink begins at")
    slider.set_value(0.9)
    assert "slide it" in rerun(app).error[0].value
    assert columns.size
    press(app, "Another digit")  # and the upload is gone
    assert "drawing" not in in_address(app)
    assert not app.get("image")


def test_of_uploaded_files_the_server_keeps_few_whoever_sends_them():
    manager = MemoryUploadedFileManager("/upload")
    uploads._bound(manager)
    for number in range(60):
        manager.add_file(f"session {number % 7}", UploadedFileRec(f"file {number}", "a.png", "image/png", b"x" * (9 << 20)))
    kept = [len(files) for files in manager.file_storage.values()]
    assert sum(kept) == uploads.BYTES_AT_MOST // (9 << 20)
    assert manager.get_files("session 3", ["file 59"])


def picture():
    image = Image.new("L", (40, 40), 255)
    image.paste(0, (10, 5, 15, 35))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def encoded(levels):
    return base64.b64encode(np.asarray(levels, np.uint8).tobytes()).decode()


@pytest.mark.parametrize(
    "said",
    [
        None,
        [],
        {"id": "me", "rows": 4, "values": encoded([1] * 6)},
        {"id": "me", "rows": -1, "values": encoded([1] * 6)},
        {"id": "me", "rows": True, "values": encoded([1] * 6)},
        {"id": "me", "rows": "1", "values": encoded([1] * 6)},
        {"id": "me", "rows": 1, "values": encoded([1] * 5)},
        {"id": "me", "rows": 1, "values": encoded([7] * 6)},
        {"id": "me", "rows": 1, "values": "no base64!"},
        {"id": "me", "rows": 1, "values": "A" * 100_000},
        {"id": "me", "rows": 1, "values": 5},
        {"id": "me", "rows": 1},
    ],
)
def test_nonsense_from_the_browser_leaves_the_pad_as_it_was(said):
    assert pad.read(said, 7, Drawing(np.zeros((1, 3, 2), np.uint8), 2)) is None


def test_what_was_drawn_arrives():
    drawing = pad.read({"rows": 3, "values": encoded([0, 1, 2, 3, 4, 6])}, 7, Drawing(np.zeros((1, 3, 2), np.uint8), 2))
    assert drawing.rows == 3
    assert drawing.levels.tolist() == [[[0, 1], [2, 3], [4, 6]]]
    # Colours come pixel by pixel.
    coloured = pad.read({"rows": 0, "values": encoded([0, 1, 2, 3, 4, 5])}, 7, Drawing(np.zeros((3, 1, 2), np.uint8), 1))
    assert coloured.levels.tolist() == [[[0, 3]], [[1, 4]], [[2, 5]]]
    assert pad.from_text(coloured.as_text(), (3, 1, 2), 7).levels.tolist() == coloured.levels.tolist()


def test_a_drawing_in_the_address_is_a_drawing_or_nothing():
    shape = (1, 28, 28)
    drawing = Drawing(np.random.default_rng(0).integers(0, 2, shape, np.uint8), 14)
    text = drawing.as_text()
    assert len(text) < 300
    again = pad.from_text(text, shape, 2)
    assert (again.rows, again.levels.tolist()) == (14, drawing.levels.tolist())
    bomb = f"14.{base64.urlsafe_b64encode(zlib.compress(bytes(10**7), 9)).decode()[:7000]}"
    nonsense = [
        "",
        ".",
        "x",
        "14",
        "14.",
        "14.!!!",
        "29" + text[2:],
        "-1" + text[2:],
        "9" * 5000 + text[2:],
        text[:-40],
        "²." + text[3:],
        bomb,
    ]
    assert [each for each in nonsense if pad.from_text(each, shape, 2) is not None] == []
    assert pad.from_text(text, (1, 8, 8), 2) is None  # of another model
    assert Drawing(np.random.default_rng(0).integers(0, 255, (3, 128, 128), np.uint8), 0).as_text() is None


def test_what_was_chosen_is_found_again_on_other_pages_and_in_a_second_browser():
    a_run()
    drawing = Drawing(np.eye(8, dtype=np.uint8)[None], 3).as_text()
    chosen = {"model": "mine", "drawing": drawing, "temperature": "0.5", "seed": "2"}
    app = opened("completion", **chosen)
    assert in_address(app) == chosen
    for page, taken_along in (("theatre", {"model": "mine"}), ("quiz", {}), ("completion", chosen)):
        app.query_params.clear()  # as the sidebar's links do
        app.switch_page(PAGES[page].file)
        assert in_address(rerun(app)) == taken_along
    second = opened("completion", **chosen)
    assert second.slider[0].value == 0.5
    assert second.selectbox[0].value == "mine"
    # "Another digit" takes the drawing off the pad, whatever it came from.
    assert in_address(press(second, "Another digit")) == {"model": "mine", "temperature": "0.5", "seed": "2", "digit": "1"}


def test_a_pixel_in_the_address_is_what_the_theatre_looks_at():
    seen = json.loads(components(opened("theatre", image=2, pixel="3,4"))[0].proto.json)
    assert (seen["image"], seen["sight"]["row"], seen["sight"]["column"], seen["sees"]) == (1, 2, 3, True)
    for nonsense in ("99,99", "x", "1", "0,0", "nan,1"):
        unasked = json.loads(components(opened("theatre", image=0, pixel=nonsense))[0].proto.json)
        assert (unasked["sees"], unasked["sight"]) == (True, None)  # sent before it is computed


# --- what it is good for ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("use", "walls"), [("class", 1), ("small", 3), ("grey", 3)])
def test_each_use_shows_many_answers_at_once_and_the_command_for_them(use, walls):
    app = opened("uses", use=use)
    assert len(components(app)) == walls
    assert not app.warning
    assert app.code[0].value.startswith("genlab sample ")
    assert f"{uses.ANSWERS} drawn in " in app.caption[0].value
    shown = json.loads(components(app)[-1].proto.json)
    assert len(shown["words"]) == shown["count"] == uses.ANSWERS


def test_a_series_goes_on_in_a_fan_of_futures():
    app = opened("uses", use="series")
    assert len(app.get("vega_lite_chart")) == 1
    assert app.code[0].value.startswith("genlab simulate sunspots-wave ")
    [source] = uses.sources_of(uses.USES["series"])
    data, _, _ = uses.of_past(source, 0, 0)
    assert data.futures.shape == (uses.FUTURES, len(data.came))
    assert data.start == pytest.approx(1749 + (3177 - 264) / 12)
    low, high = np.quantile(data.futures, [0.025, 0.975], axis=0)
    assert 0.7 < ((low <= data.came) & (data.came <= high)).mean() <= 1
    press(app, "Another past")


def test_what_is_drawn_for_a_use_costs_what_it_says():
    source = uses.sources_of(uses.USES["small"])[0]
    true, shown, cost, answers = uses.of_condition(source, 2, 0)
    model = sources.model_of(source)
    assert (shown == model.condition.of(true[None])[0]).all()
    assert cost == pytest.approx(-genlab.log_prob(model, true[None], condition=shown)[0] / np.log(2))
    np.testing.assert_allclose(answers.bits, -genlab.log_prob(model, answers.images, condition=shown) / np.log(2))
    shares = uses.believed(uses.sources_of(uses.USES["class"])[0], 7, 0)
    np.testing.assert_allclose(shares.sum(1), 1)
    assert (shares.argmax(1) == 7).mean() > 0.5


def test_a_run_that_must_be_told_something_is_offered_where_it_is_told():
    a_run("classy", classes=10)
    a_run("blurred", given="small")
    assert not {"classy", "blurred"} & {source.name for source in sources.sources()}
    assert [source.name for source in uses.sources_of(uses.USES["class"])] == ["mnist-by-class", "classy"]
    app = opened("uses", use="small", model="blurred")
    assert app.selectbox[0].value == "blurred"
    assert not app.error
    assert "only when it is shown an image" in opened("theatre", model="blurred").warning[0].value


@pytest.mark.parametrize("page", ["theatre", "completion", "temperature", "slow"])
def test_a_class_conditional_model_is_told_a_class_on_every_page_that_draws(page: str) -> None:
    a_run("classy", classes=10)
    app = opened(page, model="classy", label="3")
    assert not app.error
    assert [box.value for box in app.selectbox if box.label == "class"] == [3]
    [box] = [box for box in app.selectbox if box.label == "class"]
    box.select(7)
    assert not rerun(app).error
    assert app.query_params["label"] in ("7", ["7"])


def test_what_is_shown_of_a_class_is_drawn_and_scored_given_it() -> None:
    run = a_run("classy", classes=10)
    source = sources.Source(str(run.path), 1, "mine", label=3)
    records, model = causal.drawn(source, 0), sources.model_of(source)
    images = genlab.sample(model, causal.IMAGES, seed=0, labels=3)
    np.testing.assert_array_equal(records.values, images.reshape(len(images), -1))
    np.testing.assert_allclose(records.bits.sum(1), -genlab.log_prob(model, images, labels=3) / np.log(2), rtol=1e-4)
    shown, words = sources.held_out(source)
    data = genlab.load_dataset("digits", **{key: run.config["data"][key] for key in ("levels",) if key in run.config["data"]})
    np.testing.assert_array_equal(shown, data.test.images[data.test.labels == 3])
    assert words.startswith("those of class 3 among ")


# --- temperature -----------------------------------------------------------------------------------------------------------------


def test_the_colder_the_cheaper():
    app = opened("temperature")
    assert len(app.get("vega_lite_chart")) == 1
    source = sources.sources()[0]
    means = [causal.heated(source, value, 0)[1].mean() for value in causal.TEMPERATURES]
    assert means == sorted(means)
    press(app, "Draw others")


# --- real digits that come with genlab -------------------------------------------------------------------------------------------


def test_mnists_test_digits_follow_the_rules_of_the_data():
    native = mnist_test_digits(DataSettings(name="mnist"))
    assert native.shape == (COUNT, 1, 28, 28)
    assert native.max() == 255
    threshold = mnist_test_digits(DataSettings(name="mnist", binarize="threshold"))
    assert np.array_equal(threshold, native >= 128)
    assert mnist_test_digits(DataSettings(name="mnist", levels=4)).max() == 3
    dynamic = mnist_test_digits(DataSettings(name="mnist", binarize="dynamic"))
    assert set(np.unique(dynamic)) == {0, 1}
    assert (dynamic[native == 0] == 0).all()
    assert (dynamic[native == 255] == 1).all()
    many = mnist_test_digits(DataSettings(name="mnist", binarize="dynamic"), ALL)
    assert np.array_equal(many[:COUNT], dynamic)  # more of them are more of the same
    assert len(many) == ALL


def test_a_model_of_mnist_is_shown_digits_that_come_with_genlab(monkeypatch):
    monkeypatch.setenv("GENLAB_DATA_DIR", "/nowhere")
    run = a_run(image_shape=(1, 28, 28), levels=2)
    config = run.config
    config["data"] |= {"name": "mnist", "binarize": "dynamic"}
    del config["format"]
    runs.write_config(run, config)
    images, words = sources.held_out(sources.Source(str(run.path), 1, "mine"))
    assert images.shape == (COUNT, 1, 28, 28)
    assert "MNIST's test images" in words
    crowd, labels, words = sources.held_out_crowd(sources.Source(str(run.path), 1, "mine"))
    assert len(crowd) == len(labels) == ALL
    assert np.array_equal(crowd[:COUNT], images)
    assert f"first {ALL:,} of MNIST's" in words


def test_pictures_of_the_dashboard_name_no_outside():
    for file in (ROOT / "genlab" / "dashboard").glob("*.svg"):
        assert "href" not in file.read_text()
    with Image.open(ROOT / "genlab" / "datasets" / "mnist_test_digits.png") as picture:
        assert picture.size == (28, 28 * ALL)


def test_of_all_visitors_one_draws_at_a_time(monkeypatch):
    drawing, most, held = 0, 0, []

    def watched(*arguments, **options):
        nonlocal drawing, most
        drawing += 1
        most = max(most, drawing)
        held.append(SAMPLING_SLOT.locked())
        images = honest(*arguments, **options)
        drawing -= 1
        return images

    honest = sampling.sample
    monkeypatch.setattr(sampling, "sample", watched)
    monkeypatch.setattr(SAMPLING_SLOT, "patience", 60)
    source = sources.sources()[-1]
    with ThreadPoolExecutor(4) as visitors:
        list(visitors.map(lambda seed: causal.heated.__wrapped__(source, 1.0, seed), range(4)))
    assert held == [True] * 4
    assert most == 1


def test_modules_are_frozen_when_some_have_come_and_not_at_every_rerun(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen: list[bool] = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(True))
    monkeypatch.setattr(long_lived, "_modules_seen", 0)
    long_lived.spare_modules()
    long_lived.spare_modules()
    assert len(frozen) == 1
    monkeypatch.setitem(sys.modules, "one_more", ModuleType("one_more"))
    long_lived.spare_modules()
    assert len(frozen) == 2


def test_the_front_door_freezes_what_it_has_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_lived, "_modules_seen", 0)
    gc.unfreeze()  # what earlier tests' pages have frozen
    assert not AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run().exception
    assert gc.get_freeze_count() > 10_000


def test_charts_are_legible_in_both_themes() -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    for scheme in ("light", "dark"):
        ink, paper = config["theme"][scheme]["textColor"], config["theme"][scheme]["backgroundColor"]
        chart = charts.legible(charts.bits_by_temperature({1.0: np.ones(2)}, real=1.0), ink=ink, paper=paper)
        said = chart.to_dict()["config"]
        for part in ("axis", "legend", "header"):
            for words in ("labelColor", "titleColor"):
                assert contrast(said[part][words], paper) >= 4.5
        assert said["background"] == "transparent"


def test_no_page_shows_a_chart_past_the_one_place_that_makes_it_legible() -> None:
    dashboard = Path(charts.__file__).parent
    assert [file.name for file in dashboard.rglob("*.py") if "st.altair_chart(" in file.read_text(encoding="utf-8")] == ["charts.py"]


def contrast(one: str, other: str) -> float:
    """Of two colours ``#rrggbb``, as WCAG has it."""

    def luminance(colour: str) -> float:
        shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)
