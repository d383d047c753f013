"""The dashboard as its visitors meet it: in a real Chromium, against a real server, with real training processes."""

import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from genlab import jobs
from tests.browser import PATIENCE_MS, Server, chromium, open_page, wait_for_theatre
from tests.waiting import wait_until

pytestmark = pytest.mark.browser
expect.set_options(timeout=PATIENCE_MS)

ENDLESS = {"minutes": "30", "patience": "1000", "channels": "4", "blocks": "1"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path / "runs"))
    server = Server(tmp_path / "runs")
    server.start()
    yield server
    server.kill()
    for job in jobs.list_jobs():
        if job.pid:
            os.kill(job.pid, signal.SIGKILL)
            wait_until(lambda name=job.name: not jobs.get(name).is_active)


@dataclass(frozen=True)
class Curve:
    """What the chart says in words of its curve."""

    first: float
    steps: int


def process_id(page: Page) -> int:
    text = page.get_by_text(re.compile(r"Training in a process of its own \(\d+\)")).inner_text()
    return int(re.findall(r"\((\d+)\)", text)[0])


def curve(page: Page) -> Curve:
    words = page.get_by_label(re.compile("Training loss from")).first.get_attribute("aria-label")
    first, steps = re.findall(r"Training loss from ([\d.]+) .* in ([\d,]+) steps", words or "")[0]
    return Curve(float(first), int(steps.replace(",", "")))


def train(page: Page, settings: dict[str, str]) -> None:
    page.get_by_text("model and optimiser").click()
    for label, value in settings.items():
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_role("button", name="Train", exact=True).click()


def test_a_training_outlives_a_widget_a_reload_another_browser_and_the_server(browser: Browser, server: Server) -> None:
    page = open_page(browser, server.url)
    train(page, ENDLESS)
    pid = process_id(page)
    expect(page).to_have_url(re.compile(r"\?run=pixelcnn-digits-"))
    begun = curve(page)

    page.get_by_role("button", name="Draw others").click()
    assert process_id(page) == pid

    page.reload()
    wait_for_theatre(page)
    assert process_id(page) == pid
    wait_until(lambda: curve(page).steps > begun.steps)
    assert curve(page).first == begun.first

    other = open_page(browser, page.url)
    assert process_id(other) == pid
    assert curve(other).first == begun.first
    other.context.close()

    server.kill()
    server.start()
    page.reload()
    wait_for_theatre(page)
    assert process_id(page) == pid
    before_stop = curve(page)
    assert before_stop.first == begun.first

    page.get_by_role("button", name="Stop training").click()
    expect(page.get_by_text(re.compile("^Stopped by SIGTERM"))).to_be_visible()
    page.get_by_role("button", name="Resume training").click()
    resumed = process_id(page)
    assert resumed != pid
    wait_until(lambda: curve(page).steps > before_stop.steps)
    assert curve(page).first == begun.first
    assert len(jobs.list_names()) == 1
    page.context.close()


def test_samples_improve_on_the_filmstrip_and_earlier_ones_can_be_looked_at(browser: Browser, server: Server) -> None:
    page = open_page(browser, server.url)
    train(page, ENDLESS)
    frames = page.locator(".filmstrip .frames button")
    expect(frames.nth(2)).to_be_visible()
    expect(frames.first).to_have_attribute("aria-label", re.compile("before training"))
    frames.first.press("Enter")
    expect(page.locator(".filmstrip figcaption")).to_have_text(re.compile("before training"))
    expect(frames.nth(3)).to_be_visible()  # the next grid arrives, and the one that was asked for stays
    expect(page.locator(".filmstrip figcaption")).to_have_text(re.compile("before training"))
    page.context.close()


def test_the_theatre_draws_by_itself_and_obeys_mouse_and_keyboard(browser: Browser, server: Server) -> None:
    page = open_page(browser, server.url)
    requests: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.reload()
    wait_for_theatre(page)
    where, scrub = page.locator(".theatre .where"), page.locator(".theatre .scrub")
    expect(where).to_have_text(re.compile(r"image 1: [1-9]\d* of 64 pixels drawn"))
    expect(page.locator(".theatre .total")).to_have_text(re.compile(r"[\d.]+ bits"))

    page.get_by_role("button", name="pause").click()
    expect(page.get_by_role("button", name="play")).to_be_visible()
    scrub.focus()
    scrub.press("Home")
    expect(where).to_have_text("image 1: 0 of 64 pixels drawn")
    for _ in range(3):
        scrub.press("ArrowRight")
    expect(where).to_have_text("image 1: 3 of 64 pixels drawn")
    expect(scrub).to_have_attribute("aria-valuetext", re.compile(r"3 of 64 pixels drawn. Row 1, column 3 became level \d+ of 16"))
    page.get_by_role("button", name="one pixel on").click()
    page.get_by_role("button", name="one pixel on").click()
    page.get_by_role("button", name="one pixel back").click()
    expect(where).to_have_text("image 1: 4 of 64 pixels drawn")
    page.get_by_role("button", name="next image").press("Enter")
    expect(where).to_have_text("image 2: 4 of 64 pixels drawn")
    page.locator(".theatre .others").click(position={"x": 8, "y": 8})
    expect(where).to_have_text("image 1: 4 of 64 pixels drawn")

    assert errors == []
    assert [url for url in requests if not url.startswith((server.url, "data:", "blob:"))] == []  # nothing comes from the web
    page.context.close()


def test_who_wants_no_motion_gets_the_finished_image(browser: Browser, server: Server) -> None:
    page = open_page(browser, server.url, reduced_motion="reduce")
    expect(page.locator(".theatre .where")).to_have_text("image 1: 64 of 64 pixels drawn")
    expect(page.get_by_role("button", name="play")).to_be_visible()
    page.context.close()


def test_the_page_fits_a_telephone(browser: Browser, server: Server) -> None:
    for scheme in ("light", "dark"):
        page = open_page(browser, server.url, width=390, scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        main = page.get_by_test_id("stMain")
        assert main.evaluate("element => element.scrollWidth - element.clientWidth") <= 0
        page.context.close()
