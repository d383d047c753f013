"""Examples out of a model, from a seed; for models that draw value after value also row by row, and completed from what is known."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterator, Mapping
from queue import SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike, NDArray

from genlab.causal.drawing import Drawer, Drawing, DrawnRow, count_passes, draw_images, natural, prepare, refuse_painter, row_by_row
from genlab.errors import InputError
from genlab.models.contract import require
from genlab.native import resolve_backend

if TYPE_CHECKING:
    from genlab.models.contract import Model

__all__ = ["DrawnRow", "count_passes", "sample", "stream"]


def sample(
    model: Model | Drawer,
    n: int = 64,
    *,
    seed: int = 0,
    backend: str = "auto",
    known: ArrayLike | None = None,
    known_mask: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    condition: ArrayLike | Mapping[str, ArrayLike] | None = None,
    temperature: float = 1.0,
    on_progress: Callable[[int, int], None] | None = None,
    on_row: Callable[[DrawnRow], None] | None = None,
    on_pass: Callable[[int, NDArray[Any]], None] | None = None,
    dtype: str = "float32",
    **options: Any,
) -> NDArray[Any]:
    """Examples from the model's distribution; value after value, x_i ~ p(x_i | x_1 … x_{i−1}), from models that do so.

    The randomness of example i of a causal model depends on `seed` and i alone, so that asking for more keeps the first ones. Options
    other than `seed` are for the models that know them, those from `known` to `dtype` for causal models (and painters) at least; any
    other model refuses, in a sentence, what it does not know and what was asked for all the same.

    Args:
        model: Any model, or a painter.
        n: Number of examples; 0 gives an empty array.
        seed: Decides the draws; at least 0.
        backend: ``"native"``, ``"torch"`` (the same cached algorithm), ``"naive"`` (a full forward pass for each pixel), ``"jacobi"`` (all
            pixels guessed at once, and full forward passes until none changes) or ``"auto"``. All draw the same images.
        known: Levels to complete, ``(C, H, W)`` for all images alike or ``(n, C, H, W)``. What stands where nothing is known is ignored.
            Booleans will do for two levels.
        known_mask: bool, true where a pixel of `known` is kept: ``(H, W)``, ``(C, H, W)`` or ``(n, C, H, W)``.
        labels: Classes to draw, for a class-conditional model: one for all, or ``(n,)``.
        condition: What is known before an example is drawn: levels of the image that the model goes by (small, grey), one for all or
            ``(n, c, h, w)``; or maps by the name of the model's given node.
        temperature: Logits are divided by it: below 1 the likely is favoured, 1 is the model's own distribution.
        on_progress: Called with (rows drawn, rows in all); by a model that draws all at once, once with (1, 1).
        on_row: Called with each row as soon as it is drawn in all images, and what it was drawn from; the drawing waits for it. `stream`
            is the same as an iterator. Not with ``"naive"``, and not for a painter.
        on_pass: Called with (full forward passes so far, the images as they are guessed now), with ``"jacobi"`` alone; `count_passes`
            tells how many any backend needs.
        dtype: ``"float32"`` or ``"bfloat16"``, the number format of the network's arithmetic.
        **options: What else the model knows.

    Returns:
        uint8 levels ``(n, C, H, W)`` of images, float32 ``(n, D)`` of points.

    Raises:
        InputError: An argument breaks one of these rules.
        BackendError: The backend cannot compute this here.
    """
    asked: dict[str, Any] = {"backend": backend, "known": known, "known_mask": known_mask, "labels": labels, "condition": condition}
    asked |= {"temperature": temperature, "on_row": on_row, "on_pass": on_pass, "dtype": dtype}
    usual = {"backend": "auto", "temperature": 1.0, "dtype": "float32"}
    options |= {name: value for name, value in asked.items() if value is not None and not _is(value, usual.get(name))}
    if isinstance(model, Drawer):
        return draw_images(model, n, seed, {**options, "on_progress": on_progress})
    drawn = model.sample(natural(n, "n"), natural(seed, "seed"), options)
    if on_progress is not None:
        on_progress(1, 1)
    return drawn


def _is(value: Any, usual: Any) -> bool:
    """Whether an option has its usual value; arrays, which compare elementwise, have none."""
    return isinstance(value, str | int | float) and value == usual


def stream(
    model: Model | Drawer,
    n: int = 1,
    *,
    seed: int = 0,
    backend: str = "auto",
    known: ArrayLike | None = None,
    known_mask: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    condition: ArrayLike | Mapping[str, ArrayLike] | None = None,
    temperature: float = 1.0,
    dtype: str = "float32",
) -> Iterator[DrawnRow]:
    """The rows of `sample`, each as soon as it is drawn, with the distributions it was drawn from.

    Drawing goes on in the background while a row is looked at; leaving the loop, or Python, stops it. Arguments and errors as in `sample`;
    there is no ``"naive"`` stream.

    Yields:
        One `DrawnRow` for each row of the images, from the top.
    """
    if not isinstance(model, Drawer):
        require(model, "causal", "stream")
        raise InputError(f"model must draw from given uniforms to be streamed; {model.name!r} has no draw")
    resolve_backend(backend, allowed=("native", "torch", "jacobi"))
    refuse_painter(model, "stream does not take")
    options = {"backend": backend, "known": known, "known_mask": known_mask, "labels": labels, "condition": condition}
    return _rows(model, prepare(model, n, seed, {**options, "temperature": temperature, "dtype": dtype}))


class _Left(Exception):  # noqa: N818 - not an error: whoever looked at the rows has left
    """Ends the drawing of a stream that nobody looks at any more."""


def _rows(model: Drawer, drawing: Drawing) -> Iterator[DrawnRow]:
    finished: SimpleQueue[DrawnRow | BaseException | None] = SimpleQueue()
    left = Event()

    def look(row: DrawnRow) -> None:
        if left.is_set():
            raise _Left
        finished.put(row)

    def work() -> None:
        try:
            drawing.run(model, on_rows=row_by_row(model, look))
            finished.put(None)
        except BaseException as error:  # handed over to whoever waits for rows
            finished.put(error)

    worker = Thread(target=work, name="genlab-stream", daemon=True)

    def leave() -> None:
        left.set()
        worker.join()

    worker.start()
    # A thread that still draws while Python takes itself apart would be torn from its row.
    atexit.register(leave)
    try:
        while (row := finished.get()) is not None:
            if isinstance(row, BaseException):
                raise row
            yield row
    finally:
        leave()
        atexit.unregister(leave)
