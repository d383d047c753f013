"""Which native kernels are here, and which backend a word such as ``"auto"`` means."""

from __future__ import annotations

import functools
import os
from collections.abc import Collection
from types import ModuleType
from typing import Any

from genlab.errors import BackendError, unknown_name


@functools.cache
def _load() -> tuple[ModuleType | None, str]:
    """The compiled module, or None and the reason why there is none."""
    try:
        from genlab import _core
    except ImportError as error:
        if os.environ.get("GENLAB_ISA"):  # somebody asked for an instruction set by name: no silent way round
            raise BackendError(f"the native kernels cannot be used as asked: {error}") from None
        return None, f"the compiled extension genlab._core could not be imported ({error}); run `pip install -e .` with a C++ compiler"
    return _core, ""


def core() -> ModuleType:
    """The compiled extension.

    Raises:
        BackendError: It is not built, or this processor or ``GENLAB_ISA`` does not allow it.
    """
    module, reason = _load()
    if module is None:
        raise BackendError(f"backend 'native' is not available: {reason}")
    return module


def native_info() -> dict[str, Any]:
    """What the native kernels run on: ``{"available", "isa", "threads", "compiler", "dtypes", "reason", ...}``."""
    module, reason = _load()
    if module is None:
        return {"available": False, "isa": None, "threads": 1, "compiler": None, "dtypes": [], "reason": reason}
    return {"available": True, **module.info()}


def resolve_backend(backend: str, *, allowed: Collection[str] = ("native", "torch")) -> str:
    """The backend meant by `backend`: itself, or for ``"auto"`` the native one where it is available and torch elsewhere.

    Raises:
        InputError: `backend` is not one of `allowed` or ``"auto"``.
        BackendError: ``"native"`` was asked for and is not available.
    """
    if backend == "auto":
        return "native" if "native" in allowed and _load()[0] is not None else "torch"
    if backend not in allowed:
        raise unknown_name("backend", backend, {"auto", *allowed})
    if backend == "native":
        core()
    return backend
