"""How numbers and names are written, the same on every page."""

from __future__ import annotations

import re

from genlab.jobs import State

STATES: dict[State, str] = {
    "queued": "◷ waiting",
    "starting": "● starting",
    "running": "● training",
    "stopping": "● stopping",
    "stopped": "■ stopped",
    "finished": "✓ finished",
    "failed": "✗ failed",
    "lost": "? lost",
}


def plain(text: str) -> str:
    """Text that Markdown shows as it stands: names of runs come from people, and none of them may become markup."""
    return re.sub(r"([\\`*_{}\[\]<>()#+\-.!|~$:&])", r"\\\1", text)


def duration(seconds: float) -> str:
    """About how long, as people say it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def megabytes(count: int) -> str:
    """Bytes in MB."""
    return f"{count / 2**20:,.1f} MB"
