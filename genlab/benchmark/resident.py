"""Resident memory of this process, now and at most: what Linux counts, so that every library's memory is in it."""

from __future__ import annotations

import re
from pathlib import Path


def resident() -> int:
    """Bytes of memory that are resident now.

    Raises:
        RuntimeError: This is no Linux.
    """
    return _status("VmRSS")


def peak_resident() -> int:
    """The most bytes that were, since `forget_peak`.

    Raises:
        RuntimeError: This is no Linux.
    """
    return _status("VmHWM")


def forget_peak() -> None:
    """From now on the peak is what is resident now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # 5 resets the high-water mark


def _status(field: str) -> int:
    status = Path("/proc/self/status")
    found = re.search(rf"^{field}:\s+(\d+) kB$", status.read_text(encoding="ascii"), re.MULTILINE) if status.exists() else None
    if found is None:
        raise RuntimeError(f"/proc/self/status has no {field}: peak memory is measured on Linux alone")
    return int(found[1]) * 1024
