"""Receptive fields by gradient agree with finite differences, with the list of nodes, and with the blind spot of the literature."""

from importlib import import_module

import numpy as np
import pytest
import torch

import genlab
from genlab import receptive_field
from genlab.errors import InputError


def pixelcnn(shape=(1, 12, 12), levels=2, blocks=1):
    torch.manual_seed(3)
    return genlab.create_model("pixelcnn", image_shape=shape, levels=levels, channels=8, blocks=blocks).double()


def test_the_gradient_is_the_slope_of_the_prediction():
    model = pixelcnn((1, 5, 6), levels=4)
    image = np.random.default_rng(0).integers(1, 3, (1, 1, 5, 6), dtype=np.uint8)
    gradient = receptive_field.gradients(model, image, row=3, column=2)
    node = model.graph.nodes[0]

    def log_prob(moved):
        parameters = {name: (layer.weight, layer.bias) for name, layer in model.nodes.items()}
        from genlab.causal import torch_walk

        output = torch_walk.parameters_map(model.graph, parameters, moved)
        return torch.log_softmax(torch_walk.logits(model.graph, output)[0, 0, 3, 2], -1)[image[0, 0, 3, 2]].item()

    assert node.operation == "image"
    for row, column in [(0, 0), (2, 2), (3, 1), (3, 2), (4, 4)]:
        step = torch.zeros(1, 1, 5, 6, dtype=torch.float64)
        step[0, 0, row, column] = 1e-5
        at = torch.from_numpy(image).double()
        slope = (log_prob(at + step) - log_prob(at - step)) / 2e-5
        assert gradient[0, 0, row, column] == pytest.approx(slope, abs=1e-7)


def test_what_has_a_gradient_is_what_the_list_lets_through_and_the_blind_spot_is_blind():
    model = pixelcnn()
    row, column = 8, 5
    images = genlab.sample(model, 32, seed=0)
    felt = (receptive_field.gradients(model, images, row=row, column=column) != 0).any((0, 1))
    offsets = receptive_field.reach(model.graph)[model.graph.output]
    allowed = np.zeros((12, 12), bool)
    for dy, dx in offsets:
        if 0 <= row + dy < 12 and 0 <= column + dx < 12:
            allowed[row + dy, column + dx] = True
    assert np.array_equal(felt, allowed)
    assert not felt[row, column:].any()
    assert not felt[row + 1 :].any()
    # One row up, a 7×7 mask A and a 3×3 mask B see four pixels to the right; the fifth comes before this pixel and is not seen.
    assert felt[row - 1, column + 3]
    assert not felt[row - 1, column + 5 :].any()


def test_the_reach_of_a_stack_of_masks():
    """A 7×7 mask A sees 24 pixels; each 3×3 mask B then widens the rows above, never the pixel's own right."""
    layers = receptive_field.layers(pixelcnn(blocks=2))
    reached = {layer.name: layer.reach for layer in layers}
    assert reached["input"] == 3 * 7 + 3
    assert reached["block1_reduce"] == reached["input"]
    assert reached["block1_conv"] == 3 * 9 + 8 + 4  # rows −4 to −2, row −1 (its right corner is the blind spot), row 0
    assert reached["input"] < reached["block1_conv"] < reached["block2_conv"] == reached["output"]


def test_layers_show_their_masks_and_real_weights():
    model = pixelcnn()
    layer = receptive_field.layers(model)[0]
    assert (layer.name, layer.centre, layer.channels) == ("input", "A", (1, 16))
    assert layer.live.sum() == 24
    assert not layer.live[3, 3:].any()
    weight = model.nodes["input"].weight.detach().numpy()
    assert layer.strength[2, 1] == pytest.approx(np.sqrt((weight[:, :, 2, 1] ** 2).mean()))
    assert (layer.strength[~layer.live] == 0).all()


def test_a_pixel_outside_the_image_is_refused():
    model = pixelcnn()
    with pytest.raises(InputError, match="row must be from 0 to 11; got 12"):
        receptive_field.gradients(model, genlab.sample(model, 1), row=12, column=0)


def test_what_is_given_shapes_the_field_and_is_asked_for():
    torch.manual_seed(3)
    model = genlab.create_model("pixelcnn", image_shape=(1, 4, 4), levels=2, channels=4, blocks=1, classes=3)
    images = genlab.sample(model, 2, labels=1).astype(bool)
    ours, theirs = (receptive_field.gradients(model, images, row=3, column=3, labels=label) for label in (0, 2))
    assert not np.array_equal(ours, theirs)
    with pytest.raises(InputError, match="labels must say which of the 3 classes"):
        receptive_field.gradients(model, images, row=3, column=3)


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (np.zeros((1, 1, 12, 11), int), r"images must have shape \(N, 1, 12, 12\), the model's; got \(1, 1, 12, 11\)"),
        (np.full((1, 1, 12, 12), 2), "images must hold levels from 0 to 1; got 2"),
        (np.zeros((1, 1, 12, 12)), "images must hold integer levels; got an array of float64"),
    ],
)
def test_images_that_do_not_fit_are_refused(images, sentence):
    with pytest.raises(InputError, match=sentence):
        receptive_field.gradients(pixelcnn(), images, row=0, column=0)


def test_only_a_causal_model_has_a_field():
    for look in (receptive_field.layers, lambda model: receptive_field.gradients(model, [], row=0, column=0)):
        with pytest.raises(InputError, match="receptive_field needs one value after another"):
            look(torch.nn.ReLU())


def test_a_pixel_that_is_drawn_waits_for_all_it_can_see_and_one_that_is_scored_for_none():
    graph = genlab.models.build_graph("gated_pixelcnn", image_shape=(1, 5, 6), channels=4, layers=6)
    drawn, scored = receptive_field.waiting_to_draw(graph), receptive_field.waiting_to_score(graph)
    np.testing.assert_array_equal(drawn.steps, 1 + np.arange(30).reshape(5, 6))
    np.testing.assert_array_equal(drawn.awaited.reshape(30, 30), np.tri(30, k=-1, dtype=bool))
    assert (scored.steps == 1).all()
    assert not scored.awaited.any()


def test_rows_overlap_where_a_blind_spot_hides_the_end_of_the_row_above():
    # One 3×3 convolution: a pixel waits for the one above to the right, two columns ahead of the one to its left.
    graph = pixelcnn((1, 3, 5), blocks=0).graph
    nearest = receptive_field.waiting_to_draw(graph)
    reached = max(dx for dy, dx in receptive_field.reach(graph)[graph.output] if dy == -1)
    np.testing.assert_array_equal(nearest.steps, [[1 + x + y * min(reached + 1, 5) for x in range(5)] for y in range(3)])


@pytest.mark.parametrize(
    ("name", "node", "first_of_row", "steps", "all_layers"),
    [
        ("row_lstm", "layer1_state", [1, 2, 3], 3, 3 + 1),  # a second layer is a row behind
        ("diagonal_bilstm", "layer1_right", [1, 2, 3], 3 + 4 - 1, 10),
        ("diagonal_bilstm", "layer1_left", [4, 5, 6], 3 + 4 - 1, 10),
    ],
)
def test_states_wait_for_the_states_they_read(name, node, first_of_row, steps, all_layers):
    module = import_module(f"genlab.models.causal.{name}")
    graph = module.build(module.Settings(image_shape=(1, 3, 4), channels=2, layers=2))
    found = receptive_field.scans(graph)[node]
    assert found.steps[:, 0].tolist() == first_of_row
    assert found.steps.max() == steps
    assert found.awaited.sum(axis=(2, 3)).max() == len(graph[node].taps)
    assert receptive_field.waiting_to_score(graph).steps.max() == all_layers
