"""The README's moving picture: ``python -m benchmarks.screenshot`` lets the pixel theatre draw a digit and writes docs/theatre.webp."""

from __future__ import annotations

import io
import re
import tempfile
from pathlib import Path

from PIL import Image

from tests.browser import PATIENCE_MS, ROOT, Server, chromium

_WIDTH, _HEIGHT = 1280, 1372
_FRAMES, _FRAME_MS, _LAST_MS = 48, 110, 2_500
_ACROSS = 900  # pixels


def main() -> None:
    """Scrub through a digit, and keep a frame at each stop."""
    with tempfile.TemporaryDirectory() as folder, chromium() as browser, Server(Path(folder) / "runs") as server:
        page = browser.new_page(viewport={"width": _WIDTH, "height": _HEIGHT}, color_scheme="light")
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{server.url}/theatre")
        where = page.locator(".theatre .where")
        where.filter(has_text="drawn").wait_for()
        page.get_by_role("button", name="pause").click()
        page.mouse.move(0, _HEIGHT)
        pixels = int(re.findall(r"of (\d+)", where.inner_text())[0])
        frames = []
        for number in range(1, _FRAMES + 1):
            drawn = round(pixels * number / _FRAMES)
            page.locator(".theatre .scrub").fill(str(drawn))
            where.filter(has_text=f"{drawn} of").wait_for()
            frame = Image.open(io.BytesIO(page.locator(".theatre").screenshot())).convert("RGB")
            frames.append(frame.resize((_ACROSS, round(frame.height * _ACROSS / frame.width)), Image.Resampling.LANCZOS))
    durations = [_FRAME_MS] * (_FRAMES - 1) + [_LAST_MS]
    first, *more = frames
    first.save(ROOT / "docs" / "theatre.webp", save_all=True, append_images=more, duration=durations, loop=0, quality=80, method=6)


if __name__ == "__main__":
    main()
