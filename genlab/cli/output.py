"""What may befall whatever is printed: a terminal that lacks a character, a reader that leaves, a disk that is full."""

from __future__ import annotations

import codecs
import os
import sys
from contextlib import suppress
from io import TextIOWrapper

_PLAIN = {
    "±": "+-",
    "×": "x",
    "−": "-",
    "–": "-",
    "→": "->",
    "✓": "v",
    "✗": "x",
    "Σ": "sum",
    "≥": ">=",
    "≤": "<=",
    "…": "...",
    "σ": "sigma",
}
_DEGRADE = "genlab.degrade"


def print_what_can_be_printed() -> None:
    """From now on a character that the output's encoding lacks becomes one that it has, and a path that is no text its own bytes."""
    codecs.register_error(_DEGRADE, _degrade)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=_DEGRADE)


def end_quietly() -> None:
    """Nobody reads any more: what is still to be written goes nowhere, also what Python flushes at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def plain(text: str) -> str:
    """A stranger's words without what would steer the terminal; a byte of a name that is no text stays."""
    return "".join(letter if letter.isprintable() or _is_byte(letter) else " " for letter in text)


def _is_byte(letter: str) -> bool:
    """Whether it stands for a byte of a file's name that is no text, as os.fsdecode has it."""
    return 0xDC80 <= ord(letter) <= 0xDCFF


def _degrade(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letter = error.object[error.start]
    if _is_byte(letter):
        return bytes([ord(letter) - 0xDC00]), error.start + 1
    return _PLAIN.get(letter, "?"), error.start + 1
