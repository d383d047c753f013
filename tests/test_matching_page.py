"""The page of flow matching: what it shows is what the model says, and what the browser computes is what torch does."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, expect

import genlab
from genlab.dashboard.components import base64
from genlab.dashboard.stage import matching
from genlab.dashboard.stage.matching import COUNTS, drawn_in, field_of, histogram, on_the_way, sources_of, worth_of_steps
from genlab.dashboard.stage.sources import Source
from genlab.errors import InputError
from genlab.models.continuous.solver import SOLVERS
from tests import systems
from tests.browser import PATIENCE_MS, Server
from tests.pages import components, press, rerun
from tests.test_browser_pages import visit
from tests.test_pages import ROOT, a_run, opened

SPIRALS, DIGITS = (Source(name, 0, name) for name in ("spirals-matching", "digits-matching"))
SCRIPTS = [(ROOT / "genlab" / name).read_text(encoding="utf-8") for name in ("browser/ink.js", "dashboard/components/velocity.js")]

# Follows points by every solver, on the network as it is sent.
FOLLOW = """({ field, points, solvers, steps }) => {
  const velocity = createField({ ...field, weights: new Float32Array(bytes(field.weights)) });
  const found = (solver) => follow(velocity, points, solver, steps).map((each) => [...each]);
  return Object.fromEntries(Object.entries(solvers).map(([name, solver]) => [name, found(solver)]));
}"""


@pytest.fixture(autouse=True)
def no_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path / "runs"))


def test_both_parts_are_alive_and_the_density_adds_up():
    app = opened("noise_to_data")
    assert not app.error
    assert [each.proto.component_name for each in components(app)] == ["genlab_stream", "genlab_wall"]
    assert len(app.get("vega_lite_chart")) == 1
    press(app, "Add it up")
    [said] = [each.value for each in app.success]
    found = re.search(r"adds up to \*\*([\d.]+)\*\*; ([\d.]+)%", said)
    assert found is not None
    assert float(found[1]) == pytest.approx(1, abs=0.01)
    app.segmented_control[0].set_value("images")
    rerun(app)
    assert not app.error
    assert [each.proto.component_name for each in components(app)] == ["genlab_developing", *["genlab_wall"] * len(COUNTS)]
    assert "not FID" in app.caption[-1].value


def test_a_model_s_name_alone_leads_to_its_part():
    app = opened("noise_to_data", model="digits-matching")
    assert app.segmented_control[0].value == "images"
    assert components(app)[0].proto.component_name == "genlab_developing"


def test_what_streams_is_the_model_s_own_field_and_ends_where_it_draws():
    model, field = genlab.load_model("spirals-matching"), field_of(SPIRALS, 3)
    assert sum(parameter.numel() for parameter in model.parameters()) == len(field.weights)
    assert field.paths.shape == (matching.STATIONS + 1, matching.DOTS, 2)
    drawn = genlab.sample(model, matching.DOTS, seed=3, steps=64, solver="rk4")
    np.testing.assert_allclose(field.paths[-1] * field.spread + np.array(field.middle), drawn, atol=1e-3)
    assert np.abs(field.paths[-1]).max() < field.reach


def test_more_steps_are_worth_more_of_the_same_noise():
    found = worth_of_steps(SPIRALS, 0)
    assert [(each.solver, each.passes) for each in found][:3] == [("euler", 1), ("euler", 2), ("euler", 4)]
    assert all(each.passes <= matching.PASSES_AT_MOST for each in found)
    by = {(each.solver, each.steps): each.lie.coverage for each in found}
    assert by["euler", 1].high < by["euler", 4].low
    assert by["euler", 4].high < by["rk4", 8].low
    few, many = (drawn_in(DIGITS, steps, "euler", 0, 4) for steps in (1, 32))
    assert few.shape == many.shape == (4, 1, 8, 8)
    assert not np.array_equal(few, many)


def test_images_on_their_way_begin_as_noise_and_end_as_what_is_expected():
    way = on_the_way(DIGITS, 0, 6)
    model = genlab.load_model("digits-matching")
    noise = (255 * ((model.noise(6, 0).numpy() + 1) / 2).clip(0, 1)).round()
    np.testing.assert_array_equal(way.images[0], noise)
    np.testing.assert_array_equal(way.images[-1], way.expected[-1])
    assert way.detour >= 1
    points = np.array([[0.0, 0.9], [0.0, 0.9], [-0.9, 0.0]])
    shade = histogram(points, 1.0, (0.0, 0.0), side=3)
    np.testing.assert_array_equal(shade[0] > 0, [[False, True, False], [True, False, False], [False, False, False]])


def test_of_a_model_with_classes_each_is_shown_in_turn(monkeypatch):
    told = systems.small("flow_matching", classes=3)
    monkeypatch.setattr(matching, "model_of", lambda source: told)
    source = Source("told", 1, "")
    drawn = drawn_in(source, 2, "euler", 0, 5)
    np.testing.assert_array_equal(drawn, genlab.sample(told, 5, steps=2, solver="euler", labels=[0, 1, 2, 0, 1]))
    assert on_the_way(source, 0, 5).images.shape[1] == 5


def test_other_models_are_not_offered_and_a_large_one_is_a_sentence(monkeypatch):
    a_run("pixels")
    assert list(sources_of("plane")) == ["spirals-matching"]
    assert list(sources_of("images")) == ["digits-matching"]
    large = systems.small("flow_matching", image_shape=(2,), levels=None, hidden=600)
    monkeypatch.setattr(matching, "model_of", lambda source: large)
    with pytest.raises(InputError, match="at most 300,000 weights to be followed in a browser"):
        field_of(Source("elsewhere", 1, ""), 0)


@pytest.mark.browser
def test_the_browser_follows_the_field_as_torch_does(browser: Browser) -> None:
    model = systems.small("flow_matching", image_shape=(2,), levels=None, hidden=9, layers=3)
    layers = list(model.network.layers)
    points = model.noise(7, 0)
    field = {
        "sizes": [layers[0].in_features, *(layer.out_features for layer in layers)],
        "frequencies": model.network.frequencies,
        "weights": base64(np.concatenate([each.detach().numpy().ravel() for layer in layers for each in layer.parameters()])),
    }
    solvers = {name: solver._asdict() for name, solver in SOLVERS.items()}
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    for script in SCRIPTS:
        page.add_script_tag(content=script)
    found = page.evaluate(FOLLOW, {"field": field, "points": points.flatten().tolist(), "solvers": solvers, "steps": 5})
    context.close()
    for name in SOLVERS:
        with torch.no_grad():
            expected = torch.stack(list(model.paths(points, steps=5, solver=name))).flatten(1)
        np.testing.assert_allclose(found[name], expected, atol=1e-5)


@pytest.mark.browser
def test_steps_and_time_are_turned_without_a_rerun(browser: Browser, server: Server) -> None:
    tab = visit(browser, server, "noise_to_data", motion="reduce")
    canvas, where = tab.locator(".stream canvas"), tab.locator(".stream .where")
    expect(where).to_have_text("t = 1, data")
    at_data = canvas.screenshot()
    tab.evaluate("""() => {
      window.reruns = 0;
      new MutationObserver(() => (window.reruns += document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'running'))
        .observe(document.querySelector('[data-testid=stApp]'), { attributes: true });
    }""")
    tab.locator(".stream .steps").select_option("1")
    expect(tab.locator(".stream .passes")).to_have_text("1")
    expect(tab.locator(".stream .detour")).to_have_text("1.00 ×")  # one step is a straight line
    assert canvas.screenshot() != at_data
    tab.locator(".stream .solver").select_option("rk4")
    expect(tab.locator(".stream .passes")).to_have_text("4")
    tab.get_by_role("slider", name="time t").press("Home")
    expect(where).to_have_text("t = 0, noise")
    ended = tab.locator(".stream .end").inner_text()
    canvas.locator("..").press("ArrowLeft")
    expect(tab.locator(".stream .end")).not_to_have_text(ended)
    assert tab.evaluate("window.reruns") == 0
    tab.context.close()
