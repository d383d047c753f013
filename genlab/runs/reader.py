"""The one reader for everything that a run folder holds: what a stranger sent is believed only after it was checked.

Whatever is wrong becomes one `RunError` that names the file: a missing right, a directory or a pipe in place of a file, a file beyond
its limit, bytes that are no UTF-8, brackets without end, numbers that are none, a key that is missing or of another kind.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from genlab.errors import InputError, RunError
from genlab.settings import DataSettings, Settings, TrainSettings, sentences

FORMAT = 2
FORMATS = (1, FORMAT)
LABEL_LENGTH = 60

_LIMITS = {"config.json": 4 << 20, "metrics.jsonl": 1 << 30, "label.txt": 1 << 16, "control.json": 1 << 16, "lock": 1 << 12}
_DEPTH = 16
_LARGEST = 2**64
_SAMPLE = re.compile(r"samples/step-(\d{1,15})\.(?:png|npz)")


class _Part(BaseModel):
    """A part of a file: types are taken strictly, what a newer genlab may have added is let through."""

    model_config = ConfigDict(strict=True, extra="allow")


class _Model(_Part):
    name: str = Field(min_length=1, max_length=200)
    settings: dict[str, Any]


class _Report(_Part):
    key: str = Field(min_length=1, max_length=100)
    kind: Literal["exact", "bound", "distance"]
    words: str = Field(max_length=200)
    lower_is_better: bool


class _Domain(_Part):
    shape: list[int] = Field(min_length=1, max_length=4)
    levels: int | None


class _Config1(_Part):
    format: Literal[1]
    model: _Model
    data: dict[str, Any]
    training: dict[str, Any]
    seed: int = Field(ge=0, lt=2**63)
    versions: dict[str, str | int | None] | None = None


class _Config2(_Config1):
    format: Literal[2]  # type: ignore[assignment]
    report: _Report
    abilities: list[str]
    domain: _Domain


class _Record(_Part):
    """What is known of a dataset; empty where somebody made the folder by hand."""

    name: str = ""
    rule: str = ""
    seed: int = 0
    levels: int | None = Field(2, ge=1)  # None: points
    native_levels: int | None = Field(2, ge=1)
    image_shape: list[int] = Field([1, 1, 1], min_length=3, max_length=3)
    images: dict[str, int] = {}
    sha256: str = ""


def read_config(file: Path) -> dict[str, Any]:
    """A run's ``config.json``, checked down to every value that genlab reads.

    Raises:
        RunError: It is missing, cannot be read, is of another format, or holds what it must not.
    """
    config = parse(file, read_bytes(file, missing=f"{file.parent} is not a run folder: it has no config.json"))
    check_format(file, config)
    missing = [key for key in ("model", "data", "training", "seed") if key not in config]
    if missing:
        raise RunError(f"{file} lacks {', '.join(missing)}")
    _check(file, "", _Config1 if config["format"] == 1 else _Config2, config)
    for part in (config["model"]["settings"], config["data"], config["training"]):
        for name in part:
            if not name.isidentifier():
                raise RunError(f"{file}: the name of a setting must be an identifier; got {name[:60]!r}")
    record = config["data"].get("record", {})
    if not isinstance(record, dict):
        raise RunError(f"{file}: data.record must be an object; got {str(record)[:60]!r}")
    _check(file, "data.record.", _Record, record)
    if record and not {"name", "sha256"} <= record.keys():
        raise RunError(f"{file}: data.record lacks {', '.join(sorted({'name', 'sha256'} - record.keys()))}")
    _check_settings(file, "data", DataSettings, {name: value for name, value in config["data"].items() if name != "record"})
    _check_settings(file, "training", TrainSettings, config["training"])
    if "name" not in config["data"]:
        raise RunError(f"{file} holds no data.name; got {str(config['data'])[:60]!r}")
    return dict(config)


def read_metrics(file: Path, kind: str | None = None) -> list[dict[str, Any]]:
    """The records of ``metrics.jsonl`` of one kind, or all, in the shape of format 2; none if there is no file yet.

    Raises:
        RunError: A line is not what a record must be. A last line without its end was torn (its process was killed while writing) and is
            left out.
    """
    with suppress(OSError):
        if not _is_there(file):
            return []
    content = read_bytes(file)
    lines = content.split(b"\n")
    torn = lines.pop()  # empty, unless the last line has no end
    records = []
    for number, line in enumerate([*lines, torn], 1):
        if kind is not None and f'"{kind}"'.encode() not in line:
            continue  # most lines are of another kind, and reading them is most of the work
        try:
            record = _record(file, line)
        except RunError as error:
            if number > len(lines):
                break
            raise RunError(f"{file} is torn at line {number}: {_reason(file, error)}") from None
        if kind is None or record["kind"] == kind:
            records.append(record)
    return records


def read_label(file: Path) -> str:
    """The label in a folder's ``label.txt``, or nothing. It is for people to read, so what cannot be read of it is no error."""
    try:
        return one_line(read_bytes(file).decode(errors="replace"))[:LABEL_LENGTH]
    except RunError:
        return ""


def read_bytes(file: Path, *, missing: str | None = None, limit: int | None = None, first: int | None = None) -> bytes:
    """All bytes of a regular file below a limit, or the first few of them.

    Args:
        file: The file.
        missing: The sentence if there is none.
        limit: The most bytes it may have; None takes the limit of a run folder's file of that name.
        first: How many to read; None reads all.

    Raises:
        RunError: It is missing, cannot be read, is no regular file or too large.
    """
    limit = _LIMITS[file.name] if limit is None else limit
    try:
        # Without waiting: a pipe that nobody writes into must not hold us up.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise RunError(f"{file} is missing" if missing is None else missing) from None
    except (OSError, ValueError) as error:
        raise RunError(f"{file} could not be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise RunError(f"{file} could not be read: it is no regular file")
        if status.st_size > limit:
            raise RunError(f"{file} could not be read: it has {status.st_size:,} bytes, more than the {limit:,} that are believed")
        with os.fdopen(os.dup(descriptor), "rb") as opened:
            return opened.read(status.st_size if first is None else min(first, status.st_size))
    except OSError as error:
        raise RunError(f"{file} could not be read: {error.strerror}") from None
    finally:
        os.close(descriptor)


def parse(file: Path, content: bytes) -> Any:
    """The JSON value in the content of `file`: finite numbers, no more than so deep, text that can be written again.

    Raises:
        RunError: It is not.
    """
    try:
        value = json.loads(content.decode(), parse_constant=_no_number)
        _walk(value)
    except UnicodeDecodeError as error:
        raise RunError(f"{file} is not JSON: byte {error.start} is not UTF-8") from None
    except RecursionError:
        raise RunError(f"{file} is not JSON: its brackets are nested too deep") from None
    except (ValueError, OverflowError) as error:
        raise RunError(f"{file} is not JSON: {error}") from None
    return value


def check_format(file: Path, header: Any) -> None:
    """Refuse a JSON value that isn't an object of a format that is known here."""
    if not isinstance(header, dict) or "format" not in header:
        raise RunError(f"{file} was not written by genlab: it names no format")
    if header["format"] not in FORMATS or isinstance(header["format"], bool | float):
        raise RunError(f"{file} has format {str(header['format'])[:60]}, this version of genlab reads formats 1 and 2")


def step_of(sample: Path) -> int | None:
    """The step in a sample's name, ``step-00001234.png``; None if it is none of ours."""
    match = _SAMPLE.fullmatch(f"samples/{sample.name}")
    return int(match[1]) if match else None


def one_line(text: str) -> str:
    """The text without what does not print, such as line ends and marks that turn the direction of writing."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


# --- parts of the checks -------------------------------------------------------------------------------------------------------


def _check(file: Path, part: str, kind: type[_Part], value: Any) -> None:
    try:
        kind.model_validate(value)
    except ValidationError as error:
        raise RunError(f"{file}: {'; '.join(sentences(error, part))}") from None


def _check_settings(file: Path, part: str, kind: type[Settings], values: Mapping[str, Any]) -> None:
    try:
        # As JSON: a list is then a tuple, and nothing else is taken for what it is not.
        # A byte of a file's name that is no UTF-8 is half of a pair for Python and no JSON for pydantic; here any letter will do.
        kind.model_validate_json(json.dumps(values, ensure_ascii=False).encode(errors="replace"), strict=True)
    except ValidationError as error:
        raise RunError(f"{file}: {'; '.join(sentences(error, f'{part}.'))}") from None
    except InputError as error:
        raise RunError(f"{file}: {error}") from None


def _is_there(file: Path) -> bool:
    try:
        file.stat()
    except FileNotFoundError:
        return False
    return True


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _walk(value: Any) -> None:
    """Refuse what parses but is no value for us; level by level, so that no depth can exhaust the stack."""
    level = [value]
    for _ in range(_DEPTH):
        deeper: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                deeper.extend(item)
                deeper.extend(item.values())
            elif isinstance(item, list):
                deeper.extend(item)
            elif isinstance(item, str):
                # Bytes of a file name that are no UTF-8 are halves of a pair for Python; other halves cannot be written.
                item.encode(errors="surrogateescape")
            elif (isinstance(item, float) and not math.isfinite(item)) or (isinstance(item, int) and not -_LARGEST < item < _LARGEST):
                raise ValueError("a number is too large")
        if not deeper:
            return
        level = deeper
    raise ValueError("its brackets are nested too deep")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_step(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_values(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_number(figure) for figure in value.values())


_FIELDS: dict[str, dict[str, Callable[[Any], bool]]] = {
    "train": {"values": _is_values, "seconds": _is_number, "learning_rate": _is_number, "images_per_second": _is_number},
    "valid": {"values": _is_values, "seconds": _is_number, "best": lambda value: isinstance(value, bool)},
    "sample": {"file": lambda value: isinstance(value, str) and _SAMPLE.fullmatch(value) is not None},
    "event": {"event": _is_text, "message": _is_text, "time": _is_number},
}
# What format 1 wrote beside the other fields, where format 2 has "values".
_FIGURES = {"train": ("loss", "bits_per_dim", "gradient_norm"), "valid": ("nats", "bits_per_dim")}


def _record(file: Path, line: bytes) -> dict[str, Any]:
    """One line of ``metrics.jsonl`` in the shape of format 2, with each figure under its own name as well, as format 1 had them."""
    record = parse(file, line)
    if not isinstance(record, dict) or not _is_text(record.get("kind")) or not _is_step(record.get("step")):
        raise RunError(f"{file} is not JSON: a record says its kind and its step; got {line[:60].decode(errors='replace')!r}")
    kind = record["kind"]
    figures = _FIGURES.get(kind, ())
    if figures and "values" not in record:
        values = {name: record[name] for name in figures if name in record}
        # Format 1 knew models with an exact likelihood alone, whose loss is the report.
        record["values"] = {"nats": values["loss"], **values} if "loss" in values else values
    for name, holds in _FIELDS.get(kind, {}).items():
        if name not in record or not holds(record[name]):
            got = f"got {str(record[name])[:60]!r}" if name in record else "it has none"
            raise RunError(f"{file} is not JSON: a record of kind {kind!r} needs a sound {name!r}; {got}")
    if not _is_step(record.get("epoch", 0)):
        raise RunError(f"{file} is not JSON: an epoch must be a whole number; got {str(record['epoch'])[:60]!r}")
    return {**record.get("values", {}), **record} if figures else record


def _reason(file: Path, error: RunError) -> str:
    return str(error).removeprefix(f"{file} is not JSON: ")
