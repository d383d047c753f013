"""The slot for sampling: of all visitors' pages, one draws at a time, beside the one training that `genlab.jobs` lets in.

A drawing takes milliseconds and every core, so it runs in the page's own thread, and a page that finds the slot taken waits. Without it,
the seconds that pages show of each other's drawings would be those of a crowd.
"""

from __future__ import annotations

from threading import Lock

SAMPLING_SLOT = Lock()
