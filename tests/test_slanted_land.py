"""The page 'Slanted land', driven by Streamlit's own tester through all six parts; its browser test is in test_slanted_browser.py."""

import json
import math
import re
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from genlab import toy_gan
from genlab.dashboard.slanted import discriminator, losses, million, pictures, setting, shipped, step, surveys, training
from genlab.errors import BackendError
from genlab.lecture import worked
from tests.pages import components, press, rerun

ROOT = Path(__file__).parent.parent
PAGE = "genlab/dashboard/pages/slanted_land.py"
SETTING = setting.Setting(seed=3, learning_rate=0.05, init_scale=1.5, epochs=20)


@pytest.fixture(autouse=True)
def fresh_caches() -> Iterator[None]:
    st.cache_data.clear()
    surveys.office.clear()
    shipped.chart.cache_clear()
    yield
    st.cache_data.clear()
    surveys.office.clear()
    shipped.chart.cache_clear()


@pytest.fixture
def small_survey(monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"_SIDE": 6, "_EPOCHS": 10, "_FRAMES": 3, "_STEP_ROWS": 5, "SIZES": {"few": 4, "more": 8}}
    for name, value in small.items():
        monkeypatch.setattr(million, name, value)


def opened(**query: object) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for name, value in query.items():
        app.query_params[name] = str(value)
    app.switch_page(PAGE)
    return rerun(app)


def asked(app: AppTest, name: str) -> str:
    value = app.query_params[name]
    return value if isinstance(value, str) else value[0]


def shown(app: AppTest) -> Any:
    """What the page has sent to its component."""
    (component,) = components(app)
    return json.loads(component.proto.json)


def said(app: AppTest) -> str:
    return "\n".join(element.value for kind in (app.markdown, app.caption) for element in kind)


# --- the way through -------------------------------------------------------------------------------------------------------------


def test_next_leads_through_all_six_parts(small_survey: None) -> None:
    app = opened()
    questions = [app.header[0].value]
    for part in range(2, 7):
        following = next(button.label for button in app.button if button.label.startswith("Next"))
        press(app, following)
        assert asked(app, "part") == str(part)
        questions.append(app.header[0].value)
    assert len(set(questions)) == 6
    assert all(question.endswith("?") for question in questions)
    assert not [button for button in app.button if button.label.startswith("Next")]


@pytest.mark.parametrize(
    "query",
    [
        {"part": "7"},
        {"part": "1", "picture": "1,0,0"},
        {"part": "1", "picture": "nan,0,0,1"},
        {"part": "2", "picture": "2,0,0,1", "weights": "1e9,0,0,0,0"},
        {"part": "3", "p": "1"},
        {"part": "4", "step": "-1", "micro": "9", "loss": "hinge"},
        {"part": "4", "step": "999999999"},
        {"part": "5", "seed": "x", "lr": "-1", "scale": "inf", "epochs": "0", "step": "10000"},
        {"part": "6", "rows": "colour", "gans": "0", "cell": "99-999999"},
    ],
)
def test_an_address_that_breaks_a_rule_is_read_as_if_nothing_were_said(small_survey: None, query: dict[str, str]) -> None:
    app = opened(**query)
    assert app.header[0].value == opened(part=query["part"]).header[0].value
    assert not app.error


def test_the_largest_seed_survives_the_address() -> None:
    seed = setting.MOST_SEED
    app = opened(part=5, seed=seed, epochs=2)
    assert f"seed {seed}" in said(app)
    assert asked(press(app, "Another start"), "seed") == "0"


# --- 1 and 2: the world, the discriminator by hand -------------------------------------------------------------------------------


def test_one_more_click_makes_somebody_appear() -> None:
    easel = shown(opened())
    assert easel["picture"] == [1, 0, 0, 0]
    assert easel["says"] == "0.50: undecided"
    assert shown(opened(picture="1,0,0,1"))["says"] == "0.73: a face"
    assert toy_gan.FACES.tolist() in [shelf["pictures"] for shelf in easel["shelf"]]


@pytest.mark.parametrize(
    ("picture", "total", "score", "says"),
    [
        ((1, 0, 0, 1), "1.00", "0.73", "a face"),
        ((0.25, 1, 0.5, 0.75), "−1.50", "0.18", "not a face"),
        ((0.5, 0, 0, 0.5), "0.00", "0.50", "undecided"),
        ((1, 0.5, 0.5, 1), "0.00", "0.50", "undecided"),
        ((1, 0.5, 0, 1), "0.50", "0.62", "a face"),
    ],
)
def test_the_worked_sums_of_slides_51_to_53(picture: tuple[float, ...], total: str, score: str, says: str) -> None:
    app = opened(part=2, picture=",".join(map(str, picture)))
    neuron = shown(app)
    assert f"{pictures.signed(neuron['total'])} {pictures.signed(neuron['score'])} {neuron['says']}" == f"{total} {score} {says}"
    assert f"= {total},  σ(g) = {score}: {says}." in said(app)
    assert f"= {total},  σ(g) = {score}: **{says}**" in said(app)  # and among the five
    assert picture in worked.PICTURES


def test_the_sum_is_written_out_as_on_the_slide() -> None:
    assert "g = 0.25·1 + 1·(−1) + 0.5·(−1) + 0.75·1 − 1 = −1.50,  σ(g) = 0.18" in said(opened(part=2, picture="0.25,1,0.5,0.75"))


def test_the_lectures_weights_separate_and_zeros_do_not() -> None:
    neuron = shown(opened(part=2))
    assert neuron["verdict"] == "11 of 11 right."
    assert all(each["face"] == (each["score"] > 0.5) for each in neuron["shelf"])
    assert shown(opened(part=2, weights="0,0,0,0,0"))["verdict"] == "0 of 11 right."
    assert shown(opened(part=2, weights="0,0,0,0,5"))["verdict"] == "5 of 11 right."


def test_what_a_component_sends_is_kept_and_reaches_the_address_once_it_is_settled() -> None:
    app = opened(part=2)
    app.session_state["slanted_weights"] = (2.0, -2.0, -2.0, 2.0, -2.0)
    assert shown(rerun(app))["weights"] == [2, -2, -2, 2, -2]
    script = """
from genlab.dashboard import address
address.keep("a", [0.5, 1], count=2, least=0, most=1, settled=False)
address.keep("b", [0.5, 1], count=2, least=0, most=1, settled=True)
for bad in ([0.5], [0.5, 2], [0.5, float("nan")], "xy", None, [None, 1]):
    address.keep("c", bad, count=2, least=0, most=1, settled=True)
"""
    sent = AppTest.from_string(script).run()
    assert not sent.exception
    assert sent.session_state["slanted_a"] == sent.session_state["slanted_b"] == (0.5, 1.0)
    assert set(sent.query_params) == {"b"}
    assert "slanted_c" not in sent.session_state


# --- 3: the error functions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("p", "real", "fake"), [("0.1", "2.303 nats", "0.105 nats"), ("0.9", "0.105 nats", "2.303 nats")])
def test_the_worked_errors(p: str, real: str, fake: str) -> None:
    app = press(opened(part=3, p="0.5"), p)
    assert asked(app, "p") == p
    assert [metric.value for metric in app.metric] == [real, fake]


def test_the_slider_moves_the_point_and_your_neurons_is_what_part_2_gives() -> None:
    app = opened(part=3, weights="1,-1,-1,1,-1")
    app.slider[0].set_value(0.25)
    assert rerun(app).metric[0].value == f"{-math.log(0.25):.3f} nats"
    assert "slope −1/p = −4.00" in said(app)
    assert asked(press(app, "your neuron’s"), "p") == "0.73"


def test_tangents_touch_the_curves() -> None:
    p = 0.3
    errors, slopes = {losses.REAL: -math.log(p), losses.FAKE: -math.log(1 - p)}, {losses.REAL: -1 / p, losses.FAKE: 1 / (1 - p)}
    chart = losses.error_curves(p, errors, slopes).to_dict()
    curves, _, tangents, points = (chart["datasets"][layer["data"]["name"]] for layer in chart["layer"])
    for name in errors:
        (left, right), (point,) = ([row for row in layer if row["curve"] == name] for layer in (tangents, points))
        assert point["error"] == pytest.approx((left["error"] + right["error"]) / 2)
        nearby = {round(row["p"], 2): row["error"] for row in curves if row["curve"] == name}
        secant = (nearby[0.31] - nearby[0.29]) / 0.02
        assert (right["error"] - left["error"]) / (right["p"] - left["p"]) == pytest.approx(secant, rel=0.01)


# --- 4: one step under the microscope --------------------------------------------------------------------------------------------


def test_the_microscope_goes_forwards_and_backwards_over_the_border_of_a_step() -> None:
    app = opened(part=4, epochs=2)
    assert next(button for button in app.button if button.label.endswith("Back")).disabled
    titles = [app.subheader[0].value]
    for _ in range(step.SCENES):
        press(app, "Forward ▶")
        titles.append(app.subheader[0].value)
    assert [title[:6] for title in titles] == [f"{n} of 8" for n in (*range(1, 9), 1)]
    assert (asked(app, "step"), asked(app, "micro")) == ("2", "1")
    press(app, "◀ Back")
    assert (asked(app, "step"), asked(app, "micro")) == ("1", "8")
    assert app.subheader[0].value == titles[7]
    assert next(button for button in opened(part=4, epochs=2, step=10, micro=8).button if button.label.startswith("Forward")).disabled


@pytest.mark.parametrize("loss", toy_gan.LOSSES)
def test_the_microscope_shows_the_training_itself(loss: str) -> None:
    run = toy_gan.train(epochs=20, learning_rate=0.05, init_scale=1.5, seed=3, loss=loss, record_every=1)
    history = run.history
    assert history is not None
    for number in (1, 7, 100):
        sights = step.take_apart(SETTING, loss, number)
        assert len(sights) == step.SCENES
        recorded = np.concatenate(
            [history.d_weights[number], history.d_bias[number, None], history.g_weights[number], history.g_bias[number]]
        )
        np.testing.assert_allclose(sights[-1].scene.state, recorded, rtol=0, atol=1e-12)
        moves = np.sum([sight.scene.change for sight in sights if sight.scene.change is not None], axis=0)
        started = sights[0].scene.state
        np.testing.assert_allclose(np.add(started, moves), recorded, rtol=0, atol=1e-12)
        assert sights[2].scene.z == run.z[number - 1]
        assert history.d_loss[number] == pytest.approx(sights[0].part.loss + sights[3].part.loss)


def test_gradients_stand_beside_finite_differences() -> None:
    for micro, names in ((2, "w₁ w₂ w₃ w₄ b"), (5, "w₁ w₂ w₃ w₄ b"), (8, "v₁ v₂ v₃ v₄ c₁ c₂ c₃ c₄")):
        table = next(text.value for text in opened(part=4, epochs=2, micro=micro).markdown if "finite difference" in text.value)
        rows = [[cell.strip().replace("−", "-") for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
        assert " ".join(row[0] for row in rows) == names
        assert all(abs(float(exact) - float(measured)) < 1e-6 for _, exact, measured, _ in rows)
        assert any(float(exact) for _, exact, _, _ in rows)


def test_formulas_carry_the_numbers() -> None:
    app = opened(part=4, epochs=2)
    sight = step.take_apart(setting.Setting(0, 0.01, 1.0, 2), "non-saturating", 1)[0]
    assert [latex.value.strip("$\n") for latex in app.latex] == [sight.formula, sight.numbers]
    assert f"{sight.part.probability:.4f}" in sight.numbers
    assert shown(app)["out"] == sight.part.probability


# --- 5: training -----------------------------------------------------------------------------------------------------------------


def test_the_reel_shows_both_losses_from_one_start() -> None:
    reel = shown(opened(part=5, seed=2, epochs=400))
    assert [lane["name"] for lane in reel["lanes"]] == list(toy_gan.LOSSES)
    assert reel["lanes"][0]["states"][0] == reel["lanes"][1]["states"][0]
    assert reel["lanes"][0]["states"][-1] != reel["lanes"][1]["states"][-1]
    assert {ideal["name"]: round(ideal["loss"], 3) for ideal in reel["ideals"]} == {"ln 4": 1.386, "ln 2": 0.693}
    assert (reel["steps"][0], reel["steps"][-1]) == (0, 2000)
    for lane, loss in zip(reel["lanes"], toy_gan.LOSSES, strict=True):
        run = toy_gan.train(epochs=400, seed=2, loss=loss)
        np.testing.assert_allclose(lane["states"][-1], [*run.d_weights, run.d_bias, *run.g_weights, *run.g_bias], atol=1e-4)
        np.testing.assert_allclose(lane["pictures"][-1], toy_gan.generate(training.draws(), run.g_weights, run.g_bias), atol=1e-4)


def test_a_discriminator_that_can_only_guess_costs_ln_4_and_ln_2() -> None:
    weights = {"d_weights": np.zeros((1, 4)), "d_bias": np.zeros(1), "g_weights": np.zeros((1, 4)), "g_bias": np.full((1, 4), 2.0)}
    history = toy_gan.History(step=np.array([0]), **weights, d_loss=np.zeros(1), g_loss=np.zeros(1))
    lane = training._lane("minimax", history)
    assert lane.d_loss == pytest.approx(training.LN4)
    assert lane.g_loss == pytest.approx(training.LN2)
    assert "No faces yet; z moves no pixel by more than 0.000: G ignores it." in lane.words[0]


def test_the_reel_stands_at_the_step_in_the_address_until_another_start() -> None:
    app = opened(part=5, epochs=400, step=1000)
    reel = shown(app)
    assert reel["steps"][reel["start"]] == 1000
    press(app, "Another start")
    assert (asked(app, "seed"), shown(app)["start"]) == ("1", None)
    assert "step" not in app.query_params


# --- 6: a million ----------------------------------------------------------------------------------------------------------------


def finished(app: AppTest) -> AppTest:
    while shown(app)["done"] < 1:
        rerun(app)
    return app


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The surveys that were begun."""
    begun: list[dict[str, Any]] = []
    compute = toy_gan.phase_diagram

    def counted(*arguments: Any, **options: Any) -> Iterator[toy_gan.PhaseDiagram]:
        begun.append(options)
        return compute(*arguments, **options)

    monkeypatch.setattr(toy_gan, "phase_diagram", counted)
    return begun


@pytest.mark.parametrize("rows", surveys.AXES)
def test_the_map_fills_while_it_is_computed(small_survey: None, rows: str) -> None:
    charts = list(million.plan(rows, "few", "non-saturating").charts())
    assert [chart.steps_done for chart in charts] == ([16, 33, 50] if rows == surveys.AXES[0] else [10, 20, 30, 40, 50])
    assert [chart.rows_known for chart in charts] == ([6, 6, 6] if rows == surveys.AXES[0] else [1, 2, 3, 4, 5])
    last = shown(finished(opened(part=6, rows=rows)))
    assert re.fullmatch(r"[\d,]+ GANs, 50 of 50 steps each, in [\d.]+ s: [\d,]+( million)? steps a second\.", last["status"])
    for name in ("varied", "same"):
        counts = np.frombuffer(b64decode(last[name]), "<u2").reshape(-1, 6)
        np.testing.assert_array_equal(counts, getattr(charts[-1], name))


def test_a_survey_is_computed_once_for_all_sessions_and_kept(small_survey: None, computed: list[dict[str, Any]]) -> None:
    apps = [opened(part=6) for _ in range(4)]
    maps = [shown(finished(app)) for app in apps]
    assert len(computed) == 1
    assert all(plan == maps[0] for plan in maps)
    assert shown(finished(opened(part=6))) == maps[0]
    assert len(computed) == 1
    finished(opened(part=6, loss="minimax"))
    assert [each["loss"] for each in computed] == ["non-saturating", "minimax"]


def test_only_what_is_looked_at_is_worked_on_and_the_least_advanced_first(small_survey: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveys.threading.Thread, "start", lambda thread: None)
    office = surveys.Office()
    one, other = (million.plan(surveys.AXES[0], "few", loss) for loss in toy_gan.LOSSES)
    looked = [office.look(plan) for plan in (one, other)]
    assert office._next() is looked[0]
    looked[0].advance()
    assert office._next() is looked[1]
    looked[1].looked_at -= 60
    assert office._next() is looked[0]
    looked[0].looked_at -= 60
    assert office._wanted() == []


def test_what_keeps_a_survey_from_being_computed_is_said(small_survey: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise BackendError("backend 'native' is not available: no compiler")

    monkeypatch.setattr(toy_gan, "phase_diagram", refuse)
    assert [error.value for error in opened(part=6).error] == ["backend 'native' is not available: no compiler"]


def test_a_shipped_map_is_there_at_once_and_can_be_computed_here(
    small_survey: None, computed: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "FILE", tmp_path / "surveys.npz")
    shipped.write(million.plans(), shipped.FILE)
    assert len(computed) == 8
    app = opened(part=6)
    before = shown(app)
    assert (before["done"], len(computed)) == (1, 8)
    assert before["status"].endswith("50 of 50 steps each, computed beforehand.")
    press(app, "Compute it here")
    after = shown(finished(app))
    assert len(computed) == 9
    assert (after["varied"], after["same"]) == (before["varied"], before["same"])
    assert "Compute it here" not in [button.label for button in app.button]


def test_every_survey_that_can_be_chosen_is_shipped_and_is_what_this_code_computes() -> None:
    for plan in million.plans():
        chart = shipped.chart(plan)
        assert chart is not None, plan
        assert chart.varied.shape == chart.same.shape == (plan.rows, plan.columns)
        row, column = plan.rows // 5, plan.columns // 3
        runs = toy_gan.train_many(
            runs=(count := min(200, plan.runs)),
            seed=plan.seeds(row, column)[0],
            learning_rate=float(plan.rates[column]),
            init_scale=plan.scale(row),
            epochs=chart.steps_of(plan, row) // 5,
            loss=plan.loss,
        )
        share = (chart.varied + chart.same)[row, column] / plan.runs
        drawing = toy_gan.draws_faces(runs.g_weights, runs.g_bias).sum()
        # All runs of a small cell; of a large one as many as chance allows, at four standard deviations.
        spread = 1 if count == plan.runs else 1 + 4 * math.sqrt(count * share * (1 - share))
        assert abs(drawing - count * share) <= spread, plan


def test_the_stripe_is_explained_by_its_own_runs() -> None:
    app = opened(part=6)
    (words,) = [element.value for element in app.markdown if "stripe" in element.value]
    rate = float(re.findall(r"learning rate ([\d.]+)", words)[0])
    before, now, after = (int(count) for count in re.findall(r"(\d+)(?: draw faces)? after [\d,]+", words))
    assert rate == pytest.approx(0.0236, abs=1e-4)
    assert now < 10 < 40 < min(before, after)
    press(app, "Watch one of them swing")
    assert (asked(app, "part"), asked(app, "epochs"), asked(app, "scale")) == ("5", "1100", "0.05")


def test_a_dip_is_lower_than_both_its_sides() -> None:
    shares = np.array([0.0, 0.2, 0.9, 1.0, 0.1, 0.9, 1.0, 0.6, 0.0, 0.0])
    assert million.dip(shares) == 4
    assert million.dip(np.linspace(0, 1, 10)) is None


def test_a_cells_runs_are_those_that_were_counted(small_survey: None) -> None:
    app = finished(opened(part=6, gans="more"))
    app.query_params["cell"] = "4-5"
    plan = shown(rerun(app))
    kinds = [run["kind"] for run in plan["runs"]]
    assert len(kinds) == 8
    counts = {name: np.frombuffer(b64decode(plan[name]), "<u2").reshape(6, 6) for name in ("varied", "same")}
    assert {name: kinds.count(name) for name in counts} == {name: count[4, 5] for name, count in counts.items()}


def test_a_run_is_opened_in_part_5_with_the_setting_of_its_cell(small_survey: None) -> None:
    app = opened(part=5, seed=40, lr=0.25, scale=2, epochs=10)
    reel = shown(app)
    alone = toy_gan.train_many(runs=1, seed=np.array([40], np.uint64), learning_rate=0.25, init_scale=2.0, epochs=10)
    np.testing.assert_allclose(reel["lanes"][0]["states"][-1][9:], alone.g_bias[0], atol=1e-3)


def test_ticks_are_powers_of_ten() -> None:
    axis = million._log_axis("learning rate", np.geomspace(1e-3, 10, 100))
    assert [text for text, _ in axis.ticks] == ["0.001", "0.01", "0.1", "1", "10"]
    assert [place for _, place in axis.ticks] == pytest.approx([0, 0.25, 0.5, 0.75, 1])


def test_presets_are_within_the_sliders_and_the_curve_is_the_sigmoid() -> None:
    assert all(abs(weight) <= 5 for preset in discriminator._presets().values() for weight in preset)
    assert all(value == pytest.approx(1 / (1 + math.exp(-g))) for g, value in discriminator._curve())
