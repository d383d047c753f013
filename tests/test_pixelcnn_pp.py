"""PixelCNN++: down to coarser maps and back, in both walks; its switches, its dropout, and what it refuses."""

import numpy as np
import pytest
import torch

import genlab
from genlab.domain import Batch
from genlab.errors import InputError
from genlab.models.contract import Compute

pytestmark = pytest.mark.sanitized

VARIANTS = [
    ((1, 7, 6), 2, {}),
    ((3, 5, 4), 17, {"classes": 3, "dropout": 0.5}),
    ((3, 4, 5), 3, {"output": "softmax", "strides": 1}),
    ((1, 6, 6), 4, {"given": "small"}),
    ((1, 4, 4), 256, {"shortcuts": False, "mixtures": 10}),
]


def made(shape, levels, **settings):
    torch.manual_seed(0)
    chosen = {"channels": 6, "blocks": 1, "strides": 2, "mixtures": 2, **settings}
    return genlab.create_model("pixelcnn_pp", image_shape=shape, levels=levels, **chosen).double()


def images(model, n=3):
    return np.random.default_rng(0).integers(0, model.levels, (n, *model.image_shape), dtype=np.uint8)


@pytest.mark.parametrize(("shape", "levels", "settings"), VARIANTS)
def test_both_walks_agree(shape, levels, settings):
    model = made(shape, levels, **settings)
    labels = {"labels": 1} if model.classes else {}
    seen = images(model)
    nats = [model.log_prob(seen, backend=walk, **labels) for walk in ("native", "torch")]
    torch.testing.assert_close(*nats, rtol=1e-9, atol=1e-9)
    parameters = list(model.parameters())
    native, reference = (torch.autograd.grad(model.loss(seen, backend=walk, key=9, **labels), parameters) for walk in ("native", "torch"))
    for a, b in zip(native, reference, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-9)
    known = {"given": {"condition": np.ones((1, 3, 3), np.uint8)}} if model.settings.given == "small" else labels
    uniforms = np.random.default_rng(1).random((4, *shape[1:], shape[0]))
    drawn = [model.draw(uniforms, backend=walk, **known) for walk in ("native", "torch")]
    assert np.array_equal(*drawn)


@pytest.mark.parametrize(("shape", "levels", "settings"), VARIANTS[:3])
def test_every_earlier_value_matters_and_no_later_one(shape, levels, settings):
    model = made(shape, levels, **{**settings, "blocks": 2})
    labels = {"labels": 1} if model.classes else {}
    channels, height, width = shape
    image = images(model, 1)[0].transpose(1, 2, 0).reshape(-1)
    changed = np.stack([image] * (len(image) + 1))
    changed[np.arange(len(image)), np.arange(len(image))] = (image + 1) % levels
    seen = np.ascontiguousarray(changed.reshape(-1, height, width, channels).transpose(0, 3, 1, 2))
    logits = model.logits(seen, backend="native", **labels).log_softmax(-1).permute(0, 2, 3, 1, 4).reshape(len(seen), len(image), -1)
    moved = ((logits[:-1] - logits[-1]).abs() > 0).any(-1).numpy()
    assert not np.tril(moved).any()
    first = np.arange(len(image)) // channels  # pixels; a mixture's later channels see the earlier ones too
    assert moved[first[:, None] < first[None, :]].all()


def test_dropout_follows_from_the_step_and_only_in_training():
    model = made((1, 4, 4), 2, dropout=0.5)
    batch = Batch(torch.from_numpy(images(model)))
    evaluated = -model.log_prob(batch.values).mean().item()

    def loss(*key):
        return model.terms("model", batch, Compute(key=key)).total.item()

    model.train()
    assert loss(1, 0, 0) == loss(1, 0, 0)
    assert len({loss(1, 0, step) for step in range(3)} | {evaluated}) == 4
    model.eval()
    assert loss(1, 0, 0) == pytest.approx(evaluated, rel=1e-12)


def test_it_learns_without_and_with_dropout():
    for dropout in (0.0, 0.3):
        model = made((1, 4, 4), 4, dropout=dropout).float().train()
        batch = Batch(torch.full((8, 1, 4, 4), 2, dtype=torch.uint8))
        optimiser = torch.optim.Adam(model.parameters(), 3e-3)
        for step in range(60):
            optimiser.zero_grad()
            model.terms("model", batch, Compute(key=(0, 0, step))).total.backward()
            optimiser.step()
        assert -model.log_prob(batch.values).mean() < 0.5 * 16 * np.log(4)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"image_shape": (1, 3, 9)}, "image_shape must be at least 4 pixels high and wide for 2 strides by 2; got 3 × 9"),
        ({"mixtures": 0}, "mixtures"),
        ({"levels": 1}, "levels"),
        ({"dropout": 1.0}, "dropout"),
        ({"output": "normal"}, "output"),
    ],
)
def test_what_cannot_be_is_refused(settings, sentence):
    with pytest.raises(InputError, match=sentence):
        genlab.create_model("pixelcnn_pp", **{"image_shape": (1, 8, 8), **settings})


def test_a_grey_image_to_a_colour_model_and_nan_weights_are_refused():
    model = made((3, 4, 4), 4)
    with pytest.raises(InputError, match=r"images must have shape \(N, 3, 4, 4\)"):
        model.log_prob(np.zeros((2, 1, 4, 4), np.uint8))
    with torch.no_grad():
        model.nodes["u"].bias[0] = float("nan")
    with pytest.raises(InputError, match=r"tensor 'nodes.u.bias' of model 'pixelcnn_pp' must be finite"):
        genlab.sample(model, 1, seed=0)
    with pytest.raises(InputError, match=r"tensor 'nodes.u.bias' of model 'pixelcnn_pp' must be finite"):
        model.log_prob(np.zeros((2, 3, 4, 4), np.uint8))
