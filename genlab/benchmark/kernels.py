"""``genlab bench kernels``: one masked convolution, forward and forward with backward, at the four shapes of PixelCNNs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from genlab.benchmark import python_peers, roofline
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
    relative_error,
)
from genlab.kernels import KERNELS, Kernel, mask_2d

ABOUT = """\
masked_conv2d over float32: forward, and forward plus the gradients to input, weight and bias, with the same inputs on every side.
- native: genlab.kernels over NumPy arrays. genlab.nn.MaskedConv2d: the same kernel as a layer of a torch network.
- torch: conv2d(x, weight · mask) ('dense') and conv2d over the upper rows of the kernel ('cropped'), in both memory layouts, eager
  and by torch.compile (compiled before anything is timed).
- NumPy: one matrix product per live tap. Pure Python: lists and floats; one row of one image, multiplied to the whole.
- peak: multiply-adds on registers alone, in the same rounds: what 'share of peak' is a share of.
Deviations are in units of the rounding that a sum of its length must expect in float32 (genlab.kernels.Kernel.error)."""

# in channels, out channels, image side, kernel side, mask type
SHAPES = ((64, 64, 28, 3, "B"), (32, 32, 28, 3, "B"), (128, 128, 32, 3, "B"), (1, 64, 28, 7, "A"))

NATIVE = "native"
LAYER = "genlab.nn.MaskedConv2d"
NUMPY = "NumPy"
PYTHON = "pure Python, one row"
FORMS = tuple(itertools.product(("dense", "cropped"), ("NCHW", "channels_last")))
FASTEST_TO_COMPILE = "torch.compile cropped channels_last"


def cases(quick: bool) -> tuple[Case, ...]:
    """Every shape in both directions; the quick ones have fewer images and compile one form of one shape alone."""
    images = 8 if quick else 32
    compiled = [FASTEST_TO_COMPILE] if quick else [name for name in SIDES if name.startswith("torch.compile")]
    sides = [name for name in SIDES if not name.startswith(("torch.compile", "peak"))] + [*compiled, roofline.PEAK]

    def sides_of(shape: tuple[int, int, int, int, str], backward: bool) -> list[str]:
        too_slow = [PYTHON] if backward else []
        # Compiling takes most of a quick run: the first shape stands for all.
        return [name for name in sides if name not in too_slow + (compiled if quick and shape != SHAPES[0] else [])]

    return tuple(
        case(*shape, images=images, backward=backward, sides=sides_of(shape, backward)) for shape in SHAPES for backward in (False, True)
    )


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


def native_contender(*, backward: bool, **sizes: Any) -> Contender:
    """The native variant of the kernel's own table."""
    forward, gradients = KERNELS["masked_conv2d"].native, KERNELS["masked_conv2d_backward"].native
    if not backward:
        inputs = arguments(backward=False, **sizes)
        return _contender(lambda: (forward(*inputs),))
    grad_output, *inputs_of_forward = arguments(backward=True, **sizes)

    def run() -> tuple[Array, ...]:
        return forward(*inputs_of_forward), *gradients(grad_output, *inputs_of_forward)

    return _contender(run)


def numpy_contender(*, backward: bool, **sizes: Any) -> Contender:
    """NumPy alone, images with their channels last."""
    *grads, x, weight, bias, mask = arguments(backward=backward, **sizes)
    x, *grads = (np.ascontiguousarray(array.transpose(0, 2, 3, 1)) for array in (x, *grads))

    def run() -> tuple[Array, ...]:
        y = python_peers.numpy_convolution(x, weight, bias, mask).transpose(0, 3, 1, 2)
        if not backward:
            return (y,)
        grad_x, *others = python_peers.numpy_gradients(grads[0], x, weight, mask)
        return y, grad_x.transpose(0, 3, 1, 2), *others

    return _contender(run)


def python_contender(*, backward: bool, **sizes: Any) -> Contender:
    """The middle row of the first image in pure Python: all other rows have as many taps, or fewer at the edges."""
    x, weight, bias, mask = arguments(backward=False, **sizes)
    rows, columns = weight.shape[2] // 2, weight.shape[3] // 2
    taps = [
        (int(row) - rows, int(column) - columns, (weight * mask)[:, :, row, column].tolist())
        for row, column in np.argwhere(mask.any((0, 1)))
    ]
    image, offset, y = x[0].transpose(1, 2, 0).tolist(), bias.tolist(), x.shape[2] // 2

    def run() -> list[list[float]]:
        return python_peers.python_row(image, taps, offset, y)

    return Contender(lambda: {"row": np.array(run(), np.float32)}, run, scale=x.shape[0] * x.shape[2])


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
    NATIVE: Side("genlab", native_contender, role="native"),
    LAYER: Side("genlab", layer_contender, role="context"),
    NUMPY: Side("NumPy", numpy_contender),
    PYTHON: Side("Python", python_contender),
    **{f"torch {form} {layout}": Side("torch", partial(torch_contender, form, layout, False)) for form, layout in FORMS},
    **{f"torch.compile {form} {layout}": Side("torch.compile", partial(torch_contender, form, layout, True)) for form, layout in FORMS},
    roofline.PEAK: roofline.PEAKS[roofline.PEAK],
}


# --- agreement and figures -------------------------------------------------------------------------------------------------------


def check(settings: Settings) -> Check:
    """Every output against the NumPy reference."""
    inputs = arguments(**settings)
    forward, gradients = (_remembering(KERNELS[name]) for name in ("masked_conv2d", "masked_conv2d_backward"))

    def agreements(outputs: Arrays) -> Sequence[Agreement]:
        if "result" in outputs:
            return roofline.check(settings)(outputs)
        if "row" in outputs:
            truth = forward.reference(*inputs[-4:])[0, :, inputs[-4].shape[2] // 2].T
            return [Agreement("row", relative_error(outputs["row"], truth), 1e-5)]
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
        for process in ("torch", "torch.compile", "NumPy", "Python"):
            if process == "Python" and backward:
                continue
            leads = [result.lead(process) for result in chosen]
            found.append(
                Figure(
                    f"{_key(direction)}_over_{_key(process)}",
                    geometric_mean(leads),
                    f"best form of {process} / native, {direction}, geometric mean over shapes",
                )
            )
        at_peak = [result.lead("torch") / _share_of_peak(result) for result in chosen]
        found.append(
            Figure(
                f"{_key(direction)}_over_torch_at_peak",
                geometric_mean(at_peak),
                f"best form of torch / the useful operations at the peak, {direction}, geometric mean over shapes",
            )
        )
        worst = min((result.lead("torch") for result in chosen), default=math.nan)
        found.append(Figure(f"{_key(direction)}_over_torch_worst", worst, f"best form of torch / native, {direction}, worst shape"))
    for result in results:
        key, name = short_name(result.case.settings), f" ({result.case.name})"
        found += [
            Figure(f"{key}_over_torch", result.lead("torch"), "best form of torch / native" + name),
            Figure(f"{key}_share_of_peak", _share_of_peak(result), "native's share of the peak" + name),
            Figure(f"{key}_intensity", operations(result.case.settings) / least_bytes(result.case.settings), "operations a byte" + name),
        ]
    return found


def _share_of_peak(result: CaseResult) -> float:
    """Native's useful operations a second over the peak."""
    return operations(result.case.settings) / result.native.median / roofline.peak_rate(result)


def short_name(settings: Settings) -> str:
    """A case in a word: ``64to64_3x3_forward``."""
    kernel = "x".join(map(str, settings["kernel_size"]))
    return f"{settings['in_channels']}to{settings['out_channels']}_{kernel}_{'forward_backward' if settings['backward'] else 'forward'}"


def operations(settings: Settings) -> int:
    """Useful operations: 2 · N · H · W · live taps · C_in · C_out, three times that with both gradients."""
    taps = int(mask_2d(settings["mask"], settings["kernel_size"]).sum())
    pixels = int(settings["images"] * math.prod(settings["image_size"]))
    return 2 * pixels * taps * int(settings["in_channels"]) * int(settings["out_channels"]) * (3 if settings["backward"] else 1)


def least_bytes(settings: Settings) -> int:
    """Bytes of float32 maps that must at least be moved: x read and y written; backward x and y's gradient read, x's written."""
    pixels = int(settings["images"] * math.prod(settings["image_size"]))
    inputs, outputs = int(settings["in_channels"]), int(settings["out_channels"])
    return 4 * pixels * (3 * inputs + 2 * outputs if settings["backward"] else inputs + outputs)


def _key(words: str) -> str:
    return words.lower().replace(" + ", "_").replace(".", "_")


TABLE = Table("kernels", __name__, ABOUT, SIDES, cases, check, figures)
