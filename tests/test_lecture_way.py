"""The lecture's way through the pages: every slide has its page, pages follow each other as slides do, and each says where it stands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from genlab.dashboard.navigation import FIRST, PAGES, next_of, previous_of
from tests.pages import rerun

ROOT = Path(__file__).parent.parent
SLIDES = range(3, 66)
WAY = [name for name, entry in PAGES.items() if entry.slides]


@pytest.fixture(autouse=True)
def no_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path / "runs"))


def opened(page):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    if page != FIRST:
        app.switch_page(PAGES[page].file)
    return rerun(app)


def test_every_slide_has_its_page() -> None:
    covered = {number for entry in PAGES.values() for each in entry.slides for number in range(each.first, each.last + 1)}
    assert covered == set(SLIDES)


def test_pages_follow_each_other_as_slides_do() -> None:
    begins = [PAGES[name].slides[0].first for name in WAY if name != FIRST]  # the map speaks of several, and stands before all
    assert begins == sorted(begins)


def test_the_way_is_the_same_forth_and_back() -> None:
    assert [next_of(name) for name in WAY] == [*WAY[1:], None]
    assert [previous_of(name) for name in WAY] == [None, *WAY[:-1]]
    beside = [name for name in PAGES if name not in WAY]
    assert all(next_of(previous_of(name) or FIRST) == next_of(name) for name in beside)


def test_slides_in_words() -> None:
    assert PAGES["theatre"].slides_in_words == "Slides 11–14, 16"
    assert PAGES["uses"].slides_in_words == "Slide 8"
    assert PAGES["runs"].slides_in_words == ""


@pytest.mark.parametrize("page", ["slow", "training"])
def test_a_page_says_its_slides_and_what_comes_next(page: str) -> None:
    app = opened(page)
    (link,) = [each for each in app.get("bidi_component") if each.proto.component_name == "genlab_link"]
    assert json.loads(link.proto.json)["slides"] == PAGES[page].slides_in_words
    following = PAGES[next_of(page)]
    (link,) = [each for each in app.get("page_link") if each.proto.label.startswith(":primary[Next:")]
    assert link.proto.label == f":primary[Next: {following.title} →]"
    assert link.proto.page == following.name
