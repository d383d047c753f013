"""Concatenated ELUs and dropout: alike in both walks, and dropout from a step's key alone."""

import numpy as np
import pytest
import torch
from causal_lists import VERTICAL_TAPS, random_given, random_parameters

from genlab.causal import Categorical, GraphBuilder, native_walk, torch_walk
from genlab.errors import InputError
from genlab.native import native_info

pytestmark = pytest.mark.sanitized

bfloat16 = pytest.param("bfloat16", 0.05, marks=pytest.mark.skipif("bfloat16" not in native_info()["dtypes"], reason="no such dot product"))


def blocks(channels=17, rate=0.4, shape=(1, 5, 6)):
    """A stream by rows and one by pixels, the map that is left out read twice, an ELU read beside its convolution."""
    b = GraphBuilder(shape, scale=1, shift=-0.5)
    above = b.conv("above", b.image, channels, kernel_size=3, taps=VERTICAL_TAPS, visit="row")
    rows = b.conv("rows", b.dropout("row_drop", b.concat_elu("row_elu", above), rate), channels, visit="row")
    left = b.add("left", b.conv("input", b.image, channels, kernel_size=3, mask_type="A"), rows)
    elu = b.concat_elu("elu", left)
    dropped = b.dropout("drop", elu, rate)
    halves = b.add("halves", b.conv("mix", dropped, 2 * channels, kernel_size=3, parts=2), elu)
    again = b.add("again", b.conv("more", halves, 2 * channels, parts=2), dropped)
    stream = b.add("stream", b.gate("gate", again, features="identity"), left)
    output = b.conv("output", b.concat_elu("last", stream), 2 * shape[0])
    return b.build(output, Categorical(2))


def images(graph, n=4):
    return torch.from_numpy(np.random.default_rng(0).integers(0, 2, (n, *graph.image_shape)))


def both(graph, dtype, key):
    """(loss, gradients) of the native walk and of torch."""
    parameters = random_parameters(graph, seed=1, dtype=torch.float64 if dtype == "float64" else torch.float32)
    flat, levels = [tensor for pair in parameters.values() for tensor in pair], images(graph)
    native = native_walk.loss(graph, parameters, levels, key=key, bfloat16=dtype == "bfloat16")
    reference = -torch_walk.log_prob(graph, torch_walk.parameters_map(graph, parameters, levels, key=key), levels).mean()
    return [(loss, torch.autograd.grad(loss, flat)) for loss in (native, reference)]


@pytest.mark.parametrize(("dtype", "bound"), [("float64", 1e-10), ("float32", 2e-5), bfloat16])
@pytest.mark.parametrize("shape", [(1, 5, 6), (3, 3, 4)])
@pytest.mark.parametrize("channels", [3, 16, 17])
@pytest.mark.parametrize("key", [None, 7, 2**63 - 1])
def test_both_walks_agree_in_values_and_gradients(dtype, bound, shape, channels, key):
    (native, gradients), (reference, expected) = both(blocks(channels, shape=shape), dtype, key)
    assert abs(float(native.detach()) - float(reference.detach())) <= bound * float(reference.detach())
    for a, b in zip(gradients, expected, strict=True):
        assert float((a - b).norm()) <= bound * float(b.norm()) + 1e-12


def test_gradients_pass_gradcheck():
    graph = blocks(channels=2, shape=(1, 3, 3))
    names = [node.name for node in graph.convolutions]
    flat = [tensor for pair in random_parameters(graph, seed=3, dtype=torch.float64).values() for tensor in pair]

    def loss(*tensors):
        return native_walk.loss(graph, {name: tensors[2 * i : 2 * i + 2] for i, name in enumerate(names)}, images(graph, 2), key=3)

    assert torch.autograd.gradcheck(loss, flat)


def test_nothing_is_left_out_wherever_nobody_trains():
    graph, without = blocks(), blocks(rate=0.0)
    parameters, levels = random_parameters(graph, seed=1), images(graph)
    for walk in (native_walk, torch_walk):
        assert torch.equal(walk.parameters_map(graph, parameters, levels), walk.parameters_map(without, parameters, levels))
    uniforms = np.random.default_rng(1).random((5, 5, 6, 1))
    drawn = native_walk.sample(graph, parameters, uniforms)
    assert (drawn == torch_walk.sample(graph, parameters, torch.from_numpy(uniforms)).numpy()).all()
    assert (drawn == native_walk.sample(without, parameters, uniforms)).all()
    assert native_walk.loss(graph, parameters, levels) == native_walk.loss(without, parameters, levels)


def test_what_is_left_out_follows_from_the_key_the_image_and_the_node():
    b = GraphBuilder((1, 8, 8))
    source = b.conv("source", b.image, 32, kernel_size=3, mask_type="A")
    graph = b.build(b.conv("output", b.add("sum", b.dropout("one", source, 0.3), b.dropout("two", source, 0.3)), 2), Categorical(2))
    operation, ones = torch_walk.OPERATIONS["dropout"], torch.ones(4, 32, 8, 8)

    def kept(node, key):
        return operation.drop(graph[node], ones, key) > 0

    first = kept("one", 5)
    assert abs(float(first.double().mean()) - 0.7) < 0.02
    assert torch.equal(first, kept("one", 5))
    for other in (kept("one", 6), kept("two", 5), first.roll(1, 0)):
        assert abs(float((first == other).double().mean()) - (0.7**2 + 0.3**2)) < 0.02
    assert torch.allclose(operation.drop(graph["one"], ones, 5)[first], torch.tensor(1 / 0.7))


def test_what_cannot_be_is_refused():
    b = GraphBuilder((1, 4, 4))
    first = b.conv("first", b.image, 4, kernel_size=3, mask_type="A")
    b.dropout("drop", first, 1.0)
    with pytest.raises(InputError, match=r"rate of node 'drop' \(dropout\) must be at least 0 and below 1; got 1.0"):
        b.build(b.conv("output", first, 2), Categorical(2))


def test_of_a_class_something_else_is_left_out_at_every_pixel():
    """A class is one pixel that stands for all; what is left of it is not."""
    b = GraphBuilder((1, 2, 3))
    known = b.dropout("drop", b.conv("class", b.given("labels", 2, everywhere=True), 17, visit="given"), 0.5)
    graph = b.build(b.conv("output", b.add("sum", b.conv("left", b.image, 17, mask_type="A", kernel_size=3), known), 2), Categorical(2))
    parameters, maps = random_parameters(graph, seed=1, dtype=torch.float64), random_given(graph, 3, seed=1, dtype=torch.float64)
    flat, levels = [*(tensor for pair in parameters.values() for tensor in pair), *maps.values()], images(graph, 3)
    native = native_walk.loss(graph, parameters, levels, given=maps, key=5)
    reference = -torch_walk.log_prob(graph, torch_walk.parameters_map(graph, parameters, levels, maps, key=5), levels).mean()
    torch.testing.assert_close(native, reference, rtol=1e-10, atol=0)
    for a, b in zip(torch.autograd.grad(native, flat), torch.autograd.grad(reference, flat), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-12)
