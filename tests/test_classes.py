"""A class-conditional PixelCNN: labels as a map that is given, natively and in torch, in all three walks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tiny import tiny_model

import genlab
from genlab.domain import Batch
from genlab.errors import InputError
from genlab.models import build_graph
from genlab.models.causal.model import CausalModel
from genlab.models.contract import Compute

pytestmark = pytest.mark.sanitized

BACKENDS = ["native", "torch"]


@pytest.fixture(scope="module")
def model() -> CausalModel:
    model = tiny_model(image_shape=(1, 5, 4), levels=3, classes=4)
    with torch.no_grad():
        model.nodes["output"].weight.mul_(6)  # type: ignore[operator, union-attr]
    return model


IMAGES = np.random.default_rng(0).integers(0, 3, (6, 1, 5, 4), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 3, 3, 0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_gradients_flow_to_what_is_given(model: CausalModel, backend: str) -> None:
    """So that an encoder can be trained through it: here, towards the class that an image is likeliest under."""
    soft = torch.full((6, 4, 1, 1), 0.25, dtype=torch.float64, requires_grad=True)
    twin = tiny_model(image_shape=(1, 5, 4), levels=3, classes=4).double()
    twin.load_state_dict(model.state_dict())
    twin.loss(IMAGES, backend, given={"labels": soft}).backward()  # type: ignore[no-untyped-call]
    step = 1e-5
    for n, c in ((0, 1), (5, 3)):
        moved = soft.detach().clone()
        moved[n, c] += step
        slope = (twin.loss(IMAGES, backend, given={"labels": moved}) - twin.loss(IMAGES, backend, given={"labels": soft})) / step
        assert soft.grad is not None
        assert abs(float(slope.detach()) - float(soft.grad[n, c])) < 1e-4
    frozen = list(twin.parameters())
    penalty = torch.autograd.grad(twin.loss(IMAGES, given={"labels": soft}), soft, create_graph=True)[0].square().sum()
    assert any(gradient is not None for gradient in torch.autograd.grad(penalty, frozen, allow_unused=True))


def test_a_batch_brings_its_labels_and_a_model_without_classes_does_not_mind_them(model: CausalModel) -> None:
    batch = Batch(IMAGES, LABELS)
    assert torch.equal(model.log_prob(batch), model.log_prob(IMAGES, labels=torch.from_numpy(LABELS)))
    assert np.array_equal(model.validate(batch, Compute())["nats"], -model.log_prob(batch).numpy())
    assert float(model.terms("model", batch, Compute()).total.detach()) == pytest.approx(float(-model.log_prob(batch).mean()), rel=1e-5)
    plain = tiny_model(image_shape=(1, 5, 4), levels=3)
    assert torch.equal(plain.log_prob(batch), plain.log_prob(IMAGES))
    assert np.array_equal(model.sample(3, 1, {"labels": [1, 2, 3]}), genlab.sample(model, 3, seed=1, labels=[1, 2, 3]))
    with pytest.raises(InputError, match=r"option must be one of .*labels.*; got 'colour'"):
        model.sample(3, 1, {"colour": 1})


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "labels must say which of the 4 classes of model 'pixelcnn' each image has; got None"),
        ({"labels": 4}, "labels must be classes from 0 to 3; got 4"),
        ({"labels": [0, 1, 2, 3, -1, 0]}, "labels must be classes from 0 to 3; got -1"),
        ({"labels": [0, 1]}, r"labels must be one class, or have shape \(6,\); got \(2,\)"),
        ({"labels": 1.0}, "labels must hold whole numbers, the classes; got float64"),
        ({"given": {"low": IMAGES}}, "given must be one of labels; got 'low'"),
        ({"given": {"labels": np.zeros((6, 4, 5, 4))}}, r"'labels' must have shape \(6, 4, 1, 1\); got \(6, 4, 5, 4\)"),
        ({"given": {"labels": np.full((6, 4, 1, 1), np.nan)}}, "'labels' must hold finite numbers"),
        ({"labels": 1, "given": {"labels": np.zeros((6, 4, 1, 1))}}, "got both"),
    ],
)
def test_a_class_that_is_none_is_one_sentence(model: CausalModel, arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        model.loss(IMAGES, **arguments)
    with pytest.raises(InputError, match=sentence):
        model.draw(np.zeros((6, 5, 4, 1)), **arguments)


def test_classes_where_there_are_none_are_refused_and_old_configs_mean_none() -> None:
    plain = tiny_model(image_shape=(1, 5, 4), levels=3)
    with pytest.raises(InputError, match="labels must be None: model 'pixelcnn' is not class-conditional"):
        plain.log_prob(IMAGES, labels=LABELS)
    with pytest.raises(InputError, match="given must be empty: model 'pixelcnn' has no given maps; got 'labels'"):
        plain.log_prob(IMAGES, given={"labels": LABELS})
    old = build_graph("pixelcnn", image_shape=(1, 5, 4), levels=3, channels=4, blocks=1)
    assert old.nodes == plain.graph.nodes
    assert not old.given
