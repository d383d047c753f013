"""``genlab bench kernels``: one masked convolution, forward and forward with backward, at the four shapes of PixelCNNs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from genlab.benchmark.table import (
    Agreement,
    Array,
    Arrays,
    Case,
    CaseResult,
    Check,
    Contender,
    Figure,
    Settings,
    Side,
    Table,
    geometric_mean,
)
from genlab.kernels import KERNELS, Kernel

ABOUT = """\
masked_conv2d over float32: forward, and forward plus the gradients to input, weight and bias, with the same inputs on every side.
- native: genlab.kernels over NumPy arrays. genlab.nn.MaskedConv2d: the same kernel as a layer of a torch network.
- torch: conv2d(x, weight · mask) ('dense') and conv2d over the upper rows of the kernel ('cropped'), in both memory layouts, eager
  and by torch.compile (compiled before anything is timed).
- NumPy reference: one matrix product per live tap, summed in float64.
Deviations are in units of the rounding that a sum of its length must expect in float32 (genlab.kernels.Kernel.error)."""

# in channels, out channels, image side, kernel side, mask type
SHAPES = ((64, 64, 28, 3, "B"), (32, 32, 28, 3, "B"), (128, 128, 32, 3, "B"), (1, 64, 28, 7, "A"))

NATIVE = "native"
LAYER = "genlab.nn.MaskedConv2d"
NUMPY = "NumPy reference"
FORMS = tuple(itertools.product(("dense", "cropped"), ("NCHW", "channels_last")))
FASTEST_TO_COMPILE = "torch.compile cropped channels_last"


def cases(quick: bool) -> tuple[Case, ...]:
    """Every shape in both directions; the quick ones have fewer images and compile one form alone."""
    images = 8 if quick else 32
    compiled = [FASTEST_TO_COMPILE] if quick else [name for name in SIDES if name.startswith("torch.compile")]
    sides = [name for name in SIDES if not name.startswith("torch.compile")] + compiled
    return tuple(case(*shape, images=images, backward=backward, sides=sides) for shape in SHAPES for backward in (False, True))


def case(
    in_channels: int, out_channels: int, side: int, kernel: int, mask: str, *, images: int, backward: bool, sides: Sequence[str]
) -> Case:
    """One shape in one direction."""
    direction = "forward + backward" if backward else "forward"
    name = f"{direction}: {images} images of {side}×{side}, {in_channels}→{out_channels} channels, {kernel}×{kernel} mask {mask}"
    settings = {
        "images": images,
        "in_channels": in_channels,
        "out_channels": out_channels,
        "image_size": [side, side],
        "kernel_size": [kernel, kernel],
        "mask": mask,
        "backward": backward,
    }
    return Case(name, settings, tuple(sides))


def arguments(*, backward: bool, **sizes: Any) -> tuple[Array, ...]:
    """Arguments of the kernel, the same in every process."""
    kernel = KERNELS["masked_conv2d_backward" if backward else "masked_conv2d"]
    return kernel.example(np.random.default_rng(0), "float32", **sizes)


# --- sides -----------------------------------------------------------------------------------------------------------------------


def kernel_contender(variant: str, *, backward: bool, **sizes: Any) -> Contender:
    """A variant of the kernel's own table."""
    forward, gradients = KERNELS["masked_conv2d"].variants[variant], KERNELS["masked_conv2d_backward"].variants[variant]
    if not backward:
        inputs = arguments(backward=False, **sizes)
        return _contender(lambda: (forward(*inputs),))
    grad_output, *inputs_of_forward = arguments(backward=True, **sizes)

    def run() -> tuple[Array, ...]:
        return forward(*inputs_of_forward), *gradients(grad_output, *inputs_of_forward)

    return _contender(run)


def layer_contender(*, backward: bool, **sizes: Any) -> Contender:
    """The native kernel as a layer of a torch network."""
    import torch

    from genlab.nn import MaskedConv2d

    *_, weight, bias, mask = arguments(backward=backward, **sizes)
    layer = MaskedConv2d(weight.shape[1], weight.shape[0], weight.shape[2:], mask=mask, backend="native")
    layer.load_state_dict({"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)})
    return _torch_contender(lambda x, *_: layer(x), [layer.weight, layer.bias], "channels_last", backward=backward, **sizes)


def torch_contender(form: str, layout: str, compile_it: bool, *, backward: bool, **sizes: Any) -> Contender:
    """A masked convolution in plain torch."""
    import torch

    from genlab.benchmark import torch_peers

    *_, weight, bias, mask = arguments(backward=backward, **sizes)
    convolve = torch_peers.compiled(torch_peers.FORMS[form]) if compile_it else torch_peers.FORMS[form]
    kernel = torch.from_numpy(weight).contiguous(memory_format=torch_peers.LAYOUTS[layout])
    multiplier = torch.from_numpy(mask.astype(np.float32)).contiguous(memory_format=torch_peers.LAYOUTS[layout])
    return _torch_contender(
        lambda x, weight, bias: convolve(x, weight, bias, multiplier),
        [kernel.requires_grad_(), torch.from_numpy(bias).requires_grad_()],
        layout,
        backward=backward,
        **sizes,
    )


def _torch_contender(function: Callable[..., Any], parameters: list[Any], layout: str, *, backward: bool, **sizes: Any) -> Contender:
    import torch

    from genlab.benchmark.torch_peers import LAYOUTS

    def images(array: Array) -> torch.Tensor:
        return torch.from_numpy(array).contiguous(memory_format=LAYOUTS[layout])

    if not backward:
        x = images(arguments(backward=False, **sizes)[0])
        return _contender(torch.no_grad()(lambda: (function(x, *parameters),)))
    grad_output, x = (images(array) for array in arguments(backward=True, **sizes)[:2])
    inputs = [x.requires_grad_(), *parameters]

    def run() -> tuple[torch.Tensor, ...]:
        y = function(*inputs)
        return y, *torch.autograd.grad(y, inputs, grad_output)

    return _contender(run)


def _contender(run: Callable[[], tuple[Any, ...]]) -> Contender:
    def outputs() -> Arrays:
        arrays = (value if isinstance(value, np.ndarray) else value.numpy(force=True) for value in run())
        return dict(zip(("y", "grad_x", "grad_weight", "grad_bias"), arrays, strict=False))

    return Contender(outputs, run)


SIDES = {
    NATIVE: Side("genlab", partial(kernel_contender, "native"), role="native"),
    LAYER: Side("genlab", layer_contender, role="context"),
    NUMPY: Side("NumPy", partial(kernel_contender, "reference")),
    **{f"torch {form} {layout}": Side("torch", partial(torch_contender, form, layout, False)) for form, layout in FORMS},
    **{f"torch.compile {form} {layout}": Side("torch.compile", partial(torch_contender, form, layout, True)) for form, layout in FORMS},
}


# --- agreement and figures -------------------------------------------------------------------------------------------------------


def check(settings: Settings) -> Check:
    """Every output against the NumPy reference."""
    inputs = arguments(**settings)
    forward, gradients = (_remembering(KERNELS[name]) for name in ("masked_conv2d", "masked_conv2d_backward"))

    def agreements(outputs: Arrays) -> list[Agreement]:
        found = [Agreement("y", _error(forward, [outputs["y"]], inputs[-4:]), forward.tolerance["float32"])]
        if settings["backward"]:
            results = [outputs[name] for name in ("grad_x", "grad_weight", "grad_bias")]
            found.append(Agreement("gradients", _error(gradients, results, inputs), gradients.tolerance["float32"]))
        return found

    return agreements


def _error(kernel: Kernel, results: Sequence[Array], inputs: Sequence[Array]) -> float:
    """`Kernel.error`, and NaN wherever a result is not finite: a maximum over several arrays may pass over NaN."""
    if not all(np.isfinite(result).all() for result in results):
        return math.nan
    return kernel.error(tuple(results), *inputs)


def _remembering(kernel: Kernel) -> Kernel:
    """The kernel with a reference that computes nothing twice: the truth of a case is the same for all its sides."""
    known: dict[tuple[int, ...], Any] = {}

    def reference(*arrays: Array | None) -> Any:
        key = tuple(hash(None if array is None else array.tobytes()) for array in arrays)
        if key not in known:
            known[key] = kernel.reference(*arrays)
        return known[key]

    return replace(kernel, variants={**kernel.variants, "reference": reference})


def figures(results: Sequence[CaseResult]) -> list[Figure]:
    """Geometric means over the shapes, and the worst one."""
    found = []
    for backward, direction in ((False, "forward"), (True, "forward + backward")):
        chosen = [result for result in results if result.case.settings["backward"] == backward]
        for process in ("torch", "torch.compile", "NumPy"):
            leads = [result.lead(process) for result in chosen]
            found.append(
                Figure(
                    f"{_key(direction)}_over_{_key(process)}",
                    geometric_mean(leads),
                    f"best form of {process} / native, {direction}, geometric mean over shapes",
                )
            )
        worst = min((result.lead("torch") for result in chosen), default=math.nan)
        found.append(Figure(f"{_key(direction)}_over_torch_worst", worst, f"best form of torch / native, {direction}, worst shape"))
    return found


def _key(words: str) -> str:
    return words.lower().replace(" + ", "_").replace(".", "_")


TABLE = Table("kernels", __name__, ABOUT, SIDES, cases, check, figures)
