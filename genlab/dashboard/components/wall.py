"""Walls of images in whole rows: drawn row by row before the visitor's eyes, or simply there; each may have words below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlab.dashboard.components import base64, component

_mount = component("wall")


def wall(
    images: NDArray[np.uint8],
    levels: int,
    *,
    key: str,
    identity: str,
    alt: str,
    words: Sequence[str] = (),
    given: int = 0,
    seconds: float = 0.0,
    large: int = 96,
    narrowest: int = 56,
    accent: bool = False,
) -> None:
    """Show images.

    Args:
        images: Levels ``(N, C, H, W)``.
        levels: Number of levels.
        key: Of this wall among those of the page.
        identity: Another one starts the drawing anew.
        alt: What there is to see, in words.
        words: Stand below each image.
        given: So many rows from the top were given and not drawn; a line is put below them.
        seconds: How long the drawing is shown to take; with 0 the images are there at once.
        large: No image is shown wider than so many CSS pixels.
        narrowest: Nor narrower than so many; so many go beside each other as leave rows whole.
        accent: In the accent colour: quantities, not ink.
    """
    data: dict[str, Any] = {
        "id": identity,
        "shape": images.shape[1:],
        "levels": levels,
        "count": len(images),
        "values": base64(images.transpose(0, 2, 3, 1)),
        "words": list(words),
        "given": given,
        "seconds": seconds,
        "large": large,
        "narrowest": narrowest,
        "accent": accent,
        "alt": alt,
    }
    _mount(data=data, key=key)
