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
    from playwright.sync_api import Browser

    from tests.browser import Server

_LEFT_OUT = pytest.StashKey[str]()


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
            request.config.stash[_LEFT_OUT] = str(error)
            pytest.skip("no Chromium")
        yield browser


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> Iterator[None]:
    """Below everything else, one line says what was left out for want of a browser."""
    yield
    if (reason := config.stash.get(_LEFT_OUT, None)) is not None:
        count = sum("no Chromium" in str(report.longrepr) for report in terminalreporter.stats.get("skipped", ()))
        terminalreporter.write_line(f"LEFT OUT: {count} browser tests. {reason}", red=True, bold=True)


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
    server = Server(runs)
    server.start()
    yield server
    server.kill()
