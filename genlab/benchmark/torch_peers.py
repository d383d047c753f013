"""The textbook forms in plain torch, at their best: what genlab is measured against. They share no code with genlab's own walks.

A masked convolution comes in two forms, `dense` and `cropped`, in two memory layouts, eager and compiled. Which one is fastest depends
on the shape, so benchmarks time them all.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Convolve = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def dense(x: Tensor, weight: Tensor, bias: Tensor, mask: Tensor) -> Tensor:
    """conv2d(x, weight · mask) + bias: what most PixelCNN code does. Dead taps are multiplied too."""
    return F.conv2d(x, weight * mask, bias, padding=(weight.shape[2] // 2, weight.shape[3] // 2))


def cropped(x: Tensor, weight: Tensor, bias: Tensor, mask: Tensor) -> Tensor:
    """The same with the upper rows of the kernel alone, over an image padded above: no work for rows that are all dead."""
    above, beside = weight.shape[2] // 2, weight.shape[3] // 2
    live = (weight * mask)[:, :, : above + 1]
    return F.conv2d(F.pad(x, (beside, beside, above, 0)), live, bias)


FORMS: Mapping[str, Convolve] = {"dense": dense, "cropped": cropped}
LAYOUTS: Mapping[str, torch.memory_format] = {"NCHW": torch.contiguous_format, "channels_last": torch.channels_last}


def at_its_best() -> None:
    """Numbers too small for a normal float are zeros to this process, as they are to genlab's walks: they slow torch down as well."""
    torch.set_flush_denormal(True)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """``torch.compile`` at its best: static shapes, one graph, and an error in place of falling back to eager in silence."""
    import torch._dynamo

    # Shapes, layouts and gradient modes each compile the same lines anew; past the default limit of 8 torch would stop compiling.
    torch._dynamo.config.recompile_limit = 256
    torch._dynamo.config.fail_on_recompile_limit_hit = True
    return torch.compile(function, dynamic=False, fullgraph=True)


class MaskedConv2d(nn.Conv2d):
    """A convolution with a mask of van den Oord et al. 2016, for images of one channel."""

    mask: Tensor

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, *, mask_type: str, convolve: Convolve) -> None:
        super().__init__(in_channels, out_channels, kernel_size)
        middle = kernel_size // 2
        mask = torch.ones(kernel_size, kernel_size)
        mask[middle, middle + (mask_type == "B") :] = 0
        mask[middle + 1 :] = 0
        self.register_buffer("mask", mask, persistent=False)
        self.convolve = convolve

    def forward(self, input: Tensor) -> Tensor:
        """(N, C_in, H, W) to (N, C_out, H, W)."""
        assert self.bias is not None
        return self.convolve(input, self.weight, self.bias, self.mask)


class PixelCNN(nn.Module):
    """PixelCNN of van den Oord et al. 2016 for one image channel; layers are named as in genlab's list, so that weights load.

    Args:
        levels: Number of values of a pixel.
        channels: The paper's h.
        blocks: Number of residual blocks.
        convolve: The form of the masked convolutions.
    """

    def __init__(self, *, levels: int, channels: int, blocks: int, convolve: Convolve) -> None:
        super().__init__()
        self.levels, self.blocks, h = levels, blocks, channels
        layers: dict[str, nn.Module] = {"input": MaskedConv2d(1, 2 * h, 7, mask_type="A", convolve=convolve)}
        for block in range(1, blocks + 1):
            layers[f"block{block}_reduce"] = nn.Conv2d(2 * h, h, 1)
            layers[f"block{block}_conv"] = MaskedConv2d(h, h, 3, mask_type="B", convolve=convolve)
            layers[f"block{block}_expand"] = nn.Conv2d(h, 2 * h, 1)
        layers["head"] = nn.Conv2d(2 * h, 2 * h, 1)
        layers["output"] = nn.Conv2d(2 * h, levels, 1)
        self.layers = nn.ModuleDict(layers)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, levels, H, W) of images of levels (N, 1, H, W)."""
        stream = self.layers["input"](2 * images.float() / (self.levels - 1) - 1)
        for block in range(1, self.blocks + 1):
            inner = self.layers[f"block{block}_reduce"](F.relu(stream))
            # In place wherever the value itself is not needed again, which autograd allows: a step takes a quarter less in eager mode.
            inner = self.layers[f"block{block}_conv"](F.relu(inner, inplace=True))
            stream = self.layers[f"block{block}_expand"](F.relu(inner, inplace=True)) + stream
        hidden = self.layers["head"](F.relu(stream, inplace=True))
        logits: Tensor = self.layers["output"](F.relu(hidden, inplace=True))
        return logits

    def loss(self, images: Tensor) -> Tensor:
        """Mean negative log-likelihood in nats per image."""
        return F.cross_entropy(self(images), images.squeeze(1).long(), reduction="sum") / len(images)


def peer_of(model: Any, form: str, layout: str) -> PixelCNN:
    """The independent twin of a PixelCNN of one image channel, with the same weights."""
    settings = model.config["settings"]
    peer = PixelCNN(**{name: settings[name] for name in ("levels", "channels", "blocks")}, convolve=FORMS[form])
    peer.layers.load_state_dict(model.nodes.state_dict())
    return peer.to(memory_format=LAYOUTS[layout])  # type: ignore[call-overload, no-any-return]


@torch.inference_mode()
def sample_naive(model: nn.Module, uniforms: Tensor, layout: str = "NCHW", pixels: int | None = None) -> Tensor:
    """Draws images with one full forward pass per pixel: what a textbook writes.

    Args:
        model: The network: logits (N, levels, H, W) of images of one channel.
        uniforms: The randomness, float64 (N, H, W, 1) in [0, 1).
        layout: A key of `LAYOUTS`, that of the images.
        pixels: How many to draw, in raster order; the others stay 0. None means all.

    Returns:
        Levels (N, 1, H, W).
    """
    count, height, width, _ = uniforms.shape
    images = torch.zeros((count, 1, height, width)).contiguous(memory_format=LAYOUTS[layout])
    for y, x in itertools.islice(itertools.product(range(height), range(width)), pixels):
        probabilities = model(images)[:, :, y, x].double().softmax(dim=1)
        below = probabilities.cumsum(dim=1)[:, :-1]
        images[:, 0, y, x] = (below <= uniforms[:, y, x]).sum(dim=1).float()
    return images
