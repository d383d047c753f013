"""Eight browsers on 'a million' (part 6 of Slanted land) at once, and how long others wait for a drawing meanwhile, in a real Chromium.

    python benchmarks/eight_browsers.py [--browsers 8] [--seconds 120] [--json FILE]

Starts a server of its own in a folder of its own. The browsers are there already, on a blank page, as a visitor's is. All go to part 6 at
once, wait for its map, and ask for the survey to be computed on this machine. Meanwhile one more browser draws in the pixel theatre, again
and again. Before that, as many that have part 5 open go on to part 6 at once, as a class does. Prints, in milliseconds:

    class's first map   from the press of 'Next' on part 5 to the map, by the browser's own clock, all at once
    first map           from a browser's going there to its map, by the browser's own clock: one alone, then all at once
    an empty page       the same for all at once and a page of Streamlit's that is a heading and nothing else: what Streamlit's own script
                        costs so many cold browsers on this machine, and so the least that any page of ours could take here
    without browsers    as many plain connections at once that ask for what a browser asks for, every file and the page, to the
                        page's last message: what visitors who bring processors of their own would wait for the server
    drawing             from a click on 'Draw others' to the theatre's new digits, while the survey is computed: median and the longest

and the seconds of processor that browsers and server took until all had their first map, and how many exceptions the server's log holds.
Needs what benchmarks/dashboard_latency.py needs, and Linux. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dashboard_latency import PATIENCE_MS, chromium, read, server, tell
from playwright.sync_api import Browser, Page
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

TARGETS = {"class's first map: longest": 5000, "first map: longest": 5000, "drawing: longest": 1000}
PAGE, CHOICE = "slanted_land", "part=6&gans=a+million"
MILLION = f"{PAGE}?{CHOICE}"
BEFORE = f"{PAGE}?part=5&gans=a+million"
STATUS = ".phases .status"
CAPTION = ".theatre .wall figcaption"
EMPTY = 'import streamlit as st\n\nst.title("Nothing")\n'

# What a browser looks for, twenty times a second wherever it goes. (A waiting locator looks again after pauses that grow.)
MAP_IS_THERE = """[...document.querySelectorAll(".st-key-phases, .st-key-phases *")].some(
  (each) => each.shadowRoot?.querySelector(".phases .status")?.textContent.includes("GANs"))"""
HEADING_IS_THERE = 'document.querySelector("h1") !== null'
LOOK_OUT = """const looking = setInterval(() => {
  if (!(%s)) return;
  window.thereAfter = performance.now();
  clearInterval(looking);
}, 50);"""


def main() -> None:
    """Measure, print, and write the numbers if a file is given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--browsers", type=int, default=8, help="on part 6 (default: 8)")
    parser.add_argument("--seconds", type=float, default=120, help="that they stay there (default: 120)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.py"
        empty.write_text(EMPTY, encoding="utf-8")
        with chromium() as browser, server(dict(os.environ), Path(folder) / "empty.txt", app=empty) as url:
            figures = spread("an empty page", visited(waiting(browser, arguments.browsers, HEADING_IS_THERE), url))
        log = Path(folder) / "server.txt"
        with chromium() as browser, server({**os.environ, "GENLAB_RUNS_DIR": str(Path(folder) / "runs")}, log) as url:
            figures = measure(browser, url, arguments.browsers, arguments.seconds) | figures
        figures["exceptions in the log"] = read(log).count("Traceback")
    print(f"{os.cpu_count()} cores, {arguments.browsers} browsers, {arguments.seconds:g} seconds, milliseconds")
    tell(figures, TARGETS, arguments.json)


def measure(browser: Browser, url: str, browsers: int, seconds: float) -> dict[str, float]:
    """All figures of our own pages, in milliseconds."""
    theatre = browser.new_page(viewport={"width": 1280, "height": 900})
    theatre.set_default_timeout(PATIENCE_MS)
    theatre.goto(f"{url}/theatre")
    theatre.locator(CAPTION).filter(has_text="drawn").wait_for()
    first, *_ = waiting(browser, 1, MAP_IS_THERE)  # the server's first visitor there waits for modules
    files = asked_for(first, f"{url}/{MILLION}")
    alone = visited(waiting(browser, 1, MAP_IS_THERE), f"{url}/{MILLION}")
    without = answered(url, files, browsers)
    together = gone_on(waiting(browser, browsers, MAP_IS_THERE), f"{url}/{BEFORE}")
    crowd = waiting(browser, browsers, MAP_IS_THERE)
    deadline, before = time.monotonic() + seconds, processor_seconds()
    maps = visited(crowd, f"{url}/{MILLION}")
    after = processor_seconds()
    for page in crowd:
        page.get_by_role("button", name="Compute it here").click()
    drawings = []
    while not drawings or time.monotonic() < deadline:
        drawings.append(draw(theatre))
        theatre.wait_for_timeout(1000)
    print("\n".join(sorted({page.locator(STATUS).inner_text() for page in crowd})))
    return {
        "first map, one alone": 1000 * alone[0],
        **spread("class's first map", together),
        **spread("first map", maps),
        **spread("without browsers", without),
        "processor: browsers": 1000 * (after["browsers"] - before["browsers"]),
        "processor: server": 1000 * (after["server"] - before["server"]),
        "drawings": len(drawings),
        **spread("drawing", drawings),
    }


def spread(name: str, seconds: Sequence[float]) -> dict[str, float]:
    """Median and longest, in milliseconds."""
    return {f"{name}: median": 1000 * statistics.median(seconds), f"{name}: longest": 1000 * max(seconds)}


# --- browsers --------------------------------------------------------------------------------------------------------------------


def waiting(browser: Browser, count: int, thing: str) -> list[Page]:
    """Browser sessions of their own on a blank page, which will look out for a thing wherever they go."""
    pages = []
    for _ in range(count):
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.add_init_script(LOOK_OUT % thing)
        pages.append(context.new_page())
        pages[-1].set_default_timeout(PATIENCE_MS)
    return pages


def visited(pages: Sequence[Page], url: str) -> list[float]:
    """Seconds that each waited for the thing it looks out for; all go there at once."""
    for page in pages:
        page.goto(url, wait_until="commit")
    return [float(page.wait_for_function("() => window.thereAfter", polling=200).json_value()) / 1000 for page in pages]


def gone_on(pages: Sequence[Page], before: str) -> list[float]:
    """Seconds from the press of 'Next' to the thing that each looks out for; all press at once, on a page that they have had."""
    for page in pages:
        page.goto(before)
        page.get_by_role("button", name="Next: 6 A million").wait_for()
        page.wait_for_load_state("networkidle")
    for page in pages:
        page.evaluate("() => { window.pressed = performance.now() }")
        page.get_by_role("button", name="Next: 6 A million").press("Enter")
    seconds = [float(page.wait_for_function("() => window.thereAfter - window.pressed", polling=200).json_value()) / 1000 for page in pages]
    for page in pages:
        page.context.close()
    return seconds


def asked_for(page: Page, url: str) -> list[str]:
    """What a browser fetches for a page."""
    files: list[str] = []
    page.on("request", lambda request: files.append(request.url))
    visited([page], url)
    return [file for file in files if file.startswith("http")]


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


# --- without browsers ------------------------------------------------------------------------------------------------------------


def answered(url: str, files: Sequence[str], count: int) -> list[float]:
    """Seconds until each of so many connections at once had every file and the page's last message."""
    with ThreadPoolExecutor(count) as visitors:
        return list(visitors.map(lambda _: answered_once(url, files), range(count)))


def answered_once(url: str, files: Sequence[str]) -> float:
    """Seconds until one of them had."""
    begun = time.perf_counter()
    for file in files:
        try:
            with urllib.request.urlopen(file, timeout=PATIENCE_MS / 1000) as answer:
                answer.read()
        except urllib.error.HTTPError:  # a browser looks for the server's health below the page's name first
            pass
    wish = BackMsg()
    wish.rerun_script.query_string, wish.rerun_script.page_name = CHOICE, PAGE
    saw_map = False
    with connect(f"{url.replace('http', 'ws', 1)}/_stcore/stream", subprotocols=["streamlit"], max_size=None) as socket:  # type: ignore[list-item]
        socket.send(wish.SerializeToString())
        for message in socket:
            assert isinstance(message, bytes)
            saw_map |= b"GANs, " in message
            if ForwardMsg.FromString(message).WhichOneof("type") == "script_finished":
                break
    assert saw_map, "the page came without its map"
    return time.perf_counter() - begun


def processor_seconds() -> dict[str, float]:
    """What this program's children have used of the processor so far: the server, and everything that is a browser's."""
    used = {"server": 0.0, "browsers": 0.0}
    parents, own = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            *_, fields = (folder / "stat").read_text().rpartition(") ")
            words = (folder / "cmdline").read_text()
        except OSError:  # it has ended
            continue
        _, parent, *rest = fields.split()
        parents[int(folder.name)] = int(parent)
        own[int(folder.name)] = (
            "server" if "streamlit" in words else "browsers",
            (int(rest[9]) + int(rest[10])) / os.sysconf("SC_CLK_TCK"),
        )
    for process, (kind, seconds) in own.items():
        ancestor = parents[process]
        while ancestor not in (0, os.getpid()):
            ancestor = parents.get(ancestor, 0)
        used[kind] += seconds if ancestor else 0.0
    return used


if __name__ == "__main__":
    main()
