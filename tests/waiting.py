"""Waiting for the thing itself instead of for some time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def wait_until(condition: Callable[[], Value], *, seconds: float = 120) -> Value:
    """The first value of `condition` that is true; the limit is generous, it only keeps a broken test from hanging."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain"
        pause.wait(0.02)
    return value
