"""What a reader hands over: checked intensities and labels, as the source has them, before splits and levels.

Every reader (bundled, IDX, npz, folder of images) returns a `Source`; the checks they share are here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlab.errors import InputError

Bytes = NDArray[np.uint8]
Labels = NDArray[np.int64]

SPLITS = ("train", "valid", "test")
MAX_BYTES = 2**32  # more than a laptop can hold beside a model; mostly camera photos whose reader forgot `size`


@dataclass(frozen=True, eq=False)
class Part:
    """Some images of a source.

    Attributes:
        images: Intensities, uint8 (N, C, H, W).
        labels: int64 (N,), or None.
    """

    images: Bytes
    labels: Labels | None = None


@dataclass(frozen=True, eq=False)
class Source:
    """Images as their source has them.

    Attributes:
        parts: ``"train"`` and, where the source itself has them, ``"valid"`` and ``"test"``.
        levels: Native number of levels: intensities are below it; None if the source does not say.
        sentence: Where the images come from, for the record.
        splits: How the source itself splits them, for the record; None if there is nothing to say.
        classes: What label 0, 1, ... is called, or None.
    """

    parts: dict[str, Part]
    levels: int | None
    sentence: str
    splits: str | None = None
    classes: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        train = self.parts["train"]
        for split, part in self.parts.items():
            shape = part.images.shape[1:]
            if shape != train.images.shape[1:]:
                expected = times(train.images.shape[1:])
                raise InputError(f"{self.sentence}: all images must have one shape; train has {expected}, {split} {times(shape)}")
            if (part.labels is None) != (train.labels is None):
                raise InputError(f"{self.sentence}: either all splits have labels or none; train and {split} differ")
            if part.labels is not None and len(part.labels) != len(part.images):
                counts = f"{len(part.labels)} labels for {len(part.images)} images"
                raise InputError(f"{self.sentence}: {split} must have one label for each image; got {counts}")


def times(shape: tuple[int, ...]) -> str:
    """A shape as people write it: ``1x28x28``."""
    return "x".join(map(str, shape))


def as_bytes(array: NDArray[Any], what: str) -> Bytes:
    """The same values as uint8, if they are integers from 0 to 255.

    Args:
        array: Any shape; booleans, integers, or floating-point numbers that happen to be integers.
        what: How an error calls the array.

    Raises:
        InputError: It is empty, or holds anything else.
    """
    rule = f"{what} must hold integers from 0 to 255"
    if array.dtype.kind not in "buif":
        raise InputError(f"{rule}; got dtype {array.dtype}")
    if array.size == 0:
        raise InputError(f"{what} must hold at least one image of at least one pixel; got shape {array.shape}")
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise InputError(f"{rule}; got NaN or infinity")
        fractions = array[array != np.floor(array)]
        if fractions.size:
            raise InputError(f"{rule}; got {fractions[0]}: scale and round it first")
    low, high = array.min(), array.max()
    if low < 0 or high > 255:
        raise InputError(f"{rule}; got {low if low < 0 else high}")
    return array.astype(np.uint8)


def as_images(array: NDArray[Any], what: str) -> Bytes:
    """Images as uint8 (N, C, H, W).

    (N, H, W) is grey. Four axes are (N, C, H, W) if the second is 1 or 3, else (N, H, W, C) if the last is.

    Raises:
        InputError: Another shape, or values that are no integers from 0 to 255.
    """
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim != 4 or (array.shape[1] not in (1, 3) and array.shape[3] not in (1, 3)):
        rule = "must have shape (N, H, W), (N, C, H, W) or (N, H, W, C) with 1 or 3 channels"
        raise InputError(f"{what} {rule}; got {array.shape}")
    elif array.shape[1] not in (1, 3):
        array = array.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(as_bytes(array, what))


def as_labels(array: NDArray[Any], what: str) -> Labels:
    """Labels as int64 (N,); a column (N, 1) is taken as well.

    Raises:
        InputError: Another shape, or values that are no integers.
    """
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise InputError(f"{what} must have shape (N,); got {array.shape}")
    integers = array.dtype.kind in "bui" or (array.dtype.kind == "f" and bool((array == np.floor(array)).all()))
    if not integers:
        raise InputError(f"{what} must hold integers; got dtype {array.dtype}")
    return array.astype(np.int64)


def check_memory(count: int, shape: tuple[int, ...], what: str) -> None:
    """Refuses what would fill the memory.

    Raises:
        InputError: `count` images of `shape` are more than `MAX_BYTES` bytes.
    """
    size = count * int(np.prod(shape, dtype=object))
    if size > MAX_BYTES:
        got = f"{count} images of {times(shape)} are {size / 2**30:.1f}"
        raise InputError(f"{what} must fit in {MAX_BYTES / 2**30:.0f} GiB; {got} (`size` makes images smaller)")


def fit_square(images: Bytes, size: int) -> Bytes:
    """The central square of every image, scaled to `size` x `size`.

    Pillow's bilinear filter averages over the area when it shrinks, and never leaves the range of the values it is given.

    Args:
        images: (N, C, H, W).
        size: Side in pixels.

    Returns:
        (N, C, size, size).

    Raises:
        InputError: The result would not fit in the memory.
    """
    if images.shape[2:] == (size, size):
        return images
    from PIL import Image, ImageOps

    count, channels = images.shape[:2]
    check_memory(count, (channels, size, size), "size")
    squares = np.empty((count, channels, size, size), np.uint8)
    for index in np.ndindex(count, channels):
        square = ImageOps.fit(Image.fromarray(images[index]), (size, size), Image.Resampling.BILINEAR)
        squares[index] = np.asarray(square)
    return squares


def permutation(count: int, seed: int) -> NDArray[np.int64]:
    """The numbers below `count` in an order that `seed` decides, today and with any later NumPy.

    The raw stream of PCG64 is promised to stay; that of ``Generator.permutation`` is not.
    """
    return np.argsort(np.random.PCG64(seed).random_raw(count), kind="stable").astype(np.int64)
