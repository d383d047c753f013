"""The README's picture: ``python -m benchmarks.screenshot`` opens the pixel theatre and writes docs/screenshot.png."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from tests.browser import PATIENCE_MS, ROOT, Server, chromium

_SHARE_DRAWN = 0.67
_WIDTH, _HEIGHT = 1280, 1372


def main() -> None:
    """Take the picture in the middle of a digit, with what its newest pixel could see."""
    with tempfile.TemporaryDirectory() as folder, chromium() as browser, Server(Path(folder) / "runs") as server:
        page = browser.new_page(viewport={"width": _WIDTH, "height": _HEIGHT}, color_scheme="light")
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{server.url}/theatre")
        where = page.locator(".theatre .where")
        where.filter(has_text="drawn").wait_for()
        page.get_by_role("button", name="pause").click()
        pixels = round(_SHARE_DRAWN * int(re.findall(r"of (\d+)", where.inner_text())[0]))
        page.locator(".theatre .scrub").fill(str(pixels))
        where.filter(has_text=f"{pixels} of").wait_for()
        before = page.locator(".field .sentence").inner_text()
        page.get_by_role("button", name="what does it see?").click()
        page.locator(".field .sentence").filter(has_not_text=before).wait_for()
        page.locator("[data-test-script-state=notRunning]").wait_for()
        page.mouse.move(0, _HEIGHT)
        page.screenshot(path=ROOT / "docs" / "screenshot.png")


if __name__ == "__main__":
    main()
