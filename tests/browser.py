"""A dashboard server of one's own and a headless Chromium to look at it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from playwright.sync_api import Browser, Error, Locator, Page, Playwright, sync_playwright

from tests.waiting import wait_until

ROOT = Path(__file__).parent.parent
PATIENCE_MS = 120_000


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """`streamlit run app.py` with its own runs folder; started, killed and started again under one address, or up within a `with`."""

    def __init__(self, runs: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {**os.environ, "GENLAB_RUNS_DIR": str(runs)}
        self._log = runs.parent / "server.txt"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true", f"--server.port={self.port}"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        wait_until(self._is_up)

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL: no chance to tidy up."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except urllib.error.URLError:
            return False


class NoChromiumError(Exception):
    """No Chromium could be started; the message says how to get one."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium that asks nobody for anything: the system's, else the one that ``playwright install chromium`` leaves.

    Raises:
        NoChromiumError: There is neither, or it does not start.
    """
    with sync_playwright() as playwright:
        browser = _launched(playwright)
        yield browser
        browser.close()


def _launched(playwright: Playwright) -> Browser:
    names = ("chromium", "chromium-browser", "google-chrome")
    programs = [program for name in names if (program := shutil.which(name))]
    options = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    for program in (*programs, None):
        # One that does not start (Ubuntu's chromium-browser may only advertise a snap) is as good as none.
        with suppress(Error):
            return playwright.chromium.launch(executable_path=program, args=options)
    tried = " nor ".join([*programs, "Playwright's own"])
    raise NoChromiumError(f"No Chromium starts here, not {tried}. Get one by: apt-get install chromium, or: playwright install chromium")


def open_page(browser: Browser, url: str, *, width: int = 1280, scheme: str = "light", reduced_motion: str = "no-preference") -> Page:
    """A page in a browser session of its own, once it is connected and its theatre plays."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]
        reduced_motion=reduced_motion,  # type: ignore[arg-type]
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(url)
    wait_for_theatre(page)
    return page


def press(target: Locator) -> None:
    """Press a link or a button by the keyboard: what lies in an expander that still unfolds moves away between a mouse's down and up."""
    target.press("Enter")


def wait_for_theatre(page: Page) -> None:
    page.locator("[data-testid=stApp][data-test-connection-state=CONNECTED]").wait_for()
    page.locator(".theatre .where", has_text="drawn").wait_for()
