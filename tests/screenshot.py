"""The README's picture: ``python -m tests.screenshot`` trains a model on the page and writes docs/screenshot.png."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Page

from tests.browser import ROOT, Server, chromium, open_page

_PIXELS_DRAWN = 43
_WIDTH, _TOP, _HEIGHT = 1280, 90, 1980
_FINISHED_MS = 600_000


def main() -> None:
    """Train with the defaults, wait for the end, and take the picture in the middle of a digit."""
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        server = Server(Path(folder) / "runs")
        server.start()
        try:
            page = open_page(browser, server.url)
            page.get_by_role("button", name="Train", exact=True).click()
            page.get_by_text("Finished").wait_for(timeout=_FINISHED_MS)
            page.get_by_label("Training loss from").first.wait_for()
            page.get_by_text("the model that comes with genlab").click()
            _pause_at(page, _PIXELS_DRAWN)
            page.set_viewport_size({"width": _WIDTH, "height": _HEIGHT})
            page.screenshot(path=ROOT / "docs" / "screenshot.png", clip={"x": 0, "y": _TOP, "width": _WIDTH, "height": _HEIGHT - _TOP})
        finally:
            server.kill()


def _pause_at(page: Page, pixels: int) -> None:
    page.get_by_role("button", name="pause").click()
    page.locator(".theatre .scrub").fill(str(pixels))
    page.locator(".theatre .where", has_text=f"{pixels} of").wait_for()


if __name__ == "__main__":
    main()
