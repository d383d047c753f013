"""An image that is known before another is drawn, and made from that other one: small for super-resolution, grey for colourisation.

    small   c(Y, X) = the mean of the factor × factor pixels of x from (factor · Y, factor · X) on, of each channel, rounded half up
    grey    c(y, x) = 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), rounded half up

Its levels are those of x. So training makes it from the batch itself, and evaluation scores log p(x | c(x)). To the list of nodes it is a
map like any other: brought up to the size of x by repeating pixels, and from −1 to 1. Knows no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genlab.errors import InputError

CONDITION = "condition"
"""Name of the given node that holds such an image."""

_LUMA = (299, 587, 114)


@dataclass(frozen=True)
class Condition:
    """How the image that is known is made.

    Attributes:
        kind: ``"small"`` or ``"grey"``.
        image_shape: ``(C, H, W)`` of the image that is drawn.
        levels: Number of levels of a value, of either image.
        factor: How many times smaller it is (``"small"`` only).

    Raises:
        InputError: The image has no such condition.
    """

    kind: Literal["small", "grey"]
    image_shape: tuple[int, int, int]
    levels: int
    factor: int = 1

    def __post_init__(self) -> None:
        channels, height, width = self.image_shape
        if self.kind == "grey" and channels != 3:
            raise InputError(f"given must not be 'grey' where images have no colours: image_shape needs 3 channels; got {channels}")
        if self.kind == "small" and (height % self.factor or width % self.factor):
            raise InputError(f"factor must divide the height and width of an image, {height} and {width}; got {self.factor}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(c, h, w)`` of the image that is known."""
        channels, height, width = self.image_shape
        return (1, height, width) if self.kind == "grey" else (channels, height // self.factor, width // self.factor)

    @property
    def words(self) -> str:
        """What it is, for a reader."""
        channels, height, width = self.shape
        return f"{'grey' if self.kind == 'grey' else 'small'} image {channels}×{height}×{width}"

    def of(self, images: NDArray[Any]) -> NDArray[np.uint8]:
        """The condition of each image: uint8 ``(N, c, h, w)`` from levels ``(N, C, H, W)``."""
        values = images.astype(np.int64)
        if self.kind == "grey":
            return _rounded((np.array(_LUMA)[:, None, None] * values).sum(1, keepdims=True), sum(_LUMA))
        channels, height, width = self.shape
        return _rounded(values.reshape(-1, channels, height, self.factor, width, self.factor).sum((3, 5)), self.factor**2)

    def checked(self, condition: ArrayLike, n: int) -> NDArray[np.uint8]:
        """One condition for all of `n` images, or one for each, as uint8 ``(n, c, h, w)``.

        Raises:
            InputError: It is of another shape, or holds anything but levels.
        """
        rule = f"condition must be a {self.words} or ({n}, …) of them, in levels from 0 to {self.levels - 1}"
        try:
            array = np.asarray(condition)
        except (TypeError, ValueError, RuntimeError):  # ragged lists; tensors elsewhere, or with gradients
            raise InputError(f"{rule}; got {type(condition).__name__!r}") from None
        if array.dtype.kind not in ("uib" if self.levels == 2 else "ui"):
            nan = " with NaN" if array.dtype.kind == "f" and np.isnan(array).any() else ""
            raise InputError(f"{rule}; got {array.dtype}{nan}")
        if array.shape not in (self.shape, (n, *self.shape)):
            grey = ", which is grey" if self.shape[0] == 3 and array.ndim >= 3 and array.shape[-3] == 1 else ""
            raise InputError(f"{rule}; got shape {array.shape}{grey}")
        if array.size and not 0 <= array.min() <= array.max() < self.levels:
            raise InputError(f"{rule}; got {array.min() if array.min() < 0 else array.max()}")
        return np.broadcast_to(array, (n, *self.shape)).astype(np.uint8)

    def as_map(self, condition: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What the list of nodes reads: ``2 c / (levels − 1) − 1``, float32 ``(N, c, H, W)``."""
        values = scaled(condition, self.levels)
        up = 1 if self.kind == "grey" else self.factor
        return values.repeat(up, axis=2).repeat(up, axis=3)


def scaled(images: NDArray[Any], levels: int) -> NDArray[np.float32]:
    """Levels as numbers from −1 to 1."""
    values: NDArray[np.float32] = images.astype(np.float32) * np.float32(2 / (levels - 1)) - 1
    return values


def _rounded(sums: NDArray[np.int64], count: int) -> NDArray[np.uint8]:
    """Sums / count to the nearest level, halves up."""
    levels: NDArray[np.uint8] = ((2 * sums + count) // (2 * count)).astype(np.uint8)
    return levels
