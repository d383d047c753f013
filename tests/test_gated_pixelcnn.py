"""The blind spot that a Gated PixelCNN does not have (tests/test_causal_systems.py) and a plain stack of small masks has."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import genlab
from genlab import receptive_field

SIDE = 6
HERE = (4, 2)


def seen(name: str, **settings: Any) -> NDArray[np.bool_]:
    """Which pixels move the prediction at `HERE`, by gradients over some random images."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(1)
        model = genlab.create_model(name, image_shape=(1, SIDE, SIDE), levels=2, channels=8, first_kernel=3, **settings).double()
    images = np.random.default_rng(0).integers(0, 2, (8, 1, SIDE, SIDE), dtype=np.uint8)
    return np.abs(receptive_field.gradients(model, images, row=HERE[0], column=HERE[1])).max((0, 1)) > 0


EARLIER = np.arange(SIDE * SIDE).reshape(SIDE, SIDE) < HERE[0] * SIDE + HERE[1]


def test_a_plain_stack_of_small_masks_is_blind_above_to_the_right() -> None:
    """What the vertical stack is there for (figure 1 of the paper)."""
    plain = seen("pixelcnn", blocks=6)
    assert not plain[HERE[0] - 1, -1]
    assert not plain[~EARLIER].any()
