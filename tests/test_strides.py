"""Maps of fewer pixels than the image: a list with strides is as causal as any, and refuses what would not be."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from causal_lists import graphs, random_given, random_parameters, strided
from hypothesis import given, settings
from hypothesis import strategies as st

from genlab import native
from genlab.causal import Categorical, Graph, GraphBuilder, Node, native_walk, torch_walk
from genlab.errors import InputError

BINARY = Categorical(2)
LEFT = [(dy, dx) for dy in (-1, 0) for dx in (-1, 0)]


def test_horizons_count_pixels_of_the_image():
    graph = strided()
    assert {name: graph.horizons[name] for name in ("u_down2", "h_down4", "u_up2", "u_up1", "output")} == {
        "u_down2": (-1, 2, 0),
        "h_down4": (0, -1, 0),
        "u_up2": (-1, 6, 0),
        "u_up1": (-1, 7, 0),
        "output": (0, -1, 0),
    }
    assert graph.size(graph["u_down2"]) == (3, 3)
    assert graph.size(graph["u_down4"]) == (2, 2)


def test_a_pixel_costs_its_share_of_a_coarser_map():
    b = GraphBuilder((1, 8, 8))
    coarse = b.conv("coarse", b.image, 4, kernel_size=3, taps=[(0, -1)], stride=2)
    graph = b.build(b.conv("output", coarse, 2, kernel_size=3, taps=LEFT, stride=1), BINARY)
    assert graph.multiply_adds_per_pixel() == (4 + 4 * 4 * 2) / 4


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (
            lambda b: b.conv("leaky", b.image, 2, kernel_size=3, taps=[(0, 1)], stride=2),
            "node 'leaky' would see a pixel that is drawn later",
        ),
        (
            lambda b: b.conv("leaky", b.conv("down", b.image, 2, stride=2), 2, kernel_size=3, taps=[(0, 1)], stride=1),
            "node 'leaky' would see",
        ),
        (
            lambda b: b.conv("row", b.conv("down", b.image, 2, kernel_size=3, mask_type="A", stride=2), 2, visit="row", stride=1),
            "node 'row' .* reads 'down'",
        ),
        (
            lambda b: b.add("sum", b.image, b.conv("down", b.image, 1, stride=2)),
            "reads maps of stride 1, but its input 'down' has stride 2",
        ),
        (
            lambda b: b.conv("a", b.conv("down", b.image, 2, stride=2), 2, stride=3),
            "must be a multiple of its input's, 2, or divide it; got 3",
        ),
        (lambda b: b.conv("a", b.image, 2, stride=0), "stride of node 'a' must be at least 1; got 0"),
        (lambda b: b.conv("a", b.image, 2, kernel_size=3, mask_type="A", stride=2), "'a' is the output and must have stride 1; got 2"),
    ],
)
def test_a_wrong_stride_is_refused_by_the_name_of_its_node(build, sentence):
    b = GraphBuilder((1, 4, 4))
    with pytest.raises(InputError, match=sentence):
        b.build(build(b), BINARY)


@pytest.mark.parametrize(
    ("node", "sentence"),
    [
        (Node("image", "image", (), 1, stride=2), "is the image and must have stride 1; got 2"),
        (Node("image", "image", (), 1, source_stride=1), "reads nothing; its source_stride must be None, got 1"),
        (Node("a", "relu", ("image",), 1, stride=2, source_stride=1), "its stride must be that of its inputs, 1; got 2"),
        (Node("a", "conv", ("image",), 2, stride=2), "reads maps of stride 2, but its input 'image' has stride 1"),
    ],
)
def test_a_malformed_node_is_refused(node, sentence):
    nodes = (node,) if node.operation == "image" else (Node("image", "image", (), 1), node)
    with pytest.raises(InputError, match=sentence):
        Graph(nodes, node.name, BINARY, (1, 4, 4))


@pytest.mark.parametrize("size", [(4, 6), (5, 7), (1, 3)])
def test_down_and_up_are_torchs_own_convolutions(size):
    b = GraphBuilder((1, *size))
    known = b.given("known", 2)
    coarse = b.conv("coarse", known, 3, kernel_size=3, taps=list(itertools.product((-1, 0, 1), repeat=2)), visit="given", stride=2)
    fine = b.conv("fine", coarse, 2, kernel_size=3, taps=list(itertools.product((-1, 0, 1), repeat=2)), visit="given", stride=1)
    own = b.conv("own", b.image, 2, kernel_size=3, mask_type="A")
    graph = b.build(b.add("output", own, fine), BINARY)
    parameters = random_parameters(graph, seed=0, dtype=torch.float64)
    maps = random_given(graph, 2, seed=1, dtype=torch.float64)
    levels = torch.zeros((2, 1, *size), dtype=torch.int64)
    weight, bias = parameters["coarse"]
    expected = F.conv2d(maps["known"], weight, bias, stride=2, padding=1)
    weight, bias = parameters["fine"]
    turned = weight.transpose(0, 1).flip(2, 3)
    padding = [1 - length % 2 for length in size]
    expected = F.conv_transpose2d(expected, turned, bias, stride=2, padding=1, output_padding=padding)
    found = torch_walk.parameters_map(graph, parameters, levels, maps)
    assert expected.shape[2:] == size
    torch.testing.assert_close(found, expected + parameters["own"][1][:, None, None])


@pytest.mark.parametrize("shape", [(1, 5, 6), (1, 4, 4), (2, 3, 5)])
def test_no_later_pixel_matters(shape):
    graph = strided(shape)
    parameters = random_parameters(graph, seed=3, dtype=torch.float64)
    levels = torch.from_numpy(np.random.default_rng(0).integers(0, 3, (1, *shape)))
    before = torch_walk.parameters_map(graph, parameters, levels)
    for y, x in itertools.product(range(shape[1]), range(shape[2])):
        changed = levels.clone()
        changed[:, :, y, x] = (changed[:, :, y, x] + 1) % 3
        after = torch_walk.parameters_map(graph, parameters, changed)
        pixel = y * shape[2] + x
        assert torch.equal(after.flatten(2)[..., :pixel], before.flatten(2)[..., :pixel])


def test_probabilities_sum_to_one():
    graph = strided((1, 3, 3), levels=2)
    parameters = random_parameters(graph, seed=1, dtype=torch.float64)
    images = torch.tensor(list(itertools.product((0, 1), repeat=9))).reshape(-1, 1, 3, 3)
    total = torch_walk.log_prob(graph, torch_walk.parameters_map(graph, parameters, images), images).exp().sum()
    torch.testing.assert_close(total, torch.ones_like(total))


@settings(max_examples=15, deadline=None)
@given(graph=graphs(), seed=st.integers(0, 2**31))
def test_remembered_pixels_are_those_that_a_whole_pass_computes(graph, seed):
    parameters = random_parameters(graph, seed=seed, dtype=torch.float64)
    maps = random_given(graph, 2, seed=seed, dtype=torch.float64)
    uniforms = torch.from_numpy(np.random.default_rng(seed).random((2, *graph.image_shape[1:], graph.image_shape[0])))
    drawn = torch_walk.sample(graph, parameters, uniforms, given=maps)
    assert (drawn == torch_walk.sample_naive(graph, parameters, uniforms, given=maps)).all()


def gradients_of(loss, parameters):
    return torch.autograd.grad(loss, [tensor for pair in parameters.values() for tensor in pair])


@pytest.mark.sanitized
@pytest.mark.parametrize("shape", [(1, 4, 4), (1, 5, 6), (3, 3, 5), (2, 1, 1), (1, 7, 9)])
def test_the_native_walk_goes_down_and_up_as_torchs_does(shape):
    graph = strided(shape, channels=5)
    parameters = random_parameters(graph, seed=2, dtype=torch.float64)
    levels = torch.from_numpy(np.random.default_rng(1).integers(0, 3, (3, *shape)))
    found = native_walk.loss(graph, parameters, levels)
    expected = -torch_walk.log_prob(graph, torch_walk.parameters_map(graph, parameters, levels), levels).mean()
    torch.testing.assert_close(found, expected)
    for a, b in zip(gradients_of(found, parameters), gradients_of(expected, parameters), strict=True):
        torch.testing.assert_close(a, b)
    for n in (1, 3):  # one image has the tile's lanes to its own row, several share them
        uniforms = np.random.default_rng(3).random((n, *shape[1:], shape[0]))
        drawn = native_walk.sample(graph, parameters, uniforms)
        assert (drawn == torch_walk.sample(graph, parameters, torch.from_numpy(uniforms)).numpy()).all()


@pytest.mark.sanitized
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 6)])
def test_bfloat16_pairs_pixels_that_the_sum_goes_through_one_after_the_other(shape):
    if "bfloat16" not in native.core().info()["dtypes"]:
        pytest.skip("this processor has no bfloat16 dot product")
    graph = strided(shape, channels=6)
    parameters = random_parameters(graph, seed=2)
    levels = torch.from_numpy(np.random.default_rng(1).integers(0, 3, (64, *shape)))
    exact = gradients_of(native_walk.loss(graph, parameters, levels), parameters)
    rounded = gradients_of(native_walk.loss(graph, parameters, levels, bfloat16=True), parameters)
    for a, b in zip(rounded, exact, strict=True):
        assert float((a - b).norm()) < 0.08 * float(b.norm())


def test_a_coarser_map_of_one_pixel_is_no_map_that_is_the_same_everywhere():
    """They once got one border, and a map that stands for all pixels can have none."""
    b = GraphBuilder((1, 1, 1))
    left = b.conv("left", b.image, 3, kernel_size=3, mask_type="A")
    known = b.add("known", b.conv("class", b.given("labels", 2, everywhere=True), 3, visit="given"), left)
    graph = b.build(b.conv("output", b.conv("up", b.conv("down", known, 3, stride=2), 3, kernel_size=3, stride=1), 2), Categorical(2))
    parameters, maps = random_parameters(graph, seed=1, dtype=torch.float64), random_given(graph, 2, seed=1, dtype=torch.float64)
    levels = torch.tensor([0, 1]).reshape(2, 1, 1, 1)
    reference = -torch_walk.log_prob(graph, torch_walk.parameters_map(graph, parameters, levels, maps), levels).mean()
    torch.testing.assert_close(native_walk.loss(graph, parameters, levels, given=maps), reference, rtol=1e-10, atol=0)
