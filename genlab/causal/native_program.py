"""Causal lists handed to C++: each is compiled once for each walk and number format. Knows no torch.

`Painter` draws from such a list and plain arrays, for whoever wants an image before torch, which takes more than a second, is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from genlab.causal.graph import Graph
from genlab.causal.program import Mode, lower
from genlab.errors import BackendError
from genlab.native import core

_programs: WeakKeyDictionary[Graph, dict[tuple[Mode, str], Any]] = WeakKeyDictionary()


def compiled(graph: Graph, mode: Mode, dtype: str) -> Any:
    """The `genlab._core.Program` of a list; its weights are handed over anew at every call.

    Raises:
        BackendError: The native walk is not built, or cannot run this list.
    """
    programs = _programs.setdefault(graph, {})
    if (mode, dtype) not in programs:
        programs[mode, dtype] = core().Program(specification(graph, mode, dtype))
    return programs[mode, dtype]


def specification(graph: Graph, mode: Mode, dtype: str) -> dict[str, Any]:
    """The program as plain data, in the form csrc/program_bind.cpp reads."""
    program = lower(graph, mode)
    if program.given:
        raise BackendError(f"the native walk does not take given maps yet (node {next(iter(program.given))!r}); use backend='torch'")
    layers = []
    for node in graph.convolutions:
        layers.append({"mask": graph.mask(node).astype(np.uint8), "taps": list(node.taps), "dilation": node.dilation})
    image = graph.nodes[0]
    return {
        "dtype": dtype,
        "image_shape": graph.image_shape,
        "levels": graph.distribution.levels,
        "distribution": graph.distribution.name,
        "scale": image.scale,
        "shift": image.shift,
        "image": program.image,
        "output": program.output,
        "output_grad": program.output_grad,
        "layers": layers,
        "buffers": [asdict(buffer) for buffer in program.buffers],
        "forward": [asdict(instruction) for instruction in program.forward],
        "backward": [asdict(instruction) for instruction in program.backward],
    }


class Painter:
    """A trained network that can only draw, natively: what `genlab.sample` needs of a model, without torch.

    Attributes:
        name: Of the model, for error messages.
        graph: The list of nodes.
        image_shape: ``(C, H, W)``.
        levels: Number of levels of a pixel.
    """

    def __init__(self, name: str, graph: Graph, arrays: Mapping[str, NDArray[np.float32]]) -> None:
        self.name = name
        self.graph = graph
        self.image_shape = graph.image_shape
        self.levels = graph.distribution.levels
        self._weights = [arrays[f"nodes.{node.name}.weight"] for node in graph.convolutions]
        self._biases = [arrays[f"nodes.{node.name}.bias"] for node in graph.convolutions]

    def parameter_count(self) -> int:
        """Number of live parameters, as of `CausalModel`."""
        return int(sum(self.graph.mask(node).sum() + node.channels for node in self.graph.convolutions))

    def draw(
        self,
        uniforms: NDArray[np.float64],
        known: NDArray[np.uint8] | None = None,
        known_mask: NDArray[np.bool_] | None = None,
        *,
        backend: str = "auto",
        temperature: float = 1.0,
        on_progress: Callable[[int, int], None] | None = None,
        dtype: str = "float32",
    ) -> NDArray[np.uint8]:
        """As `CausalModel.draw`, which has checked nothing less: `genlab.sample` checks what it hands over.

        Raises:
            BackendError: Another backend or number format than native float32 is asked for.
        """
        if backend not in ("auto", "native") or dtype != "float32":
            raise BackendError(f"a painter draws with backend 'native' in float32 alone; got {backend!r}, {dtype!r}; use genlab.load_model")
        shape = (len(uniforms), *self.image_shape)
        levels = np.zeros(shape, np.uint8) if known is None else known.astype(np.uint8)
        mask = np.zeros(shape, np.uint8) if known_mask is None else known_mask.astype(np.uint8)
        program = compiled(self.graph, "sample", "float32")
        program.sample(self._weights, self._biases, levels, mask, uniforms, temperature, None, on_progress)
        return levels
