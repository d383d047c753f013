"""The pixel theatre: images drawn pixel by pixel, with the distribution each pixel was drawn from."""

from __future__ import annotations

import math
import time
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genlab.dashboard.components import component

if TYPE_CHECKING:
    from genlab.models.causal_model import CausalModel

_mount = component("theatre")

# So many probabilities are sent at most: 3 MB, which 32 binary images of 28×28 use a fortieth of.
_PROBABILITIES_AT_MOST = 1_500_000


@dataclass(frozen=True)
class Records:
    """Images as they were drawn, everything in the order of drawing: rows, then columns, then channels.

    Attributes:
        image_shape: ``(C, H, W)``.
        values: uint8 levels ``(N, H · W · C)``.
        probabilities: p(x_i = level | x_1 … x_{i−1}), float32 ``(N, H · W · C, levels)``.
        bits: Surprise −log₂ p(x_i | x_1 … x_{i−1}) of the levels that were drawn, float32 ``(N, H · W · C)``.
        entropy: Expected surprise, float32 ``(N, H · W · C)``.
        seconds: What the drawing took.
        backend: What drew.
    """

    image_shape: tuple[int, int, int]
    values: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    bits: NDArray[np.float32]
    entropy: NDArray[np.float32]
    seconds: float
    backend: str

    @property
    def bits_per_image(self) -> float:
        """−log₂ p(x), averaged over the images."""
        return float(self.bits.sum(1).mean())


def draw_records(model: CausalModel, *, images: int, seed: int) -> Records:
    """Draw up to `images` images and note what the model expected of each pixel.

    The distributions come from scoring the finished images, which gives the very ones they were drawn from.
    """
    import torch

    from genlab.native import resolve_backend
    from genlab.sampling import sample

    pixels = math.prod(model.image_shape)
    images = max(1, min(images, _PROBABILITIES_AT_MOST // (pixels * model.levels)))
    start = time.perf_counter()
    drawn = sample(model, images, seed=seed)
    seconds = time.perf_counter() - start
    log_probabilities = torch.log_softmax(model.logits(drawn).double(), dim=-1).permute(0, 2, 3, 1, 4).reshape(images, pixels, -1).numpy()
    values = drawn.transpose(0, 2, 3, 1).reshape(images, pixels)
    bits = log_probabilities / -math.log(2)
    probabilities = np.exp(log_probabilities)
    return Records(
        image_shape=model.image_shape,
        values=values,
        probabilities=probabilities.astype(np.float32),
        bits=np.take_along_axis(bits, values[..., None].astype(np.int64), axis=-1)[..., 0].astype(np.float32),
        entropy=(probabilities * bits).sum(-1).astype(np.float32),
        seconds=seconds,
        backend=resolve_backend("auto"),
    )


def theatre(records: Records, *, identity: str, caption: str) -> None:
    """Show the theatre.

    Args:
        records: What is played.
        identity: As long as it stays the same, the play goes on where it is when the page runs again.
        caption: Stands below the wall of images.
    """
    data: dict[str, Any] = {
        "id": identity,
        "caption": caption,
        "shape": records.image_shape,
        "levels": records.probabilities.shape[-1],
        "count": len(records.values),
        "values": _base64(records.values),
        "probabilities": _base64(np.round(records.probabilities * 65535).astype("<u2")),
        "bits": _base64(records.bits.astype("<f4")),
        "entropy": _base64(records.entropy.astype("<f4")),
    }
    _mount(data=data, key="theatre")


def _base64(array: NDArray[Any]) -> str:
    return b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
