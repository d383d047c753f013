"""Present mode, what saves pictures, and the classroom's page: as Streamlit's tester sees them, and once with keys in a browser."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import altair as alt
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page
from streamlit.testing.v1 import AppTest

from genlab import classroom
from genlab.dashboard.components import _kinds_of_arrays, base64
from genlab.dashboard.components.save import _rows_of
from genlab.dashboard.navigation import PAGES, next_of
from tests.browser import Server
from tests.pages import rerun

ROOT = Path(__file__).parents[1]
PAGE = "runs"


@pytest.fixture(autouse=True)
def _own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path / "runs"))


def opened(page: str, **address: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=240)
    app.switch_page(PAGES[page].file)
    for name, value in address.items():
        app.query_params[name] = value
    return rerun(app)


def shown(app: AppTest, component: str) -> list[dict[str, Any]]:
    """What was sent to a component of that name."""
    return [json.loads(each.proto.json) for each in app.get("bidi_component") if each.proto.component_name == component]


def test_present_mode_is_in_the_address_and_stays_from_page_to_page() -> None:
    app = opened(PAGE, present="1")
    assert shown(app, "genlab_podium")
    del app.query_params["present"]  # as a link does that leads to another page
    rerun(app.switch_page(PAGES["classroom"].file))
    assert app.query_params["present"] == "1"
    assert shown(app, "genlab_podium")[0]["place"] == "beside the lecture"
    app.session_state["presenting"] = False  # as Escape leaves it
    del app.query_params["present"]
    rerun(app)
    assert "present" not in app.query_params
    assert not shown(app, "genlab_podium")
    rerun(app.switch_page(PAGES[PAGE].file))  # whose address was remembered with present mode on
    assert "present" not in app.query_params
    assert not shown(app, "genlab_podium")


def test_the_classrooms_page_shows_the_code_and_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened("classroom")
    assert [each.value for each in app.code] == ["genlab serve --classroom"]
    assert not app.get("image")
    monkeypatch.setenv(classroom.VARIABLE, "http://192.0.2.1:8501")
    rerun(app)
    assert app.get("image")
    words = " ".join(each.value for each in app.markdown)
    assert "192.0.2.1:8501" in words
    assert "parameters of a model" in words
    assert "a training would begin at once" in words


def test_the_numbers_behind_charts_and_components_are_known() -> None:
    line, points = (alt.Chart(alt.InlineData(values=[{name: 1}])).mark_line() for name in "xy")
    assert list(_rows_of(alt.layer(line, points))) == [{"x": 1}, {"y": 1}]
    assert list(_rows_of(alt.hconcat(line, alt.layer(points)))) == [{"x": 1}, {"y": 1}]
    assert list(_rows_of(line.facet("x:N"))) == [{"x": 1}]
    data = {"id": "a", "values": base64(np.zeros((2, 3), np.uint8)), "deep": {"bits": base64(np.zeros(4, "<f4"))}}
    assert dict(_kinds_of_arrays(data)) == {"values": {"kind": "|u1", "shape": [2, 3]}, "deep.bits": {"kind": "<f4", "shape": [4]}}


@pytest.mark.browser
def test_keys_lead_through_the_lecture_and_pictures_are_saved(page: Page, server: Server, tmp_path: Path) -> None:
    page.goto(f"{server.url}/slanted_land?part=2")
    page.get_by_role("button", name="present", exact=True).click()
    page.locator(".podium .leave").wait_for()
    page.wait_for_function("() => location.search.includes('present=1')")
    assert page.locator("[data-testid=stSidebar]").count() == 0 or not page.locator("[data-testid=stSidebar]").is_visible()

    save(page, tmp_path)

    # A step within the page; the keys of a field stay the field's.
    page.mouse.click(3, 3)
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => location.search.includes('part=3')")
    field = page.locator("[data-testid=stMain] [role=slider], [data-testid=stMain] [role=radio]").first
    field.focus()
    before = page.url
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(500)
    assert page.url.partition("?")[0] == before.partition("?")[0]

    # The page before, then the way out.
    page.mouse.click(3, 3)
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("() => !location.pathname.includes('slanted_land')")
    assert next_of(page.url.partition("?")[0].rpartition("/")[2]) == "slanted_land"
    page.locator(".podium .leave").wait_for()
    page.keyboard.press("Escape")
    page.wait_for_function("() => !location.search.includes('present')")
    page.locator("[data-testid=stSidebar]").wait_for()


def save(page: Page, folder: Path) -> None:
    """The first picture of the page, every way it can be saved."""
    page.get_by_role("button", name="save a picture").click()
    files = {}
    for kind in ("PNG", "SVG", "CSV"):
        with page.expect_download() as download:
            page.locator("dialog .kinds button", has_text=kind).first.click()
        files[kind] = folder / f"picture.{kind.lower()}"
        download.value.save_as(files[kind])
    with Image.open(files["PNG"]) as picture:
        assert max(picture.size) > 800
        assert len(picture.convert("RGB").getcolors(1 << 24)) > 1
    assert ElementTree.parse(files["SVG"]).getroot().tag.endswith("svg")
    with files["CSV"].open(newline="") as table:
        head, *rows = csv.reader(table)
    assert len(head) >= 2
    assert rows
    page.keyboard.press("Escape")  # closes the dialog, and nothing else
    assert page.locator(".podium .leave").count() == 1
