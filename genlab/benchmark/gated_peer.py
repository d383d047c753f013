"""Gated PixelCNN in plain torch, at its best: what genlab's is measured against. It shares no code with genlab's own walks."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlab.benchmark.torch_peers import LAYOUTS

Span = tuple[int, int]


class Rectangle(nn.Conv2d):
    """A convolution whose live taps are a rectangle of its kernel.

    Args:
        in_channels: Channels read.
        out_channels: Channels written.
        kernel_size: Odd height and width.
        rows: First and last live row, seen from the pixel; `columns` likewise.
        form: ``"dense"`` multiplies the kernel by its mask, ``"cropped"`` convolves with the live rectangle alone.
    """

    mask: Tensor

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Span, *, rows: Span, columns: Span, form: str) -> None:
        super().__init__(in_channels, out_channels, kernel_size)
        self.middle = (kernel_size[0] // 2, kernel_size[1] // 2)
        self.live = tuple(
            slice(middle + first, middle + last + 1) for middle, (first, last) in zip(self.middle, (rows, columns), strict=True)
        )
        # Columns and rows of zeros where the rectangle leans over the image; those it never reaches are cut off.
        self.borders = (-columns[0], columns[1], -rows[0], rows[1])
        self.form = form
        mask = torch.zeros(kernel_size)
        mask[self.live] = 1
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C_in, H, W) to (N, C_out, H, W)."""
        if self.form == "dense":
            return F.conv2d(input, self.weight * self.mask, self.bias, padding=self.middle)
        rows, columns = self.live
        return F.conv2d(F.pad(input, self.borders) if any(self.borders) else input, self.weight[:, :, rows, columns], self.bias)


class GatedPixelCNN(nn.Module):
    """Gated PixelCNN of van den Oord et al. 2016b for one image channel; layers are named as in genlab's list, so that weights load.

    Args:
        levels: Number of values of a pixel.
        channels: The paper's p.
        layers: Number of gated layers.
        first_kernel: Side of the first layer's kernels.
        form: See `Rectangle`.
    """

    def __init__(self, *, levels: int, channels: int, layers: int, first_kernel: int, form: str) -> None:
        super().__init__()
        self.levels, self.depth = levels, layers
        found: dict[str, nn.Module] = {}
        for layer in range(1, layers + 1):
            first = layer == 1
            source, side = (1, first_kernel) if first else (channels, 3)
            reach = side // 2
            above, left = (-reach, -1 if first else 0), (-reach, -1 if first else 0)
            name = f"layer{layer}"
            found[f"{name}_vertical"] = Rectangle(source, 2 * channels, (side, side), rows=above, columns=(-reach, reach), form=form)
            found[f"{name}_link"] = nn.Conv2d(2 * channels, 2 * channels, 1)
            found[f"{name}_left"] = Rectangle(source, 2 * channels, (1, side), rows=(0, 0), columns=left, form=form)
            found[f"{name}_mix"] = nn.Conv2d(channels, channels, 1)
        found["head"] = nn.Conv2d(channels, channels, 1)
        found["output"] = nn.Conv2d(channels, levels, 1)
        self.layers = nn.ModuleDict(found)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, levels, H, W) of images of levels (N, 1, H, W)."""
        vertical = horizontal = 2 * images.float() / (self.levels - 1) - 1
        for layer in range(1, self.depth + 1):
            name = f"layer{layer}"
            above = self.layers[f"{name}_vertical"](vertical)
            if layer < self.depth:
                vertical = _gate(above)
            halves = self.layers[f"{name}_left"](horizontal) + self.layers[f"{name}_link"](above)
            mixed = self.layers[f"{name}_mix"](_gate(halves))
            horizontal = mixed if layer == 1 else mixed + horizontal
        hidden = self.layers["head"](F.relu(horizontal, inplace=True))
        logits: Tensor = self.layers["output"](F.relu(hidden, inplace=True))
        return logits

    def loss(self, images: Tensor) -> Tensor:
        """Mean negative log-likelihood in nats per image."""
        return F.cross_entropy(self(images), images.squeeze(1).long(), reduction="sum") / len(images)


def _gate(both: Tensor) -> Tensor:
    features, gates = both.chunk(2, dim=1)
    return torch.tanh(features) * torch.sigmoid(gates)


def peer_of(model: Any, form: str, layout: str) -> GatedPixelCNN:
    """The independent twin of a Gated PixelCNN of one image channel, without classes or dilations, with the same weights."""
    settings = model.config["settings"]
    sizes = {name: settings[name] for name in ("levels", "channels", "layers", "first_kernel")}
    peer = GatedPixelCNN(**sizes, form=form)
    peer.layers.load_state_dict(model.nodes.state_dict())
    return peer.to(memory_format=LAYOUTS[layout])  # type: ignore[call-overload, no-any-return]
