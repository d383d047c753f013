"""The page of reversible models: what it shows is what the model says, by Streamlit's tester and in a real Chromium."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

import genlab
from genlab.dashboard.stage import flows
from genlab.dashboard.stage.flows import SIDE, drawn_at, plane_of, round_trip
from genlab.dashboard.stage.sources import Source, held_out
from genlab.errors import InputError
from tests.browser import Server
from tests.pages import components, press, rerun
from tests.test_browser_pages import visit
from tests.test_flow import flow
from tests.test_pages import opened

SPIRALS, MNIST = (Source(name, 0, name) for name in ("spirals-flow", "mnist-flow"))


@pytest.fixture(autouse=True)
def no_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path / "runs"))


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_what_is_drawn_of_the_plane_is_what_the_model_says(temperature):
    model, plane = genlab.load_model("spirals-flow"), plane_of(SPIRALS, temperature, 0)
    x = plane.scales[-1] * (plane.nodes[-1].astype(np.float64) @ plane.turns[-1]) + plane.centres[-1]
    z = plane.scales[0] * (plane.nodes[0].astype(np.float64) @ plane.turns[0]) + plane.centres[0]
    codes, log_det = model.forward_and_log_det(x)
    np.testing.assert_allclose(z, codes.detach().numpy(), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(plane.log_dets[0], log_det.detach().numpy(), rtol=1e-3, atol=1e-3)
    assert np.array_equal(plane.log_dets[-1], np.zeros(SIDE**2))
    squared = (z**2).sum(1) / temperature**2
    log_p = plane.log_dets[0] - squared / 2 - math.log(2 * math.pi * temperature**2)
    np.testing.assert_allclose(plane.density[-1].ravel(), np.exp(log_p), rtol=0.02, atol=1e-5)
    # At the noise's end it is a normal distribution; and everywhere the view holds nearly all of it.
    middles = (2 * np.arange(SIDE) + 1) / SIDE - 1
    seen = np.stack(np.meshgrid(middles, -middles), -1).reshape(-1, 2)
    noise = plane.scales[0] * (seen @ plane.turns[0]) + plane.centres[0]
    normal = np.exp(-(noise**2).sum(1) / (2 * temperature**2)) / (2 * math.pi * temperature**2)
    np.testing.assert_allclose(plane.density[0].ravel(), normal, rtol=1e-4, atol=1e-7)
    for turn in plane.turns:
        np.testing.assert_allclose(turn @ turn.T, np.eye(2), atol=1e-6)


def test_points_that_are_not_in_the_plane_are_a_sentence(monkeypatch):
    monkeypatch.setattr(flows, "model_of", lambda source: flow(image_shape=(3,), levels=None))
    with pytest.raises(InputError, match="points in the plane"):
        plane_of(Source("elsewhere", 1, ""), 1.0, 0)


def test_an_image_comes_back_level_by_level():
    images, _ = held_out(MNIST)
    trip = round_trip(MNIST, 3)
    assert np.array_equal(trip.back, images[3])
    assert trip.off < 0.5
    assert 0 < trip.bits_per_dim < 8
    assert trip.stations.shape[1:] == images.shape[1:]


def test_other_temperatures_draw_from_the_same_noise():
    assert np.array_equal(drawn_at(MNIST, 1.0, 0, 4), genlab.sample(genlab.load_model("mnist-flow"), 4, seed=0))
    assert len({drawn_at(MNIST, temperature, 0, 4).tobytes() for temperature in (0.5, 1.0)}) == 2


def test_both_parts_are_alive_and_their_proofs_hold():
    app = opened("reversible")
    assert not app.error
    assert [each.proto.component_name for each in components(app)] == ["genlab_warp"]
    press(app, "Add it up")
    assert any("Holds" in each.value for each in app.success)
    app.segmented_control[0].set_value("images")
    rerun(app)
    assert not app.error
    assert {each.proto.component_name for each in components(app)} == {"genlab_wall"}
    assert any("every level is the one that went in" in each.value for each in app.markdown)


@pytest.mark.browser
def test_the_plane_is_scrubbed_and_asked_without_a_rerun(browser: Browser, server: Server):
    tab = visit(browser, server, "reversible", motion="reduce")
    runs = tab.evaluate("""() => {
      window.reruns = 0;
      new MutationObserver(() => (window.reruns += document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'running'))
        .observe(document.querySelector('[data-testid=stApp]'), { attributes: true });
      return window.reruns;
    }""")
    scrub, where = tab.get_by_role("slider", name="layer", exact=True), tab.locator(".warp .where")
    expect(where).to_have_text("data")
    picture = "document.querySelector('.warp canvas')"
    tab.locator(".warp canvas").wait_for()
    at_data = tab.locator(".warp canvas").screenshot()
    scrub.press("Home")
    expect(where).to_have_text("noise")
    assert tab.locator(".warp canvas").screenshot() != at_data, picture
    scrub.press("End")
    box = tab.locator(".warp canvas").bounding_box()
    assert box is not None
    said = set()
    for share in (0.3, 0.6):
        tab.mouse.move(box["x"] + share * box["width"], box["y"] + share * box["height"])
        said.add(tab.locator(".warp .total").inner_text())
    assert len(said) == 2
    # The numbers under the pointer are the model's.
    written = tab.locator(".warp .x").inner_text().replace("−", "-")
    x = [[float(each) for each in re.findall(r"-?[\d.]+", written)]]
    expected = float(genlab.load_model("spirals-flow").log_prob(np.array(x))[0])
    shown = float(tab.locator(".warp .total").inner_text().replace("−", "-"))
    assert abs(shown - expected) < 0.1 * (1 + abs(expected))  # x is written with two digits
    assert tab.evaluate("window.reruns") == runs
    tab.context.close()
