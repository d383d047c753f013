"""The pixel theatre: images drawn pixel by pixel, with the distribution each pixel was drawn from."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from genlab.dashboard.components import base64, component
from genlab.dashboard.components.field import Place, Sight

if TYPE_CHECKING:
    from genlab.models.causal.model import CausalModel

_mount = component("theatre", scripts=["player.js", "sight.js"])

# So many probabilities are sent at most: 3 MB, which 32 binary images of 28×28 use a fortieth of.
_PROBABILITIES_AT_MOST = 1_500_000
NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Drawn:
    """Images as they were drawn, everything in the order of drawing: rows, then columns, then channels.

    Attributes:
        image_shape: ``(C, H, W)``.
        values: uint8 levels ``(N, H · W · C)``.
        probabilities: p(x_i = level | x_1 … x_{i−1}), float32 ``(N, H · W · C, levels)``.
        bits: Surprise −log₂ p(x_i | x_1 … x_{i−1}) of the levels that were drawn, float32 ``(N, H · W · C)``.
        entropy: Expected surprise, float32 ``(N, H · W · C)``.
        seconds: What the drawing, or for real images the scoring, took.
        backend: What drew or scored.
        real: Whether the images are real ones that were only scored.
        together: So many values are drawn as one: the channels of a pixel, where the network sees none of them before all are there.
    """

    image_shape: tuple[int, int, int]
    values: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    bits: NDArray[np.float32]
    entropy: NDArray[np.float32]
    seconds: float
    backend: str
    real: bool = False
    together: int = 1

    @property
    def bits_per_image(self) -> float:
        """−log₂ p(x), averaged over the images."""
        return float(self.bits.sum(1).mean())


def draw_records(model: CausalModel, *, images: int, seed: int, told: Mapping[str, Any] = NOTHING) -> Drawn:
    """Draw up to `images` images and note what the model expected of each pixel.

    `told` is what the model is given each time, such as a class. The distributions come from scoring the finished images, which gives the
    very ones they were drawn from.
    """
    from genlab.sampling import sample

    start = time.perf_counter()
    drawn = sample(model, _at_most(model, images), seed=seed, **told)
    return _records(model, drawn, told, seconds=time.perf_counter() - start)


def score_records(model: CausalModel, images: NDArray[np.uint8], *, told: Mapping[str, Any] = NOTHING) -> Drawn:
    """What the model expects of each pixel of real images ``(N, C, H, W)``, or of as many of them as are sent."""
    start = time.perf_counter()
    images = images[: _at_most(model, len(images))]
    model.log_prob(images, **told)
    return _records(model, images, told, seconds=time.perf_counter() - start, real=True)


def _at_most(model: CausalModel, images: int) -> int:
    return max(1, min(images, _PROBABILITIES_AT_MOST // (math.prod(model.image_shape) * model.levels)))


def _records(model: CausalModel, images: NDArray[np.uint8], told: Mapping[str, Any], *, seconds: float, real: bool = False) -> Drawn:
    import torch

    from genlab.native import resolve_backend

    count, pixels = len(images), math.prod(model.image_shape)
    log_probabilities = (
        torch.log_softmax(model.logits(images, **told).double(), dim=-1).permute(0, 2, 3, 1, 4).reshape(count, pixels, -1).numpy()
    )
    values = images.transpose(0, 2, 3, 1).reshape(count, pixels)
    bits = log_probabilities / -math.log(2)
    probabilities = np.exp(log_probabilities)
    return Drawn(
        image_shape=model.image_shape,
        values=values,
        probabilities=probabilities.astype(np.float32),
        bits=np.take_along_axis(bits, values[..., None].astype(np.int64), axis=-1)[..., 0].astype(np.float32),
        entropy=(probabilities * bits).sum(-1).astype(np.float32),
        seconds=seconds,
        backend=resolve_backend("auto"),
        real=real,
        together=1 if model.graph.distribution.channel_by_channel else model.image_shape[0],
    )


def theatre(
    records: Drawn, *, identity: str, caption: str, place: Place, sight: Sight | str | None, on_look: Callable[[Place], None]
) -> None:
    """Show the theatre.

    Args:
        records: What is played.
        identity: As long as it stays the same, the play goes on where it is when the page runs again.
        caption: Stands below the wall of images.
        place: The pixel that is looked at.
        sight: What its prediction depends on, if the visitor pointed at it: it then stands beside the picture. Text if that cannot be had.
        on_look: Called with the pixel that the visitor points at.
    """

    def looked() -> None:
        chosen = read_place(st.session_state["theatre"].get("looked_at"), identity, records)
        if chosen is not None:
            on_look(chosen)

    data: dict[str, Any] = {
        "id": identity,
        "caption": caption,
        "shape": records.image_shape,
        "levels": records.probabilities.shape[-1],
        "count": len(records.values),
        "real": records.real,
        "together": records.together,
        "values": base64(records.values),
        "probabilities": base64(np.round(records.probabilities * 65535).astype("<u2")),
        "bits": base64(records.bits.astype("<f4")),
        "entropy": base64(records.entropy.astype("<f4")),
        "image": place.image,
        "sees": not isinstance(sight, str),
        "sight": sight.as_data() if isinstance(sight, Sight) else None,
    }
    _mount(data=data, key="theatre", on_looked_at_change=looked)


def middle(records: Drawn) -> Place:
    """A pixel to look at before any was pointed at: one below the middle of the first image."""
    _, height, width = records.image_shape
    return Place(0, (3 * height) // 5, width // 2)


def read_place(said: Any, identity: str, records: Drawn) -> Place | None:
    """What the browser said, if it makes sense: what comes from there can be anything."""
    if not isinstance(said, Mapping) or said.get("id") != identity:
        return None
    _, height, width = records.image_shape
    limits = {"image": len(records.values), "row": height, "column": width}
    if all(type(said.get(name)) is int and 0 <= said[name] < limit for name, limit in limits.items()):
        return Place(said["image"], said["row"], said["column"])
    return None
