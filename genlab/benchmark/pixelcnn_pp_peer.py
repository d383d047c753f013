"""PixelCNN++ in plain torch, at its best: what genlab's is measured against. It shares no code with genlab's own walks.

Its convolutions are torch's own, strided and transposed ones too; the mixture's likelihood follows from differences of σ at a bin's edges,
and a level is drawn by counting those edges whose distribution function lies at or below the uniform.
"""

from __future__ import annotations

import itertools
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genlab.benchmark.torch_peers import LAYOUTS

LEAST_LOG_SCALE = -7.0


class Shifted(nn.Conv2d):
    """A convolution whose live taps lie in the first rows, or first rows and columns, of its odd kernel.

    Args:
        in_channels: Channels read.
        out_channels: Channels written.
        kernel_size: Odd height and width of the weight.
        live: Height and width of the upper left part that holds all live taps.
        hidden: Entries ``(row, column)`` of that part that are dead all the same.
        stride: 2 goes to a coarser map, −2 comes back from one, as a transposed convolution.
        form: ``"dense"`` multiplies the kernel by its mask, ``"cropped"`` convolves with the live part alone.
    """

    mask: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, int],
        *,
        live: tuple[int, int],
        hidden: tuple[tuple[int, int], ...] = (),
        stride: int = 1,
        form: str,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size)
        self.live, self.step, self.form, self.partial = live, stride, form, bool(hidden)
        mask = torch.zeros(kernel_size)
        mask[: live[0], : live[1]] = 1
        for entry in hidden:
            mask[entry] = 0
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C_in, H, W) to (N, C_out, H, W), half or twice that size."""
        cropped = self.form == "cropped"
        height, width = self.live if cropped else self.kernel_size
        weight = self.weight if cropped and not self.partial else self.weight * self.mask
        weight = weight[:, :, :height, :width]
        above, beside = (size // 2 for size in self.kernel_size)
        below, right = height - 1 - above, width - 1 - beside
        if self.step == -2:
            mirrored = weight.flip(2, 3).transpose(0, 1)
            spare = (2 + 2 * below - height, 2 + 2 * right - width)
            return F.conv_transpose2d(input, mirrored, self.bias, stride=2, padding=(below, right), output_padding=spare)
        if (above, beside) == (below, right):
            return F.conv2d(input, weight, self.bias, stride=self.step, padding=(above, beside))
        return F.conv2d(F.pad(input, (beside, right, above, below)), weight, self.bias, stride=self.step)


def concat_elu(x: Tensor) -> Tensor:
    """[ELU(x), ELU(−x)]."""
    return F.elu(torch.cat((x, -x), dim=1))


class PixelCNNPP(nn.Module):
    """PixelCNN++ of Salimans et al. 2017, without dropout or anything known beforehand; sides of images are multiples of 2^strides.

    Layers are named as in genlab's list, so that weights load.

    Args:
        channels: Of the image.
        levels: Number of values of a pixel.
        width: Feature maps of each stream.
        blocks: At each scale on the way down.
        strides: How often the image is halved.
        mixtures: Number of logistic components.
        form: See `Shifted`.
    """

    def __init__(self, *, channels: int, levels: int, width: int, blocks: int, strides: int, mixtures: int, form: str) -> None:
        super().__init__()
        self.channels, self.levels, self.mixtures = channels, levels, mixtures
        self.blocks, self.strides, self.width, self.form = blocks, strides, width, form
        self.layers = nn.ModuleDict()
        self.layers["u"] = Shifted(channels, width, (5, 3), live=(2, 3), form=form)
        self.layers["h"] = Shifted(channels, width, (3, 3), live=(2, 3), hidden=((1, 1), (1, 2)), form=form)
        for scale in range(strides + 1):
            if scale > 0:
                self._add_pair(f"down{scale}", stride=2)
            for index in range(1, blocks + 1):
                self._add_block(f"down{scale}_{index}", cuts=0)
            if scale < strides:
                self._add_pair(f"up{scale}", stride=-2)
            for index in range(1, blocks + (2 if scale < strides else 1)):
                self._add_block(f"up{scale}_{index}", cuts=1)
        self.layers["output"] = nn.Conv2d(2 * width, mixtures * (1 + 2 * channels + channels * (channels - 1) // 2), 1)

    def _add_pair(self, name: str, *, stride: int) -> None:
        for stream, live in (("u", (2, 3)), ("h", (2, 2))):
            self.layers[f"{stream}_{name}"] = Shifted(self.width, self.width, (3, 3), live=live, stride=stride, form=self.form)

    def _add_block(self, name: str, *, cuts: int) -> None:
        for stream, live, seen in (("u", (2, 3), cuts), ("h", (2, 2), cuts + 1)):
            for part, outputs in (("in", self.width), ("halves", 2 * self.width)):
                self.layers[f"{stream}_{name}_{part}"] = Shifted(2 * self.width, outputs, (3, 3), live=live, form=self.form)
            for index in range(seen):
                self.layers[f"{stream}_{name}_cut{index}"] = nn.Conv2d(2 * self.width, self.width, 1)

    def _block(self, name: str, x: Tensor, *seen: Tensor) -> Tensor:
        inner = self.layers[f"{name}_in"](concat_elu(x))
        for index, other in enumerate(seen):
            inner = inner + self.layers[f"{name}_cut{index}"](concat_elu(other))
        features, gates = self.layers[f"{name}_halves"](concat_elu(inner)).chunk(2, dim=1)
        found: Tensor = x + features * torch.sigmoid(gates)
        return found

    def forward(self, images: Tensor) -> Tensor:
        """What a mixture takes, (N, mixtures · (1 + 2C + C(C − 1)/2), H, W), of images of levels (N, C, H, W)."""
        x = images.float() / (self.levels - 1) + 0.5
        u, h = self.layers["u"](x), self.layers["h"](x)
        passed = [(u, h)]
        for scale in range(self.strides + 1):
            if scale > 0:
                u, h = self.layers[f"u_down{scale}"](u), self.layers[f"h_down{scale}"](h)
                passed.append((u, h))
            for index in range(1, self.blocks + 1):
                u = self._block(f"u_down{scale}_{index}", u)
                h = self._block(f"h_down{scale}_{index}", h, u)
                passed.append((u, h))
        passed.pop()
        for scale in reversed(range(self.strides + 1)):
            if scale < self.strides:
                u, h = self.layers[f"u_up{scale}"](u), self.layers[f"h_up{scale}"](h)
            for index in range(1, self.blocks + (2 if scale < self.strides else 1)):
                u_passed, h_passed = passed.pop()
                u = self._block(f"u_up{scale}_{index}", u, u_passed)
                h = self._block(f"h_up{scale}_{index}", h, u, h_passed)
        found: Tensor = self.layers["output"](concat_elu(h))
        return found

    def _parts(self, mixture: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Logits (N, 1, K, …), means and log-scales (N, C, K, …), coefficients (N, pairs, K, …)."""
        each = mixture.reshape(len(mixture), -1, self.mixtures, *mixture.shape[2:])
        channels = self.channels
        logits, means, log_scales, coefficients = torch.split(each, [1, channels, channels, each.shape[1] - 1 - 2 * channels], dim=1)
        return logits, means, log_scales.clamp(min=LEAST_LOG_SCALE), coefficients.tanh()

    def _centred(self, means: Tensor, coefficients: Tensor, levels: Tensor) -> Tensor:
        """Means (N, C, K, …) given the earlier channels' levels."""
        values = (levels.float() * (2 / (self.levels - 1)) - 1).unsqueeze(2)
        shifted = []
        for channel in range(self.channels):
            mean, first = means[:, channel], channel * (channel - 1) // 2
            for earlier in range(channel):
                mean = mean + coefficients[:, first + earlier] * values[:, earlier]
            shifted.append(mean)
        return torch.stack(shifted, dim=1)

    def _log_bins(self, means: Tensor, log_scales: Tensor, levels: Tensor) -> Tensor:
        """Log-probabilities (N, C, K, …) of levels (N, C, …): log(σ(z) − σ(w)) = log σ(z) + log σ(−w) + log(1 − e^{w − z})."""
        inverse, half = torch.exp(-log_scales), 1 / (self.levels - 1)
        at = (levels.float() * (2 * half) - 1).unsqueeze(2) - means
        width = 2 * half * inverse
        wide = torch.where(width > 1e-5, torch.log(-torch.expm1(-width.clamp(min=1e-5))), torch.log(width.clamp(min=1e-30)) - width / 2)
        below, above = F.logsigmoid((at + half) * inverse), F.logsigmoid((half - at) * inverse)
        first, last = (levels == 0).unsqueeze(2), (levels == self.levels - 1).unsqueeze(2)
        return torch.where(first, below, torch.where(last, above, below + above + wide))

    def loss(self, images: Tensor) -> Tensor:
        """Mean negative log-likelihood in nats per image."""
        logits, means, log_scales, coefficients = self._parts(self(images))
        bins = self._log_bins(self._centred(means, coefficients, images), log_scales, images).sum(1)
        return -torch.logsumexp(logits[:, 0].log_softmax(1) + bins, dim=1).sum() / len(images)

    def draw_pixel(self, mixture: Tensor, uniforms: Tensor) -> Tensor:
        """Levels (N, C) of a pixel from what a mixture takes (N, outputs), one uniform (N, C) for each channel."""
        logits, means, log_scales, coefficients = self._parts(mixture.double())
        edges = ((2 * torch.arange(self.levels - 1) + 1) / (self.levels - 1) - 1).double()
        weights, levels = logits[:, 0], torch.zeros_like(uniforms)
        for channel in range(self.channels):
            centred = self._centred(means, coefficients, levels)
            steps = torch.sigmoid((edges - centred[:, channel, :, None]) * torch.exp(-log_scales[:, channel, :, None]))
            reached = (weights.softmax(1).unsqueeze(2) * steps).sum(1)
            levels[:, channel] = (reached <= uniforms[:, channel, None]).sum(1).double()
            weights = weights + self._log_bins(centred, log_scales, levels)[:, channel]
        return levels


def sample_naive(model: PixelCNNPP, uniforms: Tensor, layout: str = "NCHW", pixels: int | None = None) -> Tensor:
    """Draws images with one full forward pass per pixel; arguments as in `genlab.benchmark.torch_peers.sample_naive`."""
    count, height, width, channels = uniforms.shape
    images = torch.zeros((count, channels, height, width)).contiguous(memory_format=LAYOUTS[layout])
    for y, x in itertools.islice(itertools.product(range(height), range(width)), pixels):
        images[:, :, y, x] = model.draw_pixel(model(images)[:, :, y, x], uniforms[:, y, x]).float()
    return images


def peer_of(model: Any, form: str, layout: str) -> PixelCNNPP:
    """The independent twin of a PixelCNN++ with short-cuts and a mixture, with the same weights."""
    settings = model.config["settings"]
    channels, *_ = settings["image_shape"]
    sizes = {name: settings[name] for name in ("levels", "blocks", "strides", "mixtures")}
    peer = PixelCNNPP(channels=channels, width=settings["channels"], **sizes, form=form)
    peer.layers.load_state_dict(model.nodes.state_dict())
    return peer.to(memory_format=LAYOUTS[layout])  # type: ignore[call-overload, no-any-return]
