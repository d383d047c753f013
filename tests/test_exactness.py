"""What an exact likelihood promises, by enumeration: probabilities sum to one, samples follow them, nothing leaks from later pixels."""

import itertools

import numpy as np
import pytest
import torch
from causal_lists import gated, random_parameters
from scipy.stats import chisquare

import genlab
from genlab.causal import native_walk, torch_walk

pytestmark = pytest.mark.sanitized

BACKENDS = ["native", "torch"]


def pixelcnn(shape, levels, *, channels=8, blocks=2):
    torch.manual_seed(1)
    model = genlab.create_model("pixelcnn", image_shape=shape, levels=levels, channels=channels, blocks=blocks)
    with torch.no_grad():
        for layer in model.nodes.values():
            layer.bias.normal_(0, 0.3)
        model.nodes["output"].weight.mul_(6)
    return model


def all_images(shape, levels):
    return np.array(list(itertools.product(range(levels), repeat=int(np.prod(shape)))), np.uint8).reshape(-1, *shape)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("shape", "levels"), [((1, 2, 2), 2), ((1, 3, 2), 2), ((1, 2, 3), 3), ((3, 1, 2), 2), ((2, 2, 1), 3)])
def test_probabilities_of_all_images_sum_to_one(shape, levels, backend):
    model = pixelcnn(shape, levels)
    probabilities = model.log_prob(all_images(shape, levels), backend=backend).exp()
    assert abs(float(probabilities.sum()) - 1) < 1e-6
    assert float(probabilities.max()) > 2 / len(probabilities), "a uniform distribution would prove nothing"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(1, 2, 2), (1, 3, 2), (3, 1, 2)])
def test_samples_fit_the_enumerated_probabilities(shape, backend):
    model = pixelcnn(shape, 2)
    images = all_images(shape, 2)
    probabilities = model.log_prob(images, backend=backend).exp().numpy()
    samples = genlab.sample(model, n=20_000, seed=7, backend=backend)
    codes = samples.reshape(len(samples), -1) @ (1 << np.arange(images[0].size)[::-1])
    counts = np.bincount(codes, minlength=len(images))
    # The test wants at least five expected counts a cell: rare images share one.
    rare = probabilities * len(samples) < 5
    observed, expected = counts[~rare], probabilities[~rare] * len(samples)
    if rare.any():
        observed, expected = np.append(observed, counts[rare].sum()), np.append(expected, probabilities[rare].sum() * len(samples))
    assert chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 0.001


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("shape", "levels"), [((1, 6, 5), 2), ((1, 4, 7), 5), ((3, 4, 3), 3)])
def test_changing_a_pixel_changes_no_prediction_at_or_before_it(shape, levels, backend):
    model = pixelcnn(shape, levels)
    image = np.random.default_rng(0).integers(0, levels, shape, dtype=np.uint8)
    before = in_order(model.logits(image[None], backend=backend)[0])
    values = before.shape[0]
    reached = 0
    for i in range(values):
        changed = image.transpose(1, 2, 0).reshape(-1).copy()
        changed[i] = (changed[i] + 1) % levels
        other = changed.reshape(*shape[1:], shape[0]).transpose(2, 0, 1)
        after = in_order(model.logits(other[None].copy(), backend=backend)[0])
        assert torch.equal(after[: i + 1], before[: i + 1]), f"changing value {i} changed a prediction at or before it"
        reached += int((after[i + 1 :] != before[i + 1 :]).any())
    assert reached >= values // 2, "values must reach later predictions, or the test proves nothing"


def in_order(logits):
    """Logits (C, H, W, levels) in the order of drawing: row, column, channel."""
    return logits.permute(1, 2, 0, 3).reshape(-1, logits.shape[-1])


def test_a_list_with_rows_and_gates_is_exact_too():
    graph = gated((1, 2, 3), levels=2)
    parameters = random_parameters(graph, seed=5)
    images = torch.from_numpy(all_images((1, 2, 3), 2))
    native = native_walk.log_prob(graph, parameters, images).exp()
    assert abs(float(native.sum()) - 1) < 1e-6
    reference = torch_walk.log_prob(graph, torch_walk.parameters_map(graph, parameters, images).double(), images).exp()
    torch.testing.assert_close(native, reference.detach(), atol=1e-6, rtol=1e-4)
