"""The receptive field of one pixel, by gradients of the real model, and the masks and weights that make it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from genlab.dashboard.components import base64, component

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from genlab.dashboard.components.theatre import Place
    from genlab.models.causal.model import CausalModel

_mount = component("field")


def field(model: CausalModel, images: NDArray[np.uint8], place: Place) -> None:
    """Show what the prediction of a pixel depends on.

    Args:
        model: The model.
        images: Levels ``(N, C, H, W)``: the image looked at, then others. Strengths are those of the first; a pixel counts as seen
            if it has a gradient in any, since a ReLU may cut every path in one image.
        place: The pixel.
    """
    from genlab.receptive_field import gradients, layers

    image: NDArray[np.uint8] = images[:1].transpose(0, 2, 3, 1)
    found = np.abs(gradients(model, images, row=place.row, column=place.column))
    felt = found[0].sum(0)
    seen: NDArray[np.bool_] = np.asarray((found > 0).any((0, 1)))
    earlier = np.arange(seen.size).reshape(seen.shape) < place.row * seen.shape[1] + place.column
    data = {
        "shape": model.image_shape,
        "levels": model.levels,
        "row": place.row,
        "column": place.column,
        "values": base64(image),
        "felt": base64((felt / max(felt.max(), 1e-30)).astype("<f4")),
        "seen": base64(seen.astype(np.uint8)),
        "counts": {"earlier": int(earlier.sum()), "seen": int((seen & earlier).sum()), "leaked": int((seen & ~earlier).sum())},
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
            for layer in layers(model)
            if layer.live.size > 1
        ],
        "pointwise": sum(layer.live.size == 1 for layer in layers(model)),
    }
    _mount(data=data, key="field")
