"""Published likelihoods, to stand beside a run's own: only where data, levels and binarisation are the same do numbers compare."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Published:
    """One figure of the literature.

    Attributes:
        model: The model's name in its paper.
        data: Name of the dataset.
        levels: Levels of a pixel.
        binarize: How pixels were made binary, or None.
        value: The negative log-likelihood, lower is better.
        unit: ``"nats"`` an image or ``"bits/dim"``.
        source: Where it stands.
    """

    model: str
    data: str
    levels: int
    binarize: Literal["dynamic", "static"] | None
    value: float
    unit: Literal["nats", "bits/dim"]
    source: str

    def bits_per_dim(self, dimensions: int) -> float:
        """The figure in bits/dim, for images of so many values: nats / (ln 2 · dimensions)."""
        return self.value if self.unit == "bits/dim" else self.value / (math.log(2) * dimensions)


_REPRODUCTION = "EugenHotaj/pytorch-generative, README"
_PIXEL_RNN = "van den Oord, Kalchbrenner and Kavukcuoglu 2016, Pixel Recurrent Neural Networks"
_IWAE = "Burda, Grosse and Salakhutdinov 2016, Importance Weighted Autoencoders"
_FLOWS = "UvA deep learning tutorial 11, 200 epochs"

PUBLISHED = (
    Published("FVSBN", "mnist", 2, "dynamic", 96.58, "nats", _REPRODUCTION),
    Published("VAE", "mnist", 2, "dynamic", 86.76, "nats", _IWAE),
    Published("NADE", "mnist", 2, "dynamic", 85.65, "nats", _REPRODUCTION),
    Published("MADE", "mnist", 2, "dynamic", 84.87, "nats", _REPRODUCTION),
    Published("IWAE", "mnist", 2, "dynamic", 84.78, "nats", _IWAE),
    Published("Gated PixelCNN", "mnist", 2, "dynamic", 81.50, "nats", _REPRODUCTION),
    Published("PixelCNN", "mnist", 2, "dynamic", 81.45, "nats", _REPRODUCTION),
    Published("PixelSNAIL", "mnist", 2, "dynamic", 78.61, "nats", _REPRODUCTION),
    Published("PixelCNN", "mnist", 2, "static", 81.30, "nats", _PIXEL_RNN),
    Published("PixelRNN", "mnist", 2, "static", 79.20, "nats", _PIXEL_RNN),
    Published("Flow, uniform dequantisation", "mnist", 256, None, 1.078, "bits/dim", _FLOWS),
    Published("Flow, variational dequantisation", "mnist", 256, None, 1.043, "bits/dim", _FLOWS),
    Published("Multi-scale flow, variational dequantisation", "mnist", 256, None, 1.020, "bits/dim", _FLOWS),
    Published("PixelCNN, dilated gated layers", "mnist", 256, None, 0.808, "bits/dim", "UvA deep learning tutorial 12"),
)


def published(data: str, *, levels: int, binarize: str | None) -> list[Published]:
    """The figures of exactly this protocol, best last; none for data that nobody has published on, such as our ``digits``."""
    return [figure for figure in PUBLISHED if (figure.data, figure.levels, figure.binarize) == (data, levels, binarize)]
