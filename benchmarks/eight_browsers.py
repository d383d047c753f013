"""Eight browsers on 'a million' (part 6 of Slanted land) at once, and how long others wait for a drawing meanwhile, in a real Chromium.

    python benchmarks/eight_browsers.py [--browsers 8] [--seconds 120] [--json FILE]

Starts a server of its own in a folder of its own. Each browser opens part 6, waits for its map, and asks for the survey to be computed
on this machine. Meanwhile one more browser draws in the pixel theatre, again and again. Prints, in milliseconds:

    first map       from a browser's going there to its map, the longest and the median of all
    drawing         from a click on 'Draw others' to the theatre's new digits, while the survey is computed: median and the longest

and how many exceptions the server's log holds. Needs what benchmarks/dashboard_latency.py needs. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from dashboard_latency import PATIENCE_MS, chromium, read, server, tell
from playwright.sync_api import Browser, Page

TARGETS = {"first map: longest": 5000, "drawing: longest": 1000}
MILLION = "slanted_land?part=6&gans=a+million"
STATUS = ".phases .status"
CAPTION = ".theatre .wall figcaption"


def main() -> None:
    """Measure, print, and write the numbers if a file is given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--browsers", type=int, default=8, help="on part 6 (default: 8)")
    parser.add_argument("--seconds", type=float, default=120, help="that they stay there (default: 120)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "server.txt"
        with server({**os.environ, "GENLAB_RUNS_DIR": str(Path(folder) / "runs")}, log) as url:
            figures = measure(url, arguments.browsers, arguments.seconds)
        figures["exceptions in the log"] = read(log).count("Traceback")
    print(f"{os.cpu_count()} cores, {arguments.browsers} browsers, {arguments.seconds:g} seconds, milliseconds")
    tell(figures, TARGETS, arguments.json)


def measure(url: str, browsers: int, seconds: float) -> dict[str, float]:
    """All figures, in milliseconds."""
    with chromium() as browser:
        theatre = opened(browser, f"{url}/theatre")
        theatre.locator(CAPTION).filter(has_text="drawn").wait_for()
        deadline = time.monotonic() + seconds
        crowd = [(time.perf_counter(), opened(browser, f"{url}/{MILLION}")) for _ in range(browsers)]
        first_maps = [first_map(page, begun) for begun, page in crowd]
        for _, page in crowd:
            page.get_by_role("button", name="Compute it here").click()
        drawings = []
        while time.monotonic() < deadline:
            drawings.append(draw(theatre))
            theatre.wait_for_timeout(1000)
        statuses = {page.locator(STATUS).inner_text() for _, page in crowd}
        browser.close()
    print("\n".join(sorted(statuses)))
    return {
        "first map: median": 1000 * statistics.median(first_maps),
        "first map: longest": 1000 * max(first_maps),
        "drawings": len(drawings),
        "drawing: median": 1000 * statistics.median(drawings),
        "drawing: longest": 1000 * max(drawings),
    }


def first_map(page: Page, begun: float) -> float:
    """Seconds until the map is there."""
    page.locator(STATUS).filter(has_text="GANs").wait_for()
    return time.perf_counter() - begun


# The browser's own clock, from the click's event to the new images' caption.
TIME_DRAWING = """(caption) => {
  const before = caption.textContent;
  window.drawingTook = new Promise((resolve) => {
    document.addEventListener("click", () => {
      const begun = performance.now();
      const look = () => {
        if (caption.textContent !== before) resolve(performance.now() - begun);
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    }, { capture: true, once: true });
  });
}"""


def draw(theatre: Page) -> float:
    """Seconds from a click to the digits that it has drawn."""
    theatre.locator(CAPTION).evaluate(TIME_DRAWING)
    theatre.get_by_role("button", name="Draw others").click()
    return float(theatre.evaluate("() => window.drawingTook")) / 1000


def opened(browser: Browser, url: str) -> Page:
    """A browser session of its own that is on its way there."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url, wait_until="commit")
    return page


if __name__ == "__main__":
    main()
