"""The benchmarks: sides that agree are timed in turns, sides that do not are refused, and what is written says all of it.

Nothing here looks at how long something took.
"""

from __future__ import annotations

import json
import math
import os
import sys
from contextlib import ExitStack
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from genlab import benchmark
from genlab.benchmark import kernels, report, sampling, torch_peers, toy_gan, training
from genlab.benchmark.examples import YARDSTICK, random_levels, random_model
from genlab.benchmark.table import Agreement, Case, CaseResult, Effort, SideResult, geometric_mean, relative_error
from genlab.benchmark.timing import clean_environment, measure, start_workers
from genlab.errors import InputError

EAGER_KERNELS = [name for name in kernels.SIDES if "compile" not in name]
EAGER_STEPS = [name for name in training.SIDES if "compile" not in name and "matrix" not in name]
SMALL_MODEL = {"image_shape": [1, 5, 6], "levels": 3, "channels": 3, "blocks": 2}

TINY = {
    "kernels": (
        kernels.case(3, 5, 7, 3, "B", images=2, backward=False, sides=[*EAGER_KERNELS, kernels.FASTEST_TO_COMPILE]),
        kernels.case(2, 4, 6, 5, "A", images=3, backward=True, sides=EAGER_KERNELS),
    ),
    "training": (training.case(SMALL_MODEL, images=4, sides=[*EAGER_STEPS, "matrix product 512 NumPy"]),),
    "sampling": (sampling.case(SMALL_MODEL, images=3, sides=list(sampling.SIDES)),),
    "toy-gan": (toy_gan.one_run(30), toy_gan.many_runs(50, 20)),
}
TABLES = {"kernels": kernels.TABLE, "training": training.TABLE, "sampling": sampling.TABLE, "toy-gan": toy_gan.TABLE}


# --- the tables ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_cases_are_whole(table, quick):
    cases = table.cases(quick)
    assert len({case.name for case in cases}) == len(cases)
    for case in cases:
        assert json.loads(json.dumps(case.settings)) == case.settings
        assert [table.sides[name].role for name in case.sides].count("native") == 1
        assert any(table.sides[name].role == "peer" for name in case.sides)
        assert not (quick and any(table.sides[name].once for name in case.sides))
    if table in (kernels.TABLE, training.TABLE):
        assert any(name.startswith("torch.compile") for case in cases for name in case.sides)


@pytest.mark.parametrize(
    ("table", "case", "side"),
    [(TABLES[name], case, side) for name, cases in TINY.items() for case in cases for side in case.sides if "compile" not in side],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_sides_agree_with_the_truth_before_and_after_being_timed(table, case, side):
    contender = table.sides[side].prepare(**case.settings)
    check = table.check(case.settings)
    for _ in range(2):
        agreements = check(contender.outputs())
        assert all(agreement.holds for agreement in agreements)
        assert agreements or side.startswith("matrix")
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
        with Path(diary).open("a") as file:
            file.write(kind + " ")
        print("chatter, not an answer")
        if kind == "raises":
            raise ValueError("no compiler\\nsecond line")
        if kind == "dies":
            os._exit(3)
        return {"y": np.array(1.0 if kind == "wrong" else 0.0)}
    return Contender(run, run)

def check(settings):
    return lambda outputs: [Agreement("y", abs(float(outputs["y"])), 0.5)]

SIDES = {kind: Side(process, partial(contender, kind), role, once) for kind, process, role, once in (
    ("a", "first", "native", False), ("b", "second", "peer", False), ("c", "first", "context", False), ("once", "second", "peer", True),
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

    def run(*sides, rounds=2):
        case = Case("case", {"diary": str(diary)}, sides)
        with ExitStack() as stack:
            workers = start_workers(made_up_table.TABLE, [case], stack, threads=1)
            result = measure(made_up_table.TABLE, case, workers, Effort(rounds=rounds, seconds=10.0))
        return result, diary.read_text().split()

    yield SimpleNamespace(run=run, table=made_up_table.TABLE, diary=diary)
    del sys.modules["made_up_table"]


def test_sides_take_turns(made_up):
    result, diary = made_up.run("a", "b", "c", rounds=4)
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


def test_all_tables_at_tiny_sizes(tmp_path, monkeypatch, capsys):
    for module in (kernels, training, sampling, toy_gan):
        cases = TINY[module.TABLE.name]
        monkeypatch.setattr(module, "TABLE", replace(module.TABLE, cases=lambda quick, cases=cases: cases))
    monkeypatch.setattr(benchmark, "QUICK", Effort(rounds=3, seconds=0.0))

    assert benchmark.main("all", True, tmp_path / "bench.json") == 0

    printed = capsys.readouterr().out
    document = json.loads((tmp_path / "bench.json").read_text(), parse_constant=finite)
    assert [path.name for path in tmp_path.iterdir()] == ["bench.json"]
    assert document["format"] == 1
    assert document["settings"] == {"which": "all", "quick": True}
    assert {"date", "cpu", "cores", "threads", "isa", "compiler", "system", "load", "versions"} == set(document["machine"])
    assert document["machine"]["versions"]["torch"] == torch.__version__
    assert [table["name"] for table in document["tables"]] == list(benchmark.TABLES)
    for table in document["tables"]:
        assert table["about"] in printed
        assert isinstance(table["ahead"], bool)
        for case, meant in zip(table["cases"], TINY[table["name"]], strict=True):
            assert case["name"] == meant.name
            assert case["settings"] == meant.settings
            assert case["refusal"] is None
            assert [side["side"] for side in case["sides"]] == list(meant.sides)
            assert case["name"] in printed
            for side in case["sides"]:
                assert set(side) == {
                    *("side", "process", "role", "agreements", "seconds", "failure", "median", "minimum", "ratio"),
                }
                assert side["failure"] is None
                assert len(side["seconds"]) >= (1 if side["side"] == sampling.NAIVE_ONCE else 3)
                assert side["minimum"] == min(side["seconds"])
                assert side["median"] == pytest.approx(np.median(side["seconds"]))
                assert all(set(agreement) == {"quantity", "deviation", "tolerance"} for agreement in side["agreements"])
                assert side["side"] in printed
        for figure in table["figures"]:
            assert set(figure) == {"key", "value", "meaning"}
            assert figure["meaning"] in printed
    figures = {figure["key"]: figure["value"] for table in document["tables"] for figure in table["figures"]}
    assert {"forward_over_torch", "forward_over_torch_compile", "share_of_peak", "over_torch", "3x5x6x6_passes"} <= set(figures)
    # Only one direction was compiled, and no step.
    assert figures["forward_backward_over_torch_compile"] is None
    assert figures["over_torch_compile"] is None


def test_disagreement_and_failure_are_exit_code_1(made_up, monkeypatch, capsys, tmp_path):
    for side, sentence in (("wrong", "not timed: y of side 'wrong'"), ("raises", "could not run: ValueError: no compiler")):
        cases = (Case("case", {"diary": str(made_up.diary)}, ("a", side)),)
        monkeypatch.setattr(kernels, "TABLE", replace(made_up.table, cases=lambda quick, cases=cases: cases))
        assert benchmark.main("kernels", True, tmp_path / "bench.json") == 1
        printed = capsys.readouterr().out
        assert sentence in printed
        assert "ahead of every peer" not in printed
        json.loads((tmp_path / "bench.json").read_text(), parse_constant=finite)


def test_main_refuses(tmp_path, capsys):
    with pytest.raises(InputError, match="which must be one of all, kernels, sampling, toy-gan, training; got 'toys'"):
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


@pytest.mark.parametrize(("seconds", "noted"), [([1.0, 1.1, 1.2], False), ([1.0, 8.0, 8.0], True)])
def test_a_case_that_was_disturbed_says_so(seconds, noted):
    result = CaseResult(Case("a case", {}, ("native",)), [SideResult("native", "genlab", "native", seconds=seconds)])
    assert ("something else was using the cores" in report.case_table(result)) == noted
