"""The bench page and the process behind it: one at a time, survives its server, tells how far it is, keeps what it found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from genlab import benchmark
from genlab.benchmark import background
from genlab.dashboard import bench_charts
from genlab.dashboard.plain import plain
from genlab.errors import InputError
from genlab.runs import Run
from tests.pages import press, rerun
from tests.waiting import wait_until

ROOT = Path(__file__).parent.parent
PAGE = "genlab/dashboard/pages/bench.py"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path / "runs"))
    yield tmp_path / "runs" / ".bench"
    background.stop()
    wait_until(lambda: not is_active())


def is_active() -> bool:
    progress = background.progress()
    return progress is not None and progress.is_active


def opened() -> AppTest:
    return rerun(AppTest.from_file(str(ROOT / PAGE), default_timeout=120))


def said(app: AppTest) -> str:
    kinds = (app.info, app.success, app.warning, app.error, app.caption, app.markdown, app.header)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def document(**side: Any) -> dict[str, Any]:
    """What `genlab bench` writes for a machine with round numbers: a kernel that reaches a quarter of the peak."""
    base = {"agreements": [{"quantity": "y", "deviation": 1e-7, "tolerance": 1e-5}], "failure": None, "seconds": [1.0], "minimum": 1e-3}
    sides = [
        {**base, "side": "native", "process": "genlab", "role": "native", "median": 1e-3, "ratio": 1.0},
        {**base, "side": "torch dense", "process": "torch", "role": "peer", "median": 3e-3, "ratio": 3.0, **side},
        {**base, "side": "pure Python", "process": "Python", "role": "peer", "median": 2.0, "ratio": 2000.0},
        {**base, "side": "broken", "process": "JAX", "role": "peer", "median": None, "ratio": None, "failure": "no compiler"},
    ]
    figures = [
        {"key": "x_share_of_peak", "value": 0.25, "meaning": "native's share of the peak (forward: a kernel)"},
        {"key": "x_intensity", "value": 8.0, "meaning": "operations a byte (forward: a kernel)"},
    ]
    case = {"name": "forward: a kernel", "settings": {}, "refusal": None, "sides": sides}
    return written({"name": "kernels", "about": "About.", "cases": [case], "figures": figures, "ahead": sides[1]["ratio"] > 1})


def roofs() -> dict[str, Any]:
    figures = {"peak_gigaflops": 100.0, "read_16_gigabytes": 90.0, "read_131072_gigabytes": 10.0}
    return written({
        "name": "roofline", "about": "Roofs.", "cases": [], "ahead": True,
        "figures": [{"key": key, "value": value, "meaning": key} for key, value in figures.items()],
    })  # fmt: skip


def written(table: dict[str, Any]) -> dict[str, Any]:
    machine = {"date": "2026-01-02T03:04:05+00:00", "cpu": "A CPU", "threads": 2, "isa": "avx2", "compiler": "GNU", "load": 3.0}
    machine |= {"versions": {"genlab": "0.1.0"}}
    return {"format": 1, "settings": {"which": table["name"], "quick": True}, "machine": machine, "tables": [table]}


def keep(folder: Path, *documents: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for each in documents:
        (folder / f"{each['tables'][0]['name']}.json").write_text(json.dumps(each))


def test_what_the_page_says_of_every_table_is_known() -> None:
    source = (ROOT / PAGE).read_text()
    assert [name for name in benchmark.TABLES if f'    "{name}": "' not in source] == []


def test_the_page_measures_and_shows_what_came_of_it(folder: Path) -> None:
    app = opened()
    assert "Nothing has been measured on this machine yet" in said(app)
    app.get("pills")[0].set_value(["roofline"])
    press(app, "Measure on this machine")
    assert is_active()
    assert [button.label for button in app.button] == ["Stop measuring"]
    assert [button.label for button in opened().button] == ["Stop measuring"]  # somebody else's browser

    wait_until(lambda: not is_active(), seconds=500)
    progress = background.progress()
    assert progress is not None
    assert progress.is_complete, progress.output
    assert progress.cases == ("arithmetic", "reading")
    rerun(app)
    assert "roofline: what the machine can do at most" in said(app)
    assert "Measure on this machine" in {button.label for button in app.button}
    peak, bandwidth = bench_charts.roof(background.results()["roofline"]["tables"][0])
    assert peak > 0.1
    assert bandwidth > 0.1


def test_only_one_measures_at_a_time_and_stopping_ends_all_its_processes(folder: Path) -> None:
    background.start(["roofline"])
    with pytest.raises(background.BenchmarkError, match="only one benchmark can be at work at a time"):
        background.start(["kernels"])
    leader = Run(folder).holder
    assert leader
    progress = background.progress()
    assert progress is not None
    assert progress.tables == ("roofline",)
    background.stop()
    wait_until(lambda: not is_active())
    with pytest.raises(ProcessLookupError):
        wait_until(lambda: os.killpg(leader, 0))
    background.stop()  # changes nothing
    app = opened()
    assert "it was stopped, or something went wrong" in said(app)
    assert "Measure on this machine" in {button.label for button in app.button}


def test_it_outlives_the_process_that_started_it() -> None:
    script = "from genlab.benchmark import background; background.start(['roofline'])"
    subprocess.run([sys.executable, "-c", script], check=True)
    assert is_active()


def test_nothing_unknown_is_measured() -> None:
    with pytest.raises(InputError, match=r"tables must name at least one of roofline, .*; got none"):
        background.start([])
    with pytest.raises(InputError, match=r"tables must be one of .*; got '; rm'"):
        background.start(["; rm"])
    app = opened()
    app.get("pills")[0].set_value([])
    assert "tables must name at least one of" in said(press(app, "Measure on this machine"))
    assert background.progress() is None


def test_results_are_shown_with_their_machine_and_the_roof(folder: Path) -> None:
    keep(folder, document(), roofs())
    app = opened()
    text = said(app)
    assert "at most **100 billion** float32 operations a second, and **10.0 GB** a second out of memory" in text
    assert "reaches **25%** of the peak" in text
    assert "A CPU, 2 threads" in text
    assert "The machine was busy before the start (load 3.0)" in text
    assert "Native is ahead of every peer that ran" in text
    assert len(app.get("vega_lite_chart")) == 3
    rows = app.dataframe[1].value
    assert list(rows["side"]) == ["native", "torch dense", "pure Python", "broken"]
    assert list(rows["median"]) == ["1 ms", "3 ms", "2 s", "could not run: no compiler"]


def test_where_native_is_behind_the_page_says_so(folder: Path) -> None:
    keep(folder, document(ratio=0.5, median=5e-4))
    text = said(opened())
    assert plain("Native is behind torch dense (0.50×) in forward: a kernel.") in text
    assert "ahead of every peer" not in text


def test_a_disturbed_case_is_marked_and_nothing_is_claimed(folder: Path) -> None:
    disturbed = document()
    disturbed["tables"][0]["cases"][0]["disturbed"] = True
    disturbed["tables"][0]["figures"] += [{"key": "y", "value": None, "meaning": "one that could not be had"}]
    keep(folder, disturbed)
    app = opened()
    assert "Something else was using the cores" in said(app)
    assert "trust ratios" not in said(app)
    assert "ahead of every peer" not in said(app)
    assert list(app.dataframe[1].value["value"]) == ["0.25", "8", "–"]


def test_what_computes_something_else_has_an_axis_of_its_own(folder: Path) -> None:
    both = document()
    sides = both["tables"][0]["cases"][0]["sides"]
    sides.append({**sides[1], "side": "the peak", "role": "context"})
    keep(folder, both)
    app = opened()
    assert "these compute something else" in said(app)
    table = both["tables"][0]
    charts = [bench_charts.times(table, table["cases"][0], ink="black", context=context) for context in (False, True)]
    shown = [[row["side"] for row in chart.layer[0].data["values"]] for chart in charts]
    assert shown == [["native", "torch dense", "pure Python"], ["the peak"]]


def test_points_stand_below_the_roof() -> None:
    kernels, machine = document()["tables"][0], roofs()["tables"][0]
    kernels["figures"] += [{"key": "y_share_of_peak", "value": 1.3, "meaning": "what no code can reach (forward: a kernel)"}]
    (point,) = bench_charts.kernel_points(kernels, 100.0)
    assert point == {"case": "forward: a kernel", "direction": "forward", "intensity": 8.0, "gigaflops": 25.0, "share": 0.25}
    above = bench_charts.roofline(kernels, machine).layer[0].data["values"]
    assert [row["gigaflops"] for row in above] == pytest.approx([8 / 3 * 10, 100, 100])
    assert above[1]["intensity"] == pytest.approx(10)


def test_torn_results_are_told(folder: Path) -> None:
    keep(folder, document())
    (folder / "kernels.json").write_text('{"format": 1, "tab')
    assert plain("kernels.json could not be read") in said(opened())
    (folder / "kernels.json").write_text('{"format": 99}')
    assert plain("must be of format 1; got 99") in said(opened())
    (folder / "kernels.json").unlink()
    (folder / "plan.json").write_text("[")
    app = opened()
    assert plain("plan.json could not be read") in said(app)
    assert "Measure on this machine" in {button.label for button in app.button}  # which mends it
    (folder / "plan.json").unlink()
