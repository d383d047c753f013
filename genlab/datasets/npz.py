"""NumPy archives (``.npz``) and single arrays (``.npy``), read from their own headers. No pickle.

`genlab.datasets.arrays` says which keys are read; the key ``levels``, if there is one, is the native number of levels.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, BinaryIO

from numpy.typing import NDArray

from genlab.datasets.arrays import layout_of, refuse_further_split, source_of
from genlab.datasets.files import check_unpacked, open_file, printable, size_of
from genlab.datasets.npy import MAGIC, Header, read_header, read_values
from genlab.datasets.source import Part, Source, as_images, as_points
from genlab.errors import InputError

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what numpy.savez and savez_compressed write
_ENCRYPTED = 1


def read_npz(path: Path) -> Source:
    """Images, and labels where they are, of an ``.npz`` file.

    Images are (N, H, W), (N, C, H, W) or (N, H, W, C), of booleans or of integers from 0 to 255.

    Raises:
        InputError: It is no ``.npz``, torn, pickled, encrypted, without training images, holds anything but images as above, or would
            unpack to more than its size warrants.
    """
    what = f"npz file {printable(str(path))!r}"
    with open_file(path) as file:
        if file.read(len(MAGIC)) == MAGIC:
            raise InputError(f"{what} must be a zip archive of arrays, as numpy.savez writes; it is one array: call it .npy")
        file.seek(0)
        try:
            with zipfile.ZipFile(file) as archive:
                return _read(_Archive(archive, size_of(file), what), what, printable(path.name))
        except InputError:
            raise
        except Exception as error:  # torn archives end in BadZipFile, zlib.error, struct.error, NotImplementedError, MemoryError, ...
            raise InputError(f"{what} cannot be read: {error or type(error).__name__}") from error


def read_npy(path: Path) -> Source:
    """The images of an ``.npy`` file, an array as in `read_npz`; floating-point numbers (N, D) are points.

    Raises:
        InputError: It is no such array, torn, or of anything but images or points.
    """
    what = f"npy file {printable(str(path))!r}"
    with open_file(path) as file:
        header = read_header(file, what)
        check_unpacked(header.size, size_of(file), what)
        is_points = header.dtype.kind == "f" and len(header.shape) == 2
        values = (as_points if is_points else as_images)(read_values(file, header, what), what)
    return Source({"train": Part(values)}, None, f"npy file {printable(path.name)!r}")


class _Archive:
    """The arrays of an open zip file by key; members that are no arrays are left out."""

    def __init__(self, archive: zipfile.ZipFile, size: int, what: str) -> None:
        self._archive = archive
        self._size = size
        self._what = what
        self._members: dict[str, zipfile.ZipInfo] = {}
        for member in archive.infolist():
            key = printable(member.filename).removesuffix(".npy")
            if key in self._members:
                raise InputError(f"{what} must hold every array once; it holds {key!r} twice")
            self._members[key] = member
        self.keys = tuple(self._members)

    def header(self, key: str) -> Header | None:
        """What the array at `key` is, or None if it is no array that can be read."""
        try:
            with self._open(key) as file:
                return read_header(file, key)
        except (InputError, OSError, ValueError, RuntimeError, NotImplementedError, EOFError, zipfile.BadZipFile):
            return None

    def read(self, key: str) -> NDArray[Any]:
        """The array at `key`.

        Raises:
            InputError: It is torn, encrypted, packed in an unusual way, no array, or too large.
        """
        what = f"{key!r} of {self._what}"
        member = self._members[key]
        if member.flag_bits & _ENCRYPTED:
            raise InputError(f"{what} cannot be read: it is encrypted")
        if member.compress_type not in _METHODS:
            raise InputError(f"{what} must be stored or deflated, as NumPy does; its compression has number {member.compress_type}")
        check_unpacked(member.file_size, self._size, what)
        try:
            with self._open(key) as file:
                if file.read(len(MAGIC)) != MAGIC:
                    raise InputError(f"{what} must be an array, as numpy.savez writes; it is something else")
            with self._open(key) as file:
                header = read_header(file, what)
                if header.length + header.size != member.file_size:
                    promised = f"its header says {header.size} bytes of values, the archive {member.file_size - header.length}"
                    raise InputError(f"{what} cannot be read: {promised}")
                return read_values(file, header, what)
        except InputError:
            raise
        except Exception as error:  # a torn stream ends in zlib.error, BadZipFile, EOFError, ...
            raise InputError(f"{what} cannot be read: {error or type(error).__name__}") from error

    def _open(self, key: str) -> BinaryIO:
        return self._archive.open(self._members[key])  # type: ignore[return-value]


def _read(archive: _Archive, what: str, name: str) -> Source:
    """The source in an open archive."""
    keys = [key for key in archive.keys if key != "levels"]
    layout = layout_of(keys, what)
    train = archive.header(layout.images["train"])
    for key in layout.others:
        header = archive.header(key)
        if train is not None and header is not None:
            refuse_further_split(key, header.shape, train.shape, what)
    used = [key for split in layout.images for key in (layout.images[split], layout.labels.get(split)) if key]
    source = source_of(layout, archive.read, what, f"npz file {name!r} ({', '.join(used)})")
    return Source(source.parts, _native_levels(archive, source, what), source.sentence, notes=source.notes)


def _native_levels(archive: _Archive, source: Source, what: str) -> int | None:
    """The key ``levels``, if there is one."""
    if "levels" not in archive.keys:
        return None
    levels = archive.read("levels")
    if levels.shape != () or levels.dtype.kind not in "ui" or not max(2, source.highest() + 1) <= levels <= 256:
        rule = f"'levels' of {what} must be one integer above every value and from 2 to 256"
        got = levels.tolist() if levels.size < 10 else f"shape {levels.shape}"
        raise InputError(f"{rule}; got {got} with values up to {source.highest()}")
    return int(levels)
