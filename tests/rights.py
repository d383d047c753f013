"""Missing rights, for tests that run as root too: root's power over foreign files is laid down for a while."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_VERSION_3 = 0x20080522
_OVERRIDING = (1 << 1) | (1 << 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Data(ctypes.Structure):
    _fields_ = [("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32)]


@contextmanager
def mode(path: Path, bits: int) -> Iterator[None]:
    """The file or folder has these permission bits, and this thread is held to them, whoever runs the tests."""
    before = path.stat().st_mode & 0o7777
    path.chmod(bits)
    try:
        with _nobody_special():
            yield
    finally:
        with suppress(FileNotFoundError):  # removed, as it was asked to be
            path.chmod(before)


@contextmanager
def _nobody_special() -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header, held = _Header(_VERSION_3, 0), (_Data * 2)()
    assert libc.capget(ctypes.byref(header), held) == 0
    less = (_Data * 2)(_Data(held[0].effective & ~_OVERRIDING, held[0].permitted, held[0].inheritable), held[1])
    assert libc.capset(ctypes.byref(header), less) == 0
    try:
        yield
    finally:
        assert libc.capset(ctypes.byref(header), held) == 0
