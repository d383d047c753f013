"""The developing: images on their way from noise to data, scrubbed, each above what the network expects it to become."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genlab.dashboard.components import base64, component
from genlab.dashboard.stage.matching import OnTheWay

_mount = component("developing", family="slanted", scripts=["player.js"])


def developing(way: OnTheWay, *, identity: str, key: str) -> None:
    """Show the images.

    Args:
        way: What is there at each station, and where it is heading.
        identity: As long as it stays the same, the play goes on where it is when the page runs again.
        key: Of this component among those of the page.
    """
    stations, count, *shape = way.images.shape

    def packed(images: NDArray[np.uint8]) -> str:
        return base64(images.transpose(0, 1, 3, 4, 2))

    _mount(
        data={
            "id": identity,
            "times": way.times,
            "stations": stations,
            "count": count,
            "shape": shape,
            "images": packed(way.images),
            "expected": packed(way.expected),
        },
        key=key,
    )
