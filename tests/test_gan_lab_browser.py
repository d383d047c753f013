"""The 2-D GAN lab as its visitors meet it: in a real Chromium, with mouse and keyboard."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import PATIENCE_MS, Server
from tests.waiting import wait_until

pytestmark = pytest.mark.browser
expect.set_options(timeout=PATIENCE_MS)


def step_of(page: Page) -> int:
    return int(re.sub(r"\D", "", page.locator(".duel .where").inner_text()))


def pressed(page: Page, name: str) -> None:
    page.locator(".duel").get_by_role("button", name=name).click()


def figures(page: Page) -> str:
    """All that a situation decides; how fast it plays is not of that kind."""
    return page.locator(".duel .figures").inner_text().partition("speed")[0] + page.locator(".duel .objective").inner_text()


def test_it_trains_obeys_and_leads_a_second_browser_to_the_same_situation(page: Page, server: Server, browser: Browser) -> None:
    page.goto(f"{server.url}/gan_lab")
    where = page.locator(".duel .where")
    expect(where).to_have_text(re.compile(r"step \d{2,}"))  # by itself
    pressed(page, "pause")
    step = step_of(page)
    pressed(page, "one step")
    expect(where).to_have_text(f"step {step + 1:,}")
    pressed(page, "D only")
    page.locator(".duel").get_by_role("button", name="G only").press("Enter")
    expect(where).to_have_text(f"step {step + 3:,}")
    page.get_by_label("loss", exact=True).select_option("hinge")
    page.get_by_label("G’s learning rate").press("ArrowLeft")
    pressed(page, "one step")
    expect(page).to_have_url(re.compile(rf"done={step + 1}b%2C1d%2C1g%2Closs%3Ahinge%2Clr_g%3A0.00083%2C1b"))
    expect(page.locator(".duel .of-d")).to_contain_text("E max(0, 1 − D(x))")
    other = browser.new_context().new_page()
    other.goto(page.url)
    expect(other.locator(".duel .where")).to_have_text(f"step {step + 4:,}", timeout=PATIENCE_MS)
    expect(other.get_by_role("button", name="play")).to_be_visible()  # it stands still there
    assert figures(other) == figures(page)
    other.context.close()


def test_slow_motion_a_cure_and_drawn_data(page: Page, server: Server) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{server.url}/gan_lab?situation=oscillation")
    where, scene = page.locator(".duel .where"), page.locator(".duel .scene")
    expect(where).to_have_text("step 400")  # for who wants no motion it rests after some steps
    expect(page.get_by_text("reads a game's records whenever it rests")).to_have_count(0)  # the doctor has been told
    pressed(page, "slow motion")
    expect(scene).to_have_text(re.compile("^D looks at 64 real points"))
    for begins in ("D has moved", "G shows D", "G has moved"):
        pressed(page, "one step")
        expect(scene).to_have_text(re.compile(f"^{begins}"))
    expect(where).to_have_text("step 401")
    pressed(page, "The cure: the gradient penalty, γ = 1")
    expect(page.locator(".duel .of-d")).to_contain_text("γ E(|∇D| − 1)²")
    expect(page).to_have_url(re.compile("penalty%3A1"))
    pressed(page, "Your own data")
    expect(scene).to_have_text(re.compile("^Draw the data"))
    plane = page.locator(".duel .plane")
    plane.click(position={"x": 150, "y": 150})
    expect(page).to_have_url(re.compile("points="))
    expect(where).to_have_text("step 400")
    plane.press("ArrowRight")
    plane.press("Enter")
    expect(plane).to_have_attribute("aria-label", re.compile("Points drawn: 2"))
    plane.press("Backspace")
    expect(plane).to_have_attribute("aria-label", re.compile("Points drawn: 1"))
    wait_until(lambda: step_of(page) == 400)
