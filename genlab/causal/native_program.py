"""Causal lists handed to C++: each is compiled once for each walk and number format. Knows no torch.

`CausalNetwork` is what a list and its name alone can tell of a model; `Painter` adds plain arrays and draws, for whoever wants an image
before torch, which takes more than a second, is loaded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genlab.causal.condition import Condition
from genlab.causal.graph import LABELS, Graph
from genlab.causal.node import Node
from genlab.causal.operations import OPERATIONS
from genlab.causal.program import Mode, lower
from genlab.domain import Domain
from genlab.errors import BackendError, InputError, unknown_name
from genlab.native import core

if TYPE_CHECKING:
    from genlab.causal.torch_walk import Progress, Rows

_programs: WeakKeyDictionary[Graph, dict[tuple[Mode, str, bool], Any]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Arrays:
    """A network's numbers, in the order of its list: weights and biases of the convolutions, and the given maps."""

    weights: Sequence[NDArray[Any]]
    biases: Sequence[NDArray[Any]]
    given: Sequence[NDArray[Any]] = ()


def compiled(graph: Graph, mode: Mode, dtype: str, *, given_grads: bool = False) -> Any:
    """The `genlab._core.Program` of a list; its weights are handed over anew at every call.

    Raises:
        BackendError: The native walk is not built, or cannot run this list.
    """
    programs = _programs.setdefault(graph, {})
    if (mode, dtype, given_grads) not in programs:
        programs[mode, dtype, given_grads] = core().Program(specification(graph, mode, dtype, given_grads=given_grads))
    return programs[mode, dtype, given_grads]


def specification(graph: Graph, mode: Mode, dtype: str, *, given_grads: bool = False) -> dict[str, Any]:
    """The program as plain data, in the form csrc/program_bind.cpp reads and csrc/program_check.cpp checks."""
    program = lower(graph, mode, given_grads=given_grads)
    layers = []
    for node in graph.convolutions:
        ratio = {"dilation": node.dilation, "down": node.down, "up": node.up}
        recurrence = {"cell": node.cell_tap, "leftward": node.scan == "left"} if OPERATIONS[node.operation].is_recurrent else None
        layers.append({"mask": graph.mask(node).astype(np.uint8), "taps": list(node.taps), **ratio, "recurrence": recurrence})
    image = graph.nodes[0]
    none = dict.fromkeys(program.given, -1)
    return {
        "dtype": dtype,
        "mode": mode,
        "image_shape": graph.image_shape,
        "levels": graph.distribution.levels,
        "distribution": graph.distribution.name,
        "scale": image.scale,
        "shift": image.shift,
        "image": program.image,
        "output": program.output,
        "output_grad": program.output_grad,
        "given": [{"buffer": program.given[name], "grad": {**none, **program.given_grads}[name]} for name in program.given],
        "layers": layers,
        "buffers": [asdict(buffer) for buffer in program.buffers],
        "forward": [asdict(instruction) for instruction in program.forward],
        "backward": [asdict(instruction) for instruction in program.backward],
    }


def score(
    graph: Graph, arrays: Arrays, levels: NDArray[np.uint8], dtype: str, *, want_map: bool
) -> tuple[NDArray[np.float64], NDArray[Any] | None]:
    """Nats ``(N,)`` of each image, and the output map ``(N, H, W, output channels)`` if it is wanted."""
    with _in_words():
        program = compiled(graph, "score", dtype)
        result: tuple[NDArray[np.float64], NDArray[Any] | None] = program.score(
            list(arrays.weights), list(arrays.biases), levels, want_map, list(arrays.given)
        )
        return result


def train(
    graph: Graph, arrays: Arrays, levels: NDArray[np.uint8], dtype: str, *, given_grads: bool, key: int | None = None
) -> tuple[NDArray[np.float64], list[NDArray[Any] | None]]:
    """Nats of each image, and gradients of their mean: weight and bias of each convolution in turn, then those of the given maps.

    A given map's is None where it is not wanted or nothing depends on the map. Which values a dropout leaves out follows from the `key`.
    """
    with _in_words():
        program = compiled(graph.certain if key is None else graph, "train", dtype, given_grads=given_grads)
        result: tuple[NDArray[np.float64], list[NDArray[Any] | None]] = program.train(
            list(arrays.weights), list(arrays.biases), levels, list(arrays.given), key or 0
        )
        return result


def draw(
    graph: Graph,
    arrays: Arrays,
    uniforms: NDArray[np.float64],
    dtype: str,
    *,
    known: NDArray[np.uint8] | None = None,
    known_mask: NDArray[np.bool_] | None = None,
    temperature: float = 1.0,
    on_progress: Progress | None = None,
    on_rows: Rows | None = None,
) -> NDArray[np.uint8]:
    """Images ``(N, C, H, W)``; arguments as in `genlab.causal.torch_walk.sample`, as NumPy arrays."""
    shape = (len(uniforms), *graph.image_shape)
    levels = np.zeros(shape, np.uint8) if known is None else known.astype(np.uint8)
    mask = np.zeros(shape, np.uint8) if known_mask is None else known_mask.astype(np.uint8)
    height = graph.image_shape[1]
    drawn_from = None
    report = on_progress
    if on_rows is not None:
        kind = np.float64 if dtype == "float64" else np.float32
        drawn_from = np.zeros((len(uniforms), *graph.image_shape[1:], graph[graph.output].channels), kind)

        def report(done: int, total: int) -> None:
            if on_progress:
                on_progress(done, total)
            # A large batch is drawn in rounds: a row is drawn in every image once the last round has drawn it.
            if done > total - height:
                on_rows(done - (total - height), levels, drawn_from)

    with _in_words():
        compiled(graph, "sample", dtype).sample(
            list(arrays.weights), list(arrays.biases), levels, mask, uniforms, temperature, drawn_from, report, list(arrays.given)
        )
    return levels


@contextmanager
def _in_words() -> Iterator[None]:
    """What C++ refuses for want of memory, as an error of ours."""
    try:
        yield
    except MemoryError:
        raise BackendError("the native walk found not enough memory for the feature maps of one image a thread") from None
    except ValueError as error:
        if "is too large" not in str(error):
            raise
        raise BackendError(f"the native walk refuses it: {error}") from None


class CausalNetwork:
    """What a list of nodes and a name tell of a model, without its parameters and without torch.

    Attributes:
        name: Of the model, for error messages.
        graph: The list of nodes.
    """

    name: str
    graph: Graph

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """``(C, H, W)``."""
        return self.graph.image_shape

    @property
    def levels(self) -> int:
        """Number of levels of a pixel."""
        return self.graph.distribution.levels

    @property
    def domain(self) -> Domain:
        """Images of integer levels."""
        return Domain(self.image_shape, self.levels)

    @property
    def classes(self) -> int:
        """Number of classes that it tells apart; 0: it is not class-conditional."""
        return next((node.channels for node in self.graph.given if node.name == LABELS), 0)

    @property
    def condition(self) -> Condition | None:
        """How the image that it is drawn given is made from another; None: it is drawn given none."""
        return next((node.condition for node in self.graph.given if node.condition), None)

    def parameter_count(self) -> int:
        """Number of live parameters: masked weights do not count."""
        return self.graph.parameter_count()

    def given_maps(self, n: int, labels: ArrayLike | None, given: Mapping[str, Any] | None) -> dict[str, Any]:
        """All that must be there before `n` images are scored or drawn, by node, checked; labels become one channel a class.

        Raises:
            InputError: Something is missing, superfluous, or of the wrong kind, size or range.
        """
        maps = dict(given or {})
        for name in maps:
            if name not in [node.name for node in self.graph.given]:
                known = [node.name for node in self.graph.given]
                raise (
                    unknown_name("given", name, known)
                    if known
                    else InputError(f"given must be empty: model {self.name!r} has no given maps; got {name!r}")
                )
        if labels is not None:
            if not self.classes:
                raise InputError(f"labels must be None: model {self.name!r} is not class-conditional; got {np.shape(labels)} labels")
            if LABELS in maps:
                raise InputError(f"labels must be None where given holds a map of the node {LABELS!r}; got both")
            maps[LABELS] = self._one_hot(n, labels)
        for node in self.graph.given:
            if node.name == LABELS and LABELS not in maps:
                raise InputError(f"labels must say which of the {self.classes} classes of model {self.name!r} each image has; got None")
            if node.condition is not None and node.name not in maps:
                raise InputError(f"condition must be what model {self.name!r} draws images given, a {node.condition.words}; got None")
            if node.name not in maps:
                raise InputError(f"given must hold a map of the node {node.name!r} of model {self.name!r}; got {sorted(maps)}")
            maps[node.name] = self._given_map(node, n, maps[node.name])
        return {node.name: maps[node.name] for node in self.graph.given}

    def given_beside(self, levels: Any, labels: ArrayLike | None, given: Mapping[str, Any] | None) -> dict[str, Any]:
        """As `given_maps` of images that are there, from which what is not given but made from them is made.

        Args:
            levels: Checked levels ``(N, C, H, W)``, an array or a tensor.
            labels: Classes.
            given: Maps by node.
        """
        made = {
            node.name: node.condition.of(levels.numpy(force=True) if hasattr(levels, "detach") else levels)
            for node in self.graph.given
            if node.condition is not None and node.name not in (given or {})
        }
        return self.given_maps(len(levels), labels, {**made, **(given or {})})

    def _given_map(self, node: Node, n: int, value: Any) -> Any:
        """The checked map of a given node: an array, or the tensor that it was; an image that is known comes in levels too."""
        is_tensor = hasattr(value, "detach")
        if node.condition is not None and not (is_tensor and value.is_floating_point()):
            array = np.asarray(value.numpy(force=True) if is_tensor else value)
            if array.dtype.kind != "f":
                return node.condition.as_map(node.condition.checked(array, n))
        array = value if is_tensor else np.asarray(value)
        sizes = [(1, 1)] if node.everywhere else [self.graph.size(node), (1, 1)]
        if tuple(array.shape[:2]) != (n, node.channels) or tuple(array.shape[2:]) not in sizes:
            shapes = " or ".join(str((n, node.channels, *size)) for size in sizes)
            raise InputError(f"given map of the node {node.name!r} must have shape {shapes}; got {tuple(array.shape)}")
        if isinstance(array, np.ndarray) and (array.dtype.kind not in "fiub" or not np.isfinite(array).all()):
            raise InputError(f"given map of the node {node.name!r} must hold finite numbers; got {array.dtype}")
        return array

    def _one_hot(self, n: int, labels: ArrayLike) -> NDArray[np.float32]:
        """``(n, classes, 1, 1)`` from a class for each image, or one for all."""
        array = np.asarray(labels)
        if array.dtype.kind not in "ui":
            raise InputError(f"labels must hold whole numbers, the classes; got {array.dtype}")
        if array.shape not in ((), (n,)):
            raise InputError(f"labels must be one class, or have shape ({n},); got {array.shape}")
        if array.size and not 0 <= int(array.min()) <= int(array.max()) < self.classes:
            wrong = array.min() if array.min() < 0 else array.max()
            raise InputError(f"labels must be classes from 0 to {self.classes - 1}; got {wrong}")
        one_hot = np.zeros((n, self.classes, 1, 1), np.float32)
        one_hot[np.arange(n), np.broadcast_to(array, (n,)).astype(np.int64)] = 1
        return one_hot

    def check_drawing(
        self,
        uniforms: NDArray[np.float64],
        known: NDArray[Any] | None,
        known_mask: NDArray[np.bool_] | None,
        temperature: float,
    ) -> tuple[NDArray[np.float64], NDArray[np.uint8] | None]:
        """The uniforms and the known levels, checked; what stands where nothing is known does not matter.

        Raises:
            InputError: An argument of `draw` breaks a rule.
        """
        channels, height, width = self.image_shape
        uniforms = np.ascontiguousarray(uniforms, dtype=np.float64)
        if uniforms.ndim != 4 or uniforms.shape[1:] != (height, width, channels):
            raise InputError(f"uniforms must have shape (N, {height}, {width}, {channels}); got {uniforms.shape}")
        if not ((uniforms >= 0) & (uniforms < 1)).all():
            raise InputError("uniforms must lie in [0, 1); got a value outside it or NaN")
        if not (math.isfinite(temperature) and temperature > 0):
            raise InputError(f"temperature must be a finite number above 0; got {temperature}")
        if (known is None) != (known_mask is None):
            raise InputError("known and known_mask must be given together; got only one of them")
        if known is None or known_mask is None:
            return uniforms, None
        shape = (len(uniforms), *self.image_shape)
        if known_mask.shape != shape or known_mask.dtype != np.bool_:
            raise InputError(f"known_mask must be bool of shape {shape}; got {known_mask.dtype} of shape {known_mask.shape}")
        known = np.asarray(known)
        if known.dtype.kind not in "ui":
            raise InputError(f"known must hold integer levels; got an array of {known.dtype}")
        if known.shape != shape:
            raise InputError(f"known must have shape {shape}; got {known.shape}")
        known = np.where(known_mask, known, 0)
        if known.size and not 0 <= int(known.min()) <= int(known.max()) < self.levels:
            wrong = known.min() if known.min() < 0 else known.max()
            raise InputError(f"known must hold levels from 0 to {self.levels - 1}; got {wrong}")
        return uniforms, known.astype(np.uint8)


class Painter(CausalNetwork):
    """A trained network that can only draw, natively: what `genlab.sample` needs of a model, without torch."""

    def __init__(self, name: str, graph: Graph, arrays: Mapping[str, NDArray[np.float32]]) -> None:
        self.name = name
        self.graph = graph
        self._weights = [arrays[f"nodes.{node.name}.weight"] for node in graph.convolutions]
        self._biases = [arrays[f"nodes.{node.name}.bias"] for node in graph.convolutions]
        for node, weight, bias in zip(graph.convolutions, self._weights, self._biases, strict=True):
            for kind, wrong in (("weight", ~np.isfinite(weight) & graph.mask(node)), ("bias", ~np.isfinite(bias))):
                if wrong.any():
                    raise InputError(f"tensor 'nodes.{node.name}.{kind}' of model {name!r} must be finite")

    def draw(
        self,
        uniforms: NDArray[np.float64],
        known: NDArray[np.uint8] | None = None,
        known_mask: NDArray[np.bool_] | None = None,
        *,
        labels: ArrayLike | None = None,
        given: Mapping[str, Any] | None = None,
        backend: str = "auto",
        temperature: float = 1.0,
        on_progress: Progress | None = None,
        dtype: str = "float32",
    ) -> NDArray[np.uint8]:
        """As a causal model's `draw`.

        Raises:
            InputError: An argument breaks a rule.
            BackendError: Another backend or number format than native float32 is asked for.
        """
        if backend not in ("auto", "native") or dtype != "float32":
            raise BackendError(f"a painter draws with backend 'native' in float32 alone; got {backend!r}, {dtype!r}; use genlab.load_model")
        uniforms, known = self.check_drawing(uniforms, known, known_mask, temperature)
        maps = [np.ascontiguousarray(array, np.float32) for array in self.given_maps(len(uniforms), labels, given).values()]
        return draw(
            self.graph,
            Arrays(self._weights, self._biases, maps),
            uniforms,
            "float32",
            known=known,
            known_mask=known_mask,
            temperature=temperature,
            on_progress=on_progress,
        )
