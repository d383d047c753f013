"""What all models with a code for each image share: their settings, their domain, and images on the way in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from genlab.domain import Batch, Domain
from genlab.errors import InputError, unknown_name
from genlab.models.contract import MINIMISER, PlainNetwork, Player
from genlab.models.latent.drawing import check_temperature
from genlab.models.latent.settings import NetworkSettings

Images = ArrayLike | Tensor | Batch
"""Integer levels ``(N, C, H, W)``."""

VALUES_AT_ONCE = 2**22
"""Numbers of decoded images that are held at a time, some copies of which there are: 16 MB each."""


class LatentModel(nn.Module):
    """A model of images with a code ``(N, latents)`` for each.

    Attributes:
        name: The model's name in `genlab.list_models`.
        settings: Its validated settings.
        domain: Images of integer levels.
        latent_shape: ``(latents,)``.
        held: Numbers that are held for each value of an image that is decoded.
        players: One: minimising is a game of one.
    """

    def __init__(self, name: str, settings: NetworkSettings, latents: int) -> None:
        super().__init__()
        self.name = name
        self.settings = settings
        self.domain = Domain(settings.image_shape, settings.levels)
        self.latent_shape: tuple[int, ...] = (latents,)
        self.held = 1
        self.players: tuple[Player, ...] = MINIMISER

    @property
    def config(self) -> dict[str, Any]:
        """``{"name", "settings"}``: what `genlab.create_model` needs to build the same model again."""
        return {"name": self.name, "settings": self.settings.model_dump(mode="json")}

    def parameter_count(self) -> int:
        """Number of parameters."""
        return sum(parameter.numel() for parameter in self.parameters())

    def check_levels(self, images: Images, argument: str = "images") -> Tensor:
        """Integer levels ``(N, C, H, W)`` as a tensor on the model's device.

        Raises:
            InputError: Another shape, anything but integers (booleans will do for two levels), or a level out of range.
        """
        if isinstance(images, Batch):
            images = images.values
        try:
            levels = images if isinstance(images, Tensor) else torch.from_numpy(np.ascontiguousarray(images))
        except (TypeError, ValueError):
            raise InputError(f"{argument} must be an array of integer levels; got {type(images).__name__!r}") from None
        count, shape = self.settings.levels, self.settings.image_shape
        if levels.is_floating_point() or levels.is_complex() or (levels.dtype == torch.bool and count != 2):
            raise InputError(f"{argument} must hold integer levels; got {levels.dtype}")
        if levels.ndim != 4 or tuple(levels.shape[1:]) != shape:
            raise InputError(
                f"{argument} must have shape (N, {', '.join(map(str, shape))}), the model's image_shape; got {tuple(levels.shape)}"
            )
        levels = levels.to(torch.uint8) if levels.dtype == torch.bool else levels
        if levels.numel():
            low, high = (int(value) for value in torch.aminmax(levels))
            if low < 0 or high >= count:
                raise InputError(f"{argument} must hold levels from 0 to {count - 1}; got {low if low < 0 else high}")
        return levels.to(next(self.parameters()).device)

    def check_codes(self, codes: ArrayLike | Tensor) -> Tensor:
        """Finite codes ``(N, latents)`` in the format of the weights.

        Raises:
            InputError: Another shape, or values that are not finite.
        """
        weight = next(self.parameters())
        try:
            given = torch.as_tensor(codes).to(weight)
        except (TypeError, ValueError, RuntimeError):
            raise InputError(f"codes must be an array of numbers; got {type(codes).__name__!r}") from None
        if given.ndim != 2 or tuple(given.shape[1:]) != self.latent_shape:
            raise InputError(f"codes must have shape (N, {self.latent_shape[0]}), the model's latent_shape; got {tuple(given.shape)}")
        if not given.isfinite().all():
            raise InputError("codes must be finite; got values that are not")
        return given

    def coding(self, encode: Callable[[Tensor], Tensor], decode: Callable[[Tensor], Tensor]) -> dict[str, PlainNetwork]:
        """What can be exported of a plain pair: from intensities ``(N, C, H, W)`` to codes ``(N, latents)``, and back."""
        weight = next(self.parameters())
        images, codes = weight.new_zeros(2, *self.settings.image_shape), weight.new_zeros(2, *self.latent_shape)
        return {
            "encoder": PlainNetwork(encode, {"intensities": images}, "codes"),
            "decoder": PlainNetwork(decode, {"codes": codes}, "intensities"),
        }

    def temperature_of(self, options: Mapping[str, Any], known: Sequence[str] = ("temperature",)) -> float:
        """The option ``temperature`` of a drawing: how many times as far from their mean the codes lie.

        Raises:
            InputError: An option that is not known, or a temperature that is not a finite number above 0.
        """
        for name in options:
            if name not in known:
                raise unknown_name(f"option of model {self.name!r}", name, known)
        return check_temperature(options.get("temperature", 1.0))

    def intensities(self, levels: Tensor) -> Tensor:
        """Levels as numbers from 0 to 1, in the format of the weights."""
        return levels.to(next(self.parameters()).dtype) / (self.settings.levels - 1)

    def at_once(self) -> int:
        """How many images are decoded at a time."""
        return max(1, VALUES_AT_ONCE // (self.domain.size * self.held))

    def slices(self, count: int) -> list[slice]:
        """Slices of 0 … `count` − 1 that are decoded at a time; one that is empty where there is nothing."""
        size = self.at_once()
        return [slice(start, min(start + size, count)) for start in range(0, max(1, count), size)]
