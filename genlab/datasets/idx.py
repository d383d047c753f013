"""IDX, the format of MNIST's files: ``00 00 type rank``, a big-endian uint32 per axis, then the values.

Only unsigned bytes are read (type 08), images with three axes and labels with one, plain or gzipped.
"""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from genlab.datasets.source import Part, Source, as_images, as_labels, check_memory
from genlab.errors import InputError

STEMS = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
_UNSIGNED_BYTE = 8


def idx_files(folder: Path) -> dict[str, Path]:
    """The IDX files of a folder by their stems in `STEMS`.

    ``train-images.idx3-ubyte`` is taken as well, with or without ``.gz``; of several the one without goes first.
    """
    found = {}
    for stem in (stem for stems in STEMS.values() for stem in stems):
        names = (spelling + ending for ending in ("", ".gz") for spelling in (stem, stem.replace("-idx", ".idx")))
        path = next((folder / name for name in names if (folder / name).is_file()), None)
        if path is not None:
            found[stem] = path
    return found


def read_idx_folder(folder: Path) -> Source:
    """A folder with MNIST's file names; the t10k files and all labels may be missing.

    Raises:
        InputError: The training images are missing, or a file is no IDX file, torn, or does not fit the others.
    """
    files = idx_files(folder)
    if STEMS["train"][0] not in files:
        raise InputError(f"IDX folder {str(folder)!r} must hold {STEMS['train'][0]} (or .gz); it has only {', '.join(sorted(files))}")
    parts = {}
    for split, (images, labels) in STEMS.items():
        if images in files:
            parts[split] = Part(
                as_images(read_idx(files[images], rank=3), f"IDX file {str(files[images])!r}"),
                as_labels(read_idx(files[labels], rank=1), f"IDX file {str(files[labels])!r}") if labels in files else None,
            )
    names = ", ".join(path.name for path in files.values())
    return Source(parts, None, f"IDX files of folder {folder.resolve().name!r} ({names})")


def read_idx(path: Path, *, rank: int) -> NDArray[np.uint8]:
    """The array in one IDX file.

    Args:
        path: The file; gzipped if its name ends in ``.gz``.
        rank: How many axes it must have.

    Raises:
        InputError: It is no IDX file of unsigned bytes, has another rank, or is shorter or longer than its header says.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return _parse(file, path, rank)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"IDX file {str(path)!r} cannot be read: {error}") from error


def write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    """Writes one gzipped IDX file, aside first and then renamed, so that a reader never meets half of it.

    Args:
        path: The file; its name ends in ``.gz``.
        array: Any shape.

    Raises:
        OSError: It cannot be written.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    header = bytes((0, 0, _UNSIGNED_BYTE, array.ndim)) + np.array(array.shape, ">u4").tobytes()
    try:
        aside.write_bytes(gzip.compress(header + array.tobytes(), compresslevel=6, mtime=0))
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _parse(file: BinaryIO | gzip.GzipFile, path: Path, rank: int) -> NDArray[np.uint8]:
    """Reads header and values, and not a byte more than the header asks for and one."""
    what = f"IDX file {str(path)!r}"
    magic = file.read(4)
    expected = bytes((0, 0, _UNSIGNED_BYTE, rank))
    if magic != expected:
        raise InputError(f"{what} must start with {expected.hex(' ')} (unsigned bytes, {rank} axes); got {magic.hex(' ') or 'nothing'}")
    sizes = file.read(4 * rank)
    if len(sizes) < 4 * rank:
        raise InputError(f"{what} is truncated: its header ends after {4 + len(sizes)} bytes")
    shape = tuple(map(int, np.frombuffer(sizes, ">u4")))
    check_memory(shape[0], shape[1:], what)
    count = int(np.prod(shape))
    values = file.read(count + 1)
    if len(values) != count:
        found = f"only {len(values)}" if len(values) < count else "more"
        raise InputError(f"{what} must hold {count} values, as its header says; got {found}")
    return np.frombuffer(values, np.uint8).reshape(shape)
