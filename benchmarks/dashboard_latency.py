"""How quick the dashboard feels while a job trains on every core, measured in a real Chromium.

    python benchmarks/dashboard_latency.py [--clicks 60] [--json FILE]

Starts a server of its own in a folder of its own and prints, in milliseconds:

    first paint     from the server being up (its health address answers) to the front page's heading, in a cold browser
    first digit     from there to the first generated digit, without a click
    rerun           from a click on a widget to its effect on the page, before and while a training runs: median and 95th percentile

Needs `pip install playwright` and a Chromium on the PATH. Nothing is asserted: the figures are for the quiet machine they are taken on.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parent.parent
PATIENCE_MS = 120_000
TARGETS = {"first paint": 3000, "first digit": 2000, "rerun, training: median": 300, "rerun, training: 95 %": 1000}
# The choice of a curve's axis reruns the fragment with the chart of the page of runs; its effect is the chart's text.
AXES = ("by time", "by step")
# Settings of an ordinary, not a tiny, network: it keeps every core busy.
TRAINING = ["pixelcnn", "--data", "mnist5k", "--minutes", "60", "--set", "binarize=dynamic", "log_seconds=0.5"]
FINISHED = ["pixelcnn", "--data", "digits", "--epochs", "2", "--set", "channels=8", "blocks=2"]


def main() -> None:
    """Measure, print, and write the numbers if a file is given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clicks", type=int, default=60, help="reruns to time, each idle and training (default: 60)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        figures = measure(browser, Path(folder) / "runs", arguments.clicks)
    print(f"{os.cpu_count()} cores, {arguments.clicks} clicks, milliseconds")
    tell(figures, TARGETS, arguments.json)


def tell(figures: Mapping[str, float], targets: Mapping[str, float], file: Path | None) -> None:
    """Print the figures beside their targets, and write them if a file is given."""
    for name, value in figures.items():
        target = f"   target {targets[name]:,}" if name in targets else ""
        print(f"{name:28} {value:8,.0f}{target}")
    if file is not None:
        file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(browser: Browser, runs: Path, clicks: int) -> dict[str, float]:
    """All figures, in milliseconds."""
    environment = {**os.environ, "GENLAB_RUNS_DIR": str(runs)}
    train(FINISHED, runs / "finished", environment).wait()
    with server(environment, runs.parent / "server.txt") as url:
        figures = first_paint(browser, url)
        page = open_page(browser, f"{url}/runs?run=finished")
        summary = summarise("idle", rerun_times(page, clicks))
        training = train(TRAINING, runs / "training", environment)
        try:
            wait_until(lambda: '"train"' in read(runs / "training" / "metrics.jsonl"))
            page.reload()
            connected(page)
            summary |= summarise("training", rerun_times(page, clicks))
        finally:
            training.terminate()
            training.wait()
    return figures | summary


def first_paint(browser: Browser, url: str) -> dict[str, float]:
    """From a server that has just come up to the front page's heading, and on to its first digit."""
    begun = time.perf_counter()
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url)
    page.get_by_role("heading", level=1).wait_for()
    painted = time.perf_counter()
    # A picture counts once something other than its background is on it.
    page.wait_for_function(HAS_INK)
    drawn = time.perf_counter()
    page.close()
    return {"first paint": 1000 * (painted - begun), "first digit": 1000 * (drawn - painted)}


# Components live in shadow roots, which `querySelectorAll` does not enter by itself.
HAS_INK = """() => {
  const inside = (root) => [...root.querySelectorAll("*")].flatMap((each) => [each, ...(each.shadowRoot ? inside(each.shadowRoot) : [])]);
  return inside(document).some((canvas) => {
    if (canvas.tagName !== "CANVAS" || !canvas.width || !canvas.height) return false;
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 4; i < data.length; i += 4) if (data[i] !== data[0] || data[i + 3] !== data[3]) return true;
    return false;
  });
}"""


# The browser's own clock, from the click's event to the frame in which its effect is there. (A waiting locator looks again after pauses
# that grow from 20 to 500 ms: too coarse a clock.)
TIME_CLICK = """(label) => {
  window.clickTook = new Promise((resolve) => {
    document.addEventListener("click", () => {
      const begun = performance.now();
      const look = () => {
        if (document.querySelector(`[aria-label^="${label}"]`)) resolve(performance.now() - begun);
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    }, { capture: true, once: true });
  });
}"""


def rerun_times(page: Page, clicks: int) -> list[float]:
    """Seconds from a click to its effect, click after click, each after the last one's page has come to rest."""
    times = []
    for number in range(clicks + 2):
        label = AXES[number % 2]
        button = page.get_by_test_id("stButtonGroup").get_by_text(label, exact=True)
        page.evaluate(TIME_CLICK, f"Curves {label}")
        button.click()
        times.append(page.evaluate("() => window.clickTook") / 1000)
    return times[2:]  # the first ones load what the page needs


def summarise(when: str, times: list[float]) -> dict[str, float]:
    """Median and 95th percentile, in milliseconds."""
    return {
        f"rerun, {when}: median": 1000 * statistics.median(times),
        f"rerun, {when}: 95 %": 1000 * statistics.quantiles(times, n=20, method="inclusive")[-1],
    }


def train(arguments: list[str], out: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """A training as the dashboard starts it: behind the page in the queue for the processor."""
    code = "import os, sys; os.nice(10); from genlab.cli import main; raise SystemExit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "train", *arguments, "--out", str(out)]
    out.parent.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def server(environment: dict[str, str], log: Path, *, app: Path = ROOT / "app.py") -> Iterator[str]:
    """`streamlit run app.py` or another, up and answering; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "streamlit", "run", str(app), "--server.headless=true", f"--server.port={port}"]
    with log.open("wb") as output, subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output) as process:
        try:
            wait_until(lambda: answers(f"{url}/_stcore/health") or process.poll() is not None)
            if process.poll() is not None:
                raise SystemExit(f"the server did not start:\n{read(log)}")
            yield url
        finally:
            process.kill()


def answers(url: str) -> bool:
    """Whether there is somebody at that address."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError):
        return False


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        raise SystemExit("there is no Chromium on the PATH: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def open_page(browser: Browser, url: str) -> Page:
    """A page, once it is connected and has a chart."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url)
    connected(page)
    return page


def connected(page: Page) -> None:
    """Wait for the session and the chart."""
    page.locator("[data-testid=stApp][data-test-connection-state=CONNECTED]").wait_for()
    page.locator("[data-testid=stVegaLiteChart]").first.wait_for()


def wait_until(condition: object) -> None:
    """Ask again and again until the answer is yes."""
    assert callable(condition)
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("waited in vain")
        time.sleep(0.01)


def read(file: Path) -> str:
    """The file's text, or nothing."""
    return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""


if __name__ == "__main__":
    main()
