"""PixelRNN in plain torch, at its best: what genlab's is measured against. It shares no code with genlab's own walks.

Input-to-state is one convolution of the whole map; then a loop over lines does one product, one σ and one tanh for each. A diagonal comes
in two forms: ``"dense"`` takes whole columns of the skewed map, as most code does, ``"cropped"`` those of its pixels that are in the image.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlab.benchmark.torch_peers import LAYOUTS


class States(nn.Module):
    """The weight of a recurrence, (4h, h, 3, 3) of which few taps live, and its initial states h and c side by side."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(4 * channels, channels, 3, 3))
        self.bias = nn.Parameter(torch.empty(2 * channels))

    def matrix(self, *taps: tuple[int, int]) -> Tensor:
        """(taps · h, 4h)."""
        return torch.cat([self.weight[:, :, 1 + dy, 1 + dx].T for dy, dx in taps])

    def initial(self, images: int) -> tuple[Tensor, Tensor]:
        """(1, N, h) each."""
        h, c = self.bias.chunk(2)
        return h.expand(1, images, -1), c.expand(1, images, -1)


class PixelRNN(nn.Module):
    """For one image channel; layers are named as in genlab's list, so that weights load.

    Args:
        levels: Number of values of a pixel.
        channels: The paper's h.
        layers: Number of recurrent layers.
        first_kernel: Side of the first convolution's kernel.
        form: ``"dense"`` or ``"cropped"``.
    """

    def __init__(self, *, levels: int, channels: int, layers: int, first_kernel: int, form: str) -> None:
        super().__init__()
        self.levels, self.channels, self.depth, self.form = levels, channels, layers, form
        found: dict[str, nn.Module] = {"input": nn.Conv2d(1, 2 * channels, first_kernel)}
        for layer in range(1, layers + 1):
            found.update(self.recurrence(layer))
            found[f"layer{layer}_expand"] = nn.Conv2d(channels, 2 * channels, 1)
        found["head"] = nn.Conv2d(2 * channels, 2 * channels, 1)
        found["output"] = nn.Conv2d(2 * channels, levels, 1)
        self.layers = nn.ModuleDict(found)

    def recurrence(self, layer: int) -> dict[str, nn.Module]:
        """The modules of a layer's recurrence, by name."""
        raise NotImplementedError

    def state(self, layer: int, stream: Tensor, image: Tensor) -> Tensor:
        """(N, 2h, H, W) to (N, h, H, W)."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, levels, H, W) of images of levels (N, 1, H, W)."""
        image = 2 * images.float() / (self.levels - 1) - 1
        stream = self._first(image)
        for layer in range(1, self.depth + 1):
            stream = self.layers[f"layer{layer}_expand"](self.state(layer, stream, image)) + stream
        hidden = self.layers["head"](F.relu(stream, inplace=True))
        logits: Tensor = self.layers["output"](F.relu(hidden, inplace=True))
        return logits

    def loss(self, images: Tensor) -> Tensor:
        """Mean negative log-likelihood in nats per image."""
        return F.cross_entropy(self(images), images.squeeze(1).long(), reduction="sum") / len(images)

    def _first(self, image: Tensor) -> Tensor:
        """Mask A."""
        weight, bias = self.weights("input")
        reach = weight.shape[2] // 2
        mask = torch.ones_like(weight)
        mask[:, :, reach, reach:] = 0
        if self.form == "dense":
            mask[:, :, reach + 1 :] = 0
            return F.conv2d(image, weight * mask, bias, padding=reach)
        return F.conv2d(F.pad(image, (reach, reach, reach, 0)), (weight * mask)[:, :, : reach + 1], bias)

    def weights(self, name: str) -> tuple[Tensor, Tensor]:
        """Weight and bias of a layer."""
        layer: Any = self.layers[name]
        return layer.weight, layer.bias


class RowLstm(PixelRNN):
    """States of a row from those of the row above."""

    def recurrence(self, layer: int) -> dict[str, nn.Module]:
        """As in `PixelRNN`."""
        return {
            f"layer{layer}_gates": nn.Conv2d(2 * self.channels, 4 * self.channels, (1, 3)),
            f"layer{layer}_state": States(self.channels),
        }

    def state(self, layer: int, stream: Tensor, image: Tensor) -> Tensor:
        """As in `PixelRNN`."""
        weight, bias = self.weights(f"layer{layer}_gates")
        sums = F.conv2d(F.pad(stream, (1, 0)), weight[..., :2], bias)
        lines = sums.permute(2, 3, 0, 1).contiguous()  # (H, W, N, 4h)
        states: Any = self.layers[f"layer{layer}_state"]
        matrix = states.matrix((-1, -1), (-1, 0), (-1, 1))
        start, cell = states.initial(len(stream))
        above, cell = start.expand(lines.shape[1], -1, -1), cell.expand(lines.shape[1], -1, -1)
        found = []
        for line in lines:
            around = torch.cat([torch.cat([start, above[:-1]]), above, torch.cat([above[1:], start])], dim=2)
            above, cell = _step(line, around, matrix, cell)
            found.append(above)
        return torch.stack(found).permute(2, 3, 0, 1)


class DiagonalBiLstm(PixelRNN):
    """States of a diagonal from those of the diagonal before, in both directions."""

    def recurrence(self, layer: int) -> dict[str, nn.Module]:
        """As in `PixelRNN`."""
        gates = {f"layer{layer}_right_gates": (1, 1), f"layer{layer}_left_gates": (3, 1)}
        found: dict[str, nn.Module] = {name: nn.Conv2d(2 * self.channels, 4 * self.channels, size) for name, size in gates.items()}
        if layer == 1:
            found["layer1_image_above"] = nn.Conv2d(1, 4 * self.channels, (3, 1))
        return {**found, f"layer{layer}_right": States(self.channels), f"layer{layer}_left": States(self.channels)}

    def state(self, layer: int, stream: Tensor, image: Tensor) -> Tensor:
        """As in `PixelRNN`."""
        right = F.conv2d(stream, *self.weights(f"layer{layer}_right_gates"))
        weight, bias = self.weights(f"layer{layer}_left_gates")
        left = F.conv2d(_from_above(stream), weight[:, :, :1], bias)
        if layer == 1:
            weight, bias = self.weights("layer1_image_above")
            left = left + F.conv2d(_from_above(image), weight[:, :, :1], bias)
        scan = self._columns if self.form == "dense" else self._diagonals
        return scan(right, f"layer{layer}_right", -1) + scan(left.flip(3), f"layer{layer}_left", 1).flip(3)

    def _columns(self, sums: Tensor, name: str, before: int) -> Tensor:
        """Over whole columns of the skewed map; what is left of a row's first pixel is held at the initial states."""
        n, channels, height, width = sums.shape
        skewed = F.pad(sums, (0, height)).flatten(2)[..., :-height].reshape(n, channels, height, width + height - 1)
        lines = skewed.permute(3, 2, 0, 1).contiguous()  # (W + H − 1, H, N, 4h)
        states: Any = self.layers[name]
        matrix = states.matrix((-1, 0), (0, before))
        start, start_cell = states.initial(n)
        left, cell = start.expand(height, -1, -1), start_cell.expand(height, -1, -1)
        rows = torch.arange(height, device=sums.device)[:, None, None]
        found = []
        for d, line in enumerate(lines):
            left, cell = _step(line, torch.cat([torch.cat([start, left[:-1]]), left], dim=2), matrix, cell)
            if d < height - 1:
                left, cell = left.where(rows <= d, start), cell.where(rows <= d, start_cell)
            found.append(left)
        flat = F.pad(torch.stack(found).permute(2, 3, 1, 0).flatten(2), (0, height))
        return flat.reshape(n, self.channels, height, width + height)[..., :width]

    def _diagonals(self, sums: Tensor, name: str, before: int) -> Tensor:
        """Over the pixels that each diagonal has in the image."""
        n, _, height, width = sums.shape
        spans = [(max(0, d - width + 1), min(height - 1, d)) for d in range(width + height - 1)]
        places = [y * width + d - y for d, (first, last) in enumerate(spans) for y in range(first, last + 1)]
        order = torch.tensor(places, device=sums.device)
        # (pixels, N, 4h) of each diagonal
        lines = torch.split(sums.flatten(2).permute(2, 0, 1)[order], [last - first + 1 for first, last in spans])
        states: Any = self.layers[name]
        matrix = states.matrix((-1, 0), (0, before))
        start, start_cell = states.initial(n)
        h = c = start[:0]
        found = []
        previous = (0, -1)
        for line, (first, last) in zip(lines, spans, strict=True):
            gone, fresh = first - previous[0], last > previous[1]
            left, cell = h[gone:], c[gone:]
            if fresh:
                left, cell = torch.cat([left, start]), torch.cat([cell, start_cell])
            up = torch.cat([start, h[: last - first]]) if first == 0 else h[: last - first + 1]
            h, c = _step(line, torch.cat([up, left], dim=2), matrix, cell)
            found.append(h)
            previous = (first, last)
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order), device=sums.device)
        return torch.cat(found)[back].permute(1, 2, 0).reshape(n, self.channels, height, width)


def _step(line: Tensor, around: Tensor, matrix: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """H and c of a line (pixels, N, 4h) from its neighbours' states (pixels, N, taps · h)."""
    pixels, n, channels = line.shape
    sums = torch.addmm(line.reshape(pixels * n, channels), around.reshape(pixels * n, -1), matrix).view(pixels, n, channels)
    h = channels // 4
    i, f, o = torch.sigmoid(sums[..., : 3 * h]).chunk(3, dim=2)
    cell = f * cell + i * torch.tanh(sums[..., 3 * h :])
    return o * torch.tanh(cell), cell


def _from_above(x: Tensor) -> Tensor:
    """Down by a row, which brings in zeros."""
    return F.pad(x, (0, 0, 1, 0))[:, :, :-1]


def peer_of(model: Any, form: str, layout: str) -> PixelRNN:
    """The independent twin of a PixelRNN of one image channel and no classes, with the same weights."""
    settings = model.config["settings"]
    kind = {"row_lstm": RowLstm, "diagonal_bilstm": DiagonalBiLstm}[model.name]
    peer = kind(**{name: settings[name] for name in ("levels", "channels", "layers", "first_kernel")}, form=form)
    peer.layers.load_state_dict(model.nodes.state_dict())
    return peer.to(memory_format=LAYOUTS[layout])  # type: ignore[call-overload, no-any-return]
