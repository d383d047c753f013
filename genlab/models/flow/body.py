"""The bijection: scales of steps, half of the channels leaving after each scale, and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from genlab.models.flow.layers import OwnSpline, Step, squeeze, unsqueeze
from genlab.models.flow.realnvp import Settings

_UNMIXED = 2  # steps at the first scale: each colour of the checkerboard is changed by the other before colours are mixed


class Body(nn.Module):
    """Z = f(x) of the same shape ``(N, C, H, W)``, with log |det ∂z/∂x|, ``(N,)``.

    What leaves a scale as noise stands in z where its pixels stood, so that z can be looked at as x can.
    """

    def __init__(self, shape: tuple[int, int, int], settings: Settings) -> None:
        super().__init__()
        self.squeezes = settings.scales if shape[1:] != (1, 1) else 0
        channels, height, width = shape
        scales = []
        for scale in range(max(1, self.squeezes)):
            if self.squeezes:
                channels, height, width = 4 * channels, height // 2, width // 2
            here = (channels, height, width)
            layers: list[nn.Module] = []
            if scale == 0 and settings.coupling == "spline" and here[1:] != (1, 1):
                layers.append(OwnSpline(here, settings.bins))
            for number in range(settings.depth):
                mix = number >= _UNMIXED or scale > 0 or not self.squeezes
                layers.append(Step(here, settings.hidden, settings.coupling, settings.bins, mix=mix))
            scales.append(nn.ModuleList(layers))
            channels //= 2
        self.scales = nn.ModuleList(scales)

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """From data to noise."""
        return next(self.path(values, every=False))

    def path(self, values: Tensor, *, every: bool = True) -> Iterator[tuple[Tensor, Tensor]]:
        """The way from data to noise: the data, then what is there after each layer, with log |det| so far.

        Args:
            values: The data.
            every: Whether to stop at each layer, or at the end alone.
        """
        gone: list[Tensor] = []
        total = values.new_zeros(values.shape[0])
        if every:
            yield values, total
        for number, scale in enumerate(self._layers):
            values = self._down(values, gone, number)
            for layer in scale:
                values, log_det = layer(values)
                total = total + log_det
                if every:
                    yield self._whole(values, gone), total
        if not every:
            yield self._whole(values, gone), total

    def inverse(self, codes: Tensor) -> Tensor:
        """From noise to data."""
        return next(self.path_back(codes, every=False))

    def path_back(self, codes: Tensor, *, every: bool = True) -> Iterator[Tensor]:
        """The way from noise to data, each ``(N, C, H, W)``: the noise, and what is there after each layer that leads back.

        Args:
            codes: The noise.
            every: Whether to stop at each layer, or at the end alone.
        """
        if every:
            yield codes
        values, gone, scales = codes, list[Tensor](), self._layers
        for number in range(len(scales)):
            values = self._down(values, gone, number)
        for number, scale in reversed(list(enumerate(scales))):
            for layer in reversed(scale):
                values = layer.inverse(values)
                if every:
                    yield self._whole(values, gone)
            values = self._up(values, gone, number)
        if not every:
            yield values

    def _down(self, values: Tensor, gone: list[Tensor], number: int) -> Tensor:
        """To where that scale begins: half of the channels of the one before leave, and the rest is squeezed."""
        if number:
            values, left = values.chunk(2, 1)
            gone.append(left)
        return squeeze(values) if self.squeezes else values

    def _up(self, values: Tensor, gone: list[Tensor], number: int) -> Tensor:
        """And back: what had left comes again."""
        values = unsqueeze(values) if self.squeezes else values
        return torch.cat((values, gone.pop()), 1) if number else values

    def _whole(self, values: Tensor, gone: list[Tensor]) -> Tensor:
        """Everything at its place in the picture."""
        waiting = list(gone)
        for number in range(len(gone), -1, -1):
            values = self._up(values, waiting, number)
        return values

    @property
    def _layers(self) -> list[list[Any]]:
        return [list(scale) for scale in self.scales]  # type: ignore[call-overload]
