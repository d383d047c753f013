"""Images out of a model: p(x) = ∏ p(x_i | x_1 … x_{i−1}), drawn pixel after pixel from seeded uniforms."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from queue import SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genlab.errors import InputError
from genlab.native import resolve_backend

if TYPE_CHECKING:
    from genlab.causal.native_program import Painter
    from genlab.causal.torch_walk import Rows
    from genlab.models.causal.model import CausalModel

BACKENDS = ("native", "torch", "naive")


def sample(
    model: CausalModel | Painter,
    n: int = 64,
    *,
    seed: int = 0,
    backend: str = "auto",
    known: ArrayLike | None = None,
    known_mask: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    temperature: float = 1.0,
    on_progress: Callable[[int, int], None] | None = None,
    on_row: Callable[[DrawnRow], None] | None = None,
    dtype: str = "float32",
) -> NDArray[np.uint8]:
    """x_i ~ p(x_i | x_1 … x_{i−1}) for every pixel in order; pixels that are known keep their value.

    The randomness of image i depends on `seed` and i alone, so that asking for more images keeps the first ones.

    Args:
        model: A causal model, or a painter.
        n: Number of images; 0 gives an empty array.
        seed: Decides the draws; at least 0.
        backend: ``"native"``, ``"torch"`` (the same cached algorithm), ``"naive"`` (a full forward pass for each pixel) or ``"auto"``.
        known: Levels to complete, ``(C, H, W)`` for all images alike or ``(n, C, H, W)``. What stands where nothing is known is ignored.
        known_mask: bool, true where a pixel of `known` is kept: ``(H, W)``, ``(C, H, W)`` or ``(n, C, H, W)``.
        labels: Classes to draw, for a class-conditional model.
        temperature: Logits are divided by it: below 1 the likely is favoured, 1 is the model's own distribution.
        on_progress: Called with (rows drawn, rows in all).
        on_row: Called with each row as soon as it is drawn in all images, and what it was drawn from; the drawing waits for it. `stream`
            is the same as an iterator. Not with ``"naive"``, and not for a painter.
        dtype: ``"float32"`` or ``"bfloat16"``, the number format of the network's arithmetic.

    Returns:
        uint8 levels ``(n, C, H, W)``.

    Raises:
        InputError: An argument breaks one of these rules.
        BackendError: The backend cannot compute this here.
    """
    uniforms, values, mask = _prepare(model, n, seed, backend, known, known_mask, labels, temperature)
    if len(uniforms) == 0:
        return np.zeros((0, *model.image_shape), np.uint8)
    options: dict[str, Any] = {"backend": backend, "temperature": temperature, "on_progress": on_progress, "dtype": dtype}
    if on_row is None:
        return model.draw(uniforms, values, mask, **options)
    from genlab.causal.native_program import Painter

    if isinstance(model, Painter):
        raise InputError(f"on_row must be None for model {model.name!r}, a painter, which keeps no record of what it drew from")
    return model.draw(uniforms, values, mask, on_rows=_row_by_row(model, on_row), **options)


@dataclass(frozen=True)
class DrawnRow:
    """One row of every image, and what it was drawn from.

    Attributes:
        y: Which row.
        levels: uint8 ``(n, C, W)``.
        logits: ``(n, C, W, levels)``: what the values' probabilities are the softmax of, at temperature 1.
    """

    y: int
    levels: NDArray[np.uint8]
    logits: NDArray[np.floating[Any]]

    @cached_property
    def probabilities(self) -> NDArray[np.float32]:
        """float32 ``(n, C, W, levels)``: p(x_i = k | x_1 … x_{i−1}) = exp(l_k) / Σ_j exp(l_j)."""
        by_level = np.ascontiguousarray(self.logits.transpose(3, 0, 1, 2))  # NumPy is slow at reducing a short last axis
        weights = np.exp(by_level - by_level.max(axis=0))
        probabilities: NDArray[np.float32] = (weights / weights.sum(axis=0)).astype(np.float32, copy=False)
        return probabilities.transpose(1, 2, 3, 0)


def stream(
    model: CausalModel,
    n: int = 1,
    *,
    seed: int = 0,
    backend: str = "auto",
    known: ArrayLike | None = None,
    known_mask: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    temperature: float = 1.0,
    dtype: str = "float32",
) -> Iterator[DrawnRow]:
    """The rows of `sample`, each as soon as it is drawn, with the distributions it was drawn from.

    Drawing goes on in the background while a row is looked at; leaving the loop stops it. Arguments and errors as in `sample`; there
    is no ``"naive"`` stream.

    Yields:
        One `DrawnRow` for each row of the images, from the top.
    """
    uniforms, values, mask = _prepare(model, n, seed, backend, known, known_mask, labels, temperature)
    return _rows(model, uniforms, {"known": values, "known_mask": mask, "backend": backend, "temperature": temperature, "dtype": dtype})


class _Left(Exception):  # noqa: N818 - not an error: whoever looked at the rows has left
    """Ends the drawing of a stream that nobody looks at any more."""


def _rows(model: CausalModel, uniforms: NDArray[np.float64], options: dict[str, Any]) -> Iterator[DrawnRow]:
    finished: SimpleQueue[DrawnRow | BaseException | None] = SimpleQueue()
    left = Event()

    def look(row: DrawnRow) -> None:
        if left.is_set():
            raise _Left
        finished.put(row)

    def work() -> None:
        try:
            model.draw(uniforms, on_rows=_row_by_row(model, look), **options)
            finished.put(None)
        except BaseException as error:  # handed over to whoever waits for rows
            finished.put(error)

    worker = Thread(target=work, name="genlab-stream", daemon=True)
    worker.start()
    try:
        while (row := finished.get()) is not None:
            if isinstance(row, BaseException):
                raise row
            yield row
    finally:
        left.set()
        worker.join()


def _row_by_row(model: CausalModel, on_row: Callable[[DrawnRow], None]) -> Rows:
    """A walk's report of all rows that are ready, as one call for each of them."""
    channels, _, width = model.image_shape
    parameters = model.graph.distribution.parameters
    seen = 0

    def look(ready: int, levels: NDArray[np.uint8], drawn_from: NDArray[np.floating[Any]]) -> None:
        nonlocal seen
        for y in range(seen, ready):
            logits = drawn_from[:, y].reshape(len(levels), width, channels, parameters).swapaxes(1, 2)
            on_row(DrawnRow(y, levels[:, :, y].copy(), logits))
        seen = ready

    return look


def _prepare(
    model: CausalModel | Painter,
    n: int,
    seed: int,
    backend: str,
    known: ArrayLike | None,
    known_mask: ArrayLike | None,
    labels: ArrayLike | None,
    temperature: float,
) -> tuple[NDArray[np.float64], NDArray[np.uint8] | None, NDArray[np.bool_] | None]:
    """All arguments checked: the uniforms ``(n, H, W, C)``, the known levels and their mask."""
    n = _natural(n, "n")
    seed = _natural(seed, "seed")
    resolve_backend(backend, allowed=BACKENDS)
    if labels is not None:
        raise InputError(f"labels must be None: model {model.name!r} is not class-conditional; got {np.shape(labels)} labels")
    if not (math.isfinite(temperature) and temperature > 0):
        raise InputError(f"temperature must be a finite number above 0; got {temperature}")
    values, mask = _known_pixels(known, known_mask, n, model)
    channels, height, width = model.image_shape
    uniforms = np.random.Generator(np.random.Philox(key=seed)).random((n, height, width, channels))
    return uniforms, values, mask


def _natural(value: SupportsIndex, argument: str) -> int:
    """An integer from 0 to 2⁶³ − 1, NumPy's included."""
    try:
        number = operator.index(value)
    except TypeError:
        raise InputError(f"{argument} must be a whole number; got {value!r}") from None
    if not 0 <= number < 2**63:
        raise InputError(f"{argument} must be at least 0 and below 2**63; got {number}")
    return number


def _known_pixels(
    known: ArrayLike | None, known_mask: ArrayLike | None, n: int, model: CausalModel | Painter
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]] | tuple[None, None]:
    """Both arrays checked and spread over ``(n, C, H, W)``."""
    if known is None and known_mask is None:
        return None, None
    if known is None or known_mask is None:
        raise InputError(f"known and known_mask must be given together; got only {'known_mask' if known is None else 'known'}")
    levels, mask = np.asarray(known), np.asarray(known_mask)
    image_shape = model.image_shape
    shapes = [image_shape, (n, *image_shape)]
    _check_array("known", levels, "ui", "integer levels", shapes)
    _check_array("known_mask", mask, "b", "bool", [image_shape[1:], *shapes])
    mask = np.broadcast_to(mask, (n, *image_shape)).copy()
    levels = np.where(mask, levels, 0)
    if levels.size and not 0 <= levels.min() <= levels.max() < model.levels:
        wrong = levels.min() if levels.min() < 0 else levels.max()
        raise InputError(f"known must hold levels from 0 to {model.levels - 1}; got {wrong}")
    return levels.astype(np.uint8), mask


def _check_array(argument: str, array: NDArray[Any], kinds: str, content: str, shapes: list[tuple[int, ...]]) -> None:
    if array.dtype.kind not in kinds:
        raise InputError(f"{argument} must hold {content}; got {array.dtype}")
    if array.shape not in shapes:
        raise InputError(f"{argument} must have shape {' or '.join(str(shape) for shape in shapes)}; got {array.shape}")
