"""The errors genlab raises: one sentence that names the argument, the rule and the value received."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class GenlabError(Exception):
    """The root of genlab's own errors."""


class InputError(GenlabError, ValueError):
    """A value that breaks a rule: a shape, a range, an unknown name."""


class BackendError(GenlabError, RuntimeError):
    """A backend that was asked for by name is not available here; nothing falls back in silence."""


class RunError(GenlabError, RuntimeError):
    """A run folder that is missing, torn, locked or written by another version."""


class TrainingError(GenlabError, RuntimeError):
    """Training that could not go on, such as a loss that is no longer finite. The last good checkpoint is kept."""


def unknown_name(argument: str, name: Any, known: Iterable[str]) -> InputError:
    """The error for a name nobody knows; it lists the known ones, and asks for the likely one."""
    known = sorted(known)
    got = repr(name)
    got = got if len(got) <= 200 else got[:200] + "…"
    return InputError(f"{argument} must be one of {', '.join(known)}; got {got}{did_you_mean(name, known)}")


def did_you_mean(name: Any, known: Iterable[str]) -> str:
    """``; did you mean 'pixelcnn'?`` if a known name is close to the one that was typed, else nothing."""
    close = get_close_matches(name, list(known), n=1, cutoff=0.7) if isinstance(name, str) else []
    return f"; did you mean {close[0]!r}?" if close and close[0] != name else ""
