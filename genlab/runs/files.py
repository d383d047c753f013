"""Writing a file in one instant: aside, flushed, then renamed; and what was left aside, cleared away."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from genlab.errors import RunError


def write_aside(path: Path, *parts: bytes | memoryview) -> None:
    """Replace the file `path` by `parts` in one instant: whoever reads finds the old file or the new one, never half of one.

    Raises:
        RunError: The disk is full or refuses. The old file, if there was one, is untouched and nothing is left beside it.
    """
    aside = path.with_name(path.name + ".tmp")
    try:
        with aside.open("wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            aside.unlink()
        raise RunError(f"{path} could not be written: {error.strerror}; what was there before is kept") from error


def clear_leftovers(folder: Path) -> None:
    """Delete what a process left half-written in a run folder that was killed; for whoever holds the folder's lock."""
    names = ("config.json.tmp", "metrics.jsonl.tmp", "checkpoint.safetensors.tmp")
    for file in (*(folder / name for name in names), *(folder / "samples").glob(".step-*"), *(folder / "samples").glob("step-*.tmp")):
        with suppress(OSError):
            file.unlink()


def _flush_folder(folder: Path) -> None:
    """Flush a folder to disk, without which a renamed file may be lost when the power fails."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
