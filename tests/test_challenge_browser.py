"""The challenge in a real browser, by keyboard alone: a grid, single pictures against the clock, a name, and the board behind the PIN."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from genlab import challenge_store
from genlab.challenge import make_round
from genlab.dashboard.stage.challenge import painters, real_pictures
from genlab.dashboard.stage.sources import model_of
from tests.browser import PATIENCE_MS, Server
from tests.waiting import wait_until

pytestmark = pytest.mark.browser
expect.set_options(timeout=PATIENCE_MS)
PIN = "12 34"


def tab_to(page: Page, name: str) -> None:
    """Press Tab until something has the focus that goes by that name."""
    for _ in range(90):
        page.keyboard.press("Tab")
        called = page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.innerText")
        if name in called and len(called) < len(name) + 30:  # what unfolds has an icon beside its name
            return
    raise AssertionError(f"no way by Tab to {name!r}")


def test_a_path_by_keyboard_alone(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setenv("GENLAB_INSTRUCTOR_PIN", PIN)
    source = next(source for source in painters() if source.name == "digits-pixelcnn")
    shown = make_round(model_of(source), real_pictures(source).shown, size=9, seed=5, number=1, name=source.name)
    with Server(tmp_path / "runs") as server:
        page.goto(f"{server.url}/challenge?model=digits-pixelcnn&seed=5")
        # A grid: mark just what was generated, with arrows, Space and Enter.
        tiles = page.locator(".captcha .tile")
        expect(tiles).to_have_count(9)
        page.keyboard.press("ArrowDown")
        expect(tiles.nth(0)).to_be_focused()
        for at, generated in enumerate(shown.generated):
            if generated:
                page.keyboard.press("Space")
            expect(tiles.nth(at)).to_have_attribute("aria-pressed", str(bool(generated)).lower())
            page.keyboard.press("ArrowRight")
        for key, at in (("ArrowUp", 5), ("ArrowLeft", 4), ("ArrowDown", 7)):
            page.keyboard.press(key)
            expect(tiles.nth(at)).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator(".captcha .task")).to_have_text("9 of 9 right.")
        expect(page.locator(".captcha .right")).to_have_count(9)
        expect(page.get_by_text("Enter goes on.")).to_be_visible()
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile("round=2"))
        expect(tiles).to_have_count(9)

        # A name, which keys are typed into and do not judge.
        tab_to(page, "Keep your rounds under a name")
        page.keyboard.press("Enter")
        tab_to(page, "name")
        page.keyboard.type("gr rg")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Rounds are kept as gr rg")).to_be_visible()
        wait_until(lambda: challenge_store.board())

        # Single pictures: Space starts, R and G call; the time runs in the browser.
        page.goto(f"{server.url}/challenge?model=digits-pixelcnn&seed=5&part=one&limit=1")
        expect(page.get_by_role("button", name="Start")).to_be_visible()
        page.keyboard.press("Space")
        canvas = page.locator(".captcha .single canvas")
        for number in range(1, 11):
            expect(canvas).to_have_attribute("aria-label", f"Picture {number} of 10")
            expect(canvas).to_be_visible()
            if number == 1:
                expect(canvas).not_to_be_visible()  # its second is over; it can still be called
            page.keyboard.press("r" if number % 2 else "ArrowRight")
        expect(page.locator(".captcha .task")).to_have_text(re.compile("^[0-9]+ of 10 right"))
        expect(page.locator(".captcha canvas[role=img]")).to_have_count(11)
        called = page.locator(".captcha .tiles canvas").evaluate_all("all => all.map(each => each.getAttribute('aria-label'))")
        assert [each.endswith("generated") for each in called] == [number % 2 == 0 for number in range(1, 11)]

        # The board needs the PIN; so do its file and its reset.
        tab_to(page, "The class’s board, for the instructor")
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Empty the board")).to_have_count(0)
        tab_to(page, "instructor’s PIN")
        page.keyboard.type(PIN)
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name=re.compile("All rounds, as CSV"))).to_be_visible()
        tab_to(page, "I have the file, or do not need it")
        page.keyboard.press("Space")
        empty = page.get_by_role("button", name="Empty the board")
        expect(empty).to_be_enabled()
        tab_to(page, "Empty the board")
        page.keyboard.press("Enter")
        expect(page.get_by_text("The board is empty: 1 round is gone.")).to_be_visible()
        assert challenge_store.board() == []
