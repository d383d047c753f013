"""Files from strangers: only ordinary ones are opened, and nothing unpacks to more than its size warrants."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from genlab.datasets.source import MAX_BYTES
from genlab.errors import InputError

UNPACKED_AT_LEAST = 2**28  # bytes that any file may unpack to
UNPACKED_TIMES = 100  # and how many times its own size a larger one may: images shrink to a tenth, blank paper to a fiftieth


def open_file(path: Path) -> BinaryIO:
    """An ordinary file, opened for reading bytes.

    Raises:
        OSError: It cannot be opened, or is a folder, a pipe, a socket or a device; those would block or never end.
    """
    # Without O_NONBLOCK the opening of a pipe would wait for somebody who writes.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
    try:
        kind = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(kind):
            raise OSError(errno.EINVAL, f"it is {kind_of(kind)}, no ordinary file")
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def kind_of(mode: int) -> str:
    """What the mode of a file's status says it is, in words."""
    kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"))
    return next((words for is_kind, words in kinds if is_kind(mode)), "a device")


def reason(error: BaseException) -> str:
    """Why something could not be read, in the system's words where there are some."""
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


def size_of(file: BinaryIO) -> int:
    """Bytes of an open file."""
    return os.fstat(file.fileno()).st_size


def check_unpacked(promised: int, packed: int, what: str) -> None:
    """Refuses from its header what would unpack to too much.

    Args:
        promised: Bytes that come out, by the header.
        packed: Bytes of the file.
        what: How the error calls it.

    Raises:
        InputError: `promised` is beyond `MAX_BYTES`, or beyond both `UNPACKED_AT_LEAST` and `UNPACKED_TIMES` the file's bytes.
    """
    if promised > MAX_BYTES:
        got = f"it unpacks to {promised / 2**30:.1f} GiB, more than {MAX_BYTES / 2**30:g}"
        raise InputError(f"{what} must fit in the memory; {got}")
    if promised > max(UNPACKED_AT_LEAST, UNPACKED_TIMES * packed):
        rule = f"must unpack to at most {UNPACKED_AT_LEAST >> 20} MiB or {UNPACKED_TIMES} times its size"
        raise InputError(f"{what} {rule}; its {packed} bytes promise {promised / 2**30:.1f} GiB")


def printable(text: str) -> str:
    """The same text with a mark in place of bytes of a file's name that are no UTF-8: it can be printed, sent and written."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
