"""Of all visitors' pages, one draws at a time, beside the one training that `genlab.jobs` lets in, and nobody waits for another for long.

A drawing takes milliseconds and every core, so it runs in the page's own thread, and a page that finds the slot taken waits. Without it,
the seconds that pages show of each other's drawings would be those of a crowd. A few drawings take seconds, such as a race with a walk that
remembers nothing; whoever has waited for a second in all, since the page began, draws beside them.
"""

from __future__ import annotations

import threading
import time


class SamplingSlot:
    """A lock that is waited for at most so long, and then passed: ``with SAMPLING_SLOT: draw()``.

    Attributes:
        patience: Seconds that a page waits, all its drawings together.
    """

    def __init__(self, patience: float = 1.0) -> None:
        self.patience = patience
        self._lock = threading.Lock()
        self._mine = threading.local()  # a page runs in a thread of its own

    def new_page(self) -> None:
        """A page begins, and with it its patience."""
        self._mine.waited = 0.0

    def locked(self) -> bool:
        """Whether somebody draws who holds it."""
        return self._lock.locked()

    def __enter__(self) -> None:
        begun, waited = time.monotonic(), getattr(self._mine, "waited", 0.0)
        self._mine.holds = self._lock.acquire(timeout=max(0.0, self.patience - waited))
        self._mine.waited = waited + time.monotonic() - begun

    def __exit__(self, *_: object) -> None:
        if self._mine.holds:
            self._lock.release()


SAMPLING_SLOT = SamplingSlot()
