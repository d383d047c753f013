"""Weights as text: in which format numbers lie in the page, and what becomes of them by that.

A matrix ``(rows, columns)`` is rounded, a vector ``(1, n)``, such as a bias, stays float32: there are few of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[np.float32]
_MOST = 127  # of a signed byte, the same both ways


@dataclass(frozen=True)
class NumberFormat:
    """How a matrix is kept.

    Attributes:
        name: As the page knows it: ``"float32"``, ``"float16"`` or ``"int8"``: whole numbers times a scale for each row.
        size: Bytes of a number.
        words: For a reader.
    """

    name: str
    size: int
    words: str

    def holds(self, tensors: Sequence[Tensor]) -> bool:
        """Whether every number stays finite."""
        return all(np.isfinite(self.rounded(tensor)).all() for tensor in tensors)

    def least_bytes(self, tensors: Sequence[Tensor]) -> int:
        """What the weights alone take as base64."""
        return sum(tensor.size for tensor in tensors) * self.size * 4 // 3

    def rounded(self, tensor: Tensor) -> Tensor:
        """What the browser reads, float32."""
        if len(tensor) == 1 or self.name == "float32":
            return tensor
        if self.name == "float16":
            with np.errstate(over="ignore"):
                return tensor.astype(np.float16).astype(np.float32)
        scales, whole = _whole(tensor)
        return whole.astype(np.float32) * scales[:, None]

    def packed(self, tensors: Sequence[Tensor]) -> NDArray[np.uint8]:
        """All tensors, one after another; int8 has a matrix's scales, float32, before it."""
        return np.concatenate([np.frombuffer(self._bytes(tensor), np.uint8) for tensor in tensors])

    def _bytes(self, tensor: Tensor) -> bytes:
        if len(tensor) == 1 or self.name == "float32":
            return tensor.astype("<f4").tobytes()
        if self.name == "float16":
            return tensor.astype("<f2").tobytes()
        scales, whole = _whole(tensor)
        return scales.astype("<f4").tobytes() + whole.tobytes()


def _whole(tensor: Tensor) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """The scale of each row, and its numbers in parts of it."""
    scales = (np.abs(tensor).max(1) / _MOST).astype(np.float32)
    parts = tensor / np.where(scales > 0, scales, 1)[:, None]
    return scales, np.clip(np.rint(parts), -_MOST, _MOST).astype(np.int8)


FORMATS = (
    NumberFormat("float32", 4, "as they were trained (float32)"),
    NumberFormat("float16", 2, "rounded to half precision (float16)"),
    NumberFormat("int8", 1, "rounded to whole numbers from −127 to 127 times a scale for each row (int8)"),
)
"""The finest first."""
