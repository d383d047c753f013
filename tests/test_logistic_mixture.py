"""The discretised mixture of logistics: exactly normalised at every edge, and a pixel's channels drawn each given those before."""

import itertools

import numpy as np
import pytest
import torch
from causal_lists import random_parameters
from scipy.stats import chisquare

from genlab.causal import DiscretizedLogisticMixture, GraphBuilder, native_walk, torch_walk
from genlab.errors import InputError
from genlab.native import native_info

needs_bfloat16 = pytest.mark.skipif("bfloat16" not in native_info()["dtypes"], reason="no bfloat16 dot product here")
pytestmark = pytest.mark.sanitized

LEVELS = [2, 4, 17, 256]


def fits(counts, expected):
    """Chi-square, which wants five expected counts a cell: rare ones share a cell with the least of the others."""
    order = np.argsort(-expected)
    cell = np.minimum(np.arange(len(order)), np.count_nonzero(expected >= 5) - 1)
    observed, expected = np.bincount(cell, counts[order]), np.bincount(cell, expected[order])
    return chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 0.001


def mixture_parameters(mixture, channels, n, *, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((n, mixture.output_channels(channels)), generator=generator, dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("scale", [1e-3, 1e-2, 0.1, 1, 10, 1e3])
def test_probabilities_sum_to_one_over_the_levels(levels, scale, dtype):
    mixture = DiscretizedLogisticMixture(levels, 5)
    parameters = mixture_parameters(mixture, 1, 50, dtype=dtype)
    parameters[:, 10:] = np.log(scale)
    logs = mixture.logits(parameters)
    assert logs.shape == (50, 1, levels)
    torch.testing.assert_close(logs.double().exp().sum(-1), torch.ones(50, 1, dtype=torch.float64), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("channels", "levels"), [(1, 4), (2, 4), (3, 3), (4, 2)])
def test_a_pixels_channels_follow_one_from_another(channels, levels):
    """∏_c p(x_c | x_1 … x_{c−1}) is p(x), and sums to one over all pixels."""
    mixture = DiscretizedLogisticMixture(levels, 3)
    pixels = torch.tensor(list(itertools.product(range(levels), repeat=channels)))
    parameters = 2 * mixture_parameters(mixture, channels, 1).expand(len(pixels), -1)
    together = mixture.log_prob(parameters, pixels)
    one_by_one = mixture.logits(parameters, pixels).gather(-1, pixels.unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(one_by_one.sum(-1), together)
    torch.testing.assert_close(mixture.predictive(parameters, pixels), mixture.logits(parameters, pixels))
    assert abs(float(together.exp().sum()) - 1) < 1e-12


def test_the_bin_of_a_level_is_a_difference_of_sigmoids():
    mixture = DiscretizedLogisticMixture(5, 1)
    mean, log_scale = 0.3, -1.2
    logs = mixture.logits(torch.tensor([[7.0, mean, log_scale]], dtype=torch.float64))[0, 0]
    edges = np.concatenate([[-np.inf], -0.75 + 0.5 * np.arange(4), [np.inf]])
    expected = np.diff(1 / (1 + np.exp(-(edges - mean) / np.exp(log_scale))))
    np.testing.assert_allclose(logs.exp().numpy(), expected, rtol=1e-12)


def test_green_follows_red_by_its_coefficient():
    """One component: the mean of the next channel is moved by tanh(coefficient) · x."""
    mixture = DiscretizedLogisticMixture(256, 1)
    parameters = torch.tensor([[0.0, 0.1, -0.2, 0.3, -4.0, -4.0, -4.0, 0.7, -0.4, 1.1]], dtype=torch.float64)
    red, green = 200, 40
    r, g = 2 * red / 255 - 1, 2 * green / 255 - 1
    logs = mixture.logits(parameters, torch.tensor([[red, green, 0]]))[0]
    moved = [0.1, -0.2 + np.tanh(0.7) * r, 0.3 + np.tanh(-0.4) * r + np.tanh(1.1) * g]
    for channel, mean in enumerate(moved):
        alone = torch.tensor([[0.0, mean, -4.0]], dtype=torch.float64)
        torch.testing.assert_close(logs[channel], mixture.logits(alone)[0, 0])


@pytest.mark.parametrize(("channels", "levels"), [(1, 2), (3, 2), (3, 17), (2, 256)])
def test_gradients_pass_gradcheck(channels, levels):
    mixture = DiscretizedLogisticMixture(levels, 3)
    parameters = (2 * mixture_parameters(mixture, channels, 6, seed=1)).requires_grad_()
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, levels, (6, channels)))
    assert torch.autograd.gradcheck(lambda p: mixture.log_prob(p, pixels), parameters)


@pytest.mark.parametrize("extreme", [1e4, -1e4, 0])
@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_parameters_give_finite_values_and_gradients(levels, extreme, dtype):
    mixture = DiscretizedLogisticMixture(levels, 2)
    signs = torch.from_numpy(np.random.default_rng(0).choice([-1.0, 1.0], (20, mixture.output_channels(3))))
    for parameters in (torch.full((20, mixture.output_channels(3)), extreme, dtype=dtype), (1e4 * signs).to(dtype)):
        parameters.requires_grad_()
        pixels = torch.from_numpy(np.random.default_rng(1).integers(0, levels, (20, 3)))
        value = mixture.log_prob(parameters, pixels)
        (gradient,) = torch.autograd.grad(value.sum(), parameters)
        assert value.isfinite().all()
        assert gradient.isfinite().all()
        assert mixture.logits(parameters.detach(), pixels).isfinite().all()


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_draws_fit_the_probabilities(temperature):
    mixture = DiscretizedLogisticMixture(5, 3)
    parameters = mixture_parameters(mixture, 2, 1, seed=3).expand(20_000, -1)
    uniforms = torch.from_numpy(np.random.default_rng(5).random((20_000, 2)))
    first = mixture.draw(parameters, torch.zeros((20_000, 0), dtype=torch.int64), uniforms[:, 0], temperature=temperature)
    second = mixture.draw(parameters, first[:, None], uniforms[:, 1], temperature=temperature)
    pixels = torch.tensor(list(itertools.product(range(5), repeat=2)))
    logs = (mixture.logits(parameters[:25], pixels) / temperature).log_softmax(-1)
    expected = logs.gather(-1, pixels.unsqueeze(-1)).squeeze(-1).sum(-1).exp().numpy() * 20_000
    counts = np.bincount((5 * first + second).numpy(), minlength=25)
    assert fits(counts, expected)


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="levels must be between 2 and 256; got 1"):
        DiscretizedLogisticMixture(1, 5)
    with pytest.raises(InputError, match="components of a mixture must be between 1 and 256; got 0"):
        DiscretizedLogisticMixture(2, 0)
    with pytest.raises(InputError, match="of 3 channels a mixture's later ones depend on the earlier"):
        DiscretizedLogisticMixture(4, 2).logits(torch.zeros(1, 20))


def test_a_first_layer_hides_the_whole_pixel_where_it_is_drawn_as_one():
    """With masks by channel, red reaches green; where a pixel is drawn as one, the centre of mask A is no tap at all."""
    mixture = DiscretizedLogisticMixture(4, 2)
    builder = GraphBuilder((3, 4, 4))
    first = builder.conv("first", builder.image, 6, kernel_size=3, mask_type="A")
    graph = builder.build(builder.conv("output", first, mixture.output_channels(3)), mixture)
    assert (0, 0) not in graph["first"].taps
    assert graph.mask(graph["first"])[:, :, 1, 1].sum() == 0
    assert graph.mask(graph["output"]).all()
    assert graph.horizons["output"] == (0, -1, 0)


def small_graph(shape=(3, 4, 5), levels=17, components=3):
    mixture = DiscretizedLogisticMixture(levels, components)
    builder = GraphBuilder(shape, scale=2 / (levels - 1), shift=-1)
    hidden = builder.relu("relu", builder.conv("first", builder.image, 6, kernel_size=3, mask_type="A"))
    return builder.build(builder.conv("output", hidden, mixture.output_channels(shape[0])), mixture)


NATIVE = ["float32", "float64", pytest.param("bfloat16", marks=needs_bfloat16)]
CASES = [((3, 4, 5), 17, 3), ((1, 3, 3), 2, 1), ((3, 2, 3), 256, 10), ((2, 3, 2), 4, 17)]


def loaded(graph, dtype, n=5):
    parameters = random_parameters(graph, seed=2, dtype=torch.float64 if dtype == "float64" else torch.float32)
    levels = np.random.default_rng(0).integers(0, graph.distribution.levels, (n, *graph.image_shape))
    return parameters, torch.from_numpy(levels), {"bfloat16": dtype == "bfloat16"}


@pytest.mark.parametrize("dtype", NATIVE)
@pytest.mark.parametrize(("shape", "levels", "components"), CASES)
def test_native_nats_are_those_of_the_native_map(shape, levels, components, dtype):
    graph = small_graph(shape, levels, components)
    parameters, images, how = loaded(graph, dtype)
    at = native_walk.parameters_map(graph, parameters, images, **how).double()
    expected = torch_walk.log_prob(graph, at, images)
    torch.testing.assert_close(native_walk.log_prob(graph, parameters, images, **how), expected, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize(("dtype", "bound"), [("float64", 1e-10), ("float32", 2e-5), pytest.param("bfloat16", 0.05, marks=needs_bfloat16)])
@pytest.mark.parametrize(("shape", "levels", "components"), CASES)
def test_native_gradients_are_torchs(shape, levels, components, dtype, bound):
    graph = small_graph(shape, levels, components)
    parameters, images, how = loaded(graph, dtype)
    flat = [tensor for pair in parameters.values() for tensor in pair]
    native = torch.autograd.grad(native_walk.loss(graph, parameters, images, **how), flat)
    loss = -torch_walk.log_prob(graph, torch_walk.parameters_map(graph, parameters, images), images).mean()
    for a, b in zip(native, torch.autograd.grad(loss, flat), strict=True):
        assert float((a - b).norm()) <= bound * float(b.norm())


@pytest.mark.parametrize("temperature", [1.0, 0.6, 3.0])
@pytest.mark.parametrize("dtype", NATIVE)
@pytest.mark.parametrize(("shape", "levels", "components"), CASES)
def test_native_draws_are_torchs_from_the_same_uniforms(shape, levels, components, dtype, temperature):
    graph = small_graph(shape, levels, components)
    parameters, _, how = loaded(graph, dtype)
    uniforms = np.random.default_rng(1).random((6, *shape[1:], shape[0]))
    seen = {}
    native = native_walk.sample(
        graph, parameters, uniforms, temperature=temperature, on_rows=lambda rows, levels, at: seen.update(at=at.copy()), **how
    )
    assert len(np.unique(native)) > 1
    drawn = torch.from_numpy(native).permute(0, 2, 3, 1).long()
    for channel in range(shape[0]):
        again = graph.distribution.draw(
            torch.from_numpy(seen["at"]), drawn[..., :channel], torch.from_numpy(uniforms[..., channel]), temperature=temperature
        )
        assert (again == drawn[..., channel]).all()
    if dtype == "float64":
        assert (torch_walk.sample(graph, parameters, torch.from_numpy(uniforms), temperature=temperature).numpy() == native).all()


@pytest.mark.parametrize("extreme", [1e4, -1e4])
def test_native_values_and_gradients_of_extreme_parameters_are_finite(extreme):
    graph = small_graph((3, 2, 2), 256, 2)
    parameters = {
        name: (torch.zeros_like(w).requires_grad_(), torch.full_like(b, extreme).requires_grad_())
        for name, (w, b) in random_parameters(graph, seed=0).items()
    }
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 3, 2, 2)))
    native = native_walk.log_prob(graph, parameters, images)
    expected = torch_walk.log_prob(graph, torch_walk.parameters_map(graph, parameters, images).double(), images).detach()
    torch.testing.assert_close(native, expected, rtol=1e-9, atol=0)
    gradients = torch.autograd.grad(native_walk.loss(graph, parameters, images), [t for pair in parameters.values() for t in pair])
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize(("shape", "levels"), [((3, 1, 2), 2), ((1, 2, 2), 3), ((2, 1, 2), 3)])
def test_probabilities_of_all_images_sum_to_one_and_samples_fit_them(shape, levels):
    graph = small_graph(shape, levels)
    parameters = random_parameters(graph, seed=4)
    size = int(np.prod(shape))
    images = np.array(list(itertools.product(range(levels), repeat=size))).reshape(-1, *shape)
    native = native_walk.log_prob(graph, parameters, torch.from_numpy(images)).exp().numpy()
    reference = torch_walk.log_prob(
        graph, torch_walk.parameters_map(graph, parameters, torch.from_numpy(images)).double(), torch.from_numpy(images)
    )
    assert abs(native.sum() - 1) < 1e-6
    assert abs(float(reference.exp().sum().detach()) - 1) < 1e-6
    samples = native_walk.sample(graph, parameters, np.random.default_rng(3).random((20_000, *shape[1:], shape[0])))
    counts = np.bincount(samples.reshape(len(samples), -1) @ (levels ** np.arange(size)[::-1]), minlength=len(images))
    assert fits(counts, native * len(samples))
