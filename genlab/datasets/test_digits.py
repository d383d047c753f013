"""Thirty-two of MNIST's test digits that come with genlab, for showing a model digits that it never saw; not for measuring anything."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from genlab.datasets.dataset import bernoulli
from genlab.datasets.source import Bytes
from genlab.settings import DataSettings

COUNT = 32
LABELS = (7, 2, 1, 0, 4, 1, 4, 9, 5, 9, 0, 6, 9, 0, 1, 5, 9, 7, 3, 4, 9, 6, 6, 5, 4, 0, 7, 4, 0, 1, 3, 1)
"""What they show, as in MNIST's own file of labels."""
_SIZE = 28
_NATIVE_LEVELS = 256


def mnist_test_digits(settings: DataSettings) -> Bytes:
    """The first test images of MNIST under the rules of `settings`: binarised, quantised or as they are.

    Returns:
        uint8 ``(32, 1, 28, 28)``.
    """
    from PIL import Image

    with Image.open(Path(__file__).with_name("mnist_test_digits.png")) as file:
        intensities = np.asarray(file.convert("L")).reshape(COUNT, 1, _SIZE, _SIZE)
    if settings.binarize == "dynamic":
        return bernoulli(np.random.default_rng(settings.seed), intensities, _NATIVE_LEVELS)
    levels = 2 if settings.binarize else (settings.levels or _NATIVE_LEVELS)
    digits: Bytes = (intensities.astype(np.int64) * levels // _NATIVE_LEVELS).astype(np.uint8)
    return digits
