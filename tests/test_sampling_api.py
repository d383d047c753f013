"""Drawing images: seeded, completed from known pixels, and clear about bad input."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from tiny import digits, tiny_model

import genlab
from genlab.domain import Domain
from genlab.errors import InputError
from genlab.models.causal.model import CausalModel

BACKENDS = ["native", "torch", "naive", "jacobi"]


@pytest.fixture(scope="module")
def model() -> CausalModel:
    return tiny_model(image_shape=(1, 6, 5), levels=3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_image_does_not_depend_on_how_many_are_drawn(model: CausalModel, backend: str) -> None:
    many = genlab.sample(model, 5, seed=1, backend=backend)
    assert (many.shape, many.dtype) == ((5, 1, 6, 5), np.uint8)
    assert np.array_equal(genlab.sample(model, 2, seed=1, backend=backend), many[:2])
    assert not np.array_equal(genlab.sample(model, 5, seed=2, backend=backend), many)
    assert set(np.unique(many)) == {0, 1, 2}


def test_all_backends_draw_the_same_images(model: CausalModel) -> None:
    images = [genlab.sample(model, 8, seed=3, backend=backend) for backend in [*BACKENDS, "auto"]]
    assert all(np.array_equal(images[0], other) for other in images[1:])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(6, 5), (1, 6, 5), (4, 1, 6, 5)])
def test_known_pixels_are_kept_and_the_others_follow_from_them(model: CausalModel, backend: str, shape: tuple[int, ...]) -> None:
    free = genlab.sample(model, 4, seed=0, backend=backend)
    mask = np.zeros(shape, bool)
    mask[..., :3, :] = True
    known = (free + 1) % 3 if len(shape) == 4 else ((free + 1) % 3)[0]
    # What stands where nothing is known does not matter, not even a level out of range.
    known[..., 3:, :] = 255
    completed = genlab.sample(model, 4, seed=0, backend=backend, known=known, known_mask=mask)
    assert np.array_equal(completed[:, :, :3], np.broadcast_to(known, free.shape)[:, :, :3])
    assert completed.max() < 3
    assert not np.array_equal(completed[:, :, 3:], free[:, :, 3:])


def test_knowing_what_would_be_drawn_anyway_changes_nothing(model: CausalModel) -> None:
    free = genlab.sample(model, 4, seed=0)
    mask = np.random.default_rng(0).random((6, 5)) < 0.5
    assert np.array_equal(genlab.sample(model, 4, seed=0, known=free, known_mask=mask), free)


def test_knowing_everything_gives_it_back(model: CausalModel) -> None:
    known = np.random.default_rng(0).integers(0, 3, (1, 6, 5))
    assert np.array_equal(genlab.sample(model, 2, known=known, known_mask=np.ones((6, 5), bool)), np.stack([known, known]))


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_images_are_an_empty_array(model: CausalModel, backend: str) -> None:
    empty = genlab.sample(model, 0, backend=backend)
    assert (empty.shape, empty.dtype) == ((0, 1, 6, 5), np.uint8)


def test_a_low_temperature_favours_the_likely(model: CausalModel) -> None:
    cold, warm = (genlab.sample(model, 32, temperature=temperature) for temperature in (0.05, 1.0))
    assert genlab.log_prob(model, cold).mean() > genlab.log_prob(model, warm).mean()


def test_progress_ends_with_every_row(model: CausalModel) -> None:
    for backend in BACKENDS:
        seen: list[tuple[int, int]] = []
        genlab.sample(model, 3, backend=backend, on_progress=lambda done, total, seen=seen: seen.append((done, total)))  # type: ignore[misc]
        assert seen == sorted(seen)
        assert seen[-1][0] == seen[-1][1]


def test_numpy_integers_will_do(model: CausalModel) -> None:
    assert np.array_equal(genlab.sample(model, np.int64(2), seed=np.uint8(1)), genlab.sample(model, 2, seed=1))  # type: ignore[arg-type]


FULL = {"known": np.zeros((1, 6, 5), np.uint8), "known_mask": np.ones((6, 5), bool)}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"n": -1}, "n must be at least 0 and below .*; got -1"),
        ({"n": 2.5}, "n must be a whole number; got 2.5"),
        ({"seed": -1}, "seed must be at least 0 and below .*; got -1"),
        ({"seed": "x"}, "seed must be a whole number; got 'x'"),
        ({"backend": "cuda"}, "backend must be one of auto, jacobi, naive, native, torch; got 'cuda'"),
        ({"n": 0, "backend": "cuda"}, "backend must be one of"),
        ({"temperature": 0.0}, "temperature must be a finite number above 0; got 0"),
        ({"temperature": math.nan}, "temperature .* got nan"),
        ({"temperature": "warm"}, "temperature must be a finite number above 0; got 'warm'"),
        ({"temperature": 1j}, "temperature must be a finite number above 0; got 1j"),
        ({"dtype": "float16", "n": 0}, "dtype must be one of bfloat16, float32; got 'float16'"),
        ({"truncation": 0.5}, "option must be one of backend, .*temperature; got 'truncation'"),
        ({"condition": {}}, "condition must be None: model 'pixelcnn' has no given maps"),
        ({"n": 10**15}, "n must be so few images that they fit into memory, here and now .* values; got 1000000000000000"),
        ({**FULL, "known": [[1], [1, 2]]}, "known must be an array of integer levels; got 'list'"),
        ({**FULL, "known": torch.zeros(1, 6, 5, requires_grad=True)}, "known must be an array of integer levels; got 'Tensor'"),
        ({**FULL, "known": np.zeros((1, 6, 5), bool)}, "known must hold integer levels; got bool"),
        ({"labels": [1, 2]}, "labels must be None: model 'pixelcnn' is not class-conditional"),
        ({"known": FULL["known"]}, "given together; got only known$"),
        ({"known_mask": FULL["known_mask"]}, "given together; got only known_mask$"),
        ({**FULL, "known": np.zeros((6, 5), np.uint8)}, r"known must have shape \(1, 6, 5\) or \(2, 1, 6, 5\); got \(6, 5\)"),
        ({**FULL, "known": np.zeros((3, 1, 6, 5), np.uint8)}, r"known must have shape .*; got \(3, 1, 6, 5\)"),
        ({**FULL, "known": np.zeros((1, 6, 5))}, "known must hold integer levels; got float64"),
        ({**FULL, "known": np.full((1, 6, 5), 3)}, "known must hold levels from 0 to 2; got 3"),
        ({**FULL, "known": np.full((1, 6, 5), -1)}, "known must hold levels from 0 to 2; got -1"),
        ({**FULL, "known_mask": np.ones((6, 5), int)}, "known_mask must hold bool; got int64"),
        ({**FULL, "known_mask": np.ones((5, 6), bool)}, r"known_mask must have shape \(6, 5\) or .*; got \(5, 6\)"),
    ],
)
def test_bad_input_is_one_sentence(model: CausalModel, arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        genlab.sample(model, **{"n": 2, **arguments})


def test_the_callers_arrays_are_left_alone(model: CausalModel) -> None:
    known, mask = np.full((1, 6, 5), 2, np.uint8), np.eye(6, 5, dtype=bool)
    for array in (known, mask):
        array.flags.writeable = False
    genlab.sample(model, 3, known=known[:, ::-1], known_mask=mask[::-1])


def test_completing_real_digits_keeps_their_upper_halves() -> None:
    model, half = tiny_model(), np.zeros((8, 8), bool)
    half[:4] = True
    known = digits().test.images[:3]
    assert np.array_equal(genlab.sample(model, 3, known=known, known_mask=half)[:, :, :4], known[:, :, :4])


@pytest.mark.parametrize("backend", ["native", "torch", "jacobi"])
@pytest.mark.parametrize("n", [1, 5, 150])
def test_a_stream_hands_out_the_rows_of_a_sample_with_what_they_were_drawn_from(model: CausalModel, backend: str, n: int) -> None:
    images = genlab.sample(model, n, seed=3, backend=backend)
    rows = list(genlab.stream(model, n, seed=3, backend=backend))
    called: list[genlab.sampling.DrawnRow] = []
    assert np.array_equal(genlab.sample(model, n, seed=3, backend=backend, on_row=called.append), images)
    for row, same in zip(rows, called, strict=True):
        assert row.y == same.y
        assert np.array_equal(row.levels, same.levels)
        assert np.array_equal(row.probabilities, same.probabilities)
        assert np.array_equal(row.predictive, same.predictive)
        np.testing.assert_allclose(np.exp(row.predictive), row.probabilities, atol=1e-6)
    assert [row.y for row in rows] == list(range(model.image_shape[1]))
    assert np.array_equal(np.stack([row.levels for row in rows], axis=2), images)
    probabilities = np.stack([row.probabilities for row in rows], axis=2)
    expected = model.logits(images, backend="auto" if backend == "jacobi" else backend).softmax(-1).numpy()
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)


def test_leaving_a_stream_stops_the_drawing_and_its_errors_arrive(model: CausalModel) -> None:
    for row in genlab.stream(model, 2):
        assert row.y == 0
        break
    assert not [thread for thread in threading.enumerate() if thread.name == "genlab-stream"]
    with pytest.raises(InputError, match="backend must be one of auto, jacobi, native, torch; got 'naive'"):
        genlab.stream(model, 2, backend="naive")
    with pytest.raises(InputError, match="on_row must be None with backend 'naive', which keeps no record of what it drew from"):
        genlab.sample(model, 2, backend="naive", on_row=print)
    with pytest.raises(InputError, match="n must be at least 0"):
        genlab.stream(model, -1)


def test_booleans_are_the_levels_of_binary_images() -> None:
    model = tiny_model(image_shape=(1, 4, 4))
    images = genlab.sample(model, 3, seed=1)
    mask = np.zeros((4, 4), bool)
    mask[:2] = True
    completed = genlab.sample(model, 3, known=images.astype(bool), known_mask=mask)
    assert np.array_equal(completed, genlab.sample(model, 3, known=images, known_mask=mask))
    assert completed.dtype == np.uint8
    for boolean in (images.astype(bool), torch.from_numpy(images).bool(), images.astype(bool)[:, :, ::-1][:, :, ::-1]):
        for backend in ("native", "torch"):
            assert torch.equal(model.log_prob(boolean, backend=backend), model.log_prob(images, backend=backend))
        assert torch.equal(model.loss(boolean), model.loss(images))
    with pytest.raises(InputError, match="images must hold integer levels; got an array of bool"):
        tiny_model(levels=3).log_prob(np.zeros((1, 1, 8, 8), bool))


class Cloud:
    """A model of points that draws all at once, and knows one option."""

    name = "cloud"
    domain = Domain((2,))

    def sample(self, n: int, seed: int, options: Mapping[str, Any]) -> np.ndarray:
        for name in options:
            if name != "radius":
                raise InputError(f"option must be radius; got {name!r}")
        return np.random.default_rng(seed).standard_normal((n, 2)).astype(np.float32) * options.get("radius", 1)


def test_a_model_of_points_draws_as_it_likes() -> None:
    cloud: Any = Cloud()
    points = genlab.sample(cloud, 5, seed=1)
    assert (points.shape, points.dtype) == ((5, 2), np.float32)
    assert np.array_equal(genlab.sample(cloud, 5, seed=1, radius=2), 2 * points)
    told: list[tuple[int, int]] = []
    genlab.sample(cloud, 5, on_progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 1)]
    # What nobody asked for is not held against it; what somebody did is.
    for option in (
        {"temperature": 0.5},
        {"backend": "torch"},
        {"labels": [1]},
        {"known": points},
        {"on_row": print},
        {"dtype": "bfloat16"},
    ):
        with pytest.raises(InputError, match=f"option must be radius; got {next(iter(option))!r}"):
            genlab.sample(cloud, 5, **option)
    with pytest.raises(InputError, match=r"n must be a whole number; got 2\.5"):
        genlab.sample(cloud, 2.5)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"stream needs one value after another, .* which model 'cloud' does not have"):
        genlab.stream(cloud)


def run_alone(script: str) -> str:
    """What a script prints in a Python of its own; one that waits for itself is killed."""
    begin = "import sys; sys.path.insert(0, 'tests'); from tiny import tiny_model; import genlab, numpy as np\n"
    done = subprocess.run([sys.executable, "-c", begin + script], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_python_ends_quietly_while_a_stream_is_drawn() -> None:
    script = """
model = tiny_model(image_shape=(1, 400, 20))
rows = genlab.stream(model, 8)
print(next(rows).y)
"""
    assert run_alone(script) == "0\n"


REENTRANT = """
def images(rows):
    return np.stack([row.levels for row in rows], axis=2)

def check(outer):
    assert np.array_equal(outer, genlab.sample(model, 2, seed=1)) and inner
    assert all(np.array_equal(one, genlab.sample(model, 2, seed=2)) for one in inner)
    inner.clear()

def draw(*_):
    inner.append(genlab.sample(model, 2, seed=2, backend=backend))
    return True

def stream(*_):
    inner.append(images(genlab.stream(model, 2, seed=2, backend=backend)))
    return True

model, inner = tiny_model(image_shape=(1, 4, 4)), []
check(genlab.sample(model, 2, seed=1, backend=backend, on_progress=draw))
check(genlab.sample(model, 2, seed=1, backend=backend, on_row=draw))
check(genlab.sample(model, 2, seed=1, backend=backend, on_row=stream))
check(images(row for row in genlab.stream(model, 2, seed=1, backend=backend) if draw()))
check(images(row for row in genlab.stream(model, 2, seed=1, backend=backend) if stream()))
print("drawn")
"""


@pytest.mark.parametrize("backend", ["native", "torch"])
def test_a_drawing_may_be_asked_for_in_a_drawing(backend: str) -> None:
    assert run_alone(f"backend = {backend!r}\n{REENTRANT}") == "drawn\n"


def test_a_spawned_child_draws_as_its_parent_does() -> None:
    script = """
import multiprocessing
if __name__ == "__main__":
    model = tiny_model(image_shape=(1, 4, 4))
    images = genlab.sample(model, 4, seed=1)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(np.array_equal(pool.apply(genlab.sampling.sample, (model, 4), {"seed": 1}), images))
"""
    assert run_alone("import genlab.sampling\n" + script) == "True\n"


def test_labels_and_maps_that_are_given() -> None:
    model = tiny_model(image_shape=(1, 4, 4), classes=3)
    images = genlab.sample(model, 3, seed=1, labels=[0, 1, 2])
    alone = genlab.sample(model, 3, seed=1, labels=1)
    assert np.array_equal(images[1], alone[1])
    one_hot = np.eye(3, dtype=np.float32)[[0, 1, 2]][:, :, None, None]
    assert np.array_equal(genlab.sample(model, 3, seed=1, condition={"labels": one_hot}), images)
    rows = list(genlab.stream(model, 3, seed=1, labels=[0, 1, 2]))
    assert np.array_equal(np.stack([row.levels for row in rows], axis=2), images)
    for labels, sentence in (
        (None, "labels must say which of the 3 classes of model 'pixelcnn' each image has; got None"),
        ([0, 1, 3], "labels must be classes from 0 to 2; got 3"),
        ([0, 1, -1], "labels must be classes from 0 to 2; got -1"),
        ([0, 1], r"labels must be one class, or have shape \(3,\); got \(2,\)"),
        ([0.0, 1.0, 2.0], "labels must hold whole numbers, the classes; got float64"),
    ):
        with pytest.raises(InputError, match=sentence):
            genlab.sample(model, 3, labels=labels)
