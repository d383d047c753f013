"""What a reader hands over: checked intensities and labels, as the source has them, before splits and levels.

Every reader (bundled, IDX, npz, folder of images) returns a `Source`; the checks they share are here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlab.errors import InputError

Bytes = NDArray[np.uint8]
Labels = NDArray[np.int64]


SPLITS = ("train", "valid", "test")
HIGHEST_LABEL = 2**31 - 1
_BLOCK = 2**24  # values that are checked at once: what a check needs beside the array stays small
MAX_BYTES = 2**32  # more than a laptop can hold beside a model; mostly camera photos whose reader forgot `size`


@dataclass(frozen=True, eq=False)
class Part:
    """Some images or points of a source.

    Attributes:
        images: Intensities, uint8 (N, C, H, W); or points, float32 (N, D).
        labels: int64 (N,), or None.
    """

    images: NDArray[Any]
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
        notes: What a reader should know, such as which files were left out.
        is_sized: Whether the images have been made of the size that was asked for.
        centres: float32 (modes, D), the means of a mixture that points were drawn from; None where there is no such thing.
        sigma: The standard deviation around each of them.
    """

    parts: dict[str, Part]
    levels: int | None
    sentence: str
    splits: str | None = None
    classes: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    is_sized: bool = False
    centres: NDArray[np.float32] | None = None
    sigma: float | None = None

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

    @property
    def is_points(self) -> bool:
        """Whether it holds points with real values, not images with levels."""
        return self.parts["train"].images.dtype.kind == "f"

    def highest(self) -> int:
        """The highest value of any image."""
        return max(int(part.images.max()) for part in self.parts.values())


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
    values = np.empty(array.shape, np.uint8)
    for start in range(0, len(array), step := max(1, _BLOCK * len(array) // array.size)):
        block = array[start : start + step]
        _check_integers(block, rule)
        values[start : start + step] = block
    return values


def _check_integers(array: NDArray[Any], rule: str) -> None:
    """Refuses values that are no integers from 0 to 255."""
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise InputError(f"{rule}; got NaN or infinity")
        fractions = array[array != np.floor(array)]
        if fractions.size:
            example = " (such as np.rint(255 * images))" if array.min() >= 0 and array.max() <= 1 else ""
            raise InputError(f"{rule}; got {fractions[0]}: scale and round it first{example}")
    low, high = array.min(), array.max()
    if low < 0 or high > 255:
        raise InputError(f"{rule}; got {low if low < 0 else high}")


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
        raise InputError(f"{what} {rule}; got {array.shape}{_squares(array.shape)}")
    elif array.shape[1] not in (1, 3):
        array = array.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(as_bytes(array, what))


def _squares(shape: tuple[int, ...]) -> str:
    """A hint for images that were flattened."""
    side = math.isqrt(shape[1]) if len(shape) == 2 else 0
    return f": reshape it to (N, {side}, {side}) first" if side > 1 and side * side == shape[1] else ""


def as_labels(array: NDArray[Any], what: str) -> Labels:
    """Labels as int64 (N,); a column (N, 1) is taken as well.

    Raises:
        InputError: Another shape, or values that are no integers from 0 to 2³¹ - 1.
    """
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise InputError(f"{what} must have shape (N,); got {array.shape}")
    rule = f"{what} must hold integers"
    if array.dtype.kind not in "buif" or (array.dtype.kind == "f" and not (array == np.floor(array)).all()):
        raise InputError(f"{rule}; got dtype {array.dtype}{_first(array)}")
    outside = array[(array < 0) | (array > HIGHEST_LABEL)]
    if outside.size:
        raise InputError(f"{rule} from 0 to {HIGHEST_LABEL}; got {outside[0]}")
    return array.astype(np.int64)


def _first(array: NDArray[Any]) -> str:
    """The first value that is no integer, for an error."""
    if array.dtype.kind != "f":
        return ""
    return f" with {array[array != np.floor(array)][0]}"


def as_points(array: NDArray[Any], what: str) -> NDArray[np.float32]:
    """Points as float32 (N, D).

    Raises:
        InputError: Another shape, or values that are no finite numbers.
    """
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(f"{what} must have shape (N, D), none of them 0; got {array.shape}")
    if array.dtype.kind not in "uif":
        raise InputError(f"{what} must hold real numbers; got dtype {array.dtype}")
    with np.errstate(over="ignore"):
        points: NDArray[np.float32] = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(points).all():
        raise InputError(f"{what} must hold finite numbers of float32's range; got {array[~np.isfinite(points)][0]}")
    return points


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
