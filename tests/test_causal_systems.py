"""What an exact likelihood promises, of every causal system of the catalogue: by enumeration, by the other walk, by looking for leaks.

Systems, and what makes them small, are those of tests/systems.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import systems
import torch
from numpy.typing import NDArray
from scipy.stats import chisquare
from systems import CASES, CAUSAL

import genlab
from genlab import receptive_field
from genlab.causal.drawing import BACKENDS
from genlab.models.contract import Compute
from genlab.proofs import all_images
from genlab.testing import Case
from genlab.testing.contract import resumes_bit_for_bit

pytestmark = pytest.mark.sanitized

WALKS = ["native", "torch"]
SIDE, HERE = 6, (4, 2)

# Systems that see every earlier pixel, and layers enough for it.
FULL_SIGHT: dict[str, dict[str, Any]] = {
    "gated_pixelcnn": {"layers": 6},
    "diagonal_bilstm": {},
    "pixelcnn_pp": {},
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Maps of a few pixels gain nothing from more, and lose much where others use the cores too."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


each_system = pytest.mark.parametrize(("name", "variant"), CASES)


@each_system
def test_native_is_torch_in_values_and_gradients(name: str, variant: str) -> None:
    model = systems.causal(name, variant, "seen").double()
    batch = systems.batch(model, 5)
    nats, logits = ([getattr(model, what)(batch, backend=walk) for walk in WALKS] for what in ("log_prob", "logits"))
    torch.testing.assert_close(*nats, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(*(each.log_softmax(-1) for each in logits), rtol=1e-9, atol=1e-9)
    parameters = list(model.train().parameters())
    player = model.players[0].name
    totals = [model.terms(player, batch, Compute(backend=walk, key=(1, 2, 3, 4))).total for walk in WALKS]
    torch.testing.assert_close(*totals, rtol=1e-9, atol=1e-9)
    for native, reference in zip(*(torch.autograd.grad(total, parameters) for total in totals), strict=True):
        torch.testing.assert_close(native, reference, rtol=1e-8, atol=1e-9)


@each_system
def test_every_backend_draws_the_same_images(name: str, variant: str) -> None:
    model = systems.causal(name, variant, "seen")
    known, mask = systems.images(model, 5), np.random.default_rng(3).random(model.image_shape) < 0.4
    completed = {"known": known, "known_mask": mask, "temperature": 0.7}
    for more, backends in (({}, BACKENDS), (completed, [backend for backend in BACKENDS if backend != "naive"])):
        drawn = [genlab.sample(model, 5, seed=3, backend=backend, **systems.to_draw(model, 5), **more) for backend in backends]
        assert all(np.array_equal(drawn[0], others) for others in drawn[1:])


@each_system
def test_probabilities_of_all_images_sum_to_one(name: str, variant: str) -> None:
    model = systems.causal(name, variant, "listed")
    for walk in WALKS:
        probabilities = listed(model, walk)
        assert abs(float(probabilities.sum()) - 1) < 1e-6
        assert float(probabilities.max()) > 1.5 / len(probabilities), "a uniform distribution would prove nothing"


@each_system
def test_samples_fit_the_enumerated_probabilities(name: str, variant: str) -> None:
    model = systems.causal(name, variant, "listed")
    probabilities = listed(model, "torch")
    samples = genlab.sample(model, 20_000, seed=7, **one_class(model, 20_000))
    values = samples[0].size
    counts = np.bincount(samples.reshape(-1, values) @ model.levels ** np.arange(values)[::-1], minlength=len(probabilities))
    # The test wants at least five expected counts a cell: rare images share one.
    rare = probabilities * len(samples) < 5
    observed, expected = counts[~rare], probabilities[~rare] * len(samples)
    if rare.any():
        observed, expected = np.append(observed, counts[rare].sum()), np.append(expected, probabilities[rare].sum() * len(samples))
    assert len(observed) > 5
    assert chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 0.001


@each_system
def test_changing_a_value_changes_no_prediction_at_or_before_it(name: str, variant: str) -> None:
    model = systems.causal(name, variant, "seen").double()
    image = in_order(systems.images(model, 1))[0]
    changed = np.stack([image] * (len(image) + 1))
    changed[np.arange(len(image)), np.arange(len(image))] = (image + 1) % model.levels  # and the last stays as it is
    channels, height, width = model.image_shape
    seen = np.ascontiguousarray(changed.reshape(-1, height, width, channels).transpose(0, 3, 1, 2))
    # torch rounds an image's map by its place in the batch; the native walk does not.
    for walk, rounding in (("native", 0.0), ("torch", 1e-12)):
        predictions = predicted(model, seen, walk)
        moved = (np.abs(predictions[:-1] - predictions[-1]) > rounding).any(-1)
        assert not np.tril(moved).any(), "a value changed a prediction at or before it"
        assert moved.any(1).sum() >= len(image) // 2, "values must reach later predictions, or the test proves nothing"


@pytest.mark.parametrize("name", [name for name in FULL_SIGHT if name in CAUSAL])
def test_every_earlier_pixel_matters(name: str) -> None:
    model = systems.small(name, image_shape=(1, SIDE, SIDE), channels=8, **FULL_SIGHT[name]).double().eval()
    gradients = receptive_field.gradients(model, systems.images(model, 8), row=HERE[0], column=HERE[1])
    earlier = np.arange(SIDE * SIDE).reshape(SIDE, SIDE) < HERE[0] * SIDE + HERE[1]
    assert np.array_equal(np.abs(gradients).max((0, 1)) > 0, earlier)


@each_system
def test_what_is_known_before_matters_in_both_walks(name: str, variant: str) -> None:
    model = systems.causal(name, variant, "seen")
    images, before = systems.images(model, 5), systems.known(model, 5)
    if not before:
        return
    others = {
        "labels": (before["labels"] + 1) % model.classes if model.classes else None,
        "given": {given: (value + 1) % 2 if value.dtype == np.uint8 else value + 1 for given, value in before.get("given", {}).items()},
    }
    for walk in WALKS:
        nats = [genlab.log_prob(model, images, backend=walk, **each) for each in (before, others)]
        assert (np.abs(nats[0] - nats[1]) > 1e-4).all()


@each_system
def test_a_run_goes_on_with_the_same_bits(name: str, variant: str) -> None:
    model = systems.causal(name, variant, "seen")
    batch = systems.batch(model, 12)
    if not batch.given:  # no dataset has such maps
        assert "tensors" in resumes_bit_for_bit(Case(model, batch))


def listed(model: Any, walk: str) -> NDArray[np.float64]:
    """The probability of every image that there is."""
    images = all_images(model.image_shape, model.levels)
    return np.exp(genlab.log_prob(model, images, backend=walk, **scored(one_class(model, len(images)))))


def one_class(model: Any, n: int) -> dict[str, Any]:
    """What is known before each of `n` images, of all alike, as options of `genlab.sample`."""
    return {
        name: np.repeat(value[:1], n, 0) if name == "labels" else {given: np.repeat(maps[:1], n, 0) for given, maps in value.items()}
        for name, value in systems.to_draw(model, 2).items()
    }


def scored(options: dict[str, Any]) -> dict[str, Any]:
    """The same for whoever scores."""
    return {{"condition": "given"}.get(name, name): value for name, value in options.items()}


def predicted(model: Any, images: NDArray[np.uint8], walk: str) -> NDArray[np.float64]:
    """Predictions in the order of drawing, ``(N, H · W · C, levels)``."""
    logits = model.logits(images, backend=walk, **scored(one_class(model, len(images)))).permute(0, 2, 3, 1, 4)
    predictions: NDArray[np.float64] = logits.reshape(len(images), -1, logits.shape[-1]).numpy()
    return predictions


def in_order(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Values in the order of drawing, ``(N, H · W · C)``."""
    return images.transpose(0, 2, 3, 1).reshape(len(images), -1)
