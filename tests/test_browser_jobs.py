"""Training as its visitors meet it: in a real Chromium, against a real server, with real processes that are really killed."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Browser, Page, expect
from safetensors.torch import load_file
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

from genlab import jobs
from genlab.export import script
from tests.browser import PATIENCE_MS, Server, press
from tests.tiny import tiny_run
from tests.waiting import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1800)]
expect.set_options(timeout=PATIENCE_MS)

TINY = {"channels": "4", "blocks": "1"}
MOST_OF_A_POLL = 100 * 2**10  # bytes that the server may keep; what a poll sends is larger
ENDLESS = {"minutes": "30", "patience": "1000", **TINY}


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


def visit(browser: Browser, url: str, *, width: int = 1280, scheme: str = "light") -> Page:
    """A page in a browser of its own: another cookie jar, another visitor."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(url)
    connected(page)
    return page


def connected(page: Page) -> None:
    page.locator("[data-testid=stApp][data-test-connection-state=CONNECTED]").wait_for()
    page.get_by_role("heading", level=1).wait_for()


def fill(page: Page, settings: dict[str, str]) -> None:
    page.get_by_text("model, optimiser and data").click()
    for label, value in settings.items():
        field = page.get_by_label(label, exact=True)
        field.fill(value)
        field.press("Tab")


def train(page: Page) -> None:
    press(page.get_by_role("button", name="Train", exact=True))


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


def test_a_training_outlives_widgets_a_reload_another_browser_and_the_server(browser: Browser, server: Server) -> None:
    page = visit(browser, f"{server.url}/training")
    fill(page, ENDLESS)
    page.get_by_role("button", name="Train", exact=True).dblclick()
    pid = process_id(page)
    expect(page).to_have_url(re.compile(r"\?run=pixelcnn-digits-"))
    begun = curve(page)
    known_as = visitor_of(page)

    page.get_by_label("images", exact=True).click()
    page.get_by_role("option", name="MNIST 28×28, 4 levels").click()
    assert process_id(page) == pid

    page.get_by_role("link", name="Finish my digit").click()
    slider = page.get_by_role("slider").first
    slider.wait_for()
    slider.press("ArrowRight")
    page.get_by_role("link", name="Training").click()
    assert process_id(page) == pid
    assert visitor_of(page) == known_as is not None

    page.reload()
    connected(page)
    assert process_id(page) == pid
    wait_until(lambda: curve(page).steps > begun.steps)
    assert curve(page).first == begun.first

    other = visit(browser, page.url)
    assert process_id(other) == pid
    assert curve(other).first == begun.first
    expect(other.get_by_text("Started in another browser")).to_be_visible()
    expect(other.get_by_role("button", name="Stop training")).to_have_count(0)
    other.context.close()

    server.kill()
    server.start()
    page.reload()
    connected(page)
    assert process_id(page) == pid
    before_stop = curve(page)
    assert before_stop.first == begun.first

    page.get_by_role("button", name="Stop training").click()  # the same browser is still the same visitor
    expect(page.get_by_text(re.compile(r"^Stopped at step \d+ on request"))).to_be_visible()
    page.get_by_role("button", name="Resume training").click()
    resumed = process_id(page)
    assert resumed != pid
    wait_until(lambda: curve(page).steps > before_stop.steps)
    assert curve(page).first == begun.first
    assert len(jobs.list_names()) == 1  # the double click was one request
    page.context.close()


def test_a_killed_training_is_lost_resumed_and_ends_with_the_weights_of_an_undisturbed_one(
    browser: Browser, server: Server, tmp_path: Path
) -> None:
    page = visit(browser, f"{server.url}/training")
    # Long enough to be killed in the middle, on a fast machine too.
    fill(page, {"minutes": "", "patience": "", "epochs": "12", "channels": "8", "blocks": "2"})
    train(page)
    pid = process_id(page)
    (name,) = jobs.list_names()
    job = jobs.get(name)
    wait_until(lambda: any(record["step"] > 30 for record in job.run.metrics("train")))
    os.kill(pid, signal.SIGKILL)
    expect(page.get_by_text(re.compile("^Lost"))).to_be_visible()
    page.get_by_role("button", name="Resume training").click()
    expect(page.get_by_text(re.compile("^Finished 12 epochs"))).to_be_visible()
    assert [record["event"] for record in job.run.metrics("event")] == ["started", "resumed", "finished"]
    page.context.close()

    (tmp_path / "again.py").write_text(script(job.run))
    environment = {**os.environ, "GENLAB_RUNS_DIR": str(tmp_path / "undisturbed"), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "again.py"], cwd=tmp_path, env=environment, check=True, capture_output=True)
    (undisturbed,) = (tmp_path / "undisturbed").iterdir()
    ours, theirs = load_file(job.run.checkpoint_path), load_file(undisturbed / "checkpoint.safetensors")
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


def test_samples_improve_on_the_filmstrip_and_the_one_that_was_asked_for_stays(browser: Browser, server: Server) -> None:
    page = visit(browser, f"{server.url}/training")
    fill(page, ENDLESS)
    train(page)
    curve(page)
    frames = page.locator(".filmstrip .frames button")
    expect(frames.nth(2)).to_be_visible()
    expect(frames.first).to_have_attribute("aria-label", re.compile("before training"))
    frames.first.press("Enter")
    expect(page.locator(".filmstrip figcaption")).to_have_text(re.compile("before training"))
    arrived = frames.count()
    expect(frames.nth(arrived)).to_be_visible()  # another grid has arrived
    expect(page.locator(".filmstrip figcaption")).to_have_text(re.compile("before training"))
    page.context.close()


def test_polls_do_not_fill_the_servers_memory(server: Server) -> None:
    run = jobs.start("pixelcnn", "digits", ["--minutes", "30", "--set", "channels=4", "blocks=1", "patience=1000"])
    wait_until(lambda: jobs.get(run.name).state == "running")
    with connect(f"{server.url.replace('http', 'ws', 1)}/_stcore/stream", subprotocols=["streamlit"], max_size=None) as socket:  # type: ignore[list-item]
        panel = panel_of(socket)
        for _ in range(50):
            poll(socket, panel)
        settled, polls = memory(server), 250
        for _ in range(polls):
            poll(socket, panel)
        assert memory(server) - settled < polls * MOST_OF_A_POLL
    assert jobs.get(run.name).state == "running"  # there was something to see all the while


def panel_of(socket: ClientConnection) -> BackMsg:
    """Open the page of training as a browser does, without one; returns what such a browser sends whenever its panel is to run again."""
    asked, again = BackMsg(), BackMsg()
    asked.rerun_script.page_name = "training"
    for message in answer(socket, asked):
        if message.WhichOneof("type") == "new_session":
            again.rerun_script.page_script_hash = message.new_session.page_script_hash
        if message.WhichOneof("type") == "auto_rerun":
            again.rerun_script.fragment_id = message.auto_rerun.fragment_id
            again.rerun_script.is_auto_rerun = True
    assert again.rerun_script.fragment_id, "nothing on the page asks to be run again"
    return again


def poll(socket: ClientConnection, panel: BackMsg) -> None:
    """Run the panel once more; it has something to say."""
    assert any(message.WhichOneof("type") == "delta" for message in answer(socket, panel))


def answer(socket: ClientConnection, wish: BackMsg) -> list[ForwardMsg]:
    """What the server says to a wish, to the last word."""
    socket.send(wish.SerializeToString())
    said: list[ForwardMsg] = []
    while not said or said[-1].WhichOneof("type") != "script_finished":
        said.append(ForwardMsg.FromString(bytes(socket.recv(timeout=PATIENCE_MS / 1000))))  # type: ignore[arg-type]
    return said


def memory(server: Server) -> int:
    """Resident bytes of the server."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    return 1024 * int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0])


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server beside one finished run, whose names are full of markup; tests look at it and change nothing."""
    folder = tmp_path_factory.mktemp("watched") / "runs"
    run = tiny_run(folder / "<img src=x onerror=document.title='gone'>")
    (run.path / "label.txt").write_text("<b>bold</b> **b** [x](javascript:document.title='gone') ![y](http://127.0.0.1:9/y.png)")
    with Server(folder) as server:
        yield server


def test_a_visitor_is_known_again_markup_in_a_name_does_nothing_and_pages_fit_a_telephone(browser: Browser, watched: Server) -> None:
    errors: list[str] = []
    requests: list[str] = []
    for path in ("training", "runs"):
        page = visit(browser, f"{watched.url}/{path}")
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.get_by_text(re.compile("^Finished")).wait_for()
        wait_until(lambda page=page: visitor_of(page) is not None)
        before = visitor_of(page)
        page.reload()
        connected(page)
        page.get_by_text(re.compile("^Finished")).wait_for()
        assert "gone" not in page.title()
        assert page.get_by_test_id("stMain").locator("img[src=x], b, a[href^=javascript]").count() == 0
        assert visitor_of(page) == before
        page.set_viewport_size({"width": 390, "height": 900})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
            # Charts take the new width a moment later.
            wait_until(
                lambda page=page: page.get_by_test_id("stMain").evaluate("element => element.scrollWidth - element.clientWidth") <= 0
            )
        page.context.close()
    assert errors == []
    assert [url for url in requests if not url.startswith((watched.url, "data:", "blob:"))] == []


def visitor_of(page: Page) -> str | None:
    """The name by which the browser is known again."""
    return next((cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "genlab_visitor"), None)
