"""The benchmarks: sides that agree are timed in turns, sides that do not are refused, and what is written says all of it.

Nothing here looks at how long something took.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import signal
import sys
from collections import defaultdict, deque
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import genlab
from genlab import benchmark, cli
from genlab.benchmark import (
    growth,
    kernels,
    memory,
    peers,
    precision,
    report,
    roofline,
    sampling,
    systems,
    timing,
    torch_peers,
    toy_gan,
    training,
    worker,
)
from genlab.benchmark.examples import YARDSTICK, random_levels, random_model, random_uniforms
from genlab.benchmark.pieces import Piece
from genlab.benchmark.table import Agreement, Case, CaseResult, Effort, Figure, SideResult, geometric_mean, relative_error
from genlab.benchmark.timing import clean_environment, measure, start_workers, weigh
from genlab.errors import InputError
from genlab.native import native_info

BFLOAT16 = "bfloat16" in native_info()["dtypes"]
LEFT_OUT = (
    "torch.compile",
    *([] if training.has_jax() else ["JAX"]),
    *sorted({roofline.PEAK_BFLOAT16, roofline.PEAK_MATRIX} - {*roofline.peaks_beside()}),
)
EAGER_KERNELS = [name for name in kernels.SIDES if not name.startswith(LEFT_OUT)]
EAGER_STEPS = [name for name in training.SIDES if not name.startswith(LEFT_OUT)]
DRAWS = [name for name in sampling.SIDES if not name.startswith(LEFT_OUT)]
SMALL_MODEL = {"family": "pixelcnn", "image_shape": [1, 5, 6], "levels": 3, "channels": 3, "blocks": 2}
SMALL_SYSTEMS = {
    "gated_pixelcnn": {"image_shape": [1, 7, 5], "levels": 3, "channels": 3, "layers": 2},
    "row_lstm": {"image_shape": [1, 4, 5], "levels": 3, "channels": 3, "layers": 2},
    "diagonal_bilstm": {"image_shape": [1, 5, 4], "levels": 3, "channels": 4, "layers": 2},  # 3 channels begin at a kink of a ReLU
    "pixelcnn_pp": {"image_shape": [3, 4, 8], "levels": 5, "channels": 2, "blocks": 1, "mixtures": 2},
}
A_WEIGHT = {
    **{"gated_pixelcnn": "layer2_vertical", "row_lstm": "layer1_state", "diagonal_bilstm": "layer2_left_gates"},
    "pixelcnn_pp": "h_down1_1_in",
}

TINY = {
    "roofline": roofline.cases(quick=True)[:1],
    "kernels": (
        kernels.case(3, 5, 7, 3, "B", images=2, backward=False, sides=EAGER_KERNELS),
        kernels.case(2, 4, 6, 5, "A", images=3, backward=True, sides=[name for name in EAGER_KERNELS if name != kernels.PYTHON]),
    ),
    "training": (
        training.case(SMALL_MODEL, images=4, sides=EAGER_STEPS),
        *([training.case(SMALL_MODEL, images=4, dtype="bfloat16", sides=["native", *training.EAGER])] if BFLOAT16 else []),
    ),
    "memory": (memory.case(SMALL_MODEL, images=4, sides=["native", training.EAGER[0]]),),
    "precision": (precision.trained("digits", channels=2, blocks=1, epochs=1), precision.scored("digits", "digits-pixelcnn")),
    "sampling": (
        sampling.case(SMALL_MODEL, images=3, sides=DRAWS),
        *([sampling.case(SMALL_MODEL, images=3, dtype="bfloat16", sides=["native", sampling.FORWARD])] if BFLOAT16 else []),
    ),
    "growth-training": (training.case(SMALL_MODEL, images=2, sides=["native", training.EAGER[0], roofline.PEAK]),),
    "growth-sampling": (sampling.case(SMALL_MODEL, images=2, sides=["native", sampling.FORWARD, sampling.CACHED, roofline.PEAK]),),
    "systems": tuple(
        systems.case({**model, "family": system}, what, images=images, sides=["native", *sides])
        for system, model in SMALL_SYSTEMS.items()
        for what, images, sides in (("step", 20, training.EAGER), ("draw", 3, (sampling.FORWARD, *sampling.NAIVE)))
    ),
    "toy-gan": (toy_gan.one_run(30), toy_gan.many_runs(50, 20)),
}
PLACES = {
    table.name: (module, variable)
    for module, variable in [
        *((module, "TABLE") for module in (roofline, kernels, training, memory, precision, sampling, systems, toy_gan)),
        *((growth, variable) for variable in ("TRAINING", "SAMPLING")),
    ]
    for table in [getattr(module, variable)]
}
TABLES = {name: getattr(*place) for name, place in PLACES.items()}

# Without what takes long to compile: another test holds each side to the truth.
FEW = {
    name: [replace(case, sides=[side for side in case.sides if not side.startswith("JAX")]) for case in cases]
    for name, cases in TINY.items()
}


# --- the tables ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_cases_are_whole(table, quick):
    cases = table.cases(quick)
    assert len({case.name for case in cases}) == len(cases)
    for case in cases:
        assert json.loads(json.dumps(case.settings)) == case.settings
        assert [table.sides[name].role for name in case.sides].count("native") == 1
        assert not (quick and any(table.sides[name].once for name in case.sides))
    if table.name in ("kernels", "training"):
        assert any(name.startswith("torch.compile") for case in cases for name in case.sides)


def test_the_names_of_the_command_are_those_of_the_tables(capsys):
    assert {name for names in benchmark.TABLES.values() for name in names} == {
        f"{module.__name__.rsplit('.', 1)[1]}.{variable}" for module, variable in PLACES.values()
    }
    assert cli.main(["bench", "--help"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in benchmark.TABLES)


def test_sides_of_one_process_have_one_number_of_threads():
    for table in TABLES.values():
        threads = {}
        for side in table.sides.values():
            assert threads.setdefault(side.process, side.threads) == side.threads


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("table", "case", "side"),
    [(TABLES[name], case, side) for name, cases in TINY.items() for case in cases for side in case.sides if not side.startswith(LEFT_OUT)],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_sides_agree_with_the_truth_before_and_after_being_timed(table, case, side):
    contender = table.sides[side].prepare(**case.settings)
    check = table.check(case.settings)
    for _ in range(2):
        agreements = check(contender.outputs())
        assert all(agreement.holds for agreement in agreements)
        assert agreements or "matrix product" in side
        contender.run()


def outputs_of(name, index=0):
    case = TINY[name][index]
    outputs = TABLES[name].sides["native"].prepare(**case.settings).outputs()
    return TABLES[name].check(case.settings), {key: np.array(array) for key, array in outputs.items()}


def refused(check, outputs):
    return [agreement.quantity for agreement in check(outputs) if not agreement.holds]


@pytest.mark.parametrize(("output", "quantity"), [("y", "y"), ("grad_x", "gradients"), ("grad_weight", "gradients")])
@pytest.mark.parametrize("wrong", [1e-3, np.nan])
def test_a_kernel_with_one_wrong_element_is_refused(output, quantity, wrong):
    check, outputs = outputs_of("kernels", 1)
    assert set(outputs) == {"y", "grad_x", "grad_weight", "grad_bias"}
    assert not refused(check, outputs)
    outputs[output].flat[7] += wrong
    assert refused(check, outputs) == [quantity]


@pytest.mark.parametrize("output", ["loss", "input.weight", "block2_conv.weight", "output.bias"])
@pytest.mark.parametrize("wrong", [1.01, np.nan])
def test_a_step_with_a_wrong_loss_or_gradient_is_refused(output, wrong):
    check, outputs = outputs_of("training")
    assert not refused(check, outputs)
    outputs[output] = outputs[output] * wrong
    assert refused(check, outputs) == ["loss" if output == "loss" else "gradients"]


def test_a_network_that_forgets_one_tap_is_refused():
    """The smallest mistake there is: the left neighbour, in one of the masked convolutions."""
    case = TINY["training"][0]
    check = training.check(case.settings)
    levels = torch.from_numpy(random_levels(SMALL_MODEL, case.settings["images"]))
    peer = torch_peers.peer_of(random_model(SMALL_MODEL), "dense", "NCHW")
    contender = training.contender(peer, lambda: peer.loss(levels))
    assert not refused(check, contender.outputs())
    peer.layers["block1_conv"].mask[1, 0] = 0
    assert refused(check, contender.outputs()) == ["loss", "gradients"]


@pytest.mark.parametrize("form", ["dense", "cropped"])
@pytest.mark.parametrize("system", SMALL_SYSTEMS)
def test_a_twin_with_one_wrong_weight_is_refused(system, form):
    case = next(case for case in TINY["systems"] if case.settings["model"]["family"] == system and case.settings["what"] == "step")
    check = systems.check(case.settings)
    model = random_model(case.settings["model"])
    levels = torch.from_numpy(random_levels(case.settings["model"], case.settings["images"]))
    peer = peers.peer_of(model, form, "channels_last")
    contender = training.contender(peer, lambda: peer.loss(levels))
    assert not refused(check, contender.outputs())
    with torch.no_grad():
        peer.layers[A_WEIGHT[system]].weight[0, 0, 0, 0] += 0.1
    assert "gradients" in refused(check, contender.outputs())


def test_every_system_has_its_twin():
    assert set(peers.FILES) == set(systems.SYSTEMS)


def test_a_row_with_one_wrong_channel_is_refused():
    case = TINY["kernels"][0]
    check = kernels.check(case.settings)
    outputs = dict(kernels.SIDES[kernels.PYTHON].prepare(**case.settings).outputs())
    assert not refused(check, outputs)
    outputs["row"][3, 1] += 1e-3
    assert refused(check, outputs) == ["row"]


def test_a_draw_that_stopped_early_is_checked_as_far_as_it_came():
    case = TINY["sampling"][0]
    check = sampling.check(case.settings)
    contender = sampling.SIDES[sampling.NAIVE[0]].prepare(**case.settings)
    outputs = {name: np.array(array) for name, array in contender.outputs().items()}
    assert contender.scale == 30 / sampling.PIXELS
    assert int(outputs["pixels"]) == sampling.PIXELS
    assert not outputs["images"].reshape(3, -1)[:, sampling.PIXELS :].any()
    assert not refused(check, outputs)
    outputs["images"].reshape(3, -1)[1, sampling.PIXELS - 1] += 1
    assert refused(check, outputs) == ["cumulative probability"]


def test_draws_of_the_tables_are_those_of_a_seed():
    model = random_model(SMALL_MODEL)
    assert (genlab.sample(model, 3, seed=0) == model.draw(random_uniforms(SMALL_MODEL, 3))).all()


def test_the_widest_tile_is_that_of_the_walk():
    source = (Path(__file__).parents[1] / "csrc" / "program.cpp").read_text(encoding="utf-8")
    assert re.findall(r"widest_tile = (\d+);", source) == [str(sampling.TILE)]


def test_an_image_with_one_wrong_pixel_is_refused():
    check, outputs = outputs_of("sampling")
    assert not refused(check, outputs)
    # The last pixel: no other pixel's probabilities depend on it.
    outputs["images"][0, 0, -1, -1] = (outputs["images"][0, 0, -1, -1] + 1) % SMALL_MODEL["levels"]
    assert refused(check, outputs) == ["cumulative probability"]


def test_distance_from_interval():
    probabilities = np.array([[0.2, 0.5, 0.3]] * 4)
    levels = np.array([0, 1, 2, 1], np.uint8)
    inside = np.array([0.1, 0.2, 0.99, 0.7])
    assert sampling.distance_from_interval(probabilities, levels, inside) == pytest.approx(0, abs=1e-15)
    below, above = np.array([0.1, 0.15, 0.99, 0.7]), np.array([0.3, 0.2, 0.99, 0.7])
    assert sampling.distance_from_interval(probabilities, levels, below) == pytest.approx(0.05)
    assert sampling.distance_from_interval(probabilities, levels, above) == pytest.approx(0.1)
    assert math.isnan(sampling.distance_from_interval(probabilities * np.nan, levels, inside))


def test_examples_are_the_same_every_time_and_leave_the_generator_alone():
    state = torch.random.get_rng_state()
    first, second = (random_model(SMALL_MODEL).state_dict() for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(parameter.abs().max() > 0 for parameter in first.values())


def test_operations_of_the_yardstick_counted_by_hand():
    on_image = 24 * 64
    pixel = on_image + 7 * (64 * 32 + 5 * 32 * 32 + 32 * 64) + 64 * 64 + 64 * 2
    assert training.step_operations(random_model(YARDSTICK).graph) == 2 * 28 * 28 * (3 * pixel - on_image)


def test_bytes_and_operations_counted_by_hand():
    settings = kernels.case(3, 5, 7, 3, "B", images=2, backward=False, sides=()).settings
    assert kernels.operations(settings) == 2 * (2 * 7 * 7) * 5 * 3 * 5
    assert kernels.operations({**settings, "backward": True}) == 3 * kernels.operations(settings)
    assert kernels.least_bytes(settings) == 4 * (2 * 7 * 7) * (3 + 5)
    draw = sampling.case(SMALL_MODEL, images=3, sides=()).settings
    assert sampling.draw_operations(draw) == 2 * 3 * 30 * (24 * 6 + 2 * (6 * 3 + 5 * 3 * 3 + 3 * 6) + 6 * 6 + 6 * 3)


def test_native_memory_does_not_depend_on_the_batch_and_grows_with_threads():
    graph = random_model(YARDSTICK).graph
    one, two = (memory.native_bytes(graph, threads) for threads in (1, 2))
    assert one < two < 2 * one
    # 25 maps of 64 and 32 channels over 28×28 and little else.
    assert 4 * 784 * 7 * (64 + 32 + 32) < two - one < 4 * 784 * 7 * 4 * (64 + 32 + 32)


def test_relative_error():
    assert relative_error(np.array([1.0, 2.5]), np.array([1.0, 2.0])) == 0.25
    assert relative_error(np.zeros(3), np.zeros(2)) == math.inf
    assert relative_error(np.zeros(3), np.zeros(3)) == 0
    assert not Agreement("y", float("nan"), 1.0).holds


def test_geometric_mean_leaves_out_what_was_not_timed():
    assert geometric_mean([2.0, 8.0, math.nan]) == pytest.approx(4)
    assert math.isnan(geometric_mean([math.nan]))


# --- the core, with sides made up for the purpose --------------------------------------------------------------------------------

MADE_UP = """
import os
from functools import partial
from pathlib import Path
import numpy as np
from genlab.benchmark.table import Agreement, Contender, Figure, Side, Table

def contender(kind, *, diary):
    def run():
        if kind == "heavy":
            return np.ones(7_000_000).nbytes
        with Path(diary).open("a") as file:
            file.write(kind + " ")
        print("chatter, not an answer", flush=True)
        if kind == "raises":
            raise ValueError("no compiler\\nsecond line")
        if kind == "dies":
            os._exit(3)
        return {"y": np.array(1.0 if kind == "wrong" else 0.0)}
    return Contender((lambda: {"y": np.array(0.0)}) if kind == "heavy" else run, run, 10.0 if kind == "scaled" else 1.0)

def check(settings):
    return lambda outputs: [Agreement("y", abs(float(outputs["y"])), 0.5)]

SIDES = {kind: Side(process, partial(contender, kind), role, once) for kind, process, role, once in (
    ("a", "first", "native", False), ("b", "second", "peer", False), ("c", "first", "context", False), ("once", "second", "peer", True),
    ("heavy", "second", "peer", False), ("scaled", "second", "peer", False),
    ("wrong", "second", "peer", False), ("raises", "third", "peer", False), ("dies", "third", "peer", False))}
TABLE = Table("made up", __name__, "About.", SIDES, lambda quick: (), check, lambda results: [Figure("none", float("nan"), "nothing")])
"""


@pytest.fixture
def made_up(tmp_path, monkeypatch):
    (tmp_path / "made_up_table.py").write_text(MADE_UP)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]))
    monkeypatch.syspath_prepend(tmp_path)
    import made_up_table

    diary = tmp_path / "diary"

    def run(*sides, rounds=2, retakes=2):
        case = Case("case", {"diary": str(diary)}, sides)
        with ExitStack() as stack:
            workers = start_workers(made_up_table.TABLE, [case], stack, threads=1)
            result = measure(made_up.table, case, workers, Effort(rounds=rounds, seconds=10.0, retakes=retakes))
        return result, diary.read_text().split()

    made_up = SimpleNamespace(run=run, table=made_up_table.TABLE, diary=diary)
    yield made_up
    del sys.modules["made_up_table"]


def test_sides_take_turns(made_up):
    result, diary = made_up.run("a", "b", "c", rounds=4, retakes=0)
    runs = [kind for position, kind in enumerate(diary) if position == 0 or diary[position - 1] != kind]
    # Prepared in two processes at once, then three runs of each to see how long they take, then the rounds.
    assert runs[-15:] == ["a", "b", "c"] * 5
    assert result.refusal is None
    assert all(len(side.seconds) % 4 == 0 and min(side.seconds) > 0 for side in result.sides)
    assert result.ratio(result.native) == 1
    assert result.best_peer().side == "b"
    assert result.best_peer("first") is None


def test_a_side_that_disagrees_ends_the_case(made_up):
    result, diary = made_up.run("a", "wrong", "b", "once")
    assert result.refusal == "not timed: y of side 'wrong' must lie within 0.5 of the truth; got a deviation of 1"
    assert sorted(diary) == ["a", "b", "once", "wrong"]
    assert not any(side.seconds for side in result.sides)
    assert math.isnan(result.lead())
    assert result.refusal in report.case_table(result)
    assert not report.ahead([result])


@pytest.mark.parametrize(
    ("side", "message"), [("raises", "ValueError: no compiler"), ("dies", "its process ended with code 3: chatter, not an answer")]
)
def test_a_side_that_fails_is_left_out_and_the_others_are_timed(made_up, side, message):
    result, _ = made_up.run("a", side, "b")
    assert result[side].failure == message
    assert not result[side].seconds
    assert result.native.seconds
    assert result["b"].seconds
    assert f"could not run: {message}" in report.case_table(result)


def test_a_side_that_runs_once_is_timed_by_the_run_that_was_checked(made_up):
    result, diary = made_up.run("a", "once")
    assert diary.count("once") == 1
    assert len(result["once"].seconds) == 1


def test_bytes_are_weighed_in_a_process_for_each_side(made_up):
    case = Case("case", {"diary": str(made_up.diary)}, ("heavy", "raises", "wrong"))
    table = replace(made_up.table, unit="bytes")
    result = weigh(table, replace(case, sides=("heavy", "raises")), threads=1, runs=2)
    assert list(result["heavy"].bytes) == [56_000_000] * 2
    assert result["heavy"].median == 56_000_000
    assert result["raises"].failure == "ValueError: no compiler"
    assert "heavy" in result
    assert "raises" not in result
    assert "int()" in weigh(table, replace(case, sides=("heavy", "b")), threads=1, runs=2)["b"].failure
    refused = weigh(table, case, threads=1, runs=2)
    assert refused.refusal.startswith("not timed: y of side 'wrong'")
    assert not any(side.measured for side in refused.sides)


def test_workers_do_not_inherit_what_bends_a_baseline(monkeypatch):
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("GENLAB_TEST", "kept")
    environment = clean_environment(threads=2)
    assert environment["OMP_NUM_THREADS"] == "2"
    assert environment["GENLAB_TEST"] == "kept"
    assert not [name for name in environment if name.startswith(("OPENBLAS", "MKL"))]


# --- the command -----------------------------------------------------------------------------------------------------------------


def finite(name):
    raise AssertionError(f"{name} is not JSON")


class Here(timing.Worker):
    """A worker without a process: every table would load every framework anew."""

    def __init__(self):
        self._contenders, self._answers = {}, deque()

    def send(self, request, **values):
        self._answers.append(worker.answer(self._contenders, request, **values))

    def receive(self):
        answer = self._answers.popleft()
        assert "failure" not in answer, answer
        return answer["seconds"]


@pytest.fixture
def one_thread():
    """So small a computation loses more by waiting for a second thread, on a busy machine by far, than it gains."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_all_tables_at_tiny_sizes(one_thread, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "start_workers", lambda table, cases, stack, threads: defaultdict(Here))
    for name, (module, variable) in PLACES.items():
        monkeypatch.setattr(module, variable, replace(TABLES[name], cases=lambda quick, cases=FEW[name]: cases))
    for name in ("_WARM_SECONDS", "_TURN_SECONDS"):  # nothing here looks at how long it took
        monkeypatch.setattr(timing, name, 0.0)
    monkeypatch.setattr(benchmark, "QUICK", Effort(rounds=3, seconds=0.0, retakes=0))

    assert benchmark.main("all", True, tmp_path / "bench.json") == 0

    printed = capsys.readouterr().out
    document = json.loads((tmp_path / "bench.json").read_text(), parse_constant=finite)
    assert [path.name for path in tmp_path.iterdir()] == ["bench.json"]
    assert document["format"] == 1
    assert document["settings"] == {"which": "all", "quick": True}
    assert {"date", "cpu", "cores", "threads", "isa", "compiler", "system", "load", "versions"} == set(document["machine"])
    assert document["machine"]["versions"]["torch"] == torch.__version__
    assert [table["name"] for table in document["tables"]] == list(FEW)
    for table in document["tables"]:
        assert table["about"] in printed
        assert isinstance(table["ahead"], bool)
        for case, meant in zip(table["cases"], FEW[table["name"]], strict=True):
            assert case["name"] == meant.name
            assert case["settings"] == meant.settings
            assert case["refusal"] is None
            assert [side["side"] for side in case["sides"]] == list(meant.sides)
            assert case["name"] in printed
            for side in case["sides"]:
                assert set(side) == {
                    *("side", "process", "role", "agreements", "seconds", "bytes", "failure", "median", "minimum", "ratio"),
                }
                assert side["failure"] is None
                measured = side["bytes" if table["unit"] == "bytes" else "seconds"]
                assert len(measured) >= (1 if side["side"] == sampling.NAIVE_ONCE else 3)
                assert side["minimum"] == min(measured)
                assert side["median"] == pytest.approx(np.median(measured))
                assert all(set(agreement) == {"quantity", "deviation", "tolerance"} for agreement in side["agreements"])
                assert side["side"] in printed
        for figure in table["figures"]:
            assert set(figure) == {"key", "value", "meaning"}
            assert figure["meaning"] in printed
    figures = {figure["key"]: figure["value"] for table in document["tables"] for figure in table["figures"]}
    assert {"forward_over_torch", "forward_over_torch_compile", "pixelcnn3_float32_share_of_peak"} <= set(figures)
    assert {"pixelcnn3_5_3_float32_passes", "side5_width3_images2_share_of_peak"} <= set(figures)
    # Nothing was compiled.
    assert figures["forward_over_torch_compile"] is None
    assert figures["pixelcnn3_float32_over_torch_compile"] is None


def test_frameworks_in_processes_of_their_own_one_of_them_compiled():
    case = kernels.case(3, 5, 7, 3, "B", images=2, backward=False, sides=["native", kernels.FASTEST_TO_COMPILE])
    with ExitStack() as stack:
        workers = start_workers(kernels.TABLE, [case], stack, threads=1)
        result = measure(kernels.TABLE, case, workers, Effort(rounds=1, seconds=0.0, retakes=0))
    assert result.refusal is None
    assert result.lead("torch.compile") > 0


def test_disagreement_and_failure_are_exit_code_1(made_up, monkeypatch, capsys, tmp_path):
    for side, sentence in (("wrong", "not timed: y of side 'wrong'"), ("raises", "could not run: ValueError: no compiler")):
        cases = (Case("case", {"diary": str(made_up.diary)}, ("a", side)),)
        monkeypatch.setattr(kernels, "TABLE", replace(made_up.table, cases=lambda quick, cases=cases: cases))
        assert benchmark.main("kernels", True, tmp_path / "bench.json") == 1
        printed = capsys.readouterr().out
        assert sentence in printed
        assert "ahead of every peer" not in printed
        json.loads((tmp_path / "bench.json").read_text(), parse_constant=finite)


def test_a_table_in_pieces_is_the_whole_table(made_up, monkeypatch, capsys, tmp_path):
    cases = [Case(f"{word} case", {"diary": str(made_up.diary)}, ("a", "b", "c", "once")) for word in ("first", "second", "third")]
    monkeypatch.setattr(kernels, "TABLE", replace(made_up.table, cases=lambda quick: cases))
    monkeypatch.setattr(benchmark, "QUICK", Effort(rounds=1, seconds=0.0, retakes=0))
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n" * 9))
    path = tmp_path / "bench.json"

    def measured(*only, **options):
        assert benchmark.main("kernels", True, path, piece=Piece(only, options.pop("peers", ())), add=True, **options) == 0
        (table,) = json.loads(path.read_text())["tables"]
        return {case["name"]: case for case in table["cases"]}

    second = measured("second", peers=("b", "nobody"), wait=True)
    assert "ready: second case. Press Enter to time it." in capsys.readouterr().out
    assert [side["side"] for side in second["second case"]["sides"]] == ["a", "b", "c"]
    both = measured("case", "first")
    assert list(both) == ["first case", "second case"]
    assert both["second case"] == second["second case"]
    again = measured("second")
    assert [side["side"] for side in again["second case"]["sides"]] == ["a", "b", "c", "once"]
    assert again["first case"] == both["first case"]
    with pytest.raises(InputError, match="only must be words of a case's name; no case of 'kernels' holds 'second' and 'fourth'"):
        measured("second", "fourth")
    with pytest.raises(InputError, match="add must come with json_path"):
        benchmark.main("kernels", True, add=True)
    with pytest.raises(InputError, match=r"to be added to; bench\.json was with quick True, now False"):
        benchmark.main("kernels", False, path, add=True)
    path.write_text('{"format": 1}')
    with pytest.raises(InputError, match="json_path must name a file of `genlab bench --json` to be added to; got "):
        measured("second")


def test_what_was_written_is_read_as_it_was():
    sides = [
        SideResult("native", "genlab", "native", [Agreement("y", math.nan, 1.0)], seconds=[1.0, 1.5, 9.0]),
        SideResult("rival", "torch", "peer", failure="no compiler"),
    ]
    result = CaseResult(Case("a case", {"images": 3}, ["native", "rival"]), sides, refusal="not timed", impossible=True)
    table = replace(kernels.TABLE, figures=lambda results: [])
    written = json.loads(json.dumps(report.as_json(table, [result])))
    (read,) = report.results_of(written)
    assert json.loads(json.dumps(report.as_json(table, [read]))) == written
    calm = replace(result, sides=[replace(sides[0], seconds=[1.0]), sides[1]])
    assert [r.impossible for r in report.results_of(report.as_json(table, [calm]))] == [True]


def test_a_side_that_is_not_ready_in_time_sits_out():
    with pytest.raises(TimeoutError, match="not ready within 0 s"), worker.at_most(0.01):
        signal.pause()
    with worker.at_most(60.0):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_main_refuses(tmp_path, capsys):
    with pytest.raises(InputError, match=r"which must be one of all, .*kernels, .*sampling, .*training; got 'toys'"):
        benchmark.main("toys", True)
    for path in (tmp_path, tmp_path / "missing" / "bench.json"):
        with pytest.raises(InputError, match="json_path must name a file in a folder that exists; got "):
            benchmark.main("kernels", True, path)
    assert not capsys.readouterr().out


def test_a_peer_that_is_faster_is_named():
    sides = [SideResult("native", "genlab", "native", seconds=[2.0]), SideResult("rival", "torch", "peer", seconds=[1.0, 1.0])]
    result = CaseResult(Case("a case", {}, ("native", "rival")), sides)
    table = replace(kernels.TABLE, figures=lambda results: [])
    assert report.figures_table(table, [result]) == "NOTE: native is behind 'rival' (0.50x) in 'a case'"
    assert not report.as_json(table, [result])["ahead"]


def case_of(native, rival, **about):
    sides = [SideResult("native", "genlab", "native", seconds=native), SideResult("rival", "torch", "peer", seconds=rival)]
    return CaseResult(Case("a case", {}, ("native", "rival")), sides, **about)


@pytest.mark.parametrize(
    ("native", "rival", "noted"),
    [([1.0, 1.1, 1.2], [2.0, 2.1], False), ([1.0, 8.0, 8.0], [9.0], True), ([1.0], [9.0, 90.0, 90.0], True), ([1.0], [9.0], False)],
)
def test_a_case_that_was_disturbed_says_so_and_claims_nothing(native, rival, noted):
    result = case_of(native, rival)
    table = replace(kernels.TABLE, figures=lambda results: [])
    assert ("something else was using the cores" in report.case_table(result)) == noted
    printed = report.figures_table(table, [result])
    assert ("Native is ahead" in printed) == (not noted)
    assert ("NOTE: disturbed, and to be measured again on a quiet machine: a case" in printed) == noted
    assert report.as_json(table, [result])["cases"][0]["disturbed"] == noted
    behind = case_of([2.0, 9.0, 9.0], [1.0, 1.1])
    assert "(0.12x) in 'a case', which was disturbed" in report.figures_table(table, [behind])


def test_no_share_above_the_peak_is_told():
    figures = [Figure("x_share_of_peak", 1.2, "native's share of the peak"), Figure("y_share_of_peak", 0.8, "another's")]
    table = replace(kernels.TABLE, figures=lambda results: figures)
    result = case_of([1.0], [2.0], impossible=True)
    assert [figure["value"] for figure in report.as_json(table, [result])["figures"]] == [None, 0.8]
    assert "1.20" not in report.figures_table(table, [result])
    assert "native faster than the peak" in report.case_table(result)


@pytest.mark.parametrize(("unrests", "taken"), [([9.0, 1.1], 2), ([9.0, 3.0, 4.0, 1.0], 3), ([1.2], 1)])
def test_a_disturbed_measurement_is_taken_again_and_the_calmest_counts(made_up, monkeypatch, unrests, taken):
    takes = iter([{"a": [1.0, unrest, unrest], "b": [2.0, 2.0]} for unrest in unrests])
    monkeypatch.setattr(timing, "_take_turns", lambda workers, effort: next(takes))
    result, _ = made_up.run("a", "b")
    assert len(list(takes)) == len(unrests) - taken
    assert result.unrest == min(unrests[:taken])
    assert result.disturbed == (min(unrests[:taken]) > 1.5)


def test_a_peak_that_was_disturbed_is_measured_again(made_up, monkeypatch):
    takes = iter([{"a": [1.0], "c": [8.0]}, {"a": [1.0], "c": [0.5]}])
    monkeypatch.setattr(timing, "_take_turns", lambda workers, effort: next(takes))
    share = lambda results: [Figure("a_share_of_peak", results[0]["c"].minimum / results[0]["a"].median, "share")]  # noqa: E731
    monkeypatch.setattr(made_up, "table", replace(made_up.table, figures=share))
    result, _ = made_up.run("a", "c")
    assert list(takes) == []
    assert not result.disturbed
    assert share([result])[0].value == 0.5
