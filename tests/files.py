"""Files of images as tests write them, and what comes out of them."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from genlab.datasets import Dataset, Split


def splits(data: Dataset) -> tuple[Split, Split, Split]:
    return data.train, data.valid, data.test


def everything(data: Dataset) -> list[bytes]:
    """Every image of every split, in an order of its own."""
    return sorted(image.tobytes() for split in splits(data) for image in split.intensities)


def idx(array: np.ndarray) -> bytes:
    """The IDX bytes of an array, written down here a second time on purpose."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def some_images(count: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, *shape), dtype=np.uint8)


def write_mnist(folder: Path, train: int = 30, test: int = 5, ending: str = ".gz") -> tuple[np.ndarray, np.ndarray]:
    folder.mkdir(parents=True, exist_ok=True)
    pack = gzip.compress if ending == ".gz" else bytes
    for stem, count in (("train", train), ("t10k", test)):
        (folder / f"{stem}-images-idx3-ubyte{ending}").write_bytes(pack(idx(some_images(count, 28, 28))))
        (folder / f"{stem}-labels-idx1-ubyte{ending}").write_bytes(pack(idx(np.arange(count) % 10)))
    return some_images(train, 28, 28), some_images(test, 28, 28)


def npz(folder: Path, **arrays: Any) -> Path:
    path = folder / "faces.npz"
    np.savez(path, **arrays)
    return path


def picture(path: Path, seed: int = 0, mode: str = "L", size: tuple[int, int] = (6, 4), **options: Any) -> Path:
    """Writes a random picture; `size` is (width, height), as Pillow has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colours = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(colours).convert(mode).save(path, **options)
    return path


def png(width: int, height: int, *, bits: int = 8, colour: int = 0, rows: bytes = b"") -> bytes:
    """A PNG file by hand: Pillow writes neither bombs nor colour with 16 bits."""
    header = struct.pack(">2I5B", width, height, bits, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    packed = (struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def pillow_bytes(mode: str, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (6, 4)).save(file, form, **options)
    return file.getvalue()
