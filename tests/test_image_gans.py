"""GANs of images: shapes, switches, classes, the pyramid, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from systems import small
from torch import nn

import genlab
from genlab.digit_features import digit_classes
from genlab.domain import Batch
from genlab.errors import InputError
from genlab.models.adversarial.lapgan import doubled, halved
from genlab.models.contract import Compute
from genlab.testing import check_model

SYSTEMS = ("mlp_gan", "dcgan", "lapgan")
SWITCHES: dict[str, dict[str, Any]] = {
    "classes": {"classes": 3},
    "dropout": {"dropout": 0.3},
    "batch norm in D": {"discriminator_batch_norm": True, "spectral_norm": False},
    "no batch norm": {"batch_norm": False},
    "smoothing": {"smoothing": 0.1},
    "wasserstein": {"loss": "wasserstein", "spectral_norm": False},
    "relativistic": {"loss": "relativistic", "spectral_norm": False},
}


def images(shape: tuple[int, ...], n: int = 6, levels: int = 17, classes: int = 0) -> Batch:
    rng = np.random.default_rng(0)
    return Batch(rng.integers(0, levels, (n, *shape), dtype=np.uint8), rng.integers(0, classes, n) if classes else None)


@pytest.mark.parametrize("switch", SWITCHES)
@pytest.mark.parametrize("name", SYSTEMS)
def test_every_switch_plays_on(name: str, switch: str) -> None:
    """Losses are finite and reach the player's own weights; the same key gives the same loss."""
    model = small(name, **SWITCHES[switch]).train()
    batch = images((1, 4, 4), levels=2, classes=model.classes)
    for player in model.players:
        state = {key: tensor.clone() for key, tensor in model.state_dict().items()}
        totals = []
        for _ in range(2):
            model.load_state_dict(state)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(1)
                totals.append(model.terms(player.name, batch, Compute(key=(1, 2))).total)
        own = [tensor for key, tensor in model.named_parameters() if player.owns(key)]
        gradients = torch.autograd.grad(totals[1], own, allow_unused=True)
        assert torch.equal(totals[0], totals[1])
        assert totals[0].isfinite()
        assert any(gradient is not None and gradient.abs().max() > 0 for gradient in gradients)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_class_is_drawn_on_request_and_the_contract_holds_with_classes(name: str) -> None:
    model = small(name, classes=3)
    check_model(model)
    drawn = genlab.sample(model, 5, seed=1, labels=2)
    assert np.array_equal(drawn, genlab.sample(model, 5, seed=1, labels=[2] * 5))
    with pytest.raises(InputError, match="labels must be from 0 to 2; got 3"):
        genlab.sample(model, 5, labels=3)
    with pytest.raises(InputError, match=r"labels must be one class or integers of shape \(5,\)"):
        genlab.sample(model, 5, labels=[1, 2])
    with pytest.raises(InputError, match="labels must be given to a model of 3 classes; got None"):
        model.judge(images((1, 4, 4), levels=2))


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32)])
@pytest.mark.parametrize("name", SYSTEMS)
def test_every_shape_of_the_data_is_drawn_and_judged(name: str, shape: tuple[int, int, int]) -> None:
    model = genlab.create_model(name, image_shape=shape, levels=17)
    drawn = genlab.sample(model, 3)
    assert (drawn.shape, drawn.dtype) == ((3, *shape), np.uint8)
    assert drawn.max() < 17
    assert model.judge(images(shape)).shape == (6,)


def test_sides_that_four_does_not_divide_are_cut_to_size() -> None:
    model = genlab.create_model("dcgan", image_shape=(1, 9, 6), levels=4)
    assert genlab.sample(model, 2).shape == (2, 1, 9, 6)
    assert model.judge(images((1, 9, 6), levels=4)).shape == (6,)


@pytest.mark.parametrize("name", ["mlp_gan", "dcgan"])
def test_packing_judges_images_together(name: str) -> None:
    model = genlab.create_model(name, image_shape=(1, 8, 8), levels=17, packing=2, classes=10)
    batch = images((1, 8, 8), classes=10)
    assert model.logits(model.as_seen(batch.values), model.one_hot(batch.labels, 6)).shape == (3,)
    assert model.judge(batch).shape == (6,)


def test_levels_come_back_as_they_went_in() -> None:
    model = genlab.create_model("dcgan", image_shape=(1, 16, 16), levels=256)
    levels = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    assert np.array_equal(model.as_drawn(model.as_seen(levels)), levels)


# Spectral norm -------------------------------------------------------------------------------------------------------------------


def test_spectral_norm_makes_the_largest_singular_value_one() -> None:
    model = genlab.create_model("mlp_gan", image_shape=(1, 8, 8), levels=17, hidden=16)
    model.train()
    for _ in range(100):
        model.terms("discriminator", images((1, 8, 8)), Compute(key=(1,)))
    layers = [layer for layer in model.discriminator if isinstance(layer, nn.Linear)]
    for layer in layers:
        assert float(torch.linalg.matrix_norm(layer.weight.detach(), 2)) == pytest.approx(1, abs=1e-2)


# The pyramid ---------------------------------------------------------------------------------------------------------------------


def test_the_pyramid_gives_the_image_back() -> None:
    image = torch.randn(2, 1, 28, 28)
    coarse = halved(image)
    residual = image - doubled(coarse)
    assert coarse.shape == (2, 1, 14, 14)
    assert torch.allclose(doubled(coarse) + residual, image, atol=1e-6)
    assert torch.allclose(halved(residual), torch.zeros_like(coarse), atol=1e-6)


@pytest.mark.parametrize(("shape", "sides"), [((1, 28, 28), (7, 14, 28)), ((3, 32, 32), (8, 16, 32))])
def test_a_pair_of_players_a_scale(shape: tuple[int, int, int], sides: tuple[int, ...]) -> None:
    model = genlab.create_model("lapgan", image_shape=shape, channels=4, hidden=8)
    assert [player.name for player in model.players] == [f"{role}_{side}" for side in sides for role in ("discriminator", "generator")]
    with torch.no_grad():
        found = model.eval().drawn_at(model.latents(2, np.random.default_rng(0)), None, 0)
    assert [tuple(images.shape) for images in found] == [(2, shape[0], side, side) for side in sides]


def test_a_scale_without_a_residual_hands_its_coarse_image_on() -> None:
    model = genlab.create_model("lapgan", image_shape=(1, 28, 28), channels=4, hidden=8).eval()
    with torch.no_grad():
        for scale in list(model.scales)[1:]:
            scale.generator[-1].weight.zero_()
            scale.generator[-1].bias.zero_()
        coarse, _, fine = model.drawn_at(model.latents(2, np.random.default_rng(0)), None, 0)
    assert torch.equal(fine, doubled(doubled(coarse)))


# What is refused -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "settings", "sentence"),
    [
        ("dcgan", {"image_shape": (1, 2, 2)}, r"image_shape must be at least 4×4 pixels for two strides of 2; got \(1, 2, 2\)"),
        ("lapgan", {"image_shape": (1, 30, 28)}, "image_shape must be a multiple of 4, and larger, to be halved 2 times"),
        ("dcgan", {"latent": 0}, "latent should be greater than or equal to 1; got 0"),
        ("mlp_gan", {"dropout": 1.0}, "dropout should be less than 1"),
    ],
)
def test_settings_out_of_bounds_are_refused(name: str, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        genlab.create_model(name, **settings)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_batch_of_one_with_batch_norm_is_refused_and_without_is_not(name: str) -> None:
    one = images((1, 4, 4), n=1, levels=2)
    model = small(name).train()
    generators = [player.name for player in model.players if player.name.startswith("generator")]
    with pytest.raises(InputError, match="at least 2 examples, which a batch norm needs; got 1"):
        model.terms(generators[0], one, Compute(key=(1,)))
    assert small(name, batch_norm=False).train().terms(generators[0], one, Compute(key=(1,))).total.isfinite()


def test_one_image_is_no_dataset() -> None:
    with pytest.raises(InputError, match="at least 3 images are needed"):
        genlab.load_dataset(images=np.zeros((1, 8, 8), np.uint8))


@pytest.mark.parametrize("name", SYSTEMS)
def test_constant_images_are_learnt_without_a_nan(name: str, tmp_path: Path) -> None:
    data = genlab.load_dataset(images=np.full((30, 8, 8), 7, np.uint8), source_levels=17)
    settings = {"scales": 2} if name == "lapgan" else {}
    model = genlab.models.create_for(data, name, 0, settings)
    run = genlab.train(model, data, steps=2, out=tmp_path / "run", batch_size=8, sample_seconds=1e6)
    saved = load_file(run.checkpoint_path)
    assert all(tensor.isfinite().all() for tensor in saved.values())


# What comes with the package -----------------------------------------------------------------------------------------------------


def test_the_packaged_dcgan_draws_the_digits_it_is_asked_for() -> None:
    labels = np.arange(300) % 10
    drawn = genlab.sample(genlab.load_model("mnist-dcgan"), 300, seed=0, labels=labels)
    assert (digit_classes(drawn, 256) == labels).mean() > 0.8
