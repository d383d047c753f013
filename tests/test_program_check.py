"""Whatever enters C++ is checked: broken programs are a ValueError, want of memory is an error, and both leave everything as it was."""

from __future__ import annotations

import copy
import random
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest
import torch
from causal_lists import VERTICAL_TAPS, gated, strided
from tiny import tiny_model

import genlab
from genlab import _core
from genlab.causal import Categorical, DiscretizedLogisticMixture, Graph, GraphBuilder
from genlab.causal.native_program import specification
from genlab.errors import BackendError

pytestmark = pytest.mark.sanitized

MODES: tuple[Any, ...] = ("score", "train", "sample")


def rich() -> Graph:
    """Every operation, rows, several channels, and given maps of both sizes, seen at taps and at one pixel."""
    b = GraphBuilder((2, 3, 4), scale=1, shift=-1)
    label = b.conv("class", b.given("labels", 2, everywhere=True), 3, visit="given")
    low = b.conv("around", b.given("low", 2), 3, kernel_size=3, taps=[(-1, 0), (0, 1)], visit="given")
    above = b.conv("above", b.image, 3, kernel_size=3, taps=VERTICAL_TAPS, visit="row")
    left = b.add("left", b.conv("input", b.image, 3, kernel_size=3, mask_type="A"), label)
    known = b.conv("known", b.add("both", low, label), 6, visit="given", parts=2)
    halves = b.add("halves", b.conv("here", b.add("sum", left, above), 6, parts=2), known)
    mixed = b.add("mixed", b.gate("tanh", halves), b.gate("identity", known, features="identity"))
    left_out = b.dropout("left_out", b.conv("narrow", b.concat_elu("elu", mixed), 3), 0.25)
    stream = b.add("stream", b.conv("mix", b.relu("relu", left_out), 3, kernel_size=3), left)
    return b.build(b.conv("output", b.relu("last", stream), 4), Categorical(2))


def mixed() -> Graph:
    """A pixel of two channels at once, from a mixture."""
    b, mixture = GraphBuilder((2, 3, 3), scale=2 / 4, shift=-1), DiscretizedLogisticMixture(5, 3)
    hidden = b.relu("relu", b.conv("input", b.image, 3, kernel_size=3, mask_type="A"))
    return b.build(b.conv("output", hidden, mixture.output_channels(2)), mixture)


def recurrent() -> Graph:
    """Both scans, by rows, by pixels and along diagonals, of sums that others read too and of sums that nobody else does."""
    b = GraphBuilder((1, 3, 4), scale=1, shift=-1)
    first = b.conv("first", b.image, 8, kernel_size=3, mask_type="A", parts=4)
    rows = b.lstm("rows", first, taps=VERTICAL_TAPS, cell_tap=(-1, 0))
    diagonal = b.lstm("diagonal", first, taps=[(-1, 0), (0, -1)], cell_tap=(0, -1))
    above = b.conv("above", b.add("sum", rows, diagonal), 8, kernel_size=3, taps=VERTICAL_TAPS, visit="row", parts=4)
    left = b.lstm("left", above, taps=[(-1, 1), (0, 1)], cell_tap=(-1, 1), scan="left")
    return b.build(b.conv("output", b.add("all", left, diagonal), 2, kernel_size=3), Categorical(2))


GRAPHS = {
    "recurrent": recurrent(),
    "rich": rich(),
    "gated": gated((1, 3, 3), levels=2, channels=2),
    "pixelcnn": tiny_model(image_shape=(1, 4, 3)).graph,
    "mixed": mixed(),
    "strided": strided((1, 3, 4), levels=2, channels=2),
}


def run(graph: Graph, mode: str, program: Any, spec: dict[str, Any]) -> Any:
    """The walk that a program is for, with arrays that fit what the program says of itself."""
    weights = [np.full(layer["mask"].shape, 0.1, np.float32) for layer in spec["layers"]]
    biases = [
        np.zeros(2 * weight.shape[1] if layer["recurrence"] else len(weight), np.float32)
        for layer, weight in zip(spec["layers"], weights, strict=True)
    ]
    channels, height, width = spec["image_shape"]
    given = [np.ones((2, spec["buffers"][at["buffer"]]["channels"], 1, 1), np.float32) for at in spec["given"]]
    levels = np.zeros((2, channels, height, width), np.uint8)
    if mode == "score":
        return program.score(weights, biases, levels, True, given)[0]
    if mode == "train":
        return program.train(weights, biases, levels, given)[0]
    program.sample(weights, biases, levels, np.zeros_like(levels), np.full((2, height, width, channels), 0.3), 1.0, None, None, given)
    return levels


def mutate(spec: dict[str, Any], chance: random.Random) -> None:
    """Changes a value of a program, or a few, into one that may or may not make sense."""
    odd = [-(2**70), -(2**31), -7, -2, -1, 0, 1, 2, 3, 5, 17, 1000, 2**24, 2**31, 2**70, None, "x", True, 0.5, float("nan"), [], {}]
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        place: Any = spec
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = chance.choice(keys)
            inner = place[key]
            if isinstance(inner, tuple):
                inner = place[key] = list(inner)
            if isinstance(inner, dict | list) and inner and chance.random() < 0.95:
                place = inner
                continue
            match chance.random():
                case x if x < 0.6 and isinstance(inner, int):
                    place[key] = chance.choice([*range(-2, 20), inner + 1, inner - 1, *odd[:3]])
                case x if x < 0.7 and isinstance(inner, str):
                    words = [
                        *MODES,
                        "given",
                        "row",
                        "pixel",
                        "late",
                        "maps",
                        "rows",
                        "relu",
                        "add",
                        "gate",
                        "conv",
                        "add_grad",
                        "float64",
                        "categorical",
                        "logistic_mixture",
                    ]
                    place[key] = chance.choice(words)
                case x if x < 0.8 and isinstance(place, list):
                    place.insert(key, copy.copy(place[chance.choice(keys)]))
                case x if x < 0.85:
                    del place[key]
                case x if x < 0.9 and isinstance(inner, np.ndarray):
                    place[key] = chance.choice([inner[:-1].copy(), inner[:, :-1].copy(), 1 - inner, inner.astype(float), inner[0]])
                case x if x < 0.95 and isinstance(inner, bool):
                    place[key] = not inner
                case _:
                    place[key] = chance.choice(odd)
            break


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("mode", MODES)
def test_a_mutated_program_is_refused_or_runs_to_its_end(name: str, mode: Any) -> None:
    graph, chance = GRAPHS[name], random.Random(f"{name} {mode}")
    base = specification(graph, mode, "float32", given_grads=mode == "train")
    run(graph, mode, _core.Program(base), base)
    ran = refused = 0
    for _ in range(600):
        spec = copy.deepcopy(base)
        mutate(spec, chance)
        try:
            program = _core.Program(spec)
            result = run(graph, mode, program, spec)
        except (ValueError, MemoryError):
            refused += 1
            continue
        except (KeyError, IndexError, TypeError, AttributeError):
            continue  # our own arrays could not be made for it
        assert np.asarray(result).shape[0] == 2
        ran += 1
    assert ran > 20
    assert refused > 200


@pytest.mark.parametrize(
    ("where", "changes", "sentence"),
    [
        (("forward", 0), {"first": -1}, "'conv': first is missing"),
        (("forward", 0), {"out": -1, "act": -1}, "writes nothing"),
        (("forward", 0), {"second": 0}, "second is not read or written by it"),
        (("forward", 0), {"accumulate": True}, "cannot add to out"),
        (("forward", 0), {"kind": "gate"}, "'gate' has no layer"),
        (("forward", 0), {"sweep": "lines"}, "sweep is not known to the native walk: 'lines'"),
        (("forward", 1), {"out": 0}, "must not be the image or a given map"),
        (("backward", 0), {"grad": 0}, "must have .* channels; got"),
        (("backward", 0), {"sweep": "rows"}, "takes a whole map"),
        (("backward", 1), {"accumulate": True}, "is added to, but nothing has written it"),
        (("backward", 0), {"kind": "conv"}, "stands on the wrong way"),
        (("buffers", 0), {"top": 0}, "beyond its border"),
        (("buffers", 0), {"left": 0}, "beyond its border"),
        (("buffers", 0), {"left": -1}, "must be from 0 to"),
        (("buffers", 0), {"channels": 2}, "image's channels and size"),
        (("buffers", 1), {"height": 2}, "size of buffer 1 must be 4 x 3, one pixel for every 1 of the image's, or one for all; got 2 x 3"),
        (("buffers", 1), {"stride": 2}, "size of buffer 1 must be 2 x 2, one pixel for every 2 of the image's, or one for all; got 4 x 3"),
        (("buffers", 1), {"stride": 0}, "stride of buffer 1 must be from 1"),
        (("buffers", 1), {"stride": 2, "height": 2, "width": 2}, "must be of the size"),
        (("buffers", 1), {"everywhere": True}, "size of buffer 1 must be 1 x 1"),
        (("buffers", 1), {"rows": 2}, "only sampling can forget"),
        (("layers", 1), {"taps": [(0, 0), (0, 0)]}, "must differ"),
        (("layers", 1), {"taps": [(0, 7)]}, "outside its kernel"),
        (("layers", 1), {"dilation": 0}, "dilation of layer 1 must be from 1"),
        (("layers", 1), {"down": 2}, "must be of the size .*, times the layer's ratio; got"),
        (("layers", 1), {"up": 0}, "down and up of layer 1 must be from 1 to 256; got 0"),
        (("layers", 1), {"down": 2, "up": 2}, "layer 1 must go down or up, not both"),
    ],
)
def test_each_rule_has_its_sentence(where: tuple[str, int], changes: dict[str, Any], sentence: str) -> None:
    spec = specification(GRAPHS["pixelcnn"], "train", "float32")
    spec[where[0]][where[1]].update(changes)
    with pytest.raises(ValueError, match=sentence):
        _core.Program(spec)


@pytest.mark.parametrize(
    ("layer", "changes", "sentence"),
    [
        (1, {"recurrence": None}, "'lstm' must have a recurrent layer"),
        (0, {"recurrence": {"cell": (-1, 0), "leftward": False}}, "must have four outputs for each input"),
        (2, {"recurrence": {"cell": (-1, -1), "leftward": False}}, "the cell's tap of layer 2 must be one of its taps"),
        (2, {"recurrence": {"cell": (0, -1), "leftward": True}}, "a tap of layer 2 does not come earlier in its scan"),
        (1, {"recurrence": {"cell": (-1, 0), "leftward": True}}, "'lstm' scans leftward and must be visited by rows"),
        (1, {"recurrence": {"cell": (-1,), "leftward": True}}, r"must be \(dy, dx\)"),
    ],
)
def test_a_recurrence_that_is_none_is_refused(layer: int, changes: dict[str, Any], sentence: str) -> None:
    spec = specification(GRAPHS["recurrent"], "sample", "float32")
    spec["layers"][layer].update(changes)
    with pytest.raises(ValueError, match=sentence):
        _core.Program(spec)


def test_states_keep_to_their_borders() -> None:
    ports: tuple[tuple[Any, str, str], ...] = (
        ("score", "forward", "state"),
        ("score", "forward", "cell"),
        ("train", "backward", "out"),
        ("train", "backward", "carry"),
    )
    for mode, way, slot in ports:
        spec = specification(GRAPHS["recurrent"], mode, "float32")
        kind = "lstm" if way == "forward" else "lstm_grad"
        instruction = next(instruction for instruction in spec[way] if instruction["kind"] == kind)
        # A buffer of its own: another instruction may use the memory too, and be refused first.
        spec["buffers"].append({**spec["buffers"][instruction[slot]], "top": 0, "bottom": 0})
        instruction[slot] = len(spec["buffers"]) - 1
        with pytest.raises(ValueError, match=f"'{kind}': {slot} is read at .* beyond its border"):
            _core.Program(spec)


def test_a_ring_of_too_few_rows_is_refused() -> None:
    spec = specification(GRAPHS["pixelcnn"], "sample", "float32")
    spec["buffers"][0]["rows"] = 3
    with pytest.raises(ValueError, match=r"read at \(-3, -3\), but only 3 rows of it are remembered"):
        _core.Program(spec)


def test_a_program_walks_as_it_was_lowered_to() -> None:
    spec = specification(GRAPHS["pixelcnn"], "sample", "float32")
    with pytest.raises(ValueError, match="lowered for another walk"):
        run(GRAPHS["pixelcnn"], "score", _core.Program(spec), spec)


@pytest.mark.parametrize("name", ["pixelcnn", "gated"])
def test_rows_that_take_turns_compute_what_whole_maps_do(name: str) -> None:
    """Forwards from the first row, backwards from the last: for taps that lie above, the order in which rows become ready."""
    graph = GRAPHS[name]
    spec = specification(graph, "train", "float32")
    weights = [np.random.default_rng(0).normal(size=layer["mask"].shape).astype(np.float32) for layer in spec["layers"]]
    biases = [np.zeros(len(weight), np.float32) for weight in weights]
    levels = np.random.default_rng(1).integers(0, 2, (2, *graph.image_shape), dtype=np.uint8)
    nats, gradients = _core.Program(spec).train(weights, biases, levels)
    by_rows = copy.deepcopy(spec)
    for instruction in [*by_rows["forward"], *by_rows["backward"]]:
        if instruction["kind"] != "conv_grad_weight":
            instruction["sweep"] = "rows"
    again, same = _core.Program(by_rows).train(weights, biases, levels)
    assert (again == nats).all()
    for a, b in zip(gradients, same, strict=True):
        assert a is not None
        assert b is not None
        assert (a == b).all()


def test_a_map_that_is_too_large_is_refused_twice() -> None:
    with torch.device("meta"):
        model = genlab.create_model("pixelcnn", image_shape=(1, 1024, 1024), levels=2, channels=1024, blocks=0, first_kernel=3)
    model = model.to_empty(device="cpu")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    image = np.zeros((1, 1, 1024, 1024), np.uint8)
    for _ in range(2):
        with pytest.raises(BackendError, match=r"a map of 2048 channels over 1 image.* is too large: over 2\^31 values"):
            model.log_prob(image, backend="native")


def test_each_allocation_may_fail_once_and_nothing_is_left_half_done() -> None:
    model = tiny_model(image_shape=(1, 4, 3), classes=2)
    images, uniforms = np.zeros((2, 1, 4, 3), np.uint8), np.full((2, 4, 3, 1), 0.4)
    walks = (
        lambda: model.log_prob(images, "native", labels=1).tolist(),
        lambda: float(model.loss(images, "native", labels=1).detach()),
        lambda: model.draw(uniforms, backend="native", labels=1).tolist(),
    )
    for walk in walks:
        expected = walk()
        failures = 0
        for nth in range(1, 10_000):
            fresh = tiny_model(image_shape=(1, 4, 3), classes=2)  # a list that is compiled anew
            model.graph = fresh.graph
            _core.fail_allocation(nth)
            try:
                assert walk() == expected
                break
            except BackendError:
                failures += 1
            finally:
                _core.fail_allocation(0)
            assert walk() == expected
        assert failures > 10


def test_a_model_may_be_drawn_from_while_it_is_drawn_from() -> None:
    model, uniforms = tiny_model(image_shape=(1, 4, 3)), np.full((2, 4, 3, 1), 0.4)
    expected = model.draw(uniforms, backend="native")
    inner: list[Any] = []

    def again(done: int, total: int) -> None:
        worker = threading.Thread(target=lambda: inner.append(model.draw(uniforms, backend="native")))
        worker.start()
        worker.join()
        inner.append(model.draw(uniforms, backend="native"))

    assert np.array_equal(model.draw(uniforms, backend="native", on_progress=again), expected)
    assert len(inner) == 8
    assert all(np.array_equal(images, expected) for images in inner)


@pytest.mark.parametrize(
    "walk",
    [
        'native_program.score(graph, arrays, images, "float32", want_map=True)',
        'native_program.train(graph, arrays, images, "float32", given_grads=False)',
        'native_program.draw(graph, arrays, uniforms, "float32", on_progress=lambda done, total: None)',
    ],
)
def test_python_ends_quietly_while_a_thread_computes(walk: str) -> None:
    """Without torch, some of whose own operations do not survive it."""
    code = f"""
import threading, numpy as np
from genlab.causal import native_program
from genlab.models import build_graph
graph = build_graph("pixelcnn", image_shape=(1, 28, 28), levels=2, channels=32, blocks=4)
weights = [np.zeros(graph.mask(node).shape, np.float32) for node in graph.convolutions]
arrays = native_program.Arrays(weights, [np.zeros(len(weight), np.float32) for weight in weights])
images, uniforms = np.zeros((2000, 1, 28, 28), np.uint8), np.zeros((2000, 28, 28, 1))
begun = threading.Event()
def work():
    while True:
        begun.set()
        {walk}
threading.Thread(target=work, daemon=True).start()
begun.wait()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
