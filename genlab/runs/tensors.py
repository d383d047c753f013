"""Named tensors and a JSON header as one safetensors file, checked as a whole before anything is returned. torch loads on first use.

The header ends with a checksum of all the rest, so that a flipped bit is noticed; files of format 1 have none and are taken as they are.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genlab.errors import RunError
from genlab.runs.files import write_aside
from genlab.runs.reader import FORMAT, check_format, parse, read_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

_LONGEST_HEADER = 64 << 20
_LONGEST_FILE = 1 << 40
_BYTES = {"BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2} | {
    **dict.fromkeys(("I32", "U32", "F32"), 4),
    **dict.fromkeys(("I64", "U64", "F64"), 8),
}


@dataclass(frozen=True)
class Table:
    """What stands before a safetensors file's numbers.

    Attributes:
        tensors: ``{"dtype", "shape", "data_offsets"}`` by name.
        genlab: Our own header, or None in a file that was not written by genlab.
        begin: Where the numbers begin in the file.
    """

    tensors: dict[str, dict[str, Any]]
    genlab: Any
    begin: int

    def checksum(self, numbers: bytes | memoryview) -> str:
        """SHA-256 of the table, our header without its own checksum, and the numbers."""
        rest = {name: value for name, value in self.genlab.items() if name != "sha256"}
        digest = hashlib.sha256(json.dumps([self.tensors, rest], sort_keys=True).encode())
        digest.update(numbers)
        return digest.hexdigest()


def save_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write named tensors and a JSON header as one safetensors file.

    Raises:
        RunError: As for :func:`genlab.runs.files.write_aside`.
    """
    from safetensors.torch import save

    content = save(_apart(tensors))
    (length,) = struct.unpack_from("<Q", content)
    numbers = memoryview(content)[8 + length :]
    table = Table(json.loads(content[8 : 8 + length]), {"format": FORMAT, **header}, 0)
    sealed = {**table.genlab, "sha256": table.checksum(numbers)}
    text = json.dumps({"__metadata__": {"genlab": json.dumps(sealed)}, **table.tensors}).encode()
    text += b" " * (-len(text) % 8)
    write_aside(path, struct.pack("<Q", len(text)), text, numbers)


def read_header(path: Path) -> dict[str, Any]:
    """The JSON header of a file of :func:`save_tensors`; of a checkpoint ``{"format", "model", "step", "epoch", "seconds", ...}``.

    Raises:
        RunError: The file is missing, torn, or not of this format.
    """
    return _header(path, read_table(path))


def read_tensors(path: Path, expected: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors named by `expected` out of a file of :func:`save_tensors`, and its header.

    Everything is compared before anything is returned: each group of names (what stands before the first ``/``) must hold the
    expected names and no others, of the expected shapes and dtypes.

    Raises:
        RunError: The file is missing, torn, damaged, of another format or fits another model.
    """
    content, table = _read_whole(path)
    header = _header(path, table)
    _check_sum(path, table, content)
    tensors = _load(path, content)
    groups = {name.split("/", 1)[0] for name in expected}
    compare_tensors(path, {name: tensor for name, tensor in tensors.items() if name.split("/", 1)[0] in groups}, expected)
    return {name: tensors[name] for name in expected}, header


def read_plain(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file that need not be genlab's.

    Raises:
        RunError: The file is missing or torn.
    """
    content, table = _read_whole(path)
    if isinstance(table.genlab, dict):
        _check_sum(path, table, content)
    return _load(path, content)


def read_arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    """All tensors of a file of :func:`save_tensors` as arrays, without torch.

    Raises:
        RunError: As for :func:`read_tensors`.
    """
    from safetensors.numpy import load

    content, table = _read_whole(path)
    _header(path, table)
    _check_sum(path, table, content)
    with _torn(path):
        return dict(load(content))


def compare_tensors(path: Path, found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Refuse tensors whose names, shapes or dtypes are not the expected ones."""
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            raise RunError(f"{path} does not fit the model: it lacks the tensor {name!r}")
        if name not in expected:
            raise RunError(f"{path} does not fit the model: it has a tensor {name!r} that the model has not")
        for what in ("shape", "dtype"):
            have, want = getattr(found[name], what), getattr(expected[name], what)
            if have != want:
                have, want = (str(tuple(have)), str(tuple(want))) if what == "shape" else (have, want)
                raise RunError(f"{path} does not fit the model: {name!r} has {what} {have}, the model's has {want}")


def read_table(path: Path) -> Table:
    """What stands before the numbers, held against the file's size: nothing is read or made room for that it merely promises.

    Raises:
        RunError: The file is missing, torn, or no safetensors file.
    """
    content = read_bytes(path, limit=_LONGEST_FILE, first=8)
    length = struct.unpack("<Q", content)[0] if len(content) == 8 else 0
    return _table(path, read_bytes(path, limit=_LONGEST_FILE, first=8 + min(length, _LONGEST_HEADER)), _size(path))


def _read_whole(path: Path) -> tuple[bytes, Table]:
    read_table(path)
    content = read_bytes(path, limit=_LONGEST_FILE)
    return content, _table(path, content, len(content))


def _load(path: Path, content: bytes) -> dict[str, Tensor]:
    from safetensors.torch import load

    with _torn(path):
        return dict(load(content))


@contextmanager
def _torn(path: Path) -> Iterator[None]:
    """What the library refuses although the table was sound."""
    from safetensors import SafetensorError

    try:
        yield
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path} is torn or not a safetensors file: {error}") from None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise RunError(f"{path} could not be read: {error.strerror}") from None


def _table(path: Path, content: bytes, size: int) -> Table:
    torn = f"{path} is torn or not a safetensors file"
    if len(content) < 8:
        raise RunError(f"{torn}: it has {len(content)} bytes")
    (length,) = struct.unpack_from("<Q", content)
    if length > min(_LONGEST_HEADER, size - 8):
        raise RunError(f"{torn}: it promises a header of {length:,} bytes and has {size:,} in all")
    try:
        table = parse(path, content[8 : 8 + length])
        metadata = table.pop("__metadata__", None) or {}
        _check_table(table, size - 8 - length)
        genlab = parse(path, metadata["genlab"].encode()) if "genlab" in metadata else None
    except RunError as error:
        raise RunError(f"{torn}: {str(error).removeprefix(f'{path} is not JSON: ')}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{torn}: its header lacks or confuses {str(error)[:80]}") from None
    return Table(table, genlab, 8 + length)


def _check_table(table: dict[str, dict[str, Any]], room: int) -> None:
    """Refuse tensors that leave gaps, overlap, or end beyond the file."""
    expected = 0
    for name, tensor in sorted(table.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = tensor["data_offsets"]
        shape = tensor["shape"]
        if not all(isinstance(side, int) and side >= 0 for side in (*shape, begin, end)):
            raise ValueError(f"the sizes of {name!r}")
        if begin != expected or end - begin != math.prod(shape) * _BYTES[tensor["dtype"]]:
            raise ValueError(f"the place of {name!r}")
        expected = end
    if expected != room:
        raise ValueError(f"{expected:,} bytes of numbers where the file has {room:,}")


def _header(path: Path, table: Table) -> dict[str, Any]:
    check_format(path, table.genlab)
    return {name: value for name, value in table.genlab.items() if name != "sha256"}


def _check_sum(path: Path, table: Table, content: bytes) -> None:
    """Refuse a file whose bytes are not those that were written."""
    if table.genlab.get("format") == 1 and "sha256" not in table.genlab:
        return
    if table.checksum(memoryview(content)[table.begin :]) != table.genlab.get("sha256"):
        raise RunError(f"{path} is damaged: its checksum is not the one that it was written with")


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with nobody's memory shared, as the file format wants them: weights that a model ties are written twice."""
    seen: set[int] = set()
    apart = {}
    for name, tensor in tensors.items():
        place = tensor.untyped_storage().data_ptr()
        apart[name] = (tensor.detach().clone() if place in seen else tensor.detach()).contiguous()
        seen.add(place)
    return apart
