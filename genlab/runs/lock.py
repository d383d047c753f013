"""Who trains into a folder: the kernel knows, since it lets go of a lock when its process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genlab.errors import RunError

# Asking whether a lock is held takes it for an instant, so a lock that is found held is tried again for this long.
_PATIENCE_SECONDS = 0.3


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for writing.

    Raises:
        RunError: Another process holds it, or its lock cannot be opened.
    """
    try:
        descriptor = _open(folder / "lock", os.O_RDWR | os.O_CREAT)
    except FileNotFoundError:
        raise RunError(f"{folder / 'lock'} could not be made: there is no such folder") from None
    try:
        _take(folder, descriptor)
        try:
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
        except OSError as error:
            raise RunError(f"{folder / 'lock'} could not be written: {error.strerror}") from None
        yield
    finally:
        os.close(descriptor)


def holder(folder: Path) -> int | None:
    """The id of the process that holds a folder, or None; 0 if it hasn't said its id yet.

    Raises:
        RunError: The lock cannot be opened.
    """
    try:
        descriptor = _open(folder / "lock", os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        # A shared lock: those who merely ask never turn each other away.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(_said(descriptor) or "0")
    finally:
        os.close(descriptor)
    return None


def _open(file: Path, flags: int) -> int:
    try:
        # Without waiting: a pipe in place of the file must not hold us up.
        descriptor = os.open(file, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RunError(f"{file} could not be opened: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RunError(f"{file} could not be opened: it is no regular file")
    return descriptor


def _take(folder: Path, descriptor: int) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise RunError(f"{folder} is locked: process {_said(descriptor) or 'unknown'} is training into it") from None
            time.sleep(0.01)


def _said(descriptor: int) -> str:
    """The process id in the lock; nothing if what stands there is none."""
    text = os.pread(descriptor, 20, 0)
    return text.decode() if text.isdigit() else ""
