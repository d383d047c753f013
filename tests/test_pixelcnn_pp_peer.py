"""The twin of PixelCNN++ in plain torch computes what genlab's list does: loss, gradients, draws."""

import numpy as np
import pytest
import torch

import genlab
from genlab.benchmark.pixelcnn_pp_peer import peer_of, sample_naive


def pair(form, layout, shape=(3, 8, 12), levels=17):
    torch.manual_seed(0)
    model = genlab.create_model("pixelcnn_pp", image_shape=shape, levels=levels, channels=6, blocks=1, mixtures=3)
    with torch.no_grad():
        model.nodes["output"].weight.mul_(3)
    images = torch.from_numpy(np.random.default_rng(0).integers(0, levels, (2, *shape), dtype=np.uint8))
    return model, peer_of(model, form, layout), images


@pytest.mark.parametrize("form", ["dense", "cropped"])
@pytest.mark.parametrize("layout", ["NCHW", "channels_last"])
def test_loss_and_gradients_are_genlabs(form, layout):
    model, peer, images = pair(form, layout)
    expected, found = model.loss(images, backend="torch"), peer.loss(images)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)
    names = [name for name, _ in peer.layers.named_parameters()]
    own = dict(model.nodes.named_parameters())
    gradients = torch.autograd.grad(found, [dict(peer.layers.named_parameters())[name] for name in names])
    for name, gradient, other in zip(names, gradients, torch.autograd.grad(expected, [own[name] for name in names]), strict=True):
        torch.testing.assert_close(gradient, other, rtol=1e-3, atol=2e-4 * float(other.abs().max()) + 1e-6, msg=name)


def test_naive_draws_are_genlabs():
    model, peer, _ = pair("cropped", "NCHW", shape=(3, 4, 4), levels=5)
    uniforms = np.random.default_rng(1).random((2, 4, 4, 3))
    with torch.no_grad():
        drawn = sample_naive(peer, torch.from_numpy(uniforms))
    assert (drawn.numpy() == model.draw(uniforms, backend="torch")).all()
