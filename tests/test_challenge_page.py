"""The page "Real or generated?", driven by Streamlit's own tester; its keys are pressed in test_challenge_browser.py."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from genlab import challenge_store
from genlab.dashboard import instructor
from genlab.dashboard.challenge.charts import fooling_rates, two_rates
from genlab.dashboard.challenge.game import Game, Key
from genlab.dashboard.components.captcha import Answer, read
from genlab.dashboard.stage import challenge as stage
from genlab.dashboard.stage.challenge import Keeper, machines, painters, played_by, queue, real_pictures, round_of
from genlab.dashboard.stage.sources import Source
from genlab.measures.fooling import Share, tally
from tests.pages import components, press, rerun
from tests.test_challenge import played

PAGE = Path(__file__).parents[1] / "genlab/dashboard/pages/challenge.py"
PIN = "gänse 42"
DIGITS = Source("digits-pixelcnn", 0, "small digits, 8×8, comes with genlab")


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setenv(instructor.VARIABLE, PIN)
    instructor.lock.clear()


def opened(**query: str) -> AppTest:
    app = AppTest.from_file(str(PAGE), default_timeout=120)
    for name, value in {"model": DIGITS.name, **query}.items():
        app.query_params[name] = value
    return rerun(app)


def answered(app: AppTest, key: Key, called: np.ndarray[Any, Any], seconds: float = 18.0) -> AppTest:
    """The page after the browser has said which pictures it calls generated."""
    generated = round_of(DIGITS, *key[2:]).generated
    app.session_state["challenge"].answer(key, Answer(tuple(called.tolist()), seconds), tally(generated, ~called, seconds))
    return rerun(app)


def shown(app: AppTest) -> dict[str, Any]:
    (data,) = [json.loads(each.proto.json) for each in components(app) if each.proto.component_name == "genlab_captcha"]
    assert isinstance(data, dict)
    return data


def said(app: AppTest) -> str:
    kinds = (app.info, app.success, app.warning, app.error, app.caption, app.markdown, app.header)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


KEY: Key = (DIGITS.name, "grid", 9, 0, 1)


def test_a_round_tells_nothing_before_it_is_judged_and_all_of_it_afterwards() -> None:
    app = opened()
    assert shown(app)["truth"] is shown(app)["called"] is None
    assert "So far" not in said(app)
    generated = round_of(DIGITS, 9, 0, 1).generated
    called = generated.copy()
    called[0] = ~called[0]  # one mistake
    answered(app, KEY, called)
    assert shown(app)["truth"] == generated.tolist()
    assert shown(app)["called"] == called.tolist()
    assert shown(app)["task"] == "8 of 9 right."
    (beside,) = app.dataframe
    assert {"you", "log p by digits-pixelcnn"} <= set(beside.value["who"])
    assert beside.value["told rightly"][0].startswith("89% of 9 (95%: ")
    assert "real is what lies" in said(app)
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics["told rightly"].startswith("89% (")
    assert metrics["time a picture"] == "2.0 s"
    assert "digits-pixelcnn: " in said(app)
    press(app, "Next round")
    assert app.query_params["round"] in ("2", ["2"])
    assert shown(app)["truth"] is None
    assert not app.error


def test_a_lecturer_s_address_is_the_same_round_for_everybody() -> None:
    one, other = (shown(opened(seed="7", round="3", side="4")) for _ in range(2))
    assert one["values"] == other["values"]
    assert one["count"] == 16
    assert shown(opened(seed="8", round="3", side="4"))["values"] != one["values"]
    single = shown(opened(part="one", limit="1"))
    assert (single["kind"], single["count"], single["limit"]) == ("one", 10, 1)


def test_nonsense_in_the_address_is_not_heard() -> None:
    app = opened(model="spirals-flow", seed="-1", round="0", side="9", part="cellar")
    assert "spirals-flow" in said(app).replace("\\", "")
    assert shown(app)["id"].endswith(" grid 9 0 1")
    assert not app.error


def test_models_without_pictures_are_not_offered() -> None:
    names = [source.name for source in painters()]
    assert "digits-pixelcnn" in names
    assert "mnist-dcgan" in names
    assert not {"spirals-flow", "ring-gan2d", "sunspots-wave", "mnist-upscaled"} & set(names)


def test_nothing_but_the_model_gives_a_picture_away() -> None:
    """Real ones have the levels of generated ones, and no round shows what machines have learned from."""
    for source in (DIGITS, Source("mnist-vae-2d", 0, "")):
        real = real_pictures(source)
        images = round_of(source, 16, 1, 1)
        assert set(np.unique(images.images[~images.generated])) <= set(np.unique(real.shown))
        assert set(np.unique(images.images[images.generated])) <= set(np.unique(real.shown))
        learnt = {each.tobytes() for each in real.learnt}
        assert not [each for each in images.images[~images.generated] if each.tobytes() in learnt]


def test_a_machine_plays_the_very_round() -> None:
    (machine,) = [machine for machine in machines(DIGITS) if machine.source.name == DIGITS.name]
    came = played_by(machine, DIGITS, 9, 0, 1)
    assert (came.pictures, came.generated) == (9, int(round_of(DIGITS, 9, 0, 1).generated.sum()))
    assert came.seconds > 0


# --- what comes from a browser -----------------------------------------------------------------------------------------------------


def test_what_a_browser_says_is_checked() -> None:
    good = {"id": "x", "generated": [True, False], "seconds": [1.5]}
    assert read(good, "x", 2) == Answer((True, False), 1.5)
    assert read({**good, "seconds": [1, 2.5]}, "x", 2) == Answer((True, False), 3.5)
    wrong: list[Any] = [None, [], "x", {}, {**good, "id": "y"}]
    wrong += [{**good, "generated": value} for value in (None, [True], [1, 0], "ab", [True, None])]
    wrong += [{**good, "seconds": value} for value in (None, 3, [], [1, 2, 3], [-1], [float("nan")], [float("inf")], ["1"], [True], [1e9])]
    assert [read(each, "x", 2) for each in wrong] == [None] * len(wrong)


# --- names and the board -----------------------------------------------------------------------------------------------------------


def test_rounds_are_kept_under_a_name_those_played_before_it_too() -> None:
    app = opened()
    generated = round_of(DIGITS, 9, 0, 1).generated
    answered(app, KEY, generated)
    assert challenge_store.board() == []
    app.text_input(key="challenge name").set_value(" Ada ")
    rerun(app)
    assert [name for name, _ in challenge_store.board()] == ["Ada"]
    (button,) = app.get("download_button")
    assert button.proto.label == "My rounds, as CSV (1)"
    answered(app, (DIGITS.name, "grid", 9, 0, 2), generated)
    assert len(challenge_store.recall("Ada")) == 2

    other = opened()  # another browser: what counts is what was said first
    other.text_input(key="challenge name").set_value("Ada")
    answered(rerun(other), KEY, ~generated)
    assert challenge_store.recall("Ada")[0].tally.right == Share(9, 9)
    other.text_input(key="challenge name").set_value("ADA")
    assert "rounds are kept under Ada too" in said(rerun(other))
    assert challenge_store.recall("ADA") == []


def test_a_name_that_is_none_is_told() -> None:
    app = opened()
    app.text_input(key="challenge name").set_value("\u200b")
    assert "name must have 1 to 60 visible characters; got 0" in said(rerun(app))


def test_the_board_its_file_and_its_reset_need_the_pin() -> None:
    challenge_store.remember("<b>=Eve</b>", played(right=7))
    app = opened()
    assert not app.dataframe
    assert not app.get("download_button")
    assert "Empty the board" not in {button.label for button in app.button}
    app.text_input[-1].set_value("wrong")
    assert "This is not the PIN." in said(press(app, "Show the board"))
    assert not app.dataframe
    app.text_input[-1].set_value(PIN)
    press(app, "Show the board")
    (board,) = app.dataframe
    assert board.value["who"].tolist() == ["<b>=Eve</b>"]
    (button,) = app.get("download_button")
    assert button.proto.label == "All rounds, as CSV (1)"
    assert next(csv.DictReader(challenge_store.export_csv().splitlines()))["name"] == "<b>=Eve</b>"
    (empty,) = [button for button in app.button if button.label == "Empty the board"]
    assert empty.disabled
    app.checkbox(key="sure").set_value(True)
    press(rerun(app), "Empty the board")
    assert "The board is empty: 1 round is gone." in said(app)
    assert challenge_store.board() == []
    assert "Nobody has played under a name yet." in said(app)


def test_a_game_goes_on_when_the_database_does_not(tmp_path: Path) -> None:
    game = Game()
    game.keep_as("Ada")
    folder = tmp_path / "runs" / ".quiz"
    for each in folder.glob("challenge.sqlite*"):
        each.unlink()
    (folder / "challenge.sqlite").mkdir()
    came = played().tally
    game.answer(KEY, Answer((False,) * 9, 1.0), came)
    assert "could not be used" in game.trouble
    assert game.total == came
    (folder / "challenge.sqlite").rmdir()
    game.answer(KEY, Answer((True,) * 9, 1.0), played(right=1).tally)  # what was revealed does not count again
    assert game.total == came


def test_another_name_takes_nothing_of_the_last_one_s() -> None:
    game = Game()
    game.answer(KEY, Answer((False,) * 9, 1.0), played().tally)
    game.keep_as("Ada")
    game.keep_as("Bob")
    assert (game.name, game.total.rounds) == ("Bob", 0)
    assert [name for name, _ in challenge_store.board()] == ["Ada"]
    game.keep_as("Ada")
    assert game.by_model == {"digits-pixelcnn": played().tally}


# --- the door ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pictures before a door, for a quick look."""
    monkeypatch.setattr(stage, "AT_THE_DOOR", 60)
    yield
    stage._judged.clear()  # type: ignore[attr-defined]


@pytest.mark.usefixtures("few")
def test_a_discriminator_guards_a_door_against_its_generator_and_others() -> None:
    dcgan = next(source for source in painters() if source.name == "mnist-dcgan")
    waiting = queue(Keeper(dcgan, True))
    assert next(iter(waiting.generated)) == "mnist-dcgan"
    assert len(waiting.real) == 500
    means = {name: scores.mean() for name, scores in waiting.generated.items()}
    assert waiting.real.mean() > max(means.values())


@pytest.mark.usefixtures("few")
def test_the_door_shows_two_rates_that_move_together() -> None:
    app = opened(part="door", guard="digits-pixelcnn.classifier", welcome="100")
    assert [metric.value[:4] for metric in app.metric if metric.label == "real, let in"] == ["100%"]
    kind = {metric.label: metric.value for metric in app.metric}
    app.slider[0].set_value(20)
    rerun(app)
    strict = {metric.label: metric.value for metric in app.metric}
    assert all(int(strict[name].split("%")[0]) <= int(kind[name].split("%")[0]) for name in kind)
    assert len(app.get("vega_lite_chart")) == 1
    assert "did not learn from it" in said(app)
    assert not app.error


def test_charts_hold_what_was_counted() -> None:
    rows = max(fooling_rates({"a": Share(3, 10), "b": Share(0, 0)}).to_dict()["datasets"].values(), key=lambda rows: len(rows[0]))
    assert [(row["model"], row["rate"], row["shown"]) for row in rows] == [("a", 0.3, 10)]
    real, generated = np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.5])
    chart = two_rates(real, {"g": generated}, 1.0).to_dict()["datasets"].values()
    assert [row for rows in chart for row in rows if set(row) == {"generator", "let in", "real"}] == [
        {"generator": "g", "let in": 0.0, "real": pytest.approx(2 / 3)}
    ]
