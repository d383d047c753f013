"""What several files of tests share and pytest hands to them."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.browser import Server

FEW_FILES = 3  # are sooner done than workers are started
MOST_WORKERS = 4  # each has a Chromium and torch in memory
_LEFT_OUT = "no Chromium: "


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Many files are shared out, a worker a core (pytest-xdist), unless told otherwise: ``-n 0``, ``-p no:xdist``, ``--pdb``, ``-s``.

    Said here and not in pyproject.toml: a few files are sooner done without workers, and without the plugin ``-n`` would be an error.
    """
    option = config.option
    untold = getattr(option, "numprocesses", 0) is None and option.dist == "no" and not hasattr(config, "workerinput")
    if untold and not option.usepdb and option.capture != "no" and _are_many(config.args):
        cores = os.cpu_count() or 1
        option.numprocesses, option.dist = min(cores, MOST_WORKERS), "worksteal"
        # Two workers' threads would wait for each other's, spinning. Tests about threads say how many; the sanitised ones always have two.
        os.environ.setdefault("OMP_NUM_THREADS", str(cores // option.numprocesses))
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def _are_many(arguments: list[str]) -> bool:
    files = {argument.split("::")[0] for argument in arguments}
    return len(files) > FEW_FILES or any(Path(file).is_dir() for file in files)


def pytest_configure() -> None:
    """A shell that starts the tests with ``&`` or nohup has signals ignored; tests, and the programs that they start, are about those."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs a browser comes last: whatever is broken shows sooner without one, and the rest runs without Playwright's event loop."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture(scope="session")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """A headless Chromium, one for all files. Without one their tests are left out, which the end of the run says aloud; CI insists."""
    from tests.browser import NoChromiumError, chromium

    with ExitStack() as stack:
        try:
            browser = stack.enter_context(chromium())
        except NoChromiumError as error:
            if os.environ.get("CI"):
                pytest.fail(f"CI must run the browser tests. {error}", pytrace=False)
            pytest.skip(f"{_LEFT_OUT}{error}")
        yield browser


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Below everything else, one line says what was left out for want of a browser."""
    yield
    reasons = [str(report.longrepr[-1]) for report in terminalreporter.stats.get("skipped", ()) if isinstance(report.longrepr, tuple)]
    if left_out := [reason.partition(_LEFT_OUT)[2] for reason in reasons if _LEFT_OUT in reason]:
        terminalreporter.write_line(f"LEFT OUT: {len(left_out)} browser tests. {left_out[0]}", red=True, bold=True)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run, trained once for whoever only looks at one. To change it, copy it."""
    from tests.tiny import tiny_run

    return tiny_run(tmp_path_factory.mktemp("trained") / "tiny").path


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, trained: Path) -> Iterator[Server]:
    """A dashboard with one finished run that every file may look at: no test trains on it, answers under a name or stops it."""
    from tests.browser import Server

    runs = tmp_path_factory.mktemp("server") / "runs"
    shutil.copytree(trained, runs / "tiny")
    with Server(runs) as server:
        yield server


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A blank page in a browser session of its own, tall enough for a lab; whatever a test does there, no script of ours may fail."""
    from tests.browser import PATIENCE_MS

    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []
