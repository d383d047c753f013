"""How long a visitor waits: ``python -m benchmarks.first_paint`` starts servers and prints seconds to the first words and the first digit.

Each round has a server of its own, started afresh, and a browser context with an empty cache. Nothing is clicked.
"""

from __future__ import annotations

import re
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Browser

from tests.browser import PATIENCE_MS, Server, chromium

_ROUNDS = 5


def main() -> None:
    """Print each round, then the medians."""
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        rounds = [_round(browser, Path(folder) / str(number) / "runs") for number in range(_ROUNDS)]
    for words, digit in rounds:
        print(f"server up, then {words:.2f} s to the first words, and {digit:.2f} s more to the first digit")
    print(f"medians: {statistics.median(r[0] for r in rounds):.2f} s and {statistics.median(r[1] for r in rounds):.2f} s")


def _round(browser: Browser, runs: Path) -> tuple[float, float]:
    runs.parent.mkdir()
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    with closing(context), Server(runs) as server:
        start = time.perf_counter()
        page.goto(server.url, wait_until="commit")
        page.locator("h1").first.wait_for()
        words = time.perf_counter()
        page.get_by_label(re.compile("A digit that nobody wrote, 1 of")).wait_for()
        return words - start, time.perf_counter() - words


if __name__ == "__main__":
    main()
