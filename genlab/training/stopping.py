"""Signals that end a training after the step under way."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

WORDS = {"SIGINT": "by Ctrl-C", "SIGTERM": "on request", "SIGHUP": "because its terminal was closed"}
"""Who stopped a run, for a reader."""


@contextmanager
def stop_signals() -> Iterator[list[str]]:
    """The names of the stop signals that came in; the first one gives the old handlers back, so that a second one bites."""
    received: list[str] = []
    if threading.current_thread() is not threading.main_thread():
        # Python allows handlers in the main thread alone; elsewhere whoever started the thread decides.
        yield received
        return

    def restore() -> None:
        for number, handler in old.items():
            signal.signal(number, handler)

    def receive(number: int, _: FrameType | None) -> None:
        received.append(signal.Signals(number).name)
        restore()

    # A process started by nohup ignores that its terminal was closed, and goes on doing so.
    wanted = [signal.SIGINT, signal.SIGTERM] + [signal.SIGHUP] * (signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN)
    old = {number: signal.signal(number, receive) for number in wanted}
    try:
        yield received
    finally:
        restore()
