"""What a kind of hand-out says of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlab.browser import base64
from genlab.handout.numbers import Tensor


@dataclass(frozen=True, eq=False)
class Described:
    """A model, ready for the browser but for the format of its numbers.

    Attributes:
        data: What the kind's script must know, as JSON.
        tensors: Matrices ``(rows, columns)`` and vectors ``(1, n)``; the script finds them in this order.
        cases: From the tensors as the page has them to what was computed with them here, as JSON.
        by: Who computed it, for the page's sentence.
    """

    data: Mapping[str, Any]
    tensors: Sequence[Tensor]
    cases: Callable[[Sequence[Tensor]], Sequence[Mapping[str, Any]]]
    by: str


CASES = 3


def code_cases(data: Mapping[str, Any], expected: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> list[dict[str, Any]]:
    """Codes drawn as the page draws them, with a class behind where there are some, and what `expected` makes of them, ``(N, values)``."""
    normal = np.random.default_rng(0).standard_normal((CASES, data["latents"])).astype(np.float32)
    spread = np.asarray(data["spread"])
    codes = np.asarray(data["mean"]) + (normal @ spread if spread.ndim else normal * spread)
    classes = np.eye(data["classes"])[np.arange(CASES) % data["classes"]] if data["classes"] else np.zeros((CASES, 0))
    codes = np.concatenate([codes, classes], 1).astype(np.float32)
    found = expected(codes.astype(np.float64))
    return [{"code": base64(code), "expected": base64(values.astype("<f4"))} for code, values in zip(codes, found, strict=True)]
