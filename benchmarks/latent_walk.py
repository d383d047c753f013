"""Whether the decoded digit follows the pointer over the VAE lab's map, measured in a real Chromium.

    python -m benchmarks.latent_walk [--seconds 5] [--json FILE]

Starts a server of its own, opens the page, and moves the pointer in circles over the map without a pause. Counted is, from within the page,
each time a new picture has been put on its canvas:

    pictures a second   the target is 30
    gap, median         milliseconds from one picture to the next; and the 95th percentile
    decode              milliseconds that the browser takes to decode and paint one picture, the median

Needs a Chromium on the PATH. Nothing is asserted: the figures are for the machine they are taken on.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from playwright.sync_api import Page

from tests.browser import PATIENCE_MS, Server, chromium

TARGET = 30
# Each picture that is put on the canvas is noted; work is the time within an animation frame until then.
_NOTED = """(() => {
  window.pictures = [];
  window.work = [];
  const [put, request] = [CanvasRenderingContext2D.prototype.putImageData, window.requestAnimationFrame.bind(window)];
  let begun = 0;
  window.requestAnimationFrame = (call) => request((now) => { begun = performance.now(); call(now); });
  CanvasRenderingContext2D.prototype.putImageData = function (...given) {
    put.apply(this, given);
    if (!this.canvas.classList.contains("digit")) return;
    window.pictures.push(performance.now());
    window.work.push(performance.now() - begun);
  };
})()"""


def main() -> None:
    """Measure, print, and write the numbers if a file is given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="how long the pointer moves (default: 5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, chromium() as browser, Server(Path(folder) / "runs") as server:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE_MS)
        page.add_init_script(_NOTED)
        page.goto(f"{server.url}/vae_lab")
        figures = measure(page, arguments.seconds)
    print(f"pictures a second {figures['pictures a second']:8.1f}   target {TARGET}")
    for name, value in list(figures.items())[1:]:
        print(f"{name:17} {value:8.1f} ms")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(page: Page, seconds: float) -> dict[str, float]:
    """Move in circles over the map, and read off what was painted meanwhile."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    crowd = page.locator(".walk .crowd")
    crowd.scroll_into_view_if_needed()
    box = crowd.bounding_box()
    assert box is not None
    page.evaluate("window.pictures.length = window.work.length = 0")
    begun = time.perf_counter()
    while (turned := time.perf_counter() - begun) < seconds:
        angle = 2 * math.pi * turned
        page.mouse.move(box["x"] + box["width"] * (0.5 + 0.4 * math.cos(angle)), box["y"] + box["height"] * (0.5 + 0.3 * math.sin(angle)))
    painted, work = page.evaluate("[window.pictures, window.work]")
    gaps = sorted(later - before for before, later in pairwise(painted))
    return {
        "pictures a second": (len(painted) - 1) / (painted[-1] - painted[0]) * 1000,
        "gap, median": statistics.median(gaps),
        "gap, 95 %": gaps[round(0.95 * (len(gaps) - 1))],
        "decode": statistics.median(work),
    }


if __name__ == "__main__":
    main()
