"""The pages of image GANs and of slide 60: their numbers are the library's, and what is not there is said."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import genlab
from genlab.ablation import SWITCHES, plan_of, read, rows
from genlab.dashboard.components.pad import Drawing
from genlab.dashboard.stage import gans
from genlab.dashboard.stage.sources import Source, held_out
from genlab.domain import Batch
from genlab.games import equilibrium
from genlab.runs import open_run
from tests.pages import rerun
from tests.test_pages import opened

DIGITS = Source("digits-gan", 0, "digits", label=3)


@pytest.fixture(autouse=True)
def no_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path / "runs"))


def said(app):
    return "\n".join([each.value for each in app.markdown] + [each.value for each in app.caption])


def test_the_page_shows_a_gan_of_images_and_judges_a_drawing() -> None:
    app = opened("gan_images", model="digits-gan", label=3)
    assert not any("points" in words or "by class" in words for words in app.selectbox[0].options)  # no ring-gan2d, no PixelCNN
    text = said(app)
    assert "Drawn with averaged weights from the same z" in text
    assert "Yours looks real" not in text
    drawing = Drawing(np.random.default_rng(0).integers(0, 17, (1, 8, 8)).astype(np.uint8), 8)
    app.query_params["drawing"] = drawing.as_text()
    expected = genlab.load_model("digits-gan").judge(Batch(drawing.levels[None], np.array([3])))[0]
    shown = re.search(r"Yours looks real with probability \*\*([\d.]+)%", said(rerun(app)))
    assert shown is not None
    assert float(shown[1]) == pytest.approx(100 * float(expected), abs=0.06)


def test_what_is_shown_is_what_model_and_data_say() -> None:
    found = gans.way(DIGITS, 1)
    model = genlab.load_model("digits-gan")
    ends = np.random.default_rng([1, 7]).standard_normal((2, model.settings.latent))
    for place, end in ((0, ends[0]), (-1, ends[1])):
        drawn = genlab.sample(model, 1, seed=1, latents=end[None], labels=3)[0]
        for images in found.images.values():
            assert abs(images[place].astype(int) - drawn.astype(int)).max() == 0
    assert found.lengths["straight"][4] < found.lengths["on the sphere"][4]
    verdicts = gans.verdicts(DIGITS, 0)
    real, _ = held_out(DIGITS)
    np.testing.assert_array_equal(verdicts.images["real"], real[: gans.JUDGED])
    assert all(((values >= 0) & (values <= 1)).all() for values in verdicts.probabilities.values())


def test_the_shipped_gan_came_with_its_history() -> None:
    files = open_run("digits-gan").sample_files
    assert len(files) >= 6
    assert [file.stem for file in files] == sorted(file.stem for file in files)


def test_the_shipped_study_is_of_the_switches_as_they_are() -> None:
    document = read(Path(genlab.__file__).parent / "ablation" / "shipped" / "switches")
    plan = plan_of(variants=["switches"], data={"name": "digits"}, training={"steps": 1})
    assert document["plan"]["variants"] == plan.as_json()["variants"]
    found = {row.name: row for row in rows(document)}
    assert list(found) == [variant.name for variant in SWITCHES]
    assert all(row.seeds == 3 and row.frechet and row.precision and row.recall and not row.failures for row in found.values())
    assert found["no-batch-norm"].verdict == "worse"  # it collapses


def test_the_page_of_slide_60_says_what_the_library_says() -> None:
    app = opened("miracle", loss="wasserstein", h=0.1)
    table = app.dataframe[0].value
    exact = [equilibrium.eigenvalue(loss="wasserstein", rate=0.1, **how) for how in ({}, {"together": False}, {"penalty": 1.0})]
    assert table["|λ|, exact"].tolist() == [f"{value:.4f}" for value in exact]
    assert table["found"].tolist() == ["no", "no", "yes"]
    assert "gradient of exactly 0" in said(app)
    app.select_slider[0].set_value(7)
    assert "After 320 steps D is right about 100%" in said(rerun(app))
