"""How smooth the 2-D GAN lab is: ``python -m benchmarks.gan_lab`` prints pictures a second and the latency of clicks, in a real Chromium.

    pictures a second   how often the page shows a new step while it plays, over so many seconds, for several widths of the networks
    click               from a click's event to the frame in which its effect is shown: one step, D alone, a situation; median and worst

A server of its own, an empty cache, 1280 × 900. The browser's own clock is read; nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.browser import PATIENCE_MS, Server, chromium

WIDTHS = (16, 32, 64)
CLICKS = {"one step": ".both", "D only": ".only-d", "a situation": ".situations button:nth-child(2)"}

# Every change of the step's number is a picture: it is written when the plane was painted.
COUNT_PICTURES = """([where, seconds]) => new Promise((resolve) => {
  let pictures = 0;
  const first = Number(where.textContent.replace(/\\D/g, ""));
  const begun = performance.now();
  const watch = new MutationObserver(() => (pictures += 1));
  watch.observe(where, { childList: true, characterData: true, subtree: true });
  setTimeout(() => {
    watch.disconnect();
    const took = (performance.now() - begun) / 1000;
    resolve([pictures / took, (Number(where.textContent.replace(/\\D/g, "")) - first) / took]);
  }, 1000 * seconds);
})"""

TIME_CLICK = """([button, where]) => new Promise((resolve) => {
  const before = where.textContent;
  const begun = performance.now();
  const look = () => (where.textContent === before ? requestAnimationFrame(look) : resolve(performance.now() - begun));
  button.click();
  requestAnimationFrame(look);
})"""


def main() -> None:
    """Measure, print, and write the numbers if a file is given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5, help="of play for each width (default: 5)")
    parser.add_argument("--clicks", type=int, default=20, help="of each kind (default: 20)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, chromium() as browser, Server(Path(folder) / "runs") as server:
        figures = measure(browser, server.url, arguments.seconds, arguments.clicks)
    for name, value in figures.items():
        print(f"{name:44}{value:10,.1f}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(browser: Browser, url: str, seconds: float, clicks: int) -> dict[str, float]:
    """All figures by name: pictures and steps a second, milliseconds of a click."""
    figures = {}
    for width in WIDTHS:
        page = opened(browser, f"{url}/gan_lab?width={width}")
        where = page.locator(".duel .where").element_handle()
        pictures, steps = page.evaluate(COUNT_PICTURES, [where, seconds])
        figures[f"2 × {width} neurons: pictures a second"] = pictures
        figures[f"2 × {width} neurons: steps a second"] = steps
        page.context.close()
    page = opened(browser, f"{url}/gan_lab")
    where = page.locator(".duel .where").element_handle()
    page.locator(".duel .play").click()
    for name, selector in CLICKS.items():
        button = page.locator(f".duel {selector}").element_handle()
        times = []
        for _ in range(clicks):
            page.wait_for_function("where => where.textContent !== 'step 0'", arg=where)
            times.append(page.evaluate(TIME_CLICK, [button, where]))
        figures |= {f"click, {name}: median ms": statistics.median(times), f"click, {name}: worst ms": max(times)}
    page.context.close()
    return figures


def opened(browser: Browser, url: str) -> Page:
    """The page, once it trains."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(url)
    page.locator(".duel .where", has_text=re.compile(r"step [1-9]")).wait_for()
    return page


if __name__ == "__main__":
    main()
