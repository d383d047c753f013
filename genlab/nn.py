"""Layers for anyone's torch network: `MaskedConv2d`, a drop-in for ``torch.nn.Conv2d`` that cannot see later pixels.

On a CPU in float32 and float64 the layer runs the native kernel, which torch knows as the operator ``genlab::masked_conv2d``: with
a shape rule for ``torch.compile`` and a derivative of every order. Elsewhere it runs the torch twin, in ordinary torch operators.
"""

# No ``from __future__ import annotations`` here: torch reads the annotations of operators to derive their schemas.

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from genlab.errors import BackendError
from genlab.kernels.masked_conv2d import channel_mask, check_shapes, full_mask, native_forward, native_gradients, torch_twin
from genlab.native import resolve_backend

__all__ = ["MaskedConv2d"]


class MaskedConv2d(nn.Conv2d):
    """A convolution that reads only pixels before its own: ``y = conv2d(x, mask · weight) + bias``, 'same' zero padding.

    It is an ``nn.Conv2d`` with stride 1: the same initial weights from the same seed, the same parameters and state dict, so
    weights load from one into the other. The gradient of the weight is zero at dead taps, and what they hold has no effect.

    ``torch.compile``, ``torch.export`` and derivatives of any order work on both backends; the transforms of ``torch.func`` need
    ``backend="torch"``, because torch does not carry them through operators from outside.

    Args:
        in_channels: C_in.
        out_channels: C_out.
        kernel_size: An odd size, or an odd height and an odd width.
        mask_type: ``"A"`` for the layer that reads the image (never the pixel itself), ``"B"`` for those that read features.
        groups_of_channels: Channels of the image, ordered as R before G before B; see `genlab.kernels.channel_mask`.
        mask: An array of 0 and 1 of shape (kh, kw) or (C_out, C_in, kh, kw) in place of `mask_type`.
        bias: Whether to add a learnt value per output channel.
        backend: ``"native"`` (a CPU, float32 or float64), ``"torch"``, or ``"auto"``: native wherever it applies.
        device: Where the parameters live.
        dtype: The dtype of the parameters.

    Shapes:
        (N, C_in, H, W) or (C_in, H, W) to (N, C_out, H, W) or (C_out, H, W). Images in ``torch.channels_last`` memory are not
        copied, and the output lies in memory as that of ``nn.Conv2d`` does.

    Raises:
        InputError: A kernel without a centre, an unknown mask type, a mask or an image of another shape.
        BackendError: ``"native"`` was asked for and is not available, or not for the image at hand.
    """

    mask: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        mask_type: str = "B",
        *,
        groups_of_channels: int = 1,
        mask: np.ndarray[Any, Any] | Tensor | None = None,
        bias: bool = True,
        backend: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        live = channel_mask(mask_type, out_channels, in_channels, kernel_size, groups_of_channels)
        if mask is not None:
            live = full_mask(mask.numpy(force=True) if isinstance(mask, Tensor) else mask, live.shape)
        height, width = live.shape[2:]
        padding = (height // 2, width // 2)
        super().__init__(in_channels, out_channels, (height, width), padding=padding, bias=bias, device=device, dtype=dtype)
        self.mask_type = mask_type if mask is None else "custom"
        self.backend = backend
        self._native_is_meant = resolve_backend(backend) == "native"
        self.register_buffer("mask", torch.from_numpy(live).to(device), persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        """Convolve `input` with the live taps of the weight."""
        if input.dim() == 3:
            return self.forward(input.unsqueeze(0)).squeeze(0)
        check_shapes(input.shape, self.weight.shape, None if self.bias is None else self.bias.shape)
        if self._runs_native(input):
            output: Tensor = _masked_conv2d(input, self.weight, self.bias, self.mask)
            return output
        return torch_twin(input, self.weight, self.bias, self.mask)

    def extra_repr(self) -> str:
        """What ``print(layer)`` shows between the brackets."""
        base: str = super().extra_repr()  # type: ignore[no-untyped-call]
        return f"{base}, mask_type={self.mask_type}, backend={self.backend}"

    def _runs_native(self, images: Tensor) -> bool:
        if not self._native_is_meant:
            return False
        obstacle = _obstacle_to_native(images, self.weight)
        if obstacle and self.backend == "native":
            raise BackendError(f"backend 'native' computes float32 and float64 on a CPU, outside of autocast; got {obstacle}")
        return obstacle is None


def _obstacle_to_native(images: Tensor, weight: Tensor) -> str | None:
    for name, tensor in (("x", images), ("weight", weight)):
        if tensor.device.type != "cpu":
            return f"{name} on device {tensor.device}"
        if tensor.dtype not in (torch.float32, torch.float64):
            return f"{name} of {tensor.dtype}"
    if images.dtype != weight.dtype:
        return f"x of {images.dtype} with a weight of {weight.dtype}"
    return "autocast" if torch.is_autocast_enabled("cpu") else None


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
