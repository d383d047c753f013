"""What the files of a run folder must look like to be believed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from genlab.errors import RunError

FORMAT = 1
LABEL_LENGTH = 60


def record_of(line: str) -> dict[str, Any]:
    """One line of `metrics.jsonl`, if it is an object that says its kind and its step."""
    record = json.loads(line)
    if not (isinstance(record, dict) and "kind" in record and isinstance(record.get("step"), int)):
        raise ValueError(line)
    return record


def one_line(text: str) -> str:
    """The text without what does not print, such as line ends and marks that turn the direction of writing."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def check_format(path: Path, header: Any) -> None:
    """Refuse a JSON value that isn't an object of this format."""
    if not isinstance(header, dict) or "format" not in header:
        raise RunError(f"{path} was not written by genlab: it names no format")
    if header["format"] != FORMAT:
        raise RunError(f"{path} has format {header['format']!r}, this version of genlab reads format {FORMAT}")
