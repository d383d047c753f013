"""The receptive field of one pixel, by gradients of the real model, and the masks and weights that make it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genlab.dashboard.components import base64, component

if TYPE_CHECKING:
    from genlab.models.causal.model import CausalModel

_mount = component("field", scripts=["sight.js"])


@dataclass(frozen=True)
class Place:
    """A pixel of one of the images that the visitor points at."""

    image: int
    row: int
    column: int


@dataclass(frozen=True)
class Sight:
    """What the prediction of a pixel depends on.

    Attributes:
        image: The image looked at, levels ``(C, H, W)``.
        levels: Number of levels.
        place: The pixel.
        felt: Strength of its gradient at each pixel of that image, 0 to 1, float ``(H, W)``.
        seen: Pixels with a gradient in any of the images that were tried, bool ``(H, W)``.
    """

    image: NDArray[np.uint8]
    levels: int
    place: Place
    felt: NDArray[np.float64]
    seen: NDArray[np.bool_]

    def as_data(self) -> dict[str, Any]:
        """For the browser."""
        row, column = self.place.row, self.place.column
        earlier = np.arange(self.seen.size).reshape(self.seen.shape) < row * self.seen.shape[1] + column
        return {
            "shape": self.image.shape,
            "levels": self.levels,
            "row": row,
            "column": column,
            "image": self.place.image,
            "values": base64(self.image.transpose(1, 2, 0)),
            "felt": base64(self.felt.astype("<f4")),
            "seen": base64(self.seen.astype(np.uint8)),
            "counts": {
                "earlier": int(earlier.sum()),
                "seen": int((self.seen & earlier).sum()),
                "leaked": int((self.seen & ~earlier).sum()),
            },
        }


def look(model: CausalModel, images: NDArray[np.uint8], place: Place, label: int | None = None) -> Sight:
    """What the prediction of a pixel depends on, by gradients.

    Args:
        model: The model.
        images: Levels ``(N, C, H, W)``: the image looked at, then others. Strengths are those of the first; a pixel counts as seen
            if it has a gradient in any, since a ReLU may cut every path in one image.
        place: The pixel.
        label: The class of the images, of a class-conditional model.
    """
    from genlab.receptive_field import gradients

    found = np.abs(gradients(model, images, row=place.row, column=place.column, labels=label))
    felt = found[0].sum(0)
    return Sight(images[0], model.levels, place, felt / max(felt.max(), 1e-30), np.asarray((found > 0).any((0, 1))))


def field(model: CausalModel, sight: Sight) -> None:
    """Show what the prediction of a pixel depends on, and the masks that make it so."""
    from genlab.receptive_field import layers

    found = layers(model)
    data = {
        **sight.as_data(),
        "layers": [
            {
                "name": layer.name,
                "centre": layer.centre,
                "size": layer.live.shape,
                "channels": layer.channels,
                "reach": layer.reach,
                "dilation": layer.dilation,
                "live": layer.live.ravel().astype(int).tolist(),
                "strength": (layer.strength / layer.strength.max()).round(4).ravel().tolist(),
            }
            for layer in found
            if layer.live.size > 1
        ],
        "pointwise": sum(layer.live.size == 1 for layer in found),
    }
    _mount(data=data, key="field")
