"""The test command on a machine without Chromium."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser import ROOT

ONE = "tests/test_quiz_browser.py::test_it_fits_a_telephone"


@pytest.mark.parametrize("ci", ["", "true"])
def test_browser_tests_are_left_out_aloud_and_ci_insists_on_them(tmp_path: Path, ci: str) -> None:
    environment = {**os.environ, "PATH": str(tmp_path), "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path), "CI": ci}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n1", ONE]  # a worker's word too
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if ci:
        assert ended.returncode == 1
        assert "CI must run the browser tests. No Chromium starts here" in ended.stdout
    else:
        assert ended.returncode == 0
        loud, _count = ended.stdout.strip().splitlines()[-2:]
        assert loud.startswith("LEFT OUT: 1 browser tests. No Chromium starts here, not Playwright's own. Get one by: ")
