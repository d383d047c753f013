"""The list's checks: whatever could leak a later pixel is refused, by the name of the node."""

from dataclasses import replace

import numpy as np
import pytest
from causal_lists import VERTICAL_TAPS, gated

import genlab
from genlab.causal import Categorical, Graph, GraphBuilder, Node
from genlab.causal.program import lower
from genlab.errors import InputError

BINARY = Categorical(2)


def builder() -> GraphBuilder:
    return GraphBuilder((1, 4, 4))


def test_horizons_add_up_along_a_path():
    b = builder()
    first = b.conv("first", b.image, 3, kernel_size=3, mask_type="A")
    second = b.conv("second", first, 2, kernel_size=3)
    graph = b.build(second, BINARY)
    assert graph.horizons["first"] == (0, -1, 0)
    assert graph.horizons["second"] == (0, -1, 0)
    rows = gated().horizons
    assert rows["vertical"] == (-1, 1, 0)
    assert rows["vertical_halves"] == (-1, 2, 0)


def test_dilation_moves_the_taps_apart_not_the_weights():
    b = builder()
    first = b.conv("first", b.image, 3, kernel_size=3, dilation=2, mask_type="A")
    graph = b.build(b.conv("output", first, 2), BINARY)
    assert graph["first"].taps == ((-2, -2), (-2, 0), (-2, 2), (0, -2))
    assert graph.horizons["output"] == (0, -2, 0)
    assert graph.mask(graph["first"])[0, 0].tolist() == [[True] * 3, [True, False, False], [False] * 3]


@pytest.mark.parametrize(("dilation", "tap"), [(2, (-1, 0)), (2, (-4, 0)), (0, (-1, 0))])
def test_a_tap_that_dilation_cannot_reach_is_refused(dilation, tap):
    b = builder()
    first = b.conv("first", b.image, 2, kernel_size=3, dilation=dilation, taps=[tap])
    with pytest.raises(InputError, match="of node 'first'"):
        b.build(first, BINARY)


def test_image_channels_are_ordered_too():
    b = GraphBuilder((3, 4, 4))
    first = b.conv("first", b.image, 6, kernel_size=3, mask_type="A")
    graph = b.build(b.conv("output", first, 6), BINARY)
    assert graph.horizons["output"] == (0, 0, -1)
    mask = graph.mask(graph["first"])[:, :, 1, 1]
    assert mask.tolist() == [[False] * 3] * 2 + [[True, False, False]] * 2 + [[True, True, False]] * 2


def test_each_part_of_a_map_has_the_image_channels_in_their_order():
    b = GraphBuilder((2, 4, 4))
    halves = b.conv("halves", b.image, 6, mask_type="A", parts=2)
    graph = b.build(b.conv("output", b.relu("relu", halves), 4), BINARY)
    assert graph.mask(graph["halves"])[:, 0, 0, 0].tolist() == 2 * [False, False, True]
    assert graph.mask(graph["output"])[0, :, 0, 0].tolist() == 2 * [True, True, False]


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda b: b.conv("leaky", b.image, 2, kernel_size=3, taps=[(0, 1)]), "leaky"),
        (lambda b: b.conv("leaky", b.image, 2, kernel_size=3, taps=[(1, -1)]), "leaky"),
        (lambda b: b.conv("own_pixel", b.image, 2), "own_pixel"),
        (lambda b: b.conv("right", b.conv("up", b.image, 2, kernel_size=3, taps=VERTICAL_TAPS), 2, kernel_size=3, taps=[(0, 1)]), "right"),
        (lambda b: b.conv("row", b.image, 2, kernel_size=3, taps=[(0, -1)], visit="row"), "row"),
        (lambda b: b.conv("given", b.image, 2, visit="given"), "given"),
    ],
)
def test_a_leak_is_refused_by_the_name_of_its_node(build, name):
    b = builder()
    with pytest.raises(InputError, match=f"node '{name}'"):
        b.build(build(b), BINARY)


def test_a_leak_deep_in_the_list_names_the_node_where_it_enters():
    b = builder()
    first = b.conv("first", b.image, 2, kernel_size=3, mask_type="A")
    bad = b.conv("bad", first, 2, kernel_size=3, taps=[(0, 0), (0, 1)])
    with pytest.raises(InputError, match="node 'bad' would see a pixel that is drawn later"):
        b.build(b.conv("after", bad, 2), BINARY)


@pytest.mark.parametrize(
    ("nodes", "sentence"),
    [
        ([Node("image", "image", (), 1), Node("a", "conv", ("b",), 2)], "reads 'b', which is not an earlier node"),
        ([Node("image", "image", (), 1), Node("image", "relu", ("image",), 1)], "a word of its own"),
        ([Node("a b", "image", (), 1)], "a word of its own"),
        ([Node("x", "conv", (), 1)], "the image must be the first node"),
        ([Node("image", "image", (), 1), Node("a", "pool", ("image",), 1)], "operation of node 'a' must be one of"),
        ([Node("image", "image", (), 1), Node("a", "relu", ("image",), 1, visit="column")], "visit of node 'a'"),
        ([Node("image", "image", (), 1), Node("a", "add", ("image",), 1)], r"must have 2 input\(s\); got 1"),
        ([Node("image", "image", (), 1), Node("a", "conv", ("image",), 0)], "channels of node 'a' must be at least 1"),
        ([Node("image", "image", (), 1), Node("a", "conv", ("image",), 1, ((0, -1),), kernel_size=(2, 2))], "must be odd"),
        ([Node("image", "image", (), 1), Node("a", "conv", ("image",), 1, ((0, -1),))], "lies outside its 1×1 kernel"),
        ([Node("image", "image", (), 1), Node("a", "relu", ("image",), 2)], "they must agree"),
        ([Node("image", "image", (), 1), Node("a", "relu", ("image",), 1, ((0, -1),), kernel_size=(1, 3))], "works on one pixel"),
        ([Node("image", "image", (), 1), Node("a", "conv", ("a",), 1)], "is not recurrent"),
        ([Node("image", "image", (), 1), Node("leak", "relu", ("image",), 1, centre="A")], "works on one pixel .* got .* 'A'"),
        ([Node("image", "image", (), 1), Node("a", "add", ("image", "image"), 1, dilation=2)], "works on one pixel"),
        ([Node("image", "image", (), 1), Node("a", "add", ("image", "image"), 1, kernel_size=(3, 3))], "works on one pixel"),
        (
            [Node("image", "image", (), 1), Node("a", "gate", ("image",), 1)],
            "'image' must have 2 channels in 2 parts, .* got 1 in 1, and 1",
        ),
        ([Node("image", "image", (), 1), Node("a", "conv", ("image",), 1, centre="C")], "centre of node 'a' must be one of A, B, all"),
        ([Node("image", "image", (), 1), Node("a", "conv", ("image",), 3, parts=2)], "parts of node 'a' must divide its 3 channels; got 2"),
        ([Node("image", "image", (), 1), Node("a", "relu", ("image",), 1, parts=0)], "parts of node 'a' must divide"),
        ([Node("image", "image", (), 2)], r"must have its 1 channel\(s\) of image_shape; got 2"),
        ([Node("image", "image", (), 1, visit="row")], "'image' \\(image\\) is put there"),
        ([Node("image", "image", (), 1, shift=float("nan"))], "must be finite"),
        ([Node("image", "image", (), 1), Node("a", "given", (), 2)], "its visit must be 'given'"),
        ([Node("image", "image", (), 1), Node("a", "given", (), 2, visit="given")], "its visit is 'given'"),
    ],
)
def test_malformed_lists_are_refused_with_a_sentence(nodes, sentence):
    with pytest.raises(InputError, match=sentence):
        Graph(tuple(nodes), nodes[-1].name, BINARY, (1, 4, 4))


def test_parts_must_agree_and_the_image_has_one():
    b = builder()
    halves = b.conv("halves", b.image, 4, mask_type="A", kernel_size=3, parts=2)
    with pytest.raises(InputError, match=r"node 'sum' has 2 part\(s\), but its input 'whole' has 1"):
        b.build(b.add("sum", halves, b.conv("whole", halves, 4)), BINARY)
    with pytest.raises(InputError, match="is put there"):
        Graph((Node("image", "image", (), 2, parts=2),), "image", BINARY, (2, 4, 4))


@pytest.mark.parametrize("shape", [(1, 4), (1, 0, 4), (1, 4, 4, 4)])
def test_an_image_shape_that_is_none_is_refused(shape):
    with pytest.raises(InputError, match="image_shape must be"):
        Graph((Node("image", "image", (), 1),), "image", BINARY, shape)


def test_an_image_of_other_channels_than_image_shape_says_is_refused():
    nodes = (Node("image", "image", (), 1), Node("a", "conv", ("image",), 400, ((0, -1),), kernel_size=(1, 3)))
    with pytest.raises(InputError, match="200 channel"):
        Graph(nodes, "a", BINARY, (200, 6, 6))


def test_a_recurrent_node_may_read_itself_at_earlier_taps():
    image = Node("image", "image", (), 1)
    gates = Node("gates", "conv", ("image",), 8, ((-1, 0),), kernel_size=(3, 1), parts=4)
    state = Node("state", "lstm", ("gates", "state"), 2, ((-1, 0), (0, -1)), kernel_size=(3, 3), cell_tap=(0, -1))

    def build(node: Node, gates: Node = gates) -> Graph:
        return Graph((image, gates, node, Node("output", "conv", (node.name,), 2)), "output", BINARY, (1, 4, 4))

    assert build(state).horizons["state"] == (-1, 0, 0)
    assert build(state).mask(state).sum() == 2 * 8 * 2
    assert build(state).parameter_count() == (8 + 8) + (2 * 8 * 2 + 4) + (4 + 2)
    by_rows = replace(gates, visit="row")
    left = replace(state, taps=((-1, 0), (0, 1)), cell_tap=(0, 1), scan="left", visit="row")
    assert build(left, by_rows).horizons["state"] == (-1, 4, 0)
    for wrong, sentence in (
        (replace(state, taps=((0, 0), (0, -1))), r"node 'state' reads itself at \(dy, dx\) = \(\+0, \+0\)"),
        (replace(state, taps=((0, 1), (0, -1))), r"node 'state' reads itself at \(dy, dx\) = \(\+0, \+1\)"),
        (replace(left, taps=((0, -1), (0, 1))), r"node 'state' reads itself at \(dy, dx\) = \(\+0, -1\)"),
        (replace(left, visit="pixel"), "must be visited by rows"),
        (replace(left, scan="up"), "scan of node 'state' must be one of left, right"),
        (replace(state, visit="given"), "must be visited by rows"),
        (replace(state, cell_tap=(-1, -1)), "cell_tap of node 'state' must be one of its taps"),
        (replace(state, cell_tap=None), "cell_tap of node 'state' must be one of its taps"),
        (replace(state, inputs=("gates", "gates")), "must read its gates' sums and itself"),
        (replace(state, channels=4), r"so 'gates' must have 16 in 4 parts; got 8 in 4"),
        (replace(state, centre="A"), "parts, dilation and centre of node 'state'"),
        (Node("state", "conv", ("state",), 2, ((-1, 0),), kernel_size=(3, 1)), r"node 'state' \(conv\) is not recurrent"),
        (Node("state", "relu", ("gates",), 8, parts=4, scan="left"), r"node 'state' \(relu\) is not recurrent"),
    ):
        with pytest.raises(InputError, match=sentence):
            build(wrong, by_rows if wrong.visit == "row" else gates)
    with pytest.raises(InputError, match=r"node 'state' \(visit 'row'\) reads 'gates' \(visit 'pixel'\) before it is computed"):
        build(left, replace(gates, taps=((0, 0),), centre="A", visit="pixel"))


def test_the_output_must_hold_the_distribution():
    b = builder()
    with pytest.raises(InputError, match="2 channels; got 5"):
        b.build(b.conv("output", b.image, 5, kernel_size=3, mask_type="A"), BINARY)
    with pytest.raises(InputError, match="levels must be between 2 and 256; got 1"):
        Categorical(1)


def test_the_yardstick_network_has_the_figures_of_its_description():
    model = genlab.create_model("pixelcnn", image_shape=(1, 28, 28), levels=2, channels=32, blocks=7)
    assert sum(parameter.numel() for parameter in model.parameters()) == 101_570
    assert model.graph.multiply_adds_per_pixel() == 24 * 64 + 7 * (64 * 32 + 5 * 32 * 32 + 32 * 64) + 64 * 64 + 64 * 2


def test_lowering_fuses_shares_and_remembers_only_what_taps_reach():
    graph = genlab.create_model("pixelcnn", image_shape=(1, 28, 28), levels=2, channels=32, blocks=7).graph
    score, train, sample = (lower(graph, mode) for mode in ("score", "train", "sample"))
    # Bias, ReLU and residual ride along: nothing but convolutions is left.
    assert {instruction.kind for instruction in score.forward} == {"conv"}
    assert len(score.forward) == len(graph.convolutions)
    assert {instruction.kind for instruction in train.backward} == {"conv_grad_weight", "conv_grad_input"}
    # The residual stream stays where it is, and a score needs no more than a few maps.
    assert len(score.buffers) <= 6
    assert len([buffer for buffer in train.buffers if buffer.channels == 64]) <= 1 + 9 + 1
    rows = {buffer.rows for buffer in sample.buffers if not buffer.scratch}
    assert rows == {4, 2}  # the image under 7×7, and what each 3×3 reads


def test_masks_of_the_paper():
    graph = genlab.create_model("pixelcnn", image_shape=(1, 8, 8), levels=2, channels=4, blocks=1).graph
    assert graph.mask(graph["input"])[0, 0].sum() == 24
    expected = np.array([[1, 1, 1], [1, 1, 0], [0, 0, 0]], bool)
    assert (graph.mask(graph["block1_conv"]) == expected).all()
