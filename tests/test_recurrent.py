"""PixelRNN: the two recurrent systems are exact, see what their papers say, and recur as a textbook would."""

import itertools

import numpy as np
import pytest
import torch
from causal_lists import random_parameters

import genlab
from genlab.benchmark import recurrent_peer
from genlab.causal import Categorical, GraphBuilder, torch_walk

NAMES = ("row_lstm", "diagonal_bilstm")


def tiny(name, shape=(1, 4, 5), **settings):
    torch.manual_seed(0)
    model = genlab.create_model(name, **{"image_shape": shape, "levels": 2, "channels": 3, "layers": 2, "first_kernel": 3, **settings})
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def sees(model):
    """bool (H, W, H, W): which pixels' predictions depend on which pixels, from gradients."""
    graph = model.graph
    _, height, width = graph.image_shape
    parameters = {name: (layer.weight.double(), layer.bias.double()) for name, layer in model.nodes.items()}
    seen = np.zeros((height, width, height, width), bool)
    for seed in range(3):
        levels = torch.from_numpy(np.random.default_rng(seed).integers(0, model.levels, (1, *graph.image_shape))).double().requires_grad_()
        at = torch_walk.parameters_map(graph, parameters, levels)
        for y, x in np.ndindex(height, width):
            (slope,) = torch.autograd.grad(at[0, :, y, x].pow(2).sum(), levels, retain_graph=True)
            seen[y, x] |= (slope[0].abs().sum(0) > 0).numpy()
    return seen


def test_the_states_are_those_of_the_formula_pixel_by_pixel():
    """Against loops over pixels, in both scans and with taps that are no paper's."""
    for scan, visit, taps, cell_tap in (
        ("right", "pixel", [(-1, -1), (-1, 0), (-1, 1)], (-1, 0)),
        ("right", "pixel", [(-1, 0), (0, -1)], (0, -1)),
        ("left", "row", [(-1, 0), (0, 1)], (0, 1)),
        ("right", "pixel", [(-1, 2), (0, -1)], (-1, 2)),
        ("right", "row", [(0, -2)], (0, -2)),
        ("left", "row", [(-2, 1), (-1, -2), (0, 1)], (-2, 1)),
    ):
        b = GraphBuilder((1, 4, 5))
        gates = b.conv("gates", b.image, 8, kernel_size=3, taps=[(-1, 0), (-1, 1)], visit=visit, parts=4)
        state = b.lstm("state", gates, taps=taps, cell_tap=cell_tap, scan=scan)
        graph = b.build(b.conv("output", state, 2), Categorical(2))
        parameters = random_parameters(graph, seed=1, dtype=torch.float64)
        sums = torch.randn(3, 8, 4, 5, dtype=torch.float64)
        weight, states = parameters["state"]
        hidden, cells = {}, {}
        for y in range(4):
            for x in range(5) if scan == "right" else range(4, -1, -1):
                own = [hidden.get((y + dy, x + dx), states[:2]) @ weight[:, :, *graph["state"].cell((dy, dx))].T for dy, dx in taps]
                a = sums[:, :, y, x] + sum(own)
                i, f, o, g = a.split(2, dim=1)
                cells[y, x] = f.sigmoid() * cells.get((y + cell_tap[0], x + cell_tap[1]), states[2:]) + i.sigmoid() * g.tanh()
                hidden[y, x] = o.sigmoid() * cells[y, x].tanh()
        result = genlab.causal.operations.OPERATIONS["lstm"].forward(graph["state"], [sums], (weight, states))
        for (y, x), expected in hidden.items():
            torch.testing.assert_close(result[:, :, y, x], expected)


def test_the_row_lstm_sees_a_triangle():
    """One layer: through its first convolution, to its left by the two taps of K_is, and above within a pixel more for each row."""
    seen = sees(tiny("row_lstm", (1, 6, 13), layers=1))[5, 6]
    for row in range(6):
        up = 5 - row
        # The state `up` rows above is within ±up; what feeds it is a pixel to the left, and the 3×3 mask A around both.
        expected = {x for x in range(13) if 6 - up - 2 <= x <= 6 + up - 1} if up else {4, 5}
        if up:  # a row further down the triangle, the first convolution still shows the row above it with one pixel more to the right
            expected |= {x for x in range(13) if 6 - (up - 1) - 2 <= x <= 6 + (up - 1) + 1}
        assert set(np.flatnonzero(seen[row])) == expected, row


def test_the_diagonal_bilstm_sees_every_earlier_pixel():
    seen = sees(tiny("diagonal_bilstm", (1, 5, 6), layers=1))
    order = np.arange(30)
    assert (seen.reshape(30, 30) == (order[None] < order[:, None])).all()


@pytest.mark.parametrize("name", NAMES)
def test_no_later_value_leaks_in_any_channel(name):
    model = tiny(name, (3, 4, 4), levels=3, channels=7)
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 3, (1, 3, 4, 4)))
    logits = model.logits(images, backend="torch")
    for channel, y, x in itertools.product(range(3), range(4), range(4)):
        changed = images.clone()
        changed[0, channel, y, x] = (changed[0, channel, y, x] + 1) % 3
        same = (model.logits(changed, backend="torch") == logits).all(-1)[0].permute(1, 2, 0).reshape(-1)
        assert bool(same[: (y * 4 + x) * 3 + channel + 1].all())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("shape", "levels"), [((1, 2, 3), 2), ((2, 1, 2), 3), ((1, 3, 1), 3)])
def test_probabilities_sum_to_one(name, shape, levels):
    model = tiny(name, shape, levels=levels, channels=4).double()
    images = np.array(list(itertools.product(range(levels), repeat=int(np.prod(shape)))), np.uint8).reshape(-1, *shape)
    assert float(model.log_prob(images).exp().sum()) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1, 5, 4), (3, 3, 4), (1, 1, 1)])
def test_naive_and_cached_drawing_agree(name, shape):
    model = tiny(name, shape, levels=3).double()
    uniforms = np.random.default_rng(0).random((4, *shape[1:], shape[0]))
    drawn = model.draw(uniforms, backend="torch")
    assert (drawn == model.draw(uniforms, backend="naive")).all()
    assert (drawn == model.draw(uniforms, backend="native")).all()


@pytest.mark.parametrize("name", NAMES)
def test_classes_matter(name):
    model = tiny(name, classes=3)
    images = np.zeros((2, 1, 4, 5), np.uint8)
    assert float((model.log_prob(images, labels=0) - model.log_prob(images, labels=2)).abs().min()) > 1e-4
    assert genlab.sample(model, 2, seed=0, labels=1).shape == (2, 1, 4, 5)


def test_a_model_counts_its_parameters():
    model = tiny("diagonal_bilstm", (1, 4, 5), layers=1, channels=4)
    gates, states, around = 2 * (8 * 16 + 16) + (16 + 16), 2 * (2 * 16 * 4 + 2 * 4), (4 * 8 + 8) + (4 * 8 + 8) + (8 * 8 + 8) + (8 * 2 + 2)
    assert model.parameter_count() == gates + states + around


@pytest.mark.parametrize("form", ["dense", "cropped"])
@pytest.mark.parametrize("name", NAMES)
def test_the_peer_of_the_benchmark_is_the_model(name, form):
    model = tiny(name, (1, 5, 4))
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 2, (3, 1, 5, 4)))
    peer = recurrent_peer.peer_of(model, form, "NCHW")
    own, its = model.loss(images, backend="native"), peer.loss(images)
    torch.testing.assert_close(its, own)
    slopes = torch.autograd.grad(own, list(model.parameters()))
    twins = torch.autograd.grad(its, [peer.layers.get_parameter(key.removeprefix("nodes.")) for key, _ in model.named_parameters()])
    for slope, twin in zip(slopes, twins, strict=True):
        torch.testing.assert_close(slope, twin, rtol=1e-3, atol=1e-4)
