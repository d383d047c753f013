"""A causal network as a torch module: parameters of the list's convolutions, and the three walks as methods."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn
from torch.autograd import forward_ad

from genlab.causal import LABELS, Graph, jacobi, native_walk, torch_walk
from genlab.causal.drawing import BACKENDS, draw_images
from genlab.causal.jacobi import Passes
from genlab.causal.native_program import CausalNetwork
from genlab.causal.operations import OPERATIONS, dropout
from genlab.causal.torch_walk import Progress, Rows
from genlab.domain import Batch
from genlab.errors import BackendError, InputError, unknown_name
from genlab.models.contract import MINIMISER, NATS, Compute, PlainNetwork, Player, Report, Terms
from genlab.native import native_info, resolve_backend
from genlab.settings import Settings

DTYPES = ("float32", "bfloat16")

Images = ArrayLike | torch.Tensor
"""Integer levels ``(N, C, H, W)``."""


class CausalModel(nn.Module, CausalNetwork):
    """p(x) = ∏ p(x_i | x_1 … x_{i−1}) by a list of nodes.

    Made by `genlab.create_model`. Parameters are the weights ``nodes.<name>.weight`` (C_out, C_in, height, width) and biases
    ``nodes.<name>.bias`` of the list's convolutions, as in ``torch.nn.Conv2d``; masked weights are kept but never used.

    Attributes:
        name: The model's name in `genlab.list_models`.
        settings: Its validated settings.
        graph: The list of nodes.
        image_shape: ``(C, H, W)``.
        levels: Number of levels of a pixel.
    """

    def __init__(self, name: str, settings: Settings, graph: Graph) -> None:
        super().__init__()
        self.name = name
        self.settings = settings
        self.graph = graph
        self.nodes = nn.ModuleDict()
        for node in graph.convolutions:
            operation = OPERATIONS[node.operation]
            layer = nn.Conv2d(graph[operation.weighs(node)].channels, operation.outputs(node), node.kernel_size)
            if operation.is_recurrent:
                layer.bias = nn.Parameter(layer.weight.new_empty(operation.biases(node)))
            if not layer.weight.is_meta:  # there is nothing to fill, and masks of a size that a stranger chose would take the memory
                _initialise(layer, graph.mask(node), last=node.name == graph.output)
            self.nodes[node.name] = layer

    @property
    def config(self) -> dict[str, Any]:
        """``{"name", "settings"}``: what `genlab.create_model` needs to build the same model again."""
        return {"name": self.name, "settings": self.settings.model_dump(mode="json")}

    @property
    def report(self) -> Report:
        """The negative log-likelihood."""
        return NATS

    @property
    def players(self) -> tuple[Player, ...]:
        """Minimising is a game of one."""
        return MINIMISER

    def terms(self, player: str, batch: Batch, how: Compute) -> Terms:
        """−(1/N) Σ_n log p(x_n), as `loss`; of a class-conditional model given the batch's labels."""
        key = how.seed() if self.training and how.key else None
        if key is None or how.first == 0 or self.graph.certain is self.graph:
            total = self.loss(batch, backend=how.backend, dtype=how.dtype, key=key)
        else:
            parts = [
                len(batch[part]) / len(batch) * self.loss(batch[part], backend=how.backend, dtype=how.dtype, key=own)
                for part, own in dropout.shares(key, how.first, len(batch))
            ]
            total = torch.stack(parts).sum()
        return Terms(total, {"nats": total.detach()})

    def validate(self, batch: Batch, how: Compute) -> dict[str, np.ndarray]:
        """−log p(x) of each image: ``{"nats": float64 (N,)}``."""
        return {"nats": -self.log_prob(batch, backend=how.backend, dtype=how.dtype).numpy(force=True)}

    def forward(
        self,
        images: Images | Batch,
        *,
        labels: ArrayLike | torch.Tensor | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> torch.Tensor:
        """The logits of every pixel given the pixels before it, ``(N, C, H, W, levels)``; the torch walk, differentiable."""
        levels, maps = self._inputs(images, labels, given, "images")
        return torch_walk.logits(self.graph, torch_walk.parameters_map(self.graph, self._parameters_by_node(), levels, maps), levels)

    def loss(
        self,
        batch: Images | Batch,
        backend: str = "auto",
        dtype: str = "float32",
        *,
        labels: ArrayLike | torch.Tensor | None = None,
        given: Mapping[str, Any] | None = None,
        key: int | None = None,
    ) -> torch.Tensor:
        """−(1/N) Σ_n log p(x_n): the mean negative log-likelihood, in nats per image.

        Args:
            batch: Integer levels ``(N, C, H, W)``, or a `genlab.domain.Batch` of them with labels and given maps.
            backend: ``"native"``, ``"torch"`` or ``"auto"``.
            dtype: ``"float32"``, or ``"bfloat16"``: operands of 8 bits, sums in float32, parameters and their gradients unrounded
                (natively where the processor has the instruction, else by torch's autocast).
            labels: Classes ``(N,)``, or one for all, of a class-conditional model.
            given: Maps of the model's given nodes by name, ``(N, channels, H, W)`` or, the same at every pixel,
                ``(N, channels, 1, 1)``; gradients flow to tensors among them. An image that is known (``condition``) may be integer
                levels of its own shape, one for all or ``(N, c, h, w)``; where it is missing it is made from the images themselves.
            key: Of a training step, from 0 to 2⁶⁴ − 1: which values a dropout leaves out follows from it; None: none.

        Returns:
            A differentiable scalar.

        Raises:
            InputError: A wrong shape, a level or class out of range, an empty batch, a missing map, an unknown dtype.
            BackendError: The backend cannot compute this here.
        """
        levels, maps = self._inputs(batch, labels, given, "batch")
        if len(levels) == 0:
            raise InputError("batch must hold at least one image; got none")
        if self._resolve(backend, levels, *maps.values(), dtype=dtype) == "native":
            return native_walk.loss(
                self.graph,
                self._parameters_by_node(),
                levels,
                given=maps,
                bfloat16=dtype == "bfloat16",
                second_order=backend == "auto",
                key=key,
            )
        return -torch_walk.log_prob(self.graph, self._torch_map(levels, maps, dtype, key), levels).mean()

    @torch.no_grad()
    def log_prob(
        self,
        images: Images | Batch,
        backend: str = "auto",
        dtype: str = "float32",
        *,
        labels: ArrayLike | torch.Tensor | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> torch.Tensor:
        """Log p(x) of each image in nats, float64 ``(N,)``; arguments as in `loss`."""
        levels, maps = self._inputs(images, labels, given, "images")
        if self._resolve(backend, levels, *maps.values(), dtype=dtype) == "native":
            result = native_walk.log_prob(self.graph, self._parameters_by_node(), levels, given=maps, bfloat16=dtype == "bfloat16")
        else:
            result = torch_walk.log_prob(self.graph, self._torch_map(levels, maps, dtype).double(), levels)
        if not is_transformed(result) and result.isnan().any():
            self.refuse_unfinite_parameters()
            raise InputError("log p(x) is not a number though every weight is finite: sums overflow, the weights are too large")
        return result

    @torch.no_grad()
    def logits(
        self,
        images: Images | Batch,
        backend: str = "auto",
        dtype: str = "float32",
        *,
        labels: ArrayLike | torch.Tensor | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> torch.Tensor:
        """The logits of each pixel's level given the pixels before it, ``(N, C, H, W, levels)``; arguments as in `loss`."""
        levels, maps = self._inputs(images, labels, given, "images")
        return torch_walk.logits(self.graph, self._output_map(levels, maps, backend, dtype), levels)

    def networks(self) -> dict[str, PlainNetwork]:
        """The logits of each pixel's level given the pixels before it, by the torch walk; given maps are further inputs."""
        maps = {
            node.name: torch.zeros(2, node.channels, *((1, 1) if node.everywhere else self.graph.size(node))) for node in self.graph.given
        }

        def logits(levels: torch.Tensor, *given: torch.Tensor) -> torch.Tensor:
            parameters_at = self._torch_map(levels, dict(zip(maps, given, strict=True)), "float32")
            return torch_walk.logits(self.graph, parameters_at, levels)

        levels = torch.zeros(2, *self.image_shape, dtype=torch.int64)
        return {"logits": PlainNetwork(logits, {"levels": levels, **maps}, "logits")}

    @torch.no_grad()
    def draw(
        self,
        uniforms: np.ndarray,
        known: np.ndarray | None = None,
        known_mask: np.ndarray | None = None,
        backend: str = "auto",
        temperature: float = 1.0,
        on_progress: Progress | None = None,
        dtype: str = "float32",
        on_rows: Rows | None = None,
        on_pass: Passes | None = None,
        *,
        labels: ArrayLike | torch.Tensor | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> np.ndarray:
        """Draws images from given randomness; `genlab.sample` is the friendly form.

        Args:
            uniforms: float64 ``(N, H, W, C)`` in [0, 1).
            known: Levels ``(N, C, H, W)``, kept where `known_mask` is true.
            known_mask: bool ``(N, C, H, W)``.
            backend: ``"native"``, ``"torch"`` (the same cached algorithm), ``"naive"`` (one full forward pass a pixel), ``"jacobi"`` (full
                forward passes until no pixel changes) or ``"auto"``.
            temperature: Logits are divided by it.
            on_progress: Called with (rows drawn, rows in all).
            dtype: As in `loss`.
            on_rows: Called with (rows drawn in every image, levels ``(N, C, H, W)``, the output map ``(N, H, W, C · parameters)`` they
                were drawn from) as rows are finished; not with ``"naive"``.
            on_pass: Called with (full forward passes so far, levels ``(N, C, H, W)`` as guessed now); with ``"jacobi"`` alone.
            labels: As in `loss`.
            given: As in `loss`.

        Returns:
            uint8 levels ``(N, C, H, W)``.
        """
        uniforms, known = self.check_drawing(uniforms, known, known_mask, temperature)
        maps = self._tensors(self.given_maps(len(uniforms), _array(labels), given))
        chosen = self._resolve(backend, *maps.values(), allowed=BACKENDS, dtype=dtype)
        self.refuse_unfinite_parameters()
        if chosen == "native":
            return native_walk.sample(
                self.graph,
                self._parameters_by_node(),
                uniforms,
                known=known,
                known_mask=known_mask,
                given=maps,
                temperature=temperature,
                bfloat16=dtype == "bfloat16",
                on_progress=on_progress,
                on_rows=on_rows,
            )
        if chosen == "naive" and on_rows is not None:
            raise InputError("on_rows must be None with backend 'naive', which keeps no record of what it drew from")

        def predict(levels: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
            return self._output_map(levels, {name: value[which] for name, value in maps.items()}, "auto", dtype)

        network = self.graph, self._parameters_by_node()
        walks = {
            "torch": partial(torch_walk.sample, *network, given=maps, on_rows=on_rows),
            "naive": partial(torch_walk.sample_naive, *network, given=maps),
            "jacobi": partial(jacobi.sample, self.graph, predict, on_rows=on_rows, on_pass=on_pass),
        }
        device = next(self.parameters()).device
        with self._autocast(dtype):
            drawn = walks[chosen](
                torch.from_numpy(uniforms).to(device),
                known=None if known is None else torch.from_numpy(known).to(device).long(),
                known_mask=None if known_mask is None else torch.from_numpy(known_mask).to(device),
                temperature=temperature,
                on_progress=on_progress,
            )
        return drawn.to(torch.uint8).numpy(force=True)

    def sample(self, n: int, seed: int, options: Mapping[str, Any]) -> np.ndarray:
        """`n` images uint8 ``(n, C, H, W)``; the options are those of `genlab.sample`."""
        return draw_images(self, n, seed, options)

    def _inputs(
        self, images: Images | Batch, labels: ArrayLike | torch.Tensor | None, given: Mapping[str, Any] | None, argument: str
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Checked levels and given maps; what a batch holds is taken where nothing is said beside it, and where the model wants it."""
        if isinstance(images, Batch):
            wanted = {node.name for node in self.graph.given}
            given = {**{name: value for name, value in images.given.items() if name in wanted}, **(given or {})}
            if labels is None and self.classes and LABELS not in given:
                labels = images.labels
            images = images.values
        levels = self._levels(images, argument)
        return levels, self._tensors(self.given_beside(levels, _array(labels), given))

    def _tensors(self, maps: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        """Given maps as tensors on the model's device."""
        device = next(self.parameters()).device
        return {name: torch.as_tensor(value).to(device) for name, value in maps.items()}

    def _output_map(self, levels: torch.Tensor, maps: Mapping[str, torch.Tensor], backend: str, dtype: str) -> torch.Tensor:
        """The output node's channels at every pixel, ``(N, output channels, H, W)``, by one whole forward pass."""
        if self._resolve(backend, levels, *maps.values(), dtype=dtype) == "native":
            return native_walk.parameters_map(self.graph, self._parameters_by_node(), levels, given=maps, bfloat16=dtype == "bfloat16")
        return self._torch_map(levels, maps, dtype)

    def _torch_map(self, levels: torch.Tensor, maps: Mapping[str, torch.Tensor], dtype: str, key: int | None = None) -> torch.Tensor:
        """The output node's channels by the torch walk, under autocast if `dtype` asks for it."""
        with self._autocast(dtype):
            parameters_at = torch_walk.parameters_map(self.graph, self._parameters_by_node(), levels, maps, key=key)
        # Half a number's bits would not hold a sum over all pixels.
        return parameters_at.float() if parameters_at.dtype in (torch.bfloat16, torch.float16) else parameters_at

    def _autocast(self, dtype: str) -> torch.autocast:
        return torch.autocast(next(self.parameters()).device.type, torch.bfloat16, enabled=dtype == "bfloat16")

    def _parameters_by_node(self) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        return {name: (layer.weight, layer.bias) for name, layer in self.nodes.items()}  # type: ignore[misc]

    def _resolve(self, backend: str, *tensors: torch.Tensor, allowed: tuple[str, ...] = ("native", "torch"), dtype: str = "float32") -> str:
        """The backend to use; "auto" is native where native can do it: parameters in float32 or float64 on a CPU."""
        if dtype not in DTYPES:
            raise unknown_name("dtype", dtype, DTYPES)
        parameter, *others = self.parameters()
        for other in others:
            if other.dtype != parameter.dtype:
                raise InputError(f"the model's parameters must be of one dtype; got {parameter.dtype} and {other.dtype}")
        if dtype == "bfloat16" and parameter.dtype == torch.float64:
            raise BackendError("a float64 model does not compute in bfloat16; use model.float()")
        obstacle = ""
        if any(is_transformed(tensor) for tensor in (parameter, *others, *tensors)):
            obstacle = "its gradients are torch.autograd's first ones alone, and a transform of torch.func or forward_ad is at work"
        elif parameter.device.type != "cpu":
            obstacle = f"the model is on device {str(parameter.device)!r}; move it with model.cpu()"
        elif parameter.dtype not in (torch.float32, torch.float64):
            obstacle = f"the model's parameters are {parameter.dtype}; native kernels compute in float32 and float64"
        elif dtype == "bfloat16" and dtype not in native_info()["dtypes"]:
            obstacle = f"this processor or GENLAB_ISA has no bfloat16 dot product (instruction set: {native_info()['isa']})"
        if obstacle and backend == "native":
            raise BackendError(f"backend 'native' is not available: {obstacle}")
        if obstacle and backend == "auto":
            return "torch"
        return resolve_backend(backend, allowed=allowed)

    def refuse_unfinite_parameters(self) -> None:
        """Weights that are never used may hold anything; the others must be finite.

        Raises:
            InputError: One is not; the sentence names the tensor.
        """
        parameters = [parameter.detach().reshape(-1) for parameter in self.parameters()]
        if any(map(is_transformed, parameters)) or torch.cat(parameters).sum().isfinite():
            return  # drawing one image takes milliseconds, and asking each tensor would be a third of them
        for name, layer in self.nodes.items():
            for kind, tensor in layer.named_parameters():
                wrong = ~tensor.isfinite()
                if kind == "weight":
                    wrong &= torch.from_numpy(self.graph.mask(self.graph[name])).to(tensor.device)
                if wrong.any():
                    raise InputError(
                        f"tensor 'nodes.{name}.{kind}' of model {self.name!r} must be finite; it holds {tensor[wrong][0].item()}"
                    )

    def _levels(self, images: ArrayLike | torch.Tensor, argument: str) -> torch.Tensor:
        """Checked integer levels ``(N, C, H, W)`` on the model's device."""
        levels = images if isinstance(images, torch.Tensor) else torch.from_numpy(_integers(images, argument, binary=self.levels == 2))
        if levels.dtype == torch.bool and self.levels == 2:
            levels = levels.to(torch.uint8)
        if levels.is_floating_point() or levels.is_complex() or levels.dtype == torch.bool:
            raise InputError(f"{argument} must hold integer levels; got {levels.dtype}")
        if levels.ndim != 4 or tuple(levels.shape[1:]) != self.image_shape:
            channels, height, width = self.image_shape
            raise InputError(
                f"{argument} must have shape (N, {channels}, {height}, {width}), the model's image_shape; got {tuple(levels.shape)}"
            )
        if levels.numel() and not is_transformed(levels):
            low, high = (int(value) for value in torch.aminmax(levels))
            if low < 0 or high >= self.levels:
                raise InputError(f"{argument} must hold levels from 0 to {self.levels - 1}; got {low if low < 0 else high}")
        return levels.to(next(self.parameters()).device)


def _array(labels: ArrayLike | torch.Tensor | None) -> ArrayLike | None:
    return labels.numpy(force=True) if isinstance(labels, torch.Tensor) else labels


def is_transformed(tensor: torch.Tensor) -> bool:
    """Whether torch.func or forward-mode differentiation is at work on a tensor: its memory alone does not say all then."""
    wrapped: bool = torch._C._functorch.is_functorch_wrapped_tensor(tensor)
    within_forward_mode = forward_ad._current_level >= 0  # asked first: there are as many tensors as weights, and most calls have none
    return wrapped or (within_forward_mode and forward_ad.unpack_dual(tensor).tangent is not None)  # type: ignore[no-untyped-call]


def _integers(images: ArrayLike, argument: str, *, binary: bool) -> np.ndarray:
    """An array that torch takes; booleans are the levels of binary images."""
    array = np.asarray(images)
    if array.dtype.kind not in ("uib" if binary else "ui"):
        raise InputError(f"{argument} must hold integer levels; got an array of {array.dtype}")
    if array.dtype.itemsize > 1:
        array = array.astype(np.int64)
    # torch takes neither negative strides nor, without a warning, read-only memory.
    return array if array.flags.writeable and array.flags.c_contiguous else array.copy()


def _initialise(layer: nn.Conv2d, mask: np.ndarray, *, last: bool) -> None:
    """He et al. 2015 with the fan-in that the mask leaves alive; the last layer starts small, so that all levels start equally likely."""
    fan_in = max(1, int(mask.reshape(len(mask), -1).sum(1).max()))
    with torch.no_grad():
        layer.weight.normal_(0, math.sqrt((0.1 if last else 2.0) / fan_in))
        if layer.bias is not None:
            layer.bias.zero_()
