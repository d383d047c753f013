"""IDX, the format of MNIST's files: ``00 00 type rank``, a big-endian uint32 per axis, then the values.

Only unsigned bytes are read (type 08), images with three axes and labels with one, plain or gzipped.
"""

from __future__ import annotations

import gzip
import math
import os
import re
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from genlab.datasets.files import check_unpacked, open_file, printable, reason, size_of
from genlab.datasets.source import SPLITS, Labels, Part, Source, as_images, as_labels, check_memory
from genlab.datasets.split_names import split_of
from genlab.errors import InputError

STEMS = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
GZIP = b"\x1f\x8b"
_UNSIGNED_BYTE = 8
_NAME = re.compile(r"(?:(?P<set>.+)[-_.])?(?P<split>[a-z0-9]+)[-_.](?P<role>images|labels)[-_.]idx[13][-_.]ubyte(?:\.gz)?", re.IGNORECASE)
_EMNIST = "EMNIST's own files hold every image with its rows and columns swapped"

Files = dict[tuple[str, str], Path]
"""IDX files by ("images" or "labels", split)."""


def idx_sets(folder: Path) -> dict[str, Files]:
    """The IDX files of a folder by the name of their set, ``""`` for MNIST's own names and ``"emnist-letters"`` for EMNIST's.

    ``train-images.idx3-ubyte`` is taken as well, with or without ``.gz``; of both the one without goes first.

    Raises:
        InputError: A file is of no known split, or two are of the same.
    """
    sets: dict[str, Files] = {}
    for path in sorted(folder.iterdir(), key=lambda path: (path.name.endswith(".gz"), path.name)):
        match = _NAME.fullmatch(path.name)
        if match is None or path.name.startswith(".") or not path.is_file():
            continue
        split = split_of(match["split"])
        if split is None:
            what = f"IDX folder {printable(str(folder))!r}"
            raise InputError(f"{what} must call its splits train, valid and test (or t10k); it has {printable(path.name)!r} too")
        files = sets.setdefault((match["set"] or "").lower(), {})
        earlier = files.setdefault((match["role"].lower(), split), path)
        if earlier.name.lower() not in (path.name.lower(), path.name.lower().removesuffix(".gz")):
            both = f"{printable(earlier.name)!r} and {printable(path.name)!r}"
            raise InputError(f"IDX folder {printable(str(folder))!r} must have one file for each part of a split; it has {both}")
    return sets


def missing_of_mnist(folder: Path) -> list[str]:
    """Which of MNIST's four files a folder does not have; all if there is no such folder."""
    files = idx_sets(folder).get("", {}) if folder.is_dir() else {}
    roles = ("images", "labels")
    return [stem for split, stems in STEMS.items() for role, stem in zip(roles, stems, strict=True) if (role, split) not in files]


def read_idx_folder(folder: Path, name: str | None = None) -> Source:
    """One set of a folder with MNIST's or EMNIST's file names; all but the training images may be missing.

    Args:
        folder: Where they are.
        name: Of the set, such as ``"emnist-letters"``; None if there is but one.

    Raises:
        InputError: There are several sets, the training images are missing, or a file is no IDX file, torn, or does not fit the others.
    """
    what = f"IDX folder {printable(str(folder))!r}"
    sets = idx_sets(folder)
    if name is None and len(sets) > 1:
        names = ", ".join(sorted(sets)).strip(", ")
        example = str(folder / max(sets))
        raise InputError(f"{what} must hold one set of files; it holds {names}: choose one by a path such as {printable(example)!r}")
    files = sets[next(iter(sets)) if name is None else name.lower()]
    if ("images", "train") not in files:
        names = ", ".join(sorted(path.name for path in files.values()))
        raise InputError(f"{what} must hold {STEMS['train'][0]} (or .gz); it has only {printable(names)}")
    parts = {split: _part(files, split) for split in SPLITS if ("images", split) in files}
    used, alone = (
        ", ".join(path.name for (_, split), path in files.items() if (split in parts) == has_images) for has_images in (True, False)
    )
    without = f"; left out for want of images: {alone}" if alone else ""
    return Source(parts, None, printable(f"IDX files of folder {folder.resolve().name!r} ({used}{without})"), notes=_notes(used))


def read_idx_file(path: Path) -> Source:
    """The images of one file, with their labels if these lie beside it under the fitting name.

    Raises:
        InputError: It is no IDX file of images, torn, or does not fit its labels.
    """
    match = _NAME.fullmatch(path.name)
    files: Files = {("images", "train"): path}
    if match is not None:
        if match["role"].lower() == "labels":
            raise InputError(f"IDX file {printable(str(path))!r} must hold images; by its name it holds labels")
        labels = path.with_name(re.sub("images([-_.])idx3", r"labels\1idx1", path.name, flags=re.IGNORECASE))
        if labels.is_file():
            files["labels", "train"] = labels
    names = ", ".join(path.name for path in files.values())
    return Source({"train": _part(files, "train")}, None, printable(f"IDX file {names}"), notes=_notes(names))


def read_idx(path: Path, *, rank: int) -> NDArray[np.uint8]:
    """The array in one IDX file, gzipped or not.

    Args:
        path: The file.
        rank: How many axes it must have.

    Raises:
        InputError: It is no IDX file of unsigned bytes, has another rank, is shorter or longer than its header says, or would unpack to
            more than its size warrants.
    """
    what = f"IDX file {printable(str(path))!r}"
    try:
        with open_file(path) as file:
            packed = file.read(len(GZIP)) == GZIP
            file.seek(0)
            if packed or path.suffix == ".gz":
                with gzip.open(file) as unpacked:
                    return _parse(unpacked, what, rank, size_of(file), is_packed=True)
            return _parse(file, what, rank, size_of(file), is_packed=False)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{what} cannot be read: {reason(error)}") from error


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


def _part(files: Files, split: str) -> Part:
    """The images and labels of one split."""
    images = files["images", split]
    return Part(as_images(read_idx(images, rank=3), f"IDX file {printable(str(images))!r}"), _labels(files.get(("labels", split))))


def _labels(path: Path | None) -> Labels | None:
    return None if path is None else as_labels(read_idx(path, rank=1), f"IDX file {printable(str(path))!r}")


def _notes(names: str) -> tuple[str, ...]:
    return (_EMNIST,) if "emnist" in names.lower() else ()


def _parse(file: BinaryIO | gzip.GzipFile, what: str, rank: int, size: int, *, is_packed: bool) -> NDArray[np.uint8]:
    """Reads header and values, and not a byte more than the header asks for and one."""
    magic = file.read(4)
    expected = bytes((0, 0, _UNSIGNED_BYTE, rank))
    if magic != expected:
        raise InputError(f"{what} must start with {expected.hex(' ')} (unsigned bytes, {rank} axes); got {magic.hex(' ') or 'nothing'}")
    sizes = file.read(4 * rank)
    if len(sizes) < 4 * rank:
        raise InputError(f"{what} is truncated: its header ends after {4 + len(sizes)} bytes")
    shape = tuple(map(int, np.frombuffer(sizes, ">u4")))
    check_memory(shape[0], shape[1:], what)
    count = math.prod(shape)
    if is_packed:
        check_unpacked(count, size, what)
    values = file.read(count + 1 if is_packed else min(count, size) + 1)
    if len(values) != count:
        found = f"only {len(values)}" if len(values) < count else "more"
        raise InputError(f"{what} must hold {count} values, as its header says; got {found}")
    return np.frombuffer(values, np.uint8).reshape(shape)
