"""The gallery and the page on memorisation, driven by Streamlit's own tester, and what they are made of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from genlab import runs
from genlab.dashboard.gallery import exhibits, shipped
from genlab.dashboard.navigation import PAGES
from genlab.dashboard.stage import memory, sources
from tests.pages import components, press, rerun

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def no_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setenv("GENLAB_DATA_DIR", "")
    monkeypatch.setenv("GENLAB_CACHE_DIR", str(tmp_path / "no cache"))


def opened(page, **query):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for name, value in query.items():
        app.query_params[name] = str(value)
    app.switch_page(PAGES[page].file)
    return rerun(app)


def shown(app):
    (component,) = [each for each in components(app) if each.proto.component_name == "genlab_gallery"]
    return json.loads(component.proto.json)


# --- the gallery -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["digits-pixelcnn", "mnist-vae-2d", "mnist-dcgan"])
def test_the_first_sets_and_figures_are_the_models_own(name: str) -> None:
    source = sources.Source(name, 0, name)
    again = exhibits.draw(sources.model_of(source), source, 0)
    assert (again == shipped.images(name)).mean() > 0.99  # on a processor with other vectors a sum may round the other way
    if name == "digits-pixelcnn":
        figure, told = shipped.figure(name), shipped.told(name)
        assert figure["mean"] == pytest.approx(told["mean"], rel=1e-4)
        assert figure["standard_error"] == pytest.approx(told["standard_error"], rel=1e-3)
        assert figure["examples"] == told["examples"] == 180


def test_every_shipped_model_that_draws_pictures_hangs_there_with_its_cost() -> None:
    found = {each.source.name: each for each in exhibits.exhibits()}
    assert set(found) == {run.name for run in shipped.runs()} == set(shipped._sets()) == set(shipped._figures())
    assert set(found) >= {"mnist-pixelcnn", "mnist-vae", "mnist-flow", "mnist-dcgan", "photos-coloured"}
    years = [each.year for each in found.values()]
    assert years == sorted(years)
    assert years[0] == 2014
    pixelcnn, vae, gan = (found[name] for name in ("mnist-pixelcnn", "mnist-vae", "mnist-dcgan"))
    assert pixelcnn.cost.startswith("1,000,000 images seen")  # 20 epochs of 50,000
    assert exhibits.drawn(pixelcnn, 0).parameters == sources.model_of(pixelcnn.source).parameter_count()
    assert (pixelcnn.lab, vae.lab, found["photos-coloured"].lab) == ("theatre", "vae_lab", "uses")
    assert found["photos-coloured"].at == {"model": "photos-coloured", "use": "grey"}
    for exhibit, kind in ((pixelcnn, "exact"), (vae, "a bound on log p"), (gan, "a distance, no likelihood")):
        assert exhibit.figure.endswith(f"({kind})")
        assert exhibit.lab in PAGES


def test_another_set_is_drawn_and_timed_now(monkeypatch) -> None:
    kept = [each for each in exhibits.exhibits() if each.source.name in ("mnist-vae-2d", "digits-pixelcnn")]
    monkeypatch.setattr(exhibits, "exhibits", lambda: kept)
    app = opened("gallery")
    first = shown(app)
    assert [each["title"] for each in first] == ["vae", "pixelcnn"]
    assert [each["year"] for each in first] == [2014, 2016]
    assert first[0]["door"] == "vae_lab?model=mnist-vae-2d"
    assert dict(first[1]["lines"])["one image"].startswith("drawn in")
    assert "when the package was" in app.caption[-1].value
    again = shown(press(app, "Draw another set"))
    assert [each["values"] for each in again] != [each["values"] for each in first]
    assert "Drawn, and timed, just now." in app.caption[-1].value


def test_a_run_of_ones_own_hangs_there_and_a_broken_one_does_not(trained, tmp_path) -> None:
    folder = runs.runs_folder()
    folder.mkdir()
    (folder / "mine").symlink_to(trained)
    (folder / "broken").mkdir()
    (folder / "broken" / "config.json").write_text("{")
    (own,) = [each for each in exhibits.exhibits() if "run mine" in each.title]
    assert "images seen in" in own.cost
    assert exhibits.drawn(own, 0).images.shape[0] == shipped.IMAGES
    assert own.figure.endswith("(exact)")


# --- memorisation ----------------------------------------------------------------------------------------------------------------


def test_a_planted_memoriser_is_told_beside_an_honest_model() -> None:
    app = opened("memorisation")
    assert len([each for each in components(app) if each.proto.component_name == "genlab_wall"]) == 2
    assert [each.value for each in app.header] == ["Model A", "Model B"]
    assert not app.success  # guess first
    assert not app.warning
    app.segmented_control(key="linked guess").set_value("A")
    rerun(app)
    assert any(each.value.startswith("**Right.** Model A is planted") for each in app.markdown)
    assert "no sign of memorising" in app.success[0].value
    assert "it memorises" in app.warning[0].value
    assert "(95%: " in app.success[0].value
    before = [each.proto.json for each in components(app)]
    app.slider[0].set_value(200)
    assert [each.proto.json for each in components(rerun(app))] != before
    assert app.query_params["pair"] in ("200", ["200"])


def test_pairs_are_sought_only_where_the_training_data_are_at_hand() -> None:
    found = set(memory.with_data())
    assert found >= {"digits-pixelcnn", "photos-coloured"}
    assert not [name for name in found if name.startswith("mnist")]
    source = memory.with_data()["digits-pixelcnn"]
    verdict = memory.pairs_of(source, "digit features", 0, planted=True).found
    assert verdict.memorises
    assert verdict.space == "digit features"
