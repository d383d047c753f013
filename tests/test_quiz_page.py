"""The quiz's page, driven by Streamlit's own tester; its keys are pressed in test_quiz_browser.py."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from genlab import quiz_store
from genlab.dashboard import instructor
from genlab.dashboard.navigation import PAGES
from genlab.dashboard.plain import plain
from genlab.dashboard.quiz_game import Game
from genlab.errors import InputError
from genlab.lecture.quiz import OWN_FILE, load
from tests.pages import components, press, rerun

ROOT = Path(__file__).parent.parent
QUIZ = load(OWN_FILE)
PIN = "gänse 42"
KEYS = [question.answers for question in QUIZ.questions]


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GENLAB_QUIZ", raising=False)
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setenv(instructor.VARIABLE, PIN)
    instructor.lock.clear()


def opened() -> AppTest:
    # The door of an installed package, so that its links are looked for from there.
    app = AppTest.from_file(str(ROOT / "genlab" / "app.py"), default_timeout=60)
    app.switch_page(PAGES["quiz"].file)
    return rerun(app)


def answer(app: AppTest, letters: set[str]) -> AppTest:
    for box in app.checkbox:
        box.set_value(box.label[0] in letters)
    return press(app, "Check")


def unlocked(app: AppTest, pin: str) -> AppTest:
    app.text_input[-1].set_value(pin)
    return press(app, "Show all answers")


def said(app: AppTest) -> str:
    kinds = (app.info, app.success, app.warning, app.error, app.caption, app.markdown, app.header, app.title)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def test_from_the_first_question_to_the_review_and_the_missed_ones_again() -> None:
    app = opened()
    for position, key in enumerate(KEYS):
        assert app.header[0].value == plain(QUIZ.questions[position].text)
        assert [box.label for box in app.checkbox] == [f"{a}. {text}" for a, text in QUIZ.questions[position].options.items()]
        assert not any(box.value for box in app.checkbox)
        answer(app, key if position != 1 else {"a", "b", "c"})
        assert ("Exactly right" in said(app)) == (position != 1)
        for letter, sentence in QUIZ.questions[position].feedback.items():
            assert plain(sentence) in said(app), letter
        press(app, "Next question" if position < 5 else "To the review")
    assert metrics(app) == {"exactly right": "5 of 6", "partial credit, apart from that": "5.33 of 6"}
    assert "Ticked, but not in the key." in said(app)

    press(app, "Try again the one missed")
    assert app.header[0].value == plain(QUIZ.questions[1].text)
    press(answer(app, KEYS[1]), "To the review")
    assert metrics(app)["exactly right"] == "6 of 6"
    assert [button.label for button in app.button] == ["Start again", "Show all answers"]
    press(app, "Start again")
    assert app.header[0].value == plain(QUIZ.questions[0].text)


def test_nothing_ticked_is_no_answer_and_a_question_may_be_skipped() -> None:
    app = press(opened(), "Check")
    assert "Tick at least one letter" in said(app)
    press(app, "Skip")
    assert app.header[0].value == plain(QUIZ.questions[1].text)
    press(app, "Back")
    assert app.header[0].value == plain(QUIZ.questions[0].text)
    for _ in KEYS:
        press(app, "Skip")
    assert metrics(app) == {"exactly right": "0 of 6", "partial credit, apart from that": "0.00 of 6"}
    assert "Not answered" in said(app)
    assert "Try again the 6 missed" in {button.label for button in app.button}


def test_answers_are_kept_under_a_name_those_given_before_it_too() -> None:
    app = answer(opened(), {"c"})
    app.text_input[0].set_value(" Ada ")
    press(rerun(app), "Next question")
    answer(app, KEYS[1])
    assert "Not kept" not in said(app)
    assert quiz_store.recall("Ada", QUIZ) == {0: {"c"}, 1: KEYS[1]}

    other = opened()  # another browser
    other.text_input[0].set_value("Ada")
    rerun(other)
    assert other.header[0].value == plain(QUIZ.questions[2].text)  # goes on where it was left
    for _ in range(4):
        press(other, "Skip")
    assert metrics(other)["exactly right"] == "1 of 6"
    other.text_input[0].set_value("")
    press(rerun(other), "Start again")
    answer(other, {"a"})
    assert quiz_store.recall("Ada", QUIZ) == {0: {"c"}, 1: KEYS[1]}


def test_a_name_that_is_none_is_told() -> None:
    app = opened()
    app.text_input[0].set_value("\u200b")
    assert plain("name must have 1 to 60 visible characters; got 0") in said(rerun(app))
    answer(app, {"a"})
    assert quiz_store.export_csv().count("\n") == 1


def test_names_that_differ_in_capitals_are_told_of_each_other_and_ones_own_answers_are_ones_own() -> None:
    quiz_store.remember("ADA", QUIZ, 0, QUIZ.mark(0, {"b"}))
    quiz_store.remember("Bob", QUIZ, 0, QUIZ.mark(0, {"b"}))
    app = opened()
    app.text_input(key="quiz name").set_value("Ada")
    assert "answers are kept under ADA too" in said(rerun(app))
    assert not app.get("download_button")
    answer(app, {"a"})
    (button,) = app.get("download_button")
    assert button.proto.label == "My answers, as CSV (1)"
    assert [row["name"] for row in csv.DictReader(quiz_store.export_csv("Ada").splitlines())] == ["Ada"]


def test_a_game_goes_on_when_the_database_does_not(tmp_path: Path) -> None:
    game = Game(QUIZ)
    game.keep_as("Ada")
    file = tmp_path / "runs" / ".quiz" / "quiz.sqlite"
    for each in file.parent.glob("quiz.sqlite*"):
        each.unlink()
    file.mkdir()
    assert game.answer({"b"}).ticked == {"b"}
    assert "could not be used" in game.trouble
    file.rmdir()
    game.answer({"a"})
    assert game.trouble == ""
    assert quiz_store.recall("Ada", QUIZ) == {0: {"a"}}


def test_a_double_click_is_one_step() -> None:
    game = Game(QUIZ)
    game.go_back(0)
    game.go_on(0)
    game.go_on(0)
    assert (game.position, game.can_go_back) == (1, True)
    game.go_back(1)
    game.go_back(1)
    assert game.position == 0
    for position in range(6):
        game.go_on(position)
    assert game.position is None
    with pytest.raises(LookupError):
        game.answer({"a"})


def test_the_instructor_gets_all_answers() -> None:
    assert "No answer has been kept" in said(unlocked(opened(), PIN))
    quiz_store.remember("<b>=Eve</b>", QUIZ, 0, QUIZ.mark(0, {"a"}))
    app = opened()
    assert not app.get("download_button")
    assert len(unlocked(app, PIN).get("download_button")) == 1
    assert len(rerun(app).get("download_button")) == 1  # it stays open for this session
    assert next(csv.DictReader(quiz_store.export_csv().splitlines()))["name"] == "<b>=Eve</b>"


def test_nobody_else_does_and_few_may_be_tried() -> None:
    quiz_store.remember("Eve", QUIZ, 0, QUIZ.mark(0, {"a"}))
    for number in range(5):
        app = unlocked(opened(), f"wrong {number} 𝟘")
        assert "This is not the PIN." in said(app)
        assert not app.get("download_button")
    app = unlocked(opened(), PIN)  # the right one, but in another session too it is too late for a while
    assert re.search("too many wrong PINs were tried; the next one is looked at in [0-9]+ s", said(app))
    assert not app.get("download_button")


def test_wrong_pins_are_forgotten_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(instructor.time, "monotonic", lambda: now[0])
    lock = instructor.Lock(PIN)
    for _ in range(5):
        assert not lock.opens("x")
    with pytest.raises(InputError, match="looked at in 60 s"):
        lock.opens(PIN)
    now[0] += 60
    assert lock.opens(f" {PIN} ")


def test_a_server_without_a_pin_makes_one_and_tells_the_terminal_once(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.delenv(instructor.VARIABLE)
    lock, again = instructor.lock(), instructor.lock()
    told = re.findall(r"The instructor's PIN for the quiz: (\d{8}) ", capsys.readouterr().out)
    assert len(told) == 1
    assert lock is again
    assert lock.opens(told[0])


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("Nothing (in here) is special, is it? 1. No - not at all!", "Nothing (in here) is special, is it? 1. No - not at all!"),
        ("1. x", r"1\. x"),
        ("# x", r"\# x"),
        ("- x", r"\- x"),
        ("*a* _b_ [c](d)", r"\*a\* \_b\_ \[c\](d)"),
        ("$x$ <b> &amp; `c` \\", r"\$x\$ \<b\> \&amp; \`c\` \\"),
        (":red[x] : y", ":\u2060red\\[x\\] : y"),
    ],
)
def test_plain_escapes_what_markdown_reads_and_nothing_else(text: str, markdown: str) -> None:
    assert plain(text) == markdown


NASTY = "<img src=x onerror=alert(1)> **bold** :red[red] :material/home: $x^2$ [link](http://x) `code` :smile: # 1. *"
REPLACED = f"""
title: 'Mine {NASTY}'
questions:
  - text: 'Which? {NASTY}'
    options: {{a: '{NASTY}', b: 'no'}}
    answers: [a]
    feedback: {{a: '{NASTY}', b: 'no'}}
    argued: '{NASTY}'
    see: [{{page: nowhere, words: '{NASTY}'}}]
"""


def test_a_replaced_file_is_shown_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(REPLACED)
    monkeypatch.setenv("GENLAB_QUIZ", str(file))
    app = answer(opened(), {"a"})
    assert "which this dashboard does not have" in said(app)
    for element in (*app.title, *app.header, *app.markdown, *app.info, *app.caption):
        # Backslashes before all punctuation, an invisible character after a colon: nothing is left to be read as Markdown.
        assert not re.search(
            r"(?<!\\)[<$`\[]|(?<!\\):(?=red|material|smile)", str(element.value).replace(":red[✗]", "").replace(":green[✓]", "")
        ) or "GENLAB_" in str(element.value), element.value


def test_a_broken_file_is_told_and_can_be_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(REPLACED.replace("answers: [a]", "answers: [x]"))
    monkeypatch.setenv("GENLAB_QUIZ", str(file))
    app = opened()
    assert plain("line 6: answers must be letters of a, b; got 'x'") in said(app)
    file.write_text(REPLACED)
    press(app, "Read the file again")
    assert [box.label[0] for box in app.checkbox] == ["a", "b"]


def test_other_questions_in_mid_game_begin_another_game(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = press(answer(opened(), {"a"}), "Next question")
    (tmp_path / "mine.yaml").write_text(REPLACED)
    monkeypatch.setenv("GENLAB_QUIZ", str(tmp_path / "mine.yaml"))
    assert [box.label[0] for box in rerun(app).checkbox] == ["a", "b"]
    monkeypatch.delenv("GENLAB_QUIZ")
    assert rerun(app).header[0].value == plain(QUIZ.questions[1].text)


LINKS = [link for question in QUIZ.questions for link in question.links]
# What is seen there: the heading of the part, and of the scene.
SEEN = {
    "slanted_land?part=2": ["Can one neuron tell a face from noise?"],
    "slanted_land?part=4": ["What happens in one step?", "1 of 8: the discriminator looks at a real face"],
    "slanted_land?part=4&micro=7": ["What happens in one step?", "7 of 8: the error goes back through D"],
    "slanted_land?part=5": ["Does it learn to draw faces?"],
    "slanted_land?part=5&seed=8&step=5000": ["Does it learn to draw faces?"],
}


def test_the_pages_that_questions_lead_to_exist() -> None:
    assert [link.page for link in LINKS if link.page not in PAGES] == []
    links = QUIZ.questions[0].links
    labels = [link.proto.label for link in answer(opened(), KEYS[0]).get("page_link")]
    assert links
    assert all(any(link.words in label for label in labels) for link in links)
    assert {link.address for link in LINKS if link.page == "slanted_land"} == set(SEEN)


@pytest.mark.parametrize("address", SEEN)
def test_a_link_leads_to_the_very_part_and_scene(address: str) -> None:
    app = AppTest.from_file(str(ROOT / "genlab/dashboard/pages/slanted_land.py"), default_timeout=60)
    for name, value in parse_qsl(urlsplit(address).query):
        app.query_params[name] = value
    rerun(app)
    assert [each.value for each in (*app.header, *app.subheader)] == SEEN[address]
    if "step" in address:
        (reel,) = [json.loads(each.proto.json) for each in components(app) if "lanes" in each.proto.json]
        assert reel["steps"][reel["start"]] == 5000
        assert all("G draws faces" in words and "G ignores it" in words for words in (lane["words"][-1] for lane in reel["lanes"]))
