"""Gated PixelCNN: no earlier pixel is out of sight, classes matter, and the two walks agree on both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
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


def test_every_earlier_pixel_matters_and_no_later_one() -> None:
    assert (seen("gated_pixelcnn", layers=6) == EARLIER).all()


def test_a_plain_stack_of_small_masks_is_blind_above_to_the_right() -> None:
    """What the vertical stack is there for (figure 1 of the paper)."""
    plain = seen("pixelcnn", blocks=6)
    assert not plain[HERE[0] - 1, -1]
    assert not plain[~EARLIER].any()


def test_a_class_moves_likelihoods_gradients_and_drawings_alike_in_both_walks() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(2)
        model = genlab.create_model("gated_pixelcnn", image_shape=(1, 5, 5), levels=3, channels=4, layers=3, classes=4)
    images = np.random.default_rng(0).integers(0, 3, (6, 1, 5, 5), dtype=np.uint8)
    labels = np.arange(6) % 4
    nats = {backend: genlab.log_prob(model, images, labels=labels, backend=backend) for backend in ("native", "torch")}
    np.testing.assert_allclose(nats["native"], nats["torch"], rtol=1e-5)
    assert (np.abs(nats["torch"] - genlab.log_prob(model, images, labels=(labels + 1) % 4)) > 1e-4).all()
    gradients = {}
    for backend in nats:
        loss = model.loss(images, labels=labels, backend=backend)
        parts = torch.autograd.grad(loss, list(model.parameters()))  # an error if a part of the network were of no use
        gradients[backend] = torch.cat([part.reshape(-1) for part in parts])
    torch.testing.assert_close(gradients["native"], gradients["torch"], rtol=1e-4, atol=1e-5)
    drawn = [genlab.sample(model, 6, seed=3, labels=labels, backend=backend) for backend in ("native", "torch", "naive")]
    assert (drawn[0] == drawn[1]).all()
    assert (drawn[0] == drawn[2]).all()
    with pytest.raises(genlab.errors.InputError, match="labels"):
        genlab.log_prob(model, images)
