"""Pictures of images: levels as grey or colour values, many images in one grid, and PNG files."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genlab.errors import InputError, RunError

PADDING_VALUE = 224  # light enough to part dark images, dark enough to part white ones
LARGEST = 2**30  # values of a picture of many images: more is a slip of the pen


def to_uint8(images: ArrayLike, levels: int) -> NDArray[np.uint8]:
    """round(255 k / (levels - 1)) for every level k: 0 is black, the highest level white.

    Args:
        images: Integers or booleans from 0 to `levels` - 1, any shape; a CPU tensor will do.
        levels: 2 to 256.

    Returns:
        uint8, the same shape.

    Raises:
        InputError: `levels` or a value is out of range, or values are no integers.
    """
    if not _is_integer(levels) or not 2 <= levels <= 256:
        raise InputError(f"levels must be from 2 to 256; got {levels!r}")
    try:
        array = np.asarray(images)
    except Exception as error:  # ragged lists, tensors that want gradients or lie on another device
        raise InputError(f"images must be an array; {error}") from error
    if array.dtype.kind not in "bui":
        raise InputError(f"images must hold integer levels; got dtype {array.dtype}")
    outside = array[(array < 0) | (array >= levels)]
    if outside.size:
        raise InputError(f"images must hold levels from 0 to {levels - 1}; got {outside[0]}")
    grey = np.rint(np.arange(levels) * (255 / (levels - 1))).astype(np.uint8)
    values: NDArray[np.uint8] = grey[array.astype(np.uint8)]
    return values


def grid(images: ArrayLike, levels: int, *, columns: int | None = None, scale: int = 1, padding: int = 1) -> NDArray[np.uint8]:
    """One picture of many images, left to right and top to bottom, with light lines around each.

    Args:
        images: Levels (N, C, H, W) with C = 1 or 3 and N at least 1.
        levels: 2 to 256.
        columns: Images in a row; None makes the grid as square as can be.
        scale: Every pixel becomes `scale` x `scale` equal pixels.
        padding: Width of the lines, in pixels of the picture.

    Returns:
        uint8 (height, width) for grey or (height, width, 3) for colour, where with r rows of c columns
        height = r (H scale + padding) + padding and width = c (W scale + padding) + padding.

    Raises:
        InputError: A shape, a level or a number breaks these rules.
    """
    values = to_uint8(images, levels)
    if values.ndim != 4 or values.shape[1] not in (1, 3) or 0 in values.shape:
        raise InputError(f"images must have shape (N, C, H, W) with C = 1 or 3 and nothing empty; got {values.shape}")
    for name, number, least in (("columns", columns, 1), ("scale", scale, 1), ("padding", padding, 0)):
        if number is not None and not _is_integer(number):
            raise InputError(f"{name} must be an integer; got {number!r}")
        if number is not None and number < least:
            raise InputError(f"{name} must be at least {least}; got {number}")
    if columns is None:
        columns = math.ceil(math.sqrt(len(values)))
    rows = math.ceil(len(values) / columns)

    channels, height, width = values.shape[1], values.shape[2] * scale, values.shape[3] * scale
    shape = (rows * (height + padding) + padding, columns * (width + padding) + padding, channels)
    if math.prod(shape) > LARGEST:
        raise InputError(f"images, columns, scale and padding must make a picture of at most {LARGEST} values; got {shape}")
    cells = values.transpose(0, 2, 3, 1).repeat(scale, axis=1).repeat(scale, axis=2)
    picture = np.full(shape, PADDING_VALUE, np.uint8)
    for index, cell in enumerate(cells):
        row, column = divmod(index, columns)
        top, left = row * (height + padding) + padding, column * (width + padding) + padding
        picture[top : top + height, left : left + width] = cell
    return picture[:, :, 0] if channels == 1 else picture


def _is_integer(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def save_png(path: str | os.PathLike[str], array: NDArray[Any], *, text: Mapping[str, str] | None = None) -> None:
    """Writes a PNG file: aside first, then renamed, so that nobody ever reads half a picture.

    Args:
        path: Where; the folder must exist, and a file that is there already is replaced.
        array: uint8 (height, width) or (height, width, 3).
        text: Keywords (1 to 79 ASCII characters) and texts, kept in the file as tEXt chunks (iTXt beyond Latin-1).

    Raises:
        InputError: The array is no such picture, or a keyword breaks its rule.
        RunError: The folder is missing, or the disk is full or refuses.
    """
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    if array.dtype != np.uint8 or array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,)) or 0 in array.shape:
        raise InputError(f"array must be uint8 (height, width) or (height, width, 3); got {array.dtype} {array.shape}")
    chunks = PngInfo()
    for keyword, value in (text or {}).items():
        if not 1 <= len(keyword) <= 79 or not keyword.isascii():
            raise InputError(f"text must have ASCII keywords of 1 to 79 characters; got {keyword!r}")
        chunks.add_text(keyword, value)
    target = Path(path)
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        try:
            Image.fromarray(array).save(aside, format="PNG", pnginfo=chunks)
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"{target} could not be written: {error.strerror or error}; what was there before is kept") from error
