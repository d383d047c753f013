"""Layers for anyone's torch network: `MaskedConv2d`, a drop-in for ``torch.nn.Conv2d`` that cannot see later pixels.

On a CPU in float32 and float64 the layer runs the native kernel, which torch knows as the operator ``genlab::masked_conv2d``: with
a shape rule for ``torch.compile`` and a derivative of every order. Elsewhere it runs the torch twin, in ordinary torch operators.
"""

# No ``from __future__ import annotations`` here: torch reads the annotations of operators to derive their schemas.

from numbers import Integral
from typing import Any

import numpy as np
import torch
import torch.fx
from torch import Tensor, nn
from torch.autograd import forward_ad

from genlab.errors import BackendError, InputError, unknown_name
from genlab.kernels.masked_conv2d import channel_mask, check_shapes, full_mask, native_forward, native_gradients, torch_twin
from genlab.native import resolve_backend

__all__ = ["MaskedConv2d"]

# Kernel, stride, padding and dilation, each of height and width.
_Sizes = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]


class MaskedConv2d(nn.Conv2d):
    """A convolution that reads only pixels before its own: ``y = conv2d(x, mask · weight) + bias``, zeros beyond the border.

    It is an ``nn.Conv2d``: the same initial weights from the same seed, the same parameters and state dict, so weights load from one
    into the other. The gradient of the weight is zero at dead taps, and what they hold has no effect. The mask is no parameter: it stays
    what it is when the layer is moved, cast, emptied (``to_empty``) or made on the meta device.

    On both backends work: derivatives of any order (``create_graph``), ``torch.compile``, ``torch.export``, ``torch.fx.symbolic_trace``,
    ``torch.jit.trace`` (whoever loads a saved trace imports `genlab.nn` first), pickling and deep copies. The transforms of
    ``torch.func`` and forward-mode derivatives run on torch; ``backend="native"`` refuses them. ``torch.jit.script`` does not work.

    Args:
        in_channels: C_in.
        out_channels: C_out.
        kernel_size: An odd size, or an odd height and an odd width.
        mask_type: ``"A"`` for the layer that reads the image (never the pixel itself), ``"B"`` for those that read features.
        groups_of_channels: Channels of the image, ordered as R before G before B; see `genlab.kernels.channel_mask`.
        mask: An array of 0 and 1 of shape (kh, kw) or (C_out, C_in, kh, kw) in place of `mask_type`.
        stride: As of ``nn.Conv2d``; with the usual padding, output (h, w) reads what comes before pixel (h · stride, w · stride).
        padding: As of ``nn.Conv2d``: rows and columns of zeros, ``"same"`` or ``"valid"``. None puts the kernel's centre on pixel (0, 0)
            first, which for stride 1 is ``"same"``. Other modes than zeros would show later pixels beyond the border.
        dilation: As of ``nn.Conv2d``.
        bias: Whether to add a learnt value per output channel.
        backend: ``"native"`` (a CPU, float32 or float64, stride and dilation 1, the usual padding), ``"torch"``, or ``"auto"``: native
            wherever it applies.
        device: Where the parameters live.
        dtype: The dtype of the parameters.

    Shapes:
        (N, C_in, H, W) or (C_in, H, W) to (N, C_out, H', W') or (C_out, H', W'), with H' = H and W' = W unless stride or padding say
        otherwise. Images in ``torch.channels_last`` memory are not copied, and the output lies in memory as that of ``nn.Conv2d`` does.

    Raises:
        InputError: A kernel without a centre, an unknown mask type, a mask or an image of another shape.
        BackendError: ``"native"`` was asked for and is not available, or not for the image at hand.
    """

    mask: Tensor
    padding: tuple[int, ...]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        mask_type: str = "B",
        *,
        groups_of_channels: int = 1,
        mask: np.ndarray[Any, Any] | Tensor | None = None,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | str | None = None,
        dilation: int | tuple[int, int] = 1,
        bias: bool = True,
        backend: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        live = channel_mask(mask_type, out_channels, in_channels, kernel_size, groups_of_channels)
        if mask is not None:
            live = full_mask(mask.numpy(force=True) if isinstance(mask, Tensor) else mask, live.shape)
        size = (live.shape[2], live.shape[3])
        steps, apart = _pair("stride", stride, at_least=1), _pair("dilation", dilation, at_least=1)
        around = _padding(padding, size, steps, apart)
        super().__init__(in_channels, out_channels, size, steps, around, apart, bias=bias, device=device, dtype=dtype)
        self.mask_type = mask_type if mask is None else "custom"
        self.backend = backend
        self.register_buffer("mask", _beside(torch.from_numpy(live), self.weight), persistent=False)

    @property
    def backend(self) -> str:
        """``"native"``, ``"torch"`` or ``"auto"``."""
        return self._backend

    @backend.setter
    def backend(self, backend: str) -> None:
        self._native_is_meant = resolve_backend(backend) == "native"
        self._backend = backend

    def forward(self, input: Tensor) -> Tensor:
        """Convolve `input` with the live taps of the weight."""
        backend = self._backend if self._native_is_meant else "torch"
        sizes = (self.kernel_size, self.stride, self.padding, self.dilation)
        return _convolve(input, self.weight, self.bias, self.mask, sizes, backend)

    def extra_repr(self) -> str:
        """What ``print(layer)`` shows between the brackets."""
        base: str = super().extra_repr()  # type: ignore[no-untyped-call]
        return f"{base}, mask_type={self.mask_type}, backend={self.backend}"

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        """What moves, casts or empties parameters; the mask goes along to their device, and keeps its values and its memory."""
        mask = self.mask
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.mask = _beside(mask, self.weight)
        return self

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self.backend = self._backend  # native kernels may be here and not there


def _pair(argument: str, value: Any, *, at_least: int) -> tuple[int, int]:
    """A whole number for height and width, or one for each."""
    pair = value if isinstance(value, tuple | list) else (value, value)
    if len(pair) != 2 or not all(isinstance(number, Integral) and int(number) >= at_least for number in pair):
        raise InputError(f"{argument} must be a whole number of at least {at_least}, or two of them; got {value!r}")
    return int(pair[0]), int(pair[1])


def _padding(padding: Any, size: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int]) -> tuple[int, int]:
    """Rows above and below, columns to the left and right."""
    if padding == "valid":
        return 0, 0
    if padding == "same" and stride != (1, 1):
        raise InputError(f"padding must be a number or 'valid' for a stride other than 1; got 'same' with stride {stride}")
    if padding is None or padding == "same":
        return dilation[0] * (size[0] // 2), dilation[1] * (size[1] // 2)
    if isinstance(padding, str):
        raise unknown_name("padding", padding, ("same", "valid"))
    return _pair("padding", padding, at_least=0)


def _beside(mask: Tensor, weight: Tensor) -> Tensor:
    """The mask on the weight's device; on the meta device, where values are lost, it does not follow."""
    return mask if weight.device.type == "meta" else mask.to(weight.device)


# --- which backend ---------------------------------------------------------------------------------------------------------------


@torch.fx.wrap  # whoever traces symbolically sees one call: what is decided here depends on the images
def _convolve(input: Tensor, weight: Tensor, bias: Tensor | None, mask: Tensor, sizes: _Sizes, backend: str) -> Tensor:
    """The layer's output; ``"auto"`` is native wherever nothing is in its way."""
    if input.dim() == 3:
        return _convolve(input.unsqueeze(0), weight, bias, mask, sizes, backend).squeeze(0)
    if torch._C._get_tracing_state() is None:  # torch.jit.trace takes sizes for tensors
        check_shapes(input.shape, weight.shape, None if bias is None else bias.shape)
        _check_output(input.shape, sizes)
    obstacle = _obstacle_to_native(input, weight, bias, sizes) if backend != "torch" else None
    if obstacle and backend == "native":
        raise BackendError(f"backend 'native' computes {obstacle[0]}; got {obstacle[1]}")
    mask = mask.to(weight.device)
    if obstacle or backend == "torch":
        _, stride, padding, dilation = sizes
        return torch_twin(input, weight, bias, mask, stride=stride, padding=padding, dilation=dilation)
    output: Tensor = _masked_conv2d(input, weight, bias, mask)
    return output


def _check_output(images: torch.Size, sizes: _Sizes) -> None:
    """Refuse an image that the kernel does not fit into."""
    kernel, _, padding, dilation = sizes
    reach = tuple(apart * (size - 1) + 1 for apart, size in zip(dilation, kernel, strict=True))
    if any(size + 2 * around < needed for size, around, needed in zip(images[2:], padding, reach, strict=True)):
        raise InputError(f"x must be as large as the kernel reaches, {reach} with padding {padding}; got shape {tuple(images)}")


def _obstacle_to_native(images: Tensor, weight: Tensor, bias: Tensor | None, sizes: _Sizes) -> tuple[str, str] | None:
    """What native kernels compute, and what is asked for instead."""
    for name, tensor in (("x", images), ("weight", weight)):
        if tensor.device.type != "cpu":
            return _KINDS, f"{name} on device {tensor.device}"
        if tensor.dtype not in (torch.float32, torch.float64):
            return _KINDS, f"{name} of {tensor.dtype}"
    if images.dtype != weight.dtype:
        return _KINDS, f"x of {images.dtype} with a weight of {weight.dtype}"
    if torch.is_autocast_enabled("cpu"):
        return _KINDS, "autocast"
    # torch carries neither of the two through operators from outside: transforms fail there, and tangents were lost in silence.
    if torch._C._are_functorch_transforms_active():
        return "outside of the transforms of torch.func", "one of them"
    if any(tensor is not None and _tangent(tensor) is not None for tensor in (images, weight, bias)):
        return "derivatives in reverse mode", "a forward-mode derivative"
    kernel, stride, padding, dilation = sizes
    usual = (kernel[0] // 2, kernel[1] // 2)
    for name, value, native in (("stride", stride, (1, 1)), ("dilation", dilation, (1, 1)), ("padding", padding, usual)):
        if value != native:
            return f"{name} {native} for a kernel of {kernel}", f"{name} {value}"
    return None


def _tangent(tensor: Tensor) -> Tensor | None:
    """What forward-mode differentiation carries along with a tensor."""
    tangent: Tensor | None = forward_ad.unpack_dual(tensor).tangent  # type: ignore[no-untyped-call]
    return tangent


_KINDS = "float32 and float64 on a CPU, outside of autocast"


# --- the native kernel as a torch operator -------------------------------------------------------------------------------------


@torch.library.custom_op("genlab::masked_conv2d", mutates_args=(), device_types="cpu")
def _masked_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None, mask: Tensor) -> Tensor:
    y = native_forward(*_arrays(x, weight, bias, mask))
    return _with_layout(torch.from_numpy(y), _layout(x, weight))


@torch.library.custom_op("genlab::masked_conv2d_backward", mutates_args=(), device_types="cpu")
def _masked_conv2d_backward(
    grad_output: Tensor, x: Tensor, weight: Tensor, mask: Tensor, want_grad_x: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of x, weight and bias; that of x is empty unless it is wanted: an image needs none."""
    arrays = _arrays(grad_output, x, weight, mask)
    grad_x, grad_weight, grad_bias = native_gradients(*arrays, want_grad_x=want_grad_x)
    to_x = x.new_empty(0) if grad_x is None else _with_layout(torch.from_numpy(grad_x), _layout(x, weight))
    return to_x, torch.from_numpy(grad_weight), torch.from_numpy(grad_bias)


@_masked_conv2d.register_fake
def _(x: Tensor, weight: Tensor, bias: Tensor | None, mask: Tensor) -> Tensor:
    shape = (x.shape[0], weight.shape[0], x.shape[2], x.shape[3])
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=_layout(x, weight))


@_masked_conv2d_backward.register_fake
def _(grad_output: Tensor, x: Tensor, weight: Tensor, mask: Tensor, want_grad_x: bool) -> tuple[Tensor, Tensor, Tensor]:
    grad_x = torch.empty(x.shape, dtype=x.dtype, device=x.device, memory_format=_layout(x, weight)) if want_grad_x else x.new_empty(0)
    return grad_x, weight.new_empty(weight.shape), weight.new_empty(weight.shape[0])


def _save_forward(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor | None, Tensor], output: Tensor) -> None:
    x, weight, bias, mask = inputs
    ctx.save_for_backward(x, weight, mask)
    ctx.has_bias = bias is not None


def _forward_gradients(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
    x, weight, mask = ctx.saved_tensors
    want_grad_x = ctx.needs_input_grad[0]
    grad_x, grad_weight, grad_bias = _masked_conv2d_backward(grad_output, x, weight, mask, want_grad_x)
    return grad_x if want_grad_x else None, grad_weight, grad_bias if ctx.has_bias else None, None


def _save_backward(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor, Tensor, bool], output: tuple[Tensor, Tensor, Tensor]) -> None:
    *tensors, ctx.has_grad_x = inputs
    ctx.save_for_backward(*tensors)


def _backward_gradients(ctx: Any, to_grad_x: Tensor, to_grad_weight: Tensor, to_grad_bias: Tensor) -> tuple[Tensor | None, ...]:
    """The derivative of the backward pass, which is bilinear: in each of its outputs, convolutions again.

    With <a, b> the sum over all products, <to_grad_x, grad_x> = <conv(to_grad_x, weight), grad_output> and
    <to_grad_weight, grad_weight> = <conv(x, to_grad_weight), grad_output>.
    """
    grad_output, x, weight, mask = ctx.saved_tensors
    to_grad_output = _masked_conv2d(x, to_grad_weight, to_grad_bias, mask)
    to_x, _, _ = _masked_conv2d_backward(grad_output, x, to_grad_weight, mask, True)
    to_weight = None
    if ctx.has_grad_x:
        to_grad_output = to_grad_output + _masked_conv2d(to_grad_x, weight, None, mask)
        _, to_weight, _ = _masked_conv2d_backward(grad_output, to_grad_x, weight, mask, False)
    return to_grad_output, to_x, to_weight, None, None


_masked_conv2d.register_autograd(_forward_gradients, setup_context=_save_forward)
_masked_conv2d_backward.register_autograd(_backward_gradients, setup_context=_save_backward)


def _arrays(*tensors: Tensor | None) -> list[Any]:
    """The tensors as NumPy arrays over the same memory."""
    return [None if tensor is None else tensor.numpy(force=True) for tensor in tensors]


def _layout(x: Tensor, weight: Tensor) -> torch.memory_format:
    """The memory of the output of ``nn.Conv2d``: channels-last if that of the images or of the weight is."""
    return torch.channels_last if _is_channels_last(x) or _is_channels_last(weight) else torch.contiguous_format


def _is_channels_last(tensor: Tensor) -> bool:
    """Whether strides fall from image to row to column to channel.

    ``is_contiguous(memory_format=torch.channels_last)`` would also say so of an ordinary tensor with one channel. Where an image
    is a single number all layouts are one, and torch calls it contiguous.
    """
    image, channel, row, column = tensor.stride()
    return channel == 1 and tensor.shape[1] <= column <= row <= image and tensor.shape[1:].numel() > 1


def _with_layout(images: Tensor, layout: torch.memory_format) -> Tensor:
    """`images`, as the kernel wrote them in channels-last memory, in the memory that is asked for."""
    return images if layout == torch.channels_last else images.clone(memory_format=layout)
