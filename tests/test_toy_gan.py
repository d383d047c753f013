"""The toy GAN: the golden trace on every backend, one step taken apart, many runs that are each the run alone, and what is refused."""

import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from genlab import toy_gan
from genlab.errors import InputError
from genlab.kernels import KERNELS
from genlab.kernels.toy_gan_ensemble import keys_of, normals, uniforms
from genlab.toy_gan import (
    FACES,
    discriminate,
    draws_faces,
    generate,
    ignores_z,
    one_step,
    phase_diagram,
    spread,
    train,
    train_many,
)
from tests.instruction_sets import ISAS

pytestmark = pytest.mark.sanitized

BACKENDS = ("native", "python", "numpy", "torch")
GOLDEN = json.loads((Path(__file__).parent / "toy_gan_golden.json").read_text())
NAMES = ("d_weights", "d_bias", "g_weights", "g_bias")


def arrays_of(result):
    return [np.asarray(getattr(result, name)) for name in NAMES]


def run_python(code, **environment):
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- the lecture's run -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=BACKENDS)
def golden_run(request):
    run = train(GOLDEN["faces"], epochs=GOLDEN["epochs"], init=GOLDEN["init"], z=GOLDEN["z"], record_every=1, backend=request.param)
    return request.param, run


def test_the_golden_trace(golden_run):
    _, run = golden_run
    assert [row["step"] for row in GOLDEN["trace"]] == [1, 5, 100, 5000]
    for row in GOLDEN["trace"]:
        assert run.history.step[row["step"]] == row["step"]
        for name in NAMES:
            np.testing.assert_allclose(getattr(run.history, name)[row["step"]], row[name], rtol=0, atol=1e-12, err_msg=name)
    for name, final in zip(NAMES, arrays_of(run), strict=True):
        np.testing.assert_allclose(final, GOLDEN["trace"][-1][name], rtol=0, atol=1e-12)


def test_losses_go_towards_ln_4_and_ln_2(golden_run):
    _, run = golden_run
    assert np.isnan([run.history.d_loss[0], run.history.g_loss[0]]).all()
    assert run.history.d_loss[-500:].mean() == pytest.approx(np.log(4), abs=0.15)
    assert run.history.g_loss[-500:].mean() == pytest.approx(np.log(2), abs=0.15)


def test_losses_are_those_of_the_steps(golden_run):
    _, run = golden_run
    history = run.history
    for step in (1, 2, 77, 5000):
        real, _, fake, generator = one_step(
            FACES[(step - 1) % 5], GOLDEN["z"][step - 1], **{name: getattr(history, name)[step - 1] for name in NAMES}
        )
        assert history.d_loss[step] == pytest.approx(real.loss + fake.loss, abs=1e-12)
        assert history.g_loss[step] == pytest.approx(generator.loss, abs=1e-12)


def test_this_gan_draws_faces_and_comes_to_ignore_z():
    run = train(init=GOLDEN["init"], z=GOLDEN["z"])
    pictures = generate(np.linspace(0, 1, 101), run.g_weights, run.g_bias)
    assert pictures.std(axis=0).max() < 0.02
    assert draws_faces(run.g_weights, run.g_bias)
    assert ignores_z(run.g_weights, run.g_bias)
    assert not ignores_z(GOLDEN["init"]["g_weights"], GOLDEN["init"]["g_bias"])


def test_faces_are_the_golden_ones_and_read_only():
    np.testing.assert_array_equal(FACES, GOLDEN["faces"])
    assert not FACES.flags.writeable


# --- backends agree --------------------------------------------------------------------------------------------------------------

SCENES = [
    {"steps": 1, "faces": 1},
    {"steps": 7, "faces": 3, "record_every": 3},
    {"steps": 300, "faces": 5, "record_every": 50, "minimax": True},
    {"steps": 300, "faces": 2, "learning_rate": 2.0},
    {"steps": 40, "faces": 60, "learning_rate": 900.0, "minimax": True},
]


@pytest.mark.parametrize("variant", ["python", "torch", "native"])
@pytest.mark.parametrize("scene", SCENES)
def test_variants_of_one_run_agree(variant, scene):
    kernel = KERNELS["toy_gan"]
    arguments = kernel.example(np.random.default_rng(0), "float64", **scene)
    assert kernel.error(kernel.variants[variant](*arguments), *arguments) <= kernel.tolerance["float64"]


CROWDS = [
    {"runs": 1, "steps": 1},
    {"runs": 49, "steps": 300, "first_step": 7},
    {"runs": 15, "steps": 50, "faces": 7, "first_step": 2**31 - 60, "minimax": True},
    {"runs": 130, "steps": 20, "faces": 1},
]


@pytest.mark.parametrize("variant", ["python", "torch", "native"])
@pytest.mark.parametrize("scene", CROWDS)
def test_variants_of_many_runs_agree(variant, scene):
    kernel = KERNELS["toy_gan_ensemble"]
    arguments = kernel.example(np.random.default_rng(0), "float32", **scene)
    before = [np.copy(argument) for argument in arguments]
    result = kernel.variants[variant](*arguments)
    assert result.dtype == np.float32
    assert kernel.error(result, *arguments) <= kernel.tolerance["float32"]
    for argument, copy in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(argument, copy)


def test_a_wrong_step_is_seen_by_the_measure_of_error():
    for name, dtype in (("toy_gan", "float64"), ("toy_gan_ensemble", "float32")):
        kernel = KERNELS[name]
        arguments = list(kernel.example(np.random.default_rng(0), dtype, steps=300, **({"runs": 3} if dtype == "float32" else {})))
        assert kernel.error(kernel.reference(*arguments), *arguments) < kernel.tolerance[dtype] / 10
        turned = [np.roll(argument, 1, axis=0) if np.shape(argument) == (5, 4) else argument for argument in arguments]
        assert kernel.error(kernel.reference(*turned), *arguments) > kernel.tolerance[dtype]


@pytest.mark.parametrize("isa", ISAS)
def test_every_instruction_set_agrees_with_the_reference(isa):
    code = f"""
import json, numpy as np, genlab
from genlab.kernels import KERNELS
assert genlab.native_info()["isa"] == {isa!r}
for name, dtype, scenes in (("toy_gan", "float64", {SCENES}), ("toy_gan_ensemble", "float32", {CROWDS})):
    kernel = KERNELS[name]
    for scene in scenes:
        arguments = kernel.example(np.random.default_rng(0), dtype, **scene)
        assert kernel.error(kernel.native(*arguments), *arguments) <= kernel.tolerance[dtype], (name, scene)
golden = json.load(open({str(Path(__file__).parent / "toy_gan_golden.json")!r}))
run = genlab.toy_gan.train(init=golden["init"], z=golden["z"])
assert np.abs(run.g_bias - golden["trace"][-1]["g_bias"]).max() <= 1e-12
"""
    run_python(code, GENLAB_ISA=isa)


# --- one step under the microscope -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", toy_gan.LOSSES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_parts_make_up_the_step(backend, loss):
    parts = one_step(FACES[0], GOLDEN["z"][0], **GOLDEN["init"], learning_rate=0.3, loss=loss)
    run = train(FACES[:1], epochs=1, learning_rate=0.3, init=GOLDEN["init"], z=GOLDEN["z"][:1], loss=loss, backend=backend)
    for name, final in zip(NAMES, arrays_of(run), strict=True):
        np.testing.assert_allclose(parts[-1].after[name], final, rtol=0, atol=1e-15)
    assert [part.name for part in parts] == ["real", "draw", "fake", "generator"]
    for one, following in itertools.pairwise(parts):
        assert all(np.array_equal(one.after[name], following.before[name]) for name in NAMES)


@pytest.mark.parametrize("loss", toy_gan.LOSSES)
def test_gradients_are_those_of_finite_differences(loss):
    parts = one_step(FACES[1], 0.3, **GOLDEN["init"], loss=loss)
    moved = {part.name: set(part.gradients) for part in parts}
    d, g = {"d_weights", "d_bias"}, {"g_weights", "g_bias"}
    assert moved == {"real": d, "draw": set(), "fake": d, "generator": g}
    for part in parts:
        for name, gradient in part.gradients.items():
            np.testing.assert_allclose(gradient, part.finite_differences[name], rtol=0, atol=1e-9)
            np.testing.assert_allclose(part.after[name], part.before[name] - 0.01 * np.asarray(gradient), rtol=0, atol=1e-16)


def test_the_numbers_inside_a_part_follow_from_each_other():
    real, draw, fake, generator = one_step(FACES[1], 0.3, **GOLDEN["init"])
    np.testing.assert_allclose(draw.picture, generate(0.3, GOLDEN["init"]["g_weights"], GOLDEN["init"]["g_bias"]))
    assert draw.loss is draw.logit is draw.probability is None
    for part in (real, fake, generator):
        expected = discriminate(part.picture, part.before["d_weights"], part.before["d_bias"])
        assert part.probability == pytest.approx(expected, rel=1e-14)
    assert real.loss == pytest.approx(-np.log(real.probability))
    assert fake.loss == pytest.approx(-np.log(1 - fake.probability))
    assert generator.loss == pytest.approx(-np.log(generator.probability))
    x = generator.picture
    np.testing.assert_allclose(generator.picture_gradient, generator.logit_gradient * generator.before["d_weights"])
    np.testing.assert_allclose(generator.pixel_gradient, generator.picture_gradient * x * (1 - x))


# --- the generator of draws ------------------------------------------------------------------------------------------------------


def test_draws_are_the_documented_function_of_seed_and_step():
    def draw(seed, step):
        mask64, mask32 = 2**64 - 1, 2**32 - 1
        s = (seed + 0x9E3779B97F4A7C15) & mask64
        s = ((s ^ s >> 30) * 0xBF58476D1CE4E5B9) & mask64
        s = ((s ^ s >> 27) * 0x94D049BB133111EB) & mask64
        s ^= s >> 31
        h = ((s & mask32) + step * 0x9E3779B9) & mask32
        h = ((h ^ h >> 17) * 0xED5AD4BB + (s >> 32)) & mask32
        h = ((h ^ h >> 11) * 0xAC4C1B51) & mask32
        h = ((h ^ h >> 15) * 0x31848BAB) & mask32
        h ^= h >> 14
        return ((h >> 9) + 0.5) / 2**23

    seeds, steps = [0, 1, 2, 12345, 2**64 - 1], [0, 1, 2, 4999, 2**31 - 1]
    expected = [[draw(seed, step) for seed in seeds] for step in steps]
    np.testing.assert_array_equal(uniforms(keys_of(np.array(seeds, np.uint64)), np.array(steps)), expected)


def test_splitmix64_is_the_published_one():
    """The first output of its reference implementation for seed 1234567."""
    low, high = keys_of(np.array([1234567], np.uint64))[:, 0].tolist()
    assert low + (high << 32) == 6457827717110365317


def test_draws_are_uniform_and_independent_across_steps_and_neighbouring_seeds():
    z = uniforms(keys_of(np.arange(1000, dtype=np.uint64)), np.arange(1000)).astype(np.float64)
    assert 0 < z.min() < 1e-5
    assert 1 - 1e-5 < z.max() < 1
    counts = np.histogram(z, bins=256, range=(0, 1))[0]
    # χ² of 255 degrees of freedom: mean 255, standard deviation 22.6.
    assert abs(((counts - z.size / 256) ** 2 / (z.size / 256)).sum() - 255) < 5 * 22.6
    centred = (z - 0.5) * np.sqrt(12)
    # A correlation of a million pairs has a standard deviation of 0.001.
    for steps, seeds in ((1, 0), (2, 0), (5, 0), (0, 1), (0, 2), (1, 1)):
        product = centred[: len(z) - steps, : len(z) - seeds] * centred[steps:, seeds:]
        assert abs(product.mean()) < 0.005, (steps, seeds)
    assert abs(z.mean(axis=0).std() * np.sqrt(12 * 1000) - 1) < 0.15
    assert abs(z.mean(axis=1).std() * np.sqrt(12 * 1000) - 1) < 0.15


def test_weights_start_from_a_normal_distribution():
    init = normals(keys_of(np.arange(20000, dtype=np.uint64)))
    assert init.shape == (13, 20000)
    np.testing.assert_allclose(init.mean(axis=1), 0, atol=0.04)
    np.testing.assert_allclose(init.std(axis=1), 1, atol=0.03)
    np.testing.assert_allclose((init**4).mean(axis=1), 3, atol=0.4)
    np.testing.assert_allclose(np.corrcoef(init), np.eye(13), atol=0.04)


# --- many runs -------------------------------------------------------------------------------------------------------------------


def test_every_run_is_the_run_alone_to_the_last_bit():
    seeds = np.array([5, 2**63, 0, 77, 5], np.uint64)
    settings = {"learning_rate": np.array([0.01, 0.1, 1, 0.003, 0.02]), "init_scale": np.array([1, 0.5, 2, 0, 3])}
    many = train_many(runs=5, epochs=60, seed=seeds, **settings)
    crowd = train_many(runs=500, epochs=60, seed=np.resize(seeds, 500), **{name: np.resize(value, 500) for name, value in settings.items()})
    for run in range(5):
        alone = train_many(runs=1, epochs=60, seed=int(seeds[run]), **{name: value[run] for name, value in settings.items()})
        for name in NAMES:
            np.testing.assert_array_equal(getattr(alone, name)[0], getattr(many, name)[run])
            # In every lane of every vector.
            assert (getattr(crowd, name)[run::5] == getattr(alone, name)[0]).all()


@pytest.mark.parametrize("loss", toy_gan.LOSSES)
def test_every_run_is_the_run_in_float64_to_rounding(loss):
    many = train_many(runs=20, epochs=40, seed=100, learning_rate=0.05, init_scale=0.7, loss=loss)
    assert many.seeds.tolist() == list(range(100, 120))
    for run, seed in enumerate(many.seeds):
        alone = train(epochs=40, seed=int(seed), learning_rate=0.05, init_scale=0.7, loss=loss)
        for name, value in zip(NAMES, arrays_of(alone), strict=True):
            np.testing.assert_allclose(getattr(many, name)[run], value, rtol=1e-4, atol=1e-5)


def test_after_10000_steps_runs_are_those_in_float64_statistically():
    many = train_many(runs=200, epochs=2000)
    alone = [train(epochs=2000, seed=seed) for seed in range(200)]
    for name in NAMES:
        one, other = getattr(many, name), np.array([getattr(run, name) for run in alone])
        error = np.abs(one - other)
        assert np.median(error) < 1e-4
        assert error.max() < 1e-2
        np.testing.assert_allclose(one.mean(axis=0), other.mean(axis=0), atol=1e-3)
        np.testing.assert_allclose(one.std(axis=0), other.std(axis=0), atol=1e-3)


def test_runs_do_not_depend_on_the_number_of_threads():
    code = """
import hashlib, genlab
result = genlab.toy_gan.train_many(runs=1000, epochs=40)
print(genlab.native_info()["threads"], hashlib.sha256(result.g_weights.tobytes() + result.d_weights.tobytes()).hexdigest())
"""
    threads, digests = zip(*(run_python(code, OMP_NUM_THREADS=str(count)).split() for count in (1, 2, 5)), strict=True)
    assert threads == ("1", "2", "5")
    assert len(set(digests)) == 1


def test_pieces_make_up_the_whole_and_are_told():
    told = []
    whole = train_many(runs=3, epochs=31)
    pieces = train_many(runs=3, epochs=31, on_progress=lambda done, steps: told.append((done, steps)))
    assert told[-1] == (155, 155)
    assert len(told) == 100
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    for name in NAMES:
        np.testing.assert_array_equal(getattr(whole, name), getattr(pieces, name))


@pytest.mark.parametrize("backend", BACKENDS)
def test_backends_of_train_many(backend):
    result = train_many(FACES[:3], runs=4, epochs=5, seed=9, learning_rate=0.1, loss="minimax", backend=backend)
    expected = train_many(FACES[:3], runs=4, epochs=5, seed=9, learning_rate=0.1, loss="minimax", backend="numpy")
    assert [array.shape for array in arrays_of(result)] == [(4, 4), (4,), (4, 4), (4, 4)]
    for one, other in zip(arrays_of(result), arrays_of(expected), strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_seeds_go_round_after_the_last():
    assert train_many(runs=2, epochs=1, seed=2**64 - 1).seeds.tolist() == [2**64 - 1, 0]


# --- the phase diagram -----------------------------------------------------------------------------------------------------------


def test_a_phase_diagram_shows_what_became_of_each_run():
    rates, scales = [0.003, 0.03, 0.3], [0.5, 3.0]
    frames = list(phase_diagram(rates, scales, runs=7, epochs=200, seed=3, frames=4))
    assert [frame.steps_done for frame in frames] == [250, 500, 750, 1000]
    assert {frame.steps for frame in frames} == {1000}
    last = frames[-1]
    assert last.seeds.tolist() == np.arange(3, 3 + 42).reshape(2, 3, 7).tolist()
    for frame in (frames[0], last):
        for row, scale in enumerate(scales):
            for column, rate in enumerate(rates):
                cell = [
                    train(epochs=frame.steps_done // 5, learning_rate=rate, init_scale=scale, seed=int(seed))
                    for seed in frame.seeds[row, column]
                ]
                good = np.array([draws_faces(run.g_weights, run.g_bias) for run in cell])
                same = np.array([ignores_z(run.g_weights, run.g_bias) for run in cell])
                assert frame.draws_faces[row, column] == good.mean()
                assert frame.ignores_z[row, column] == same.mean()
                assert frame.varied_faces[row, column] == (good & ~same).mean()
    assert 0 < last.draws_faces.mean() < 1


def test_a_phase_diagram_refuses_before_it_computes():
    with pytest.raises(InputError, match="learning_rate must be greater than 0"):
        phase_diagram([0.1, -1], [1])
    with pytest.raises(InputError, match=r"init_scales must have shape \(n,\) with at least one value; got \(0,\)"):
        phase_diagram([0.1], [])


def test_what_counts_as_drawing_faces_and_as_ignoring_z():
    def weights_of(at_0, at_1):
        ends = np.log(np.array([at_0, at_1]) / (1 - np.array([at_0, at_1])))
        return ends[1] - ends[0], ends[0]

    face, other = [0.9, 0.1, 0.1, 0.9], [0.5, 0.5, 0.5, 0.5]
    assert draws_faces(*weights_of(face, face))
    assert draws_faces(*weights_of(face, [0.8, 0.2, 0.15, 0.95]))
    assert not draws_faces(*weights_of(other, other))
    assert not draws_faces(*weights_of(face, other))
    assert not draws_faces(*weights_of(other, face))
    assert draws_faces(*weights_of(other, other), faces=[[0.7, 0.5, 0.3, 0.5]])
    assert spread(*weights_of(face, [0.8, 0.1, 0.1, 0.9])) == pytest.approx(0.1)
    assert ignores_z(*weights_of(face, [0.86, 0.1, 0.1, 0.94]))
    assert not ignores_z(*weights_of(face, [0.84, 0.1, 0.1, 0.9]))
    stacked = [np.stack(pair) for pair in zip(weights_of(face, face), weights_of(other, face), strict=True)]
    assert draws_faces(*stacked).tolist() == [True, False]


# --- history, seeds, bad input ---------------------------------------------------------------------------------------------------


def test_history_has_the_start_every_so_manieth_step_and_the_last():
    run = train(epochs=4, record_every=6, seed=1)
    whole = train(epochs=4, record_every=1, seed=1)
    assert run.history.step.tolist() == [0, 6, 12, 18, 20]
    assert run.history.d_weights.shape == (5, 4)
    assert run.history.d_bias.shape == (5,)
    for name in (*NAMES, "d_loss", "g_loss"):
        np.testing.assert_array_equal(getattr(run.history, name), getattr(whole.history, name)[run.history.step])
    for name in NAMES:
        np.testing.assert_array_equal(getattr(run.history, name)[0], run.init[name])
        np.testing.assert_array_equal(getattr(run.history, name)[-1], getattr(run, name))
    assert train(epochs=1).history is None


def test_a_run_is_replayed_from_its_own_init_and_draws():
    run = train(epochs=3, seed=4)
    again = train(epochs=3, init=run.init, z=run.z, seed=99)
    for one, other in zip(arrays_of(run), arrays_of(again), strict=True):
        np.testing.assert_array_equal(one, other)


def test_any_number_of_faces_and_the_order_of_pixels_may_be_given():
    one = train(FACES[:1], epochs=7, seed=1)
    assert one.z.shape == (7,)
    assert train(np.zeros((11, 4)), epochs=2).z.shape == (22,)
    assert discriminate([[1, 0, 0, 1]], [1, 0, 0, 0], 0).shape == (1,)
    assert discriminate(np.ones((3, 1, 4)), np.ones((2, 4)), np.zeros(2)).shape == (3, 2)
    assert generate(np.zeros((5, 1)), np.ones((2, 4)), np.ones((2, 4))).shape == (5, 2, 4)
    assert generate(0.5, np.ones(4), np.ones(4)).shape == (4,)


@pytest.mark.parametrize("backend", BACKENDS)
def test_extreme_weights_overflow_nothing(backend):
    init = {"d_weights": [9e5, -9e5, 9e5, 9e5], "d_bias": -9e5, "g_weights": [9e5, -9e5, 0, 1], "g_bias": [-9e5, 9e5, 0, 9e5]}
    run = train(epochs=3, learning_rate=1e6, init=init, record_every=1, backend=backend)
    assert all(np.isfinite(array).all() for array in arrays_of(run))
    assert np.isfinite(run.history.d_loss[1:]).all()
    many = train_many(runs=5, epochs=3, learning_rate=1e6, init_scale=1e6, backend=backend)
    assert all(np.isfinite(array).all() for array in arrays_of(many))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"faces": [[1, 0, 0]]}, r"faces must have shape \(F, 4\) with at least one face; got \(1, 3\)"),
        ({"faces": np.zeros((0, 4))}, "faces must have shape"),
        ({"faces": [[1, 0, 0, float("nan")]]}, "faces must be finite; got nan"),
        ({"faces": [[1, 0, 0, 2]]}, "faces must lie between 0 and 1; got 2"),
        ({"faces": "faces"}, "faces must hold numbers; got 'faces'"),
        ({"faces": [[1, 0, 0, 1], [1, 0]]}, "faces must hold numbers"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1; got 0"),
        ({"epochs": 1.5}, "epochs must be a whole number of at least 1; got 1.5"),
        ({"epochs": 2**40}, "epochs times the number of faces must be"),
        ({"learning_rate": 0}, "learning_rate must be greater than 0 and at most 1e"),
        ({"learning_rate": float("nan")}, "learning_rate must be finite; got nan"),
        ({"learning_rate": [0.1, 0.2]}, r"learning_rate must be one number; got shape \(2,\)"),
        ({"loss": "hinge"}, "loss must be one of minimax, non-saturating; got 'hinge'"),
        ({"init": {"d_weights": [0, 0, 0, 0]}}, "init must hold d_weights, d_bias, g_weights, g_bias; got"),
        ({"init": {**GOLDEN["init"], "g_bias": [0, 0, 0]}}, r"g_bias must have shape \(4,\); got \(3,\)"),
        ({"init": {**GOLDEN["init"], "d_bias": float("inf")}}, "d_bias must be finite; got inf"),
        ({"z": [0.5] * 4}, r"z must hold the draws of all steps, shape \(5,\); got \(4,\)"),
        ({"z": [0.5, 0.5, 0.5, 0.5, 1.5]}, "z must lie between 0 and 1; got 1.5"),
        ({"z": [0.5, 0.5, 0.5, 0.5, float("nan")]}, "z must be finite; got nan"),
        ({"seed": -1}, r"seed must hold whole numbers from 0 to 2\^64 - 1; got -1"),
        ({"seed": 0.5}, "seed must hold whole numbers"),
        ({"init_scale": -1}, "init_scale must lie between 0 and"),
        ({"init_scale": [1, 2]}, "init_scale must be one number"),
        ({"record_every": -1}, "record_every must be a whole number of at least 0; got -1"),
        ({"backend": "cuda"}, "backend must be one of auto, native, numpy, python, torch; got 'cuda'"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(InputError, match=message):
        train(**{"epochs": 1, **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"runs": 0}, "runs must be a whole number of at least 1; got 0"),
        ({"learning_rate": [0.1, 0.1]}, r"learning_rate must be one number or have shape \(3,\), one for each run; got \(2,\)"),
        ({"learning_rate": [0.1, -0.1, 0.1]}, "learning_rate must be greater than 0 and at most 1e"),
        ({"init_scale": [0.1, 0.1]}, r"init_scale must be one number or have shape \(3,\)"),
        ({"init_scale": np.nan}, "init_scale must be finite; got nan"),
        ({"seed": [1, 2]}, r"seed must be one number or have shape \(3,\), one for each run; got \(2,\)"),
        ({"loss": None}, "loss must be one of"),
    ],
)
def test_bad_input_of_many_runs_is_named(arguments, message):
    with pytest.raises(InputError, match=message):
        train_many(**{"runs": 3, "epochs": 1, **arguments})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: discriminate([1, 0, 0], [1, 1, 1, 1], 0), r"x must have a last axis of 4 pixels; got shape \(3,\)"),
        (lambda: discriminate([1, 0, 0, 1], [1, np.nan, 1, 1], 0), "d_weights must be finite; got nan"),
        (lambda: discriminate(np.ones((3, 4)), np.ones((2, 4)), 0), "x, d_weights and d_bias must have shapes that go together"),
        (lambda: generate("0.5", np.ones(4), np.ones(4)), "z must hold numbers; got '0.5'"),
        (lambda: generate(0.5, np.ones(4), np.ones(3)), "g_bias must have a last axis of 4 pixels"),
        (lambda: generate(np.ones(3), np.ones((2, 4)), np.ones((2, 4))), "z, g_weights and g_bias must have shapes that go together"),
        (lambda: one_step(FACES, 0.5, **GOLDEN["init"]), r"face must have shape \(4,\); got \(5, 4\)"),
        (lambda: one_step(FACES[0], [0.5, 0.5], **GOLDEN["init"]), r"z must be one number; got shape \(2,\)"),
        (lambda: one_step(FACES[0], 2, **GOLDEN["init"]), "z must lie between 0 and 1; got 2"),
    ],
)
def test_bad_input_of_the_parts_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


# --- interruption ----------------------------------------------------------------------------------------------------------------


# Of steps that take an hour: whoever is deaf until the end never comes back.
HOURS = {
    "few long runs": lambda: train_many(runs=200, epochs=2**28),
    "many runs": lambda: train_many(runs=1_000_000, epochs=100_000),
    "a phase diagram": lambda: list(phase_diagram(np.geomspace(0.01, 1, 30), [1.0], runs=100, epochs=2**28, frames=2)),
}


@pytest.mark.parametrize("work", HOURS)
def test_a_signal_ends_native_work(work):
    def interrupt(*_):
        raise KeyboardInterrupt

    # A clock of its own: pytest's watch over time uses the other one.
    before = signal.signal(signal.SIGVTALRM, interrupt)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            HOURS[work]()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def test_a_run_in_pieces_is_one_run():
    piece, more = 2**20, 1000  # native work looks up after so many steps; they are whole epochs of four faces
    faces = FACES[:4]
    whole = train(faces, epochs=(piece + more) // 4, learning_rate=0.2, record_every=777)
    first = train(faces, epochs=piece // 4, learning_rate=0.2)
    then = {name: getattr(first, name) for name in NAMES}
    second = train(faces, epochs=more // 4, learning_rate=0.2, init=then, z=whole.z[piece:])
    for name, one, other in zip(NAMES, arrays_of(whole), arrays_of(second), strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(getattr(whole.history, name)[-1], one)
    assert whole.history.step.tolist() == [*range(0, piece + more, 777), piece + more]
    assert np.isfinite(whole.history.d_loss[1:]).all()
    row = piece // 777 + 1  # the first that belongs to the second piece
    again = train(faces, epochs=more // 4, learning_rate=0.2, init=then, z=whole.z[piece:], record_every=1).history
    np.testing.assert_array_equal(whole.history.g_weights[row], again.g_weights[row * 777 - piece])


def test_python_ends_quietly_while_threads_compute():
    code = """
import threading
from genlab.toy_gan import train, train_many
ready = threading.Barrier(5)
def work(call):
    call()
    ready.wait()
    while True:
        call()
for call in 2 * (lambda: train_many(runs=2000, epochs=10), lambda: train(epochs=1000)):
    threading.Thread(target=work, args=(call,), daemon=True).start()
ready.wait()
"""
    for _ in range(3):  # one in two used to end in std::terminate
        assert run_python(code) == ""
