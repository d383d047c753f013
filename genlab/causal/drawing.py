"""Drawing from a causal list, as a caller sees it: every option checked, uniforms from the seed, rows handed over as they are finished.

    x_i ~ p(x_i | x_1 … x_{i−1}) for every value in order; values that are known stay what they are.

Loads no torch but for rows and their distributions; whoever can draw from uniforms (`Drawer`) is drawn from.
"""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, SupportsIndex, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genlab.causal.condition import CONDITION
from genlab.causal.native_program import Painter
from genlab.errors import InputError, unknown_name
from genlab.native import resolve_backend

if TYPE_CHECKING:
    from genlab.causal import Graph

BACKENDS = ("native", "torch", "naive", "jacobi")
OPTIONS = ("backend", "condition", "dtype", "known", "known_mask", "labels", "on_pass", "on_progress", "on_row", "temperature")
_BYTES_A_VALUE = 16  # a uniform in float64, and as much for levels, known ones and copies


@runtime_checkable
class Drawer(Protocol):
    """Who turns given uniforms into images, value after value: a causal model, or a painter."""

    name: str
    graph: Graph

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """``(C, H, W)``."""
        ...

    @property
    def levels(self) -> int:
        """Number of levels of a value."""
        ...

    @property
    def draw(self) -> Callable[..., NDArray[np.uint8]]:
        """From uniforms ``(N, H, W, C)``, known levels and their mask, and what `Drawing.options` holds."""
        ...


@dataclass(frozen=True)
class Drawing:
    """A drawing that was asked for, checked.

    Attributes:
        uniforms: float64 ``(n, H, W, C)``.
        known: uint8 levels ``(n, C, H, W)``, or None.
        known_mask: bool of the same shape, or None.
        options: What goes on to the walk.
    """

    uniforms: NDArray[np.float64]
    known: NDArray[np.uint8] | None
    known_mask: NDArray[np.bool_] | None
    options: Mapping[str, Any]

    def run(self, model: Drawer, **more: Any) -> NDArray[np.uint8]:
        """The images."""
        return model.draw(self.uniforms, self.known, self.known_mask, **self.options, **more)


@dataclass(frozen=True)
class DrawnRow:
    """One row of every image, and what it was drawn from.

    Attributes:
        y: Which row.
        levels: uint8 ``(n, C, W)``.
        logits: ``(n, C, W, levels)``: log-probabilities at temperature 1, each value's up to a constant.
    """

    y: int
    levels: NDArray[np.uint8]
    logits: NDArray[np.floating[Any]]

    @cached_property
    def predictive(self) -> NDArray[np.float32]:
        """float32 ``(n, C, W, levels)``: log p(x_i = k | x_1 … x_{i−1}) = l_k − log Σ_j exp(l_j)."""
        by_level = np.ascontiguousarray(self.logits.transpose(3, 0, 1, 2))  # NumPy is slow at reducing a short last axis
        by_level = by_level - by_level.max(axis=0)
        logs: NDArray[np.float32] = (by_level - np.log(np.exp(by_level).sum(axis=0))).astype(np.float32, copy=False)
        return logs.transpose(1, 2, 3, 0)

    @cached_property
    def probabilities(self) -> NDArray[np.float32]:
        """float32 ``(n, C, W, levels)``: p(x_i = k | x_1 … x_{i−1})."""
        probabilities: NDArray[np.float32] = np.exp(self.predictive)
        return probabilities


def draw_images(model: Drawer, n: int, seed: int, options: Mapping[str, Any]) -> NDArray[np.uint8]:
    """`n` images uint8 ``(n, C, H, W)``; `genlab.sample` says what the `OPTIONS` mean.

    Raises:
        InputError: An option is not one of `OPTIONS`, or breaks its rule.
        BackendError: The backend cannot compute this here.
    """
    drawing = prepare(model, n, seed, options)
    on_row = options.get("on_row")
    if on_row is not None and options.get("backend") == "naive":
        raise InputError("on_row must be None with backend 'naive', which keeps no record of what it drew from")
    if on_row is not None:
        refuse_painter(model, "on_row must be None for")
    on_pass = options.get("on_pass")
    if on_pass is not None and options.get("backend") != "jacobi":
        raise InputError(
            f"on_pass must be None unless the backend is 'jacobi', which alone draws by passes; got {options.get('backend', 'auto')!r}"
        )
    if len(drawing.uniforms) == 0:
        return np.zeros((0, *model.image_shape), np.uint8)
    more: dict[str, Any] = {} if on_row is None else {"on_rows": row_by_row(model, on_row)}
    return drawing.run(model, **more, **({} if on_pass is None else {"on_pass": on_pass}))


def count_passes(model: Drawer, n: int = 1, *, seed: int = 0, backend: str = "auto", **options: Any) -> int:
    """How many whole forward passes it takes to draw `n` images at once: one is every node, computed once at every pixel.

        naive            C · H · W: one for each value drawn
        native, torch    1: what was computed is remembered, so that nothing is computed twice
        jacobi           as many as it takes until no value changes; they are drawn, and counted

    Args:
        model: Who draws.
        n: Number of images; 0 needs no pass.
        seed: Decides the draws, as in `genlab.sample`.
        backend: As in `genlab.sample`.
        **options: As in `genlab.sample`.

    Raises:
        InputError: As for `genlab.sample`.
        BackendError: The backend is not available here.
    """
    prepare(model, n, seed, {**options, "backend": backend})
    if n == 0:
        return 0
    if backend != "jacobi":
        return math.prod(model.image_shape) if backend == "naive" else 1
    counted: list[int] = []
    draw_images(model, n, seed, {**options, "backend": backend, "on_pass": lambda passes, _: counted.append(passes)})
    return counted[-1]


def prepare(model: Drawer, n: int, seed: int, options: Mapping[str, Any]) -> Drawing:
    """Everything that was asked for, checked and spread over `n` images.

    Raises:
        InputError: As for `draw_images`.
        BackendError: The backend is not available here.
    """
    for name in options:
        if name not in OPTIONS:
            raise unknown_name("option", name, OPTIONS)
    n, seed = natural(n, "n"), natural(seed, "seed")
    resolve_backend(options.get("backend", "auto"), allowed=BACKENDS)
    passed_on: dict[str, Any] = {
        "backend": options.get("backend", "auto"),
        "temperature": _temperature(options.get("temperature", 1.0)),
        "on_progress": options.get("on_progress"),
        "dtype": _dtype(options.get("dtype", "float32")),
        **_known_before(model, n, options.get("labels"), options.get("condition")),
    }
    channels, height, width = model.image_shape
    _require_memory(n, channels * height * width)
    try:
        uniforms = np.random.Generator(np.random.Philox(key=seed)).random((n, height, width, channels))
        known, mask = _known_pixels(options.get("known"), options.get("known_mask"), n, model)
    except MemoryError:
        raise InputError(f"n must be so few images that they fit into memory; got {n}") from None
    return Drawing(uniforms, known, mask, passed_on)


def row_by_row(model: Drawer, on_row: Callable[[DrawnRow], None]) -> Callable[[int, NDArray[np.uint8], NDArray[Any]], None]:
    """A walk's report of all rows that are ready, as one call for each of them."""
    import torch

    distribution = model.graph.distribution
    seen = 0

    def look(ready: int, levels: NDArray[np.uint8], drawn_from: NDArray[np.floating[Any]]) -> None:
        nonlocal seen
        for y in range(seen, ready):
            row = levels[:, :, y].copy()
            parameters, pixels = torch.from_numpy(drawn_from[:, y]), torch.from_numpy(row.swapaxes(1, 2).astype(np.int64))
            on_row(DrawnRow(y, row, distribution.logits(parameters, pixels).transpose(1, 2).numpy()))
        seen = ready

    return look


def refuse_painter(model: Drawer, rule: str) -> None:
    """Refuse who cannot tell what was drawn from.

    Raises:
        InputError: The model is a painter.
    """
    if isinstance(model, Painter):
        raise InputError(f"{rule} model {model.name!r}, a painter, which keeps no record of what it drew from; use genlab.load_model")


def natural(value: SupportsIndex, argument: str) -> int:
    """An integer from 0 to 2⁶³ − 1, NumPy's included.

    Raises:
        InputError: It is none.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise InputError(f"{argument} must be a whole number; got {value!r}") from None
    if not 0 <= number < 2**63:
        raise InputError(f"{argument} must be at least 0 and below 2**63; got {number}")
    return number


def _require_memory(n: int, values: int) -> None:
    """Refuse more images than memory holds: the system grants it all the same, and ends the process once it is used."""
    free = _free_memory()
    if n * values * _BYTES_A_VALUE > free:
        most = free // (values * _BYTES_A_VALUE)
        raise InputError(f"n must be so few images that they fit into memory, here and now {most:,} of {values} values; got {n}")


def _free_memory() -> int:
    """Bytes that can be had without swapping; where the system does not say, all there are."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _temperature(value: Any) -> float:
    try:
        temperature = float(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"temperature must be a finite number above 0; got {value!r}") from None
    if not (math.isfinite(temperature) and temperature > 0):
        raise InputError(f"temperature must be a finite number above 0; got {temperature}")
    return temperature


def _dtype(value: Any) -> str:
    if value not in ("float32", "bfloat16"):
        raise unknown_name("dtype", value, ("float32", "bfloat16"))
    return str(value)


def _known_before(model: Drawer, n: int, labels: ArrayLike | None, condition: ArrayLike | Mapping[str, Any] | None) -> dict[str, Any]:
    """What a model knows before it draws, for models that know anything then; the walk checks it against its given nodes."""
    given_nodes = model.graph.given
    if labels is not None and not getattr(model, "classes", 0):
        raise InputError(f"labels must be None: model {model.name!r} is not class-conditional; got {np.shape(labels)} labels")
    if condition is not None and not given_nodes:
        raise InputError(f"condition must be None: model {model.name!r} has no given maps; got {type(condition).__name__!r}")
    if condition is not None and not isinstance(condition, Mapping):
        made = next((node.condition for node in given_nodes if node.condition), None)
        if made is None:
            names = ", ".join(node.name for node in given_nodes)
            raise InputError(f"condition must be maps by name ({names}) for model {model.name!r}; got {type(condition).__name__!r}")
        condition = {CONDITION: made.checked(condition, n)}
    return {"labels": labels, "given": condition} if given_nodes else {}


def _known_pixels(
    known: ArrayLike | None, known_mask: ArrayLike | None, n: int, model: Drawer
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]] | tuple[None, None]:
    """Both arrays checked and spread over ``(n, C, H, W)``."""
    if known is None and known_mask is None:
        return None, None
    if known is None or known_mask is None:
        raise InputError(f"known and known_mask must be given together; got only {'known_mask' if known is None else 'known'}")
    image_shape = model.image_shape
    shapes = [image_shape, (n, *image_shape)]
    # False and True are the two levels of a binary image, and no levels of another.
    levels = _array("known", known, "uib" if model.levels == 2 else "ui", "integer levels", shapes)
    mask = _array("known_mask", known_mask, "b", "bool", [image_shape[1:], *shapes])
    mask = np.broadcast_to(mask, (n, *image_shape)).copy()
    levels = np.where(mask, levels, 0)
    if levels.size and not 0 <= levels.min() <= levels.max() < model.levels:
        wrong = levels.min() if levels.min() < 0 else levels.max()
        raise InputError(f"known must hold levels from 0 to {model.levels - 1}; got {wrong}")
    return levels.astype(np.uint8), mask


def _array(argument: str, value: ArrayLike, kinds: str, content: str, shapes: list[tuple[int, ...]]) -> NDArray[Any]:
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError):  # ragged lists; tensors elsewhere, or with gradients
        raise InputError(f"{argument} must be an array of {content}; got {type(value).__name__!r}") from None
    if array.dtype.kind not in kinds:
        raise InputError(f"{argument} must hold {content}; got {array.dtype}")
    if array.shape not in shapes:
        raise InputError(f"{argument} must have shape {' or '.join(str(shape) for shape in shapes)}; got {array.shape}")
    return array
