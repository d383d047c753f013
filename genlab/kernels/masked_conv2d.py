"""Masked 2-D convolution over NumPy arrays: the reference, the torch twin, the native call and the masks themselves.

    y[n, o, h, w] = bias[o] + Σ_{i, u, v} mask[o, i, u, v] · weight[o, i, u, v] · x[n, i, h + u - kh // 2, w + v - kw // 2]

where ``x`` is zero outside the image ('same' padding, odd kernels). A tap is *live* where its mask is 1; the weight of a dead tap
is never multiplied with anything, so it may hold NaN. Arrays are ``(N, C, H, W)`` to the eye and ``(N, H, W, C)`` in memory:
arrays that lie so already are not copied.

Stride and dilation are torch's alone (`torch_twin`), and even kernels, which have no centre, are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from genlab.errors import InputError, unknown_name
from genlab.native import core, resolve_backend

if TYPE_CHECKING:
    from torch import Tensor

Array = npt.NDArray[Any]
Gradients = tuple[Array, Array, Array | None]


# --- masks ---------------------------------------------------------------------------------------------------------------------


def channel_mask(
    mask_type: str, out_channels: int, in_channels: int, kernel_size: int | Sequence[int], groups: int = 1
) -> npt.NDArray[np.bool_]:
    """The mask of van den Oord et al. 2016 (section 3.4), with the channels of a pixel in their order.

        mask[o, i, u, v] = 1  if (u, v) comes before the centre in raster order,
                           1  at the centre, if group(i) < group(o) (type A) or group(i) <= group(o) (type B),
                           0  otherwise,    with group(c) = c · groups // channels

    Args:
        mask_type: ``"A"`` for the layer that reads the image, ``"B"`` for those that read features.
        out_channels: Channels written.
        in_channels: Channels read.
        kernel_size: An odd size, or an odd height and an odd width.
        groups: Channels of the image, such as 3 for R before G before B; features are split among them as evenly as possible.

    Returns:
        Booleans of shape (C_out, C_in, kh, kw).

    Raises:
        InputError: An unknown mask type, an even kernel, or a count below 1.
    """
    if mask_type not in ("A", "B"):
        raise unknown_name("mask_type", mask_type, ("A", "B"))
    for argument, count in (("out_channels", out_channels), ("in_channels", in_channels), ("groups", groups)):
        if not _is_count(count):
            raise InputError(f"{argument} must be a whole number of at least 1; got {count!r}")
    sizes = kernel_size if isinstance(kernel_size, Sequence) else (kernel_size, kernel_size)
    height, width = _check_kernel_size("kernel_size", sizes)

    out_group = np.arange(out_channels)[:, None] * groups // out_channels
    in_group = np.arange(in_channels)[None, :] * groups // in_channels
    mask = np.empty((out_channels, in_channels, height, width), dtype=np.bool_)
    mask[...] = np.arange(height * width).reshape(height, width) < height * width // 2
    mask[:, :, height // 2, width // 2] = in_group < out_group if mask_type == "A" else in_group <= out_group
    return mask


def mask_2d(mask_type: str, kernel_size: int | Sequence[int]) -> npt.NDArray[np.bool_]:
    """The mask of one image channel: booleans of shape (kh, kw), see `channel_mask`."""
    return np.asarray(channel_mask(mask_type, 1, 1, kernel_size)[0, 0])


def full_mask(mask: str | Array, weight_shape: Sequence[int]) -> npt.NDArray[np.bool_]:
    """The mask meant by `mask`, as contiguous booleans of the shape of the weight, (C_out, C_in, kh, kw).

    Args:
        mask: ``"A"``, ``"B"``, or an array of 0 and 1 of shape (kh, kw) or (C_out, C_in, kh, kw).
        weight_shape: (C_out, C_in, kh, kw).

    Raises:
        InputError: An unknown name, another shape, or a value other than 0 and 1.
    """
    shape = tuple(weight_shape)
    if isinstance(mask, str):
        if mask not in ("A", "B"):
            raise unknown_name("mask", mask, ("A", "B"))
        return channel_mask(mask, shape[0], shape[1], shape[2:])
    if not isinstance(mask, np.ndarray) or mask.dtype.kind not in "biuf":
        raise InputError(f"mask must be 'A', 'B' or a NumPy array of 0 and 1; got {_describe(mask)}")
    if mask.shape not in (shape, shape[2:]):
        raise InputError(f"mask must have the shape of the kernel {shape[2:]} or of the weight {shape}; got {mask.shape}")
    wrong = mask[(mask != 0) & (mask != 1)]
    if wrong.size:
        raise InputError(f"mask must hold 0 and 1 alone; got {wrong[0]}")
    return np.array(np.broadcast_to(mask, shape), dtype=np.bool_, order="C")


# --- the public pair -----------------------------------------------------------------------------------------------------------


def masked_conv2d(x: Array, weight: Array, bias: Array | None, mask: str | Array, *, backend: str = "auto") -> Array:
    """Convolve images with the live taps of a kernel.

        y[n, o, h, w] = bias[o] + Σ_{i, u, v} mask[o, i, u, v] · weight[o, i, u, v] · x[n, i, h + u - kh // 2, w + v - kw // 2]

    Args:
        x: Images (N, C_in, H, W), float32 or float64, in any memory order; channels-last memory is not copied. N may be 0.
        weight: Kernel (C_out, C_in, kh, kw) with odd kh and kw, of the dtype of `x`. Dead taps may hold NaN or infinity.
        bias: (C_out,), or None for no bias.
        mask: ``"A"``, ``"B"`` (see `mask_2d`), or an array of 0 and 1 of shape (kh, kw) or (C_out, C_in, kh, kw).
        backend: ``"reference"`` (NumPy), ``"torch"``, ``"native"``, or ``"auto"``: native where it is available, torch elsewhere.

    Returns:
        y (N, C_out, H, W) of the dtype of `x`: a view of channels-last memory.

    Raises:
        InputError: An argument breaks one of the rules above.
        BackendError: ``"native"`` was asked for and is not available.
    """
    run = FORWARD[resolve_backend(backend, allowed=FORWARD)]
    _check_arrays(x=x, weight=weight, bias=bias)
    check_shapes(x.shape, weight.shape, None if bias is None else bias.shape)
    output: Array = run(x, weight, bias, full_mask(mask, weight.shape))
    return output


def masked_conv2d_backward(
    grad_output: Array, x: Array, weight: Array, bias: Array | None, mask: str | Array, *, backend: str = "auto"
) -> Gradients:
    """Turn the gradient of a loss to the output of `masked_conv2d` into those to its inputs.

        grad_x[n, i, h, w]      = Σ_{o, u, v} mask · weight[o, i, u, v] · grad_output[n, o, h - u + kh // 2, w - v + kw // 2]
        grad_weight[o, i, u, v] = mask · Σ_{n, h, w} grad_output[n, o, h, w] · x[n, i, h + u - kh // 2, w + v - kw // 2]
        grad_bias[o]            = Σ_{n, h, w} grad_output[n, o, h, w]

    Args:
        grad_output: (N, C_out, H, W), of the dtype of `x`, in any memory order; channels-last memory is not copied.
        x: As given to `masked_conv2d`.
        weight: As given to `masked_conv2d`.
        bias: As given to `masked_conv2d`; its values are not read.
        mask: As given to `masked_conv2d`.
        backend: As for `masked_conv2d`.

    Returns:
        grad_x (N, C_in, H, W), a view of channels-last memory; grad_weight (C_out, C_in, kh, kw), zero at dead taps; grad_bias
        (C_out,), or None if `bias` is None.

    Raises:
        InputError: An argument breaks one of the rules above.
        BackendError: ``"native"`` was asked for and is not available.
    """
    run = BACKWARD[resolve_backend(backend, allowed=BACKWARD)]
    _check_arrays(x=x, weight=weight, bias=bias, grad_output=grad_output)
    check_shapes(x.shape, weight.shape, None if bias is None else bias.shape)
    expected = (x.shape[0], weight.shape[0], *x.shape[2:])
    if grad_output.shape != expected:
        raise InputError(f"grad_output must have the shape of the output, {expected}; got {grad_output.shape}")
    gradients: Gradients = run(grad_output, x, weight, bias, full_mask(mask, weight.shape))
    return gradients


# --- reference: one line of linear algebra per live tap, in float64 ------------------------------------------------------------


def _reference(x: Array, weight: Array, bias: Array | None, mask: Array) -> Array:
    images, _, height, width = x.shape
    live = np.where(mask, weight, 0).astype(np.float64)
    padded = _pad(_channels_last(x), weight.shape)
    y = np.zeros((images, height, width, weight.shape[0]))
    # NaN and infinity are legal values of x; NumPy would warn of them.
    with np.errstate(invalid="ignore", over="ignore"):
        for u, v in _live_taps(mask):
            y += padded[:, u : u + height, v : v + width] @ live[:, :, u, v].T
        if bias is not None:
            y += bias
        return _channels_first(y.astype(x.dtype))


def _reference_backward(grad_output: Array, x: Array, weight: Array, bias: Array | None, mask: Array) -> Gradients:
    _, _, height, width = x.shape
    live = np.where(mask, weight, 0).astype(np.float64)
    padded = _pad(_channels_last(x), weight.shape)
    grad_y = _channels_last(grad_output).astype(np.float64)
    grad_padded = np.zeros_like(padded)
    grad_weight = np.zeros(weight.shape)
    with np.errstate(invalid="ignore", over="ignore"):
        for u, v in _live_taps(mask):
            window = np.s_[:, u : u + height, v : v + width]
            grad_padded[window] += grad_y @ live[:, :, u, v]
            grad_weight[:, :, u, v] = np.tensordot(grad_y, padded[window], axes=((0, 1, 2), (0, 1, 2)))
        kernel_height, kernel_width = weight.shape[2:]
        top, left = kernel_height // 2, kernel_width // 2
        grad_x = grad_padded[:, top : top + height, left : left + width]
        return (
            _channels_first(np.ascontiguousarray(grad_x, dtype=x.dtype)),
            np.where(mask, grad_weight, 0).astype(x.dtype),
            None if bias is None else grad_y.sum(axis=(0, 1, 2)).astype(x.dtype),
        )


def _live_taps(mask: Array) -> Array:
    """The taps (u, v) that any pair of channels reads, as an array (taps, 2)."""
    return np.argwhere(mask.any(axis=(0, 1)))


def _pad(x: Array, weight_shape: tuple[int, ...]) -> Array:
    """`x` (N, H, W, C) in float64 with as many zeros around it as half a kernel reaches."""
    top, left = weight_shape[2] // 2, weight_shape[3] // 2
    return np.pad(x.astype(np.float64), ((0, 0), (top, top), (left, left), (0, 0)))


# --- torch twin ----------------------------------------------------------------------------------------------------------------


def torch_twin(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    mask: Tensor,
    *,
    stride: tuple[int, ...] = (1, 1),
    padding: tuple[int, ...] | None = None,
    dilation: tuple[int, ...] = (1, 1),
) -> Tensor:
    """The formula of `masked_conv2d` over torch tensors of any device and floating dtype; `mask` holds booleans.

    Stride, padding and dilation are those of torch; None pads by half a kernel.
    """
    from torch.nn import functional

    # Dead taps are replaced, not multiplied by 0: NaN · 0 is NaN.
    live = weight.masked_fill(~mask, 0)
    around = (weight.shape[2] // 2, weight.shape[3] // 2) if padding is None else padding
    return functional.conv2d(x, live, bias, stride, around, dilation)


def _torch(x: Array, weight: Array, bias: Array | None, mask: Array) -> Array:
    y = torch_twin(_image_tensor(x), _tensor(weight), None if bias is None else _tensor(bias), _tensor(mask))
    return _image_array(y)


def _torch_backward(grad_output: Array, x: Array, weight: Array, bias: Array | None, mask: Array) -> Gradients:
    import torch

    images, kernel, offset = _image_tensor(x), _tensor(weight), None if bias is None else _tensor(bias)
    # Gradients are wanted here whatever mode the caller is in.
    with torch.inference_mode(mode=False), torch.enable_grad():
        inputs = [tensor.requires_grad_() for tensor in (images, kernel, offset) if tensor is not None]
        y = torch_twin(images, kernel, offset, _tensor(mask))
        grad_x, grad_weight, *grad_bias = torch.autograd.grad(y, inputs, _image_tensor(grad_output))
    return _image_array(grad_x), grad_weight.contiguous().numpy(), grad_bias[0].numpy() if grad_bias else None


def _tensor(array: Array) -> Tensor:
    import torch

    # torch warns of memory that it must not write to, and refuses negative strides, which an axis of length 1 keeps even in memory
    # that is dense: so read-only arrays are copied, and torch sees a flat one.
    dense = np.require(array, requirements=["C", "A", "W"])
    return torch.from_numpy(dense.reshape(-1)).reshape(array.shape)


def _image_tensor(images: Array) -> Tensor:
    return _tensor(_channels_last(images)).permute(0, 3, 1, 2)


def _image_array(images: Tensor) -> Array:
    return _channels_first(images.permute(0, 2, 3, 1).contiguous().numpy())


# --- native call ---------------------------------------------------------------------------------------------------------------


def native_forward(x: Array, weight: Array, bias: Array | None, mask: Array) -> Array:
    """`masked_conv2d` in C++, for arguments that were checked and a boolean mask of the weight's shape."""
    y = core().masked_conv2d_forward(
        _dense(_channels_last(x)), _dense(weight), None if bias is None else _dense(bias), _dense(mask).view(np.uint8)
    )
    return _channels_first(y)


def native_backward(grad_output: Array, x: Array, weight: Array, bias: Array | None, mask: Array) -> Gradients:
    """`masked_conv2d_backward` in C++, for arguments that were checked and a boolean mask of the weight's shape."""
    grad_x, grad_weight, grad_bias = native_gradients(grad_output, x, weight, mask, want_grad_x=True)
    assert grad_x is not None
    return grad_x, grad_weight, None if bias is None else grad_bias


def native_gradients(grad_output: Array, x: Array, weight: Array, mask: Array, *, want_grad_x: bool) -> tuple[Array | None, Array, Array]:
    """The three gradients in C++; that of `x`, half of the work, only if it is wanted."""
    grad_x, grad_weight, grad_bias = core().masked_conv2d_backward(
        _dense(_channels_last(grad_output)), _dense(_channels_last(x)), _dense(weight), _dense(mask).view(np.uint8), want_grad_x
    )
    return None if grad_x is None else _channels_first(grad_x), grad_weight, grad_bias


def _dense(array: Array) -> Array:
    """`array` in row-major, aligned memory: itself if it lies so already."""
    return np.require(array, requirements=["C", "A"])


FORWARD: Mapping[str, Callable[..., Array]] = {"reference": _reference, "torch": _torch, "native": native_forward}
BACKWARD: Mapping[str, Callable[..., Gradients]] = {
    "reference": _reference_backward,
    "torch": _torch_backward,
    "native": native_backward,
}


# --- one case for tests and benchmarks -----------------------------------------------------------------------------------------


def example(
    rng: np.random.Generator,
    dtype: str,
    *,
    images: int,
    in_channels: int,
    out_channels: int,
    image_size: tuple[int, int],
    kernel_size: tuple[int, int],
    mask: str | Array = "B",
    bias: bool = True,
) -> tuple[Array, Array, Array | None, Array]:
    """Draw arguments (x, weight, bias, mask) of `FORWARD`: x and bias from N(0, 1), weights scaled to keep the variance."""
    height, width = image_size
    weight_shape = (out_channels, in_channels, *kernel_size)
    x = rng.standard_normal((images, height, width, in_channels)).astype(dtype)
    weight = rng.standard_normal(weight_shape) / np.sqrt(in_channels * kernel_size[0] * kernel_size[1])
    offset = rng.standard_normal(out_channels).astype(dtype) if bias else None
    return _channels_first(x), weight.astype(dtype), offset, full_mask(mask, weight_shape)


def example_backward(rng: np.random.Generator, dtype: str, **sizes: Any) -> tuple[Array, Array, Array, Array | None, Array]:
    """Draw arguments (grad_output, x, weight, bias, mask) of `BACKWARD`, with the sizes of `example`."""
    x, weight, bias, mask = example(rng, dtype, **sizes)
    images, _, height, width = x.shape
    grad_output = rng.standard_normal((images, height, width, weight.shape[0])).astype(dtype)
    return _channels_first(grad_output), x, weight, bias, mask


# --- layouts and checks --------------------------------------------------------------------------------------------------------


def _channels_last(images: Array) -> Array:
    return images.transpose(0, 2, 3, 1)


def _channels_first(images: Array) -> Array:
    return images.transpose(0, 3, 1, 2)


def check_shapes(x: Sequence[int], weight: Sequence[int], bias: Sequence[int] | None) -> None:
    """Refuse shapes that `masked_conv2d` is not defined for.

    Raises:
        InputError: Names the argument, the rule and the shape.
    """
    if len(x) != 4:
        raise InputError(f"x must have 4 dimensions (N, C_in, H, W); got shape {tuple(x)}")
    if len(weight) != 4:
        raise InputError(f"weight must have 4 dimensions (C_out, C_in, kh, kw); got shape {tuple(weight)}")
    if x[2] < 1 or x[3] < 1:
        raise InputError(f"x must have a height and a width of at least 1; got shape {tuple(x)}")
    if weight[0] < 1 or weight[1] < 1:
        raise InputError(f"weight must have at least 1 output and 1 input channel; got shape {tuple(weight)}")
    _check_kernel_size("weight's (kh, kw)", weight[2:])
    if x[1] != weight[1]:
        raise InputError(f"x must have the {weight[1]} input channels of weight; got shape {tuple(x)}")
    if bias is not None and tuple(bias) != (weight[0],):
        raise InputError(f"bias must have shape ({weight[0]},), one value per output channel; got {tuple(bias)}")


def _check_kernel_size(argument: str, sizes: Sequence[int]) -> tuple[int, int]:
    if len(sizes) != 2 or any(not _is_count(size) or size % 2 == 0 for size in sizes):
        raise InputError(f"{argument} must be odd, in height and width, so that it has a centre; got {tuple(sizes)}")
    return sizes[0], sizes[1]


def _is_count(value: Any) -> bool:
    return isinstance(value, Integral) and int(value) >= 1


def _check_arrays(x: Any, **others: Any) -> None:
    """Refuse anything but NumPy arrays of one dtype, float32 or float64 in the byte order of this machine."""
    for argument, array in {"x": x, **others}.items():
        if array is None and argument == "bias":
            continue
        if not isinstance(array, np.ndarray) or array.dtype not in (np.float32, np.float64):
            raise InputError(f"{argument} must be a NumPy array of float32 or float64; got {_describe(array)}")
        if array.dtype != x.dtype:
            raise InputError(f"{argument} must have the dtype of x, {x.dtype}; got {array.dtype}")


def _describe(value: Any) -> str:
    return f"an array of {value.dtype}" if isinstance(value, np.ndarray) else repr(type(value).__name__)
