"""The page 'Do its numbers hold?': a packaged model's reliability and typicality at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from genlab.dashboard import charts
from genlab.measures.calibration import Bin, Calibration
from genlab.measures.resampling import Estimate
from tests.pages import rerun

ROOT = Path(__file__).parents[1]


def test_both_measures_are_shown_with_their_sizes_and_intervals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path))
    app = AppTest.from_file(str(ROOT / "genlab/dashboard/pages/trust.py"), default_timeout=120)
    app.query_params["model"] = "digits-pixelcnn"
    app = rerun(app)
    assert len(app.get("vega_lite_chart")) == 2
    words = "\n".join(str(each.value) for kind in (app.markdown, app.caption) for each in kind)
    assert "The expected calibration error is **0.0" in words
    assert "events in 128 images" in words
    assert "128 images drawn, 128 real ones" in words
    assert not app.error


def test_the_curve_holds_a_point_a_bin() -> None:
    estimate = Estimate(0.25, 0.2, 0.3)
    curve = Calibration((Bin(0.2, 0.3, 40, 0.24, estimate),), estimate, 4, 40)
    values = max(charts.reliability(curve).to_dict()["datasets"].values(), key=lambda rows: len(rows[0]))
    assert values == [{"said": 0.24, "happened": 0.25, "low": 0.2, "high": 0.3, "events": 40, "kind": "a bin"}]
