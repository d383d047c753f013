"""The classifier: three convolutions and a linear layer of 64 features, then ten classes."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genlab.errors import InputError

FEATURES = 64
SIDE, BOX = 28, 20
WEIGHTS = Path(__file__).parent / "features.safetensors"
_AT_ONCE = 500


class Classifier(nn.Module):
    """Images ``(N, 1, 28, 28)`` of ink from 0 to 1; others are scaled to the 20×20 pixels that MNIST's digits fill, within their margin."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = nn.Sequential(
            nn.Conv2d(1, 16, 5, 2, 2), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 32, 3, 1, 1), nn.ReLU(), nn.Flatten()
        )
        self.features = nn.Linear(32 * 7 * 7, FEATURES)
        self.classes = nn.Linear(FEATURES, 10)

    def forward(self, ink: Tensor) -> tuple[Tensor, Tensor]:
        """Features ``(N, 64)`` and the logits of the classes ``(N, 10)``."""
        if ink.shape[2:] != (SIDE, SIDE):
            ink = nn.functional.pad(nn.functional.interpolate(ink, (BOX, BOX), mode="bilinear"), 4 * [(SIDE - BOX) // 2])
        features: Tensor = torch.relu(self.features(self.seen(ink)))
        return features, self.classes(features)


def digit_features(images: NDArray[Any], levels: int) -> NDArray[np.float32]:
    """The 64 features of each image.

    Args:
        images: Levels ``(N, 1, H, W)``; 28×28 is what the classifier was trained on, others are scaled to it.
        levels: Number of levels; the highest is ink.

    Raises:
        InputError: Another shape.
    """
    return _both(images, levels)[0]


def digit_classes(images: NDArray[Any], levels: int) -> NDArray[np.int64]:
    """The digit that each image looks like, ``(N,)``; arguments and errors as of `digit_features`."""
    classes: NDArray[np.int64] = _both(images, levels)[1].argmax(1)
    return classes


def _both(images: NDArray[Any], levels: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    if images.ndim != 4 or images.shape[1] != 1:
        raise InputError(f"images must have shape (N, 1, H, W) to be looked at as digits; got {images.shape}")
    features, logits = np.zeros((len(images), FEATURES), np.float32), np.zeros((len(images), 10), np.float32)
    with torch.no_grad():
        for start in range(0, len(images), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            ink = torch.from_numpy(np.ascontiguousarray(images[part])).float() / (levels - 1)
            features[part], logits[part] = (found.numpy() for found in _classifier()(ink))
    return features, logits


@functools.cache
def _classifier() -> Classifier:
    from safetensors.torch import load_file

    network = Classifier()
    network.load_state_dict({name: tensor.float() for name, tensor in load_file(WEIGHTS).items()})
    return network.eval()
