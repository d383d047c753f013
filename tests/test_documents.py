"""What the documents say was measured is what ``genlab bench --json`` wrote, to the last digit; so are the plots."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from genlab.benchmark import document, plots
from genlab.errors import InputError

ROOT = Path(__file__).parents[1]
TABLES = document.read_tables(ROOT / document.FILES)


@pytest.mark.parametrize("name", document.DOCUMENTS)
def test_documents_say_what_the_files_say(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert document.rendered(text, TABLES) == text, "run: python -m genlab.benchmark.document"


def test_plots_show_what_the_files_say():
    for name, text in document.plots(TABLES).items():
        assert (ROOT / document.PLOTS / name).read_text(encoding="utf-8") == text, "run: python -m genlab.benchmark.document"
    assert {path.name for path in (ROOT / document.PLOTS).iterdir()} == set(document.plots(TABLES))


def test_no_measured_number_stands_outside_the_marks():
    """A number with a unit of measurement, or a factor, is one that somebody measured."""
    text = document.PASSAGE.sub("", (ROOT / "docs" / "performance.md").read_text(encoding="utf-8"))
    assert not re.findall(r"\d[\d.,]*\s?(?:×(?!\d)|ms\b|GF/s|GB/s|MB\b|%)", text)


def test_files_are_all_of_one_machine():
    machines = [{key: table["machine"][key] for key in ("cpu", "cores", "threads", "isa", "versions")} for table in TABLES.values()]
    assert all(machine == machines[0] for machine in machines)


def test_files_hold_no_side_that_disagreed_or_failed():
    for table in TABLES.values():
        for case in table["cases"]:
            assert case["refusal"] is None
            assert not [side["side"] for side in case["sides"] if side["failure"]]


# --- how it is written -----------------------------------------------------------------------------------------------------------


def side(name, median, role="peer", process="torch", failure=None):
    ratio = None if median is None else median / 0.002
    return {"side": name, "role": role, "process": process, "median": median, "ratio": ratio, "failure": failure}


CASE = {
    "name": "a case",
    "settings": {
        "model": {"family": "pixelcnn", "image_shape": [1, 28, 28], "channels": 32, "blocks": 7},
        "images": 16,
        "dtype": "float32",
    },
    "sides": [side("native", 0.002, "native", "genlab"), side("torch dense", 0.01), side("torch.compile", None, failure="no compiler")],
}
FIGURES = [{"key": "lead", "value": 5.04}, {"key": "unknown", "value": None}]
TABLE = {"name": "training", "unit": "seconds", "cases": [CASE], "figures": FIGURES}


def write(folder, name="a.json", table=TABLE, quick=False):
    machine = {
        "date": "today",
        "cpu": "CPU",
        "cores": 2,
        "system": "Linux",
        "threads": 2,
        "isa": "avx2",
        "compiler": "g++",
        "versions": {"a": "1"},
    }
    (folder / name).write_text(json.dumps({"settings": {"quick": quick}, "machine": machine, "tables": [table]}))


def test_passages(tmp_path):
    write(tmp_path)
    tables = document.read_tables(tmp_path)
    text = "<!-- bench training.lead .1f -->?<!-- /bench --> × and <!-- bench training.unknown .1f --><!-- /bench -->"
    written = document.rendered(text, tables)
    assert "-->5.0<!--" in written
    assert "-->not measured yet<!--" in written
    assert document.rendered(written, tables) == written
    assert document.passage(["kernels.lead", ".1f"], tables) == "not measured yet"
    with pytest.raises(InputError, match="figure of table 'training' must be one of lead, unknown; got 'led'"):
        document.passage(["training.led", ".1f"], tables)
    with pytest.raises(InputError, match="a passage must be"):
        document.passage(["nonsense"], tables)
    assert (
        document.passage(["machines"], tables).splitlines()[-1].startswith("| [a.json](benchmarks/a.json) | today | CPU, 2 cores, Linux |")
    )


def test_grids(tmp_path):
    write(tmp_path)
    tables = document.read_tables(tmp_path)
    assert document.passage(["grid", "training", "dtype=float32"], tables).strip().splitlines() == [
        "| ms (÷ native) | 16 × 28², PixelCNN h=32, 7 blocks |",
        "| --- | ---: |",
        "| **native** | 2.00 |",
        "| torch dense | 10.0 (5.00×) |",
        "| torch.compile | failed |",
    ]
    with pytest.raises(InputError, match="a passage must name cases that are there"):
        document.passage(["grid", "training", "dtype=float16"], tables)


def test_files_that_cannot_stand_in_documents_are_refused(tmp_path):
    write(tmp_path, quick=True)
    with pytest.raises(InputError, match=r"a\.json must be written without --quick"):
        document.read_tables(tmp_path)
    write(tmp_path)
    write(tmp_path, "b.json")
    with pytest.raises(InputError, match=r"table 'training' must be in one file; got 'a\.json' and 'b\.json'"):
        document.read_tables(tmp_path)


def test_growth_takes_the_best_form_of_each_kind(tmp_path):
    sides = [*CASE["sides"], side("torch cropped", 0.008)]
    cases = [{**CASE, "sides": sides}, {**CASE, "settings": {**CASE["settings"], "images": 64}, "sides": sides}]
    write(tmp_path, table={**TABLE, "name": "growth-training", "cases": cases})
    panels = list(document._growth(document.read_tables(tmp_path), "growth-training", "ms", document._training_lines))
    batches = {series.label: series.points for series in panels[2].series}
    assert batches["native"] == [(16, pytest.approx(0.125)), (64, pytest.approx(0.03125))]
    assert batches["torch eager, best form"] == [(16, pytest.approx(0.5)), (64, pytest.approx(0.125))]
    assert "torch.compile" not in batches
    assert [len(panel.x_ticks) for panel in panels] == [1, 1, 2]


def test_svg_is_well_formed_and_puts_points_where_they_belong():
    series = [plots.Series("a <b>", [(1, 10), (10, 100), (100, 1000)]), plots.Series("roof", [(1, 1000), (100, 1000)], roof=True)]
    text = plots.figure([plots.Panel("title & more", "x", "y", series), plots.Panel("empty", "x", "y", ())])
    root = ElementTree.fromstring(text)
    names = "".join(root.itertext())
    assert "a <b>" in names
    assert "title & more" in names
    assert "empty: not measured yet" in names
    circles = [(float(c.get("cx")), float(c.get("cy"))) for c in root.iter("{http://www.w3.org/2000/svg}circle")][1:]
    (x0, y0), (x1, y1), (x2, y2) = circles
    # Equal factors are equal distances; more is further right and further up.
    assert x2 - x1 == pytest.approx(x1 - x0, abs=0.11)
    assert y2 - y1 == pytest.approx(y1 - y0, abs=0.11)
    assert x0 < x1
    assert y0 > y1


@pytest.mark.parametrize(("value", "text"), [(0.01, "0.01"), (1, "1"), (64, "64"), (10000, "10\u202f000")])
def test_ticks(value, text):
    assert plots.short(value) == text
