"""The walk: the plane of codes, painted by the decoder in the browser; test images where their codes lie; two ends joined by a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlab.dashboard.components import base64, component
from genlab.dashboard.components.decoder import Decoder

_mount = component("walk", scripts=["decoder.js"])


@dataclass(frozen=True, eq=False)
class Crowd:
    """Test images and their codes.

    Attributes:
        codes: float32 ``(N, latents)``.
        images: Levels ``(N, C, H, W)``.
        labels: ``(N,)``, or None where there are none.
        words: Where they come from.
    """

    codes: NDArray[np.float32]
    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    words: str


@dataclass(frozen=True)
class Plane:
    """The plane that is walked in: two latents vary, the others stay where `base` has them.

    Attributes:
        axes: Those two.
        base: A code.
        extent: From where to where each of the two goes.
    """

    axes: tuple[int, int]
    base: tuple[float, ...]
    extent: tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True, eq=False)
class Own:
    """The visitor's own picture.

    Attributes:
        image: Levels ``(C, H, W)``.
        code: ``(latents,)``.
        spread: σ of q(z | x) of each latent; zeros where the encoder is sure.
    """

    image: NDArray[np.uint8]
    code: NDArray[np.float32]
    spread: NDArray[np.float32]


def walk(decoder: Decoder, crowd: Crowd, plane: Plane, *, identity: str, ends: tuple[int, int], own: Own | None = None) -> None:
    """Show the plane.

    Args:
        decoder: What paints it.
        crowd: Who is there.
        plane: Which plane.
        identity: Another one begins anew.
        ends: Numbers of the test images that the line begins and ends at, until the visitor moves them.
        own: Stands among the crowd; another one becomes the line's beginning.
    """
    data: dict[str, Any] = {
        "id": identity,
        "decoder": decoder.as_data(),
        "count": len(crowd.codes),
        "latents": crowd.codes.shape[1],
        "shape": crowd.images.shape[1:],
        "levels": decoder.levels,
        "codes": base64(crowd.codes.astype("<f4")),
        "images": base64(crowd.images.transpose(0, 2, 3, 1)),
        "labels": None if crowd.labels is None else base64(crowd.labels.astype(np.uint8)),
        "axes": plane.axes,
        "names": [name_of(axis) for axis in plane.axes],
        "base": plane.base,
        "extent": plane.extent,
        "ends": ends,
        "own": None if own is None else _as_data(own),
    }
    _mount(data=data, key="walk")


def name_of(latent: int) -> str:
    """Of one of a code's numbers, counted from 1: z₁, z₂, z₃."""
    return "z" + str(latent + 1).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def _as_data(own: Own) -> dict[str, Any]:
    image = base64(own.image.transpose(1, 2, 0))
    return {"id": image, "image": image, "code": own.code.tolist(), "spread": own.spread.tolist()}
