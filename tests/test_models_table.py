"""The tables of docs/models.md are written from the files of runs, and hold nothing that no run did."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import genlab
from genlab.runs import Run

ROOT = Path(__file__).parent.parent


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("models_table", ROOT / "benchmarks" / "models_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_run_becomes_a_row_between_the_marks(tmp_path: Path) -> None:
    models_table = script()
    data = genlab.load_dataset("digits", binarize="threshold")
    model = genlab.create_model("gated_pixelcnn", image_shape=data.image_shape, levels=data.levels, channels=2, layers=1, first_kernel=3)
    run = Run(tmp_path / "small")
    genlab.train(model, data, out=run.path, steps=2, epochs=1)
    (run.path / "test.json").write_text(json.dumps({"nats": 40.125, "standard_error": 0.5}))
    document = tmp_path / "models.md"
    document.write_text((ROOT / "docs" / "models.md").read_text(encoding="utf-8"), encoding="utf-8")
    models_table.main(["--runs", str(run.path), "--document", str(document)])
    row = next(line for line in document.read_text(encoding="utf-8").splitlines() if "`small`" in line)
    cells = [cell.strip() for cell in row.strip("| ").split("|")]
    best = run.best()
    assert best is not None
    assert cells[1:6] == ["`gated_pixelcnn`", "digits threshold", "40.12 ± 0.50", f"{best['nats']:.2f}", str(model.parameter_count())]
    assert cells[7:] == ["–"] * 6  # no minute of training, no figure for it
    assert "Not made yet." in document.read_text(encoding="utf-8")  # the other part is left alone


def test_a_bound_and_its_parts_become_a_row(tmp_path: Path) -> None:
    models_table = script()
    data = genlab.load_dataset("digits", binarize="threshold")
    model = genlab.create_model("vae", image_shape=data.image_shape, levels=data.levels, hidden=4, latents=3)
    run = Run(tmp_path / "small")
    genlab.train(model, data, out=run.path, steps=2, epochs=1)
    found = {"nats": 40.125, "standard_error": 0.5, "is_bound": True, "importance": 1, "images": 180, "protocol": "digits"}
    test = {**found, "parts": {"reconstruction": -30.0, "kl": 10.125}, "code": {"kl": [9, 1, 0], "active": 2}}
    (run.path / "test.json").write_text(json.dumps(test))
    (run.path / "importance.json").write_text(json.dumps({**found, "nats": 39.0, "importance": 5000}))
    (run.path / "cpu_seconds.txt").write_text("90.0")
    cells = [cell.strip() for cell in models_table.latent_table([run]).splitlines()[2].strip("| ").split("|")]
    assert cells[:6] == ["`small`", "`vae`", "≥ -40.12 ± 0.50", "-30.00", "10.12", "2 of 3"]
    assert cells[6:9] == ["≥ -39.00 ± 0.50 (5,000 codes, 180 images)", str(model.parameter_count()), "1"]
    assert cells[-1] == "1.5"


def test_a_probe_becomes_a_table() -> None:
    accuracy = {"value": 0.5, "low": 0.25, "high": 0.75}
    readings = [
        {"features": name, "size": size, "labels": count, "accuracy": accuracy, "draws": 3, "held_out": 180}
        for name, size in (("code", 8), ("pixels", 64))
        for count in (10, 1000)
    ]
    lines = script().probe_table({"model": "small", "data": "digits", "readings": readings}).splitlines()
    assert lines[0].startswith("`small` on digits: 180 test images, 95% intervals over 3 draws")
    assert lines[2] == "| labels | code, 8 | pixels, 64 |"
    assert lines[-1] == "| 1,000 | 50.0% (25.0–75.0) | 50.0% (25.0–75.0) |"


def test_minutes_hold_what_was_known_by_then(tmp_path: Path) -> None:
    models_table = script()
    run = Run(tmp_path)
    for seconds, nats in ((30, 95.0), (59, 93.0), (110, 92.0), (130, 91.0)):
        run.append_metrics(
            {"kind": "valid", "step": seconds, "epoch": 1, "seconds": float(seconds), "values": {"nats": nats}, "best": True}
        )
    run.append_metrics(
        {
            "kind": "train",
            "step": 130,
            "epoch": 1,
            "seconds": 130.0,
            "values": {"loss": 1.0},
            "learning_rate": 1.0,
            "images_per_second": 1.0,
        }
    )
    assert models_table.over_minutes([run]) == ["93.00", "92.00", "–", "–", "–", "–"]


def test_a_flow_s_row_says_that_it_is_a_bound_and_what_was_published(tmp_path: Path) -> None:
    models_table = script()
    data = genlab.load_dataset("digits", size=4)
    model = genlab.create_model("realnvp", image_shape=data.image_shape, levels=data.levels, depth=1, hidden=4, bins=4)
    run = Run(tmp_path / "bent")
    genlab.train(model, data, out=run.path, steps=2)
    figure = {"model": "Flow", "value": 1.078, "unit": "bits/dim", "source": "somewhere"}
    found = {"nats": 40.125, "standard_error": 0.5, "bits_per_dim": 1.25, "protocol": "digits; uniform dequantisation"}
    (run.path / "test.json").write_text(json.dumps({**found, "published": [figure]}))
    document = tmp_path / "models.md"
    document.write_text((ROOT / "docs" / "models.md").read_text(encoding="utf-8"), encoding="utf-8")
    models_table.main(["--flow", str(run.path), "--document", str(document)])
    text = document.read_text(encoding="utf-8")
    cells = [cell.strip() for cell in next(line for line in text.splitlines() if "`bent`" in line).strip("| ").split("|")]
    assert cells[1:5] == ["≤ 1.2500", "≤ 40.1 ± 0.5", "–", str(model.parameter_count())]
    assert "digits; uniform dequantisation" in text
    assert "- Flow: 1.078 bits/dim (somewhere)" in text


def test_flow_matching_has_the_figures_that_its_run_and_its_evaluation_left(tmp_path: Path) -> None:
    models_table = script()
    data = genlab.load_dataset("digits", size=4)
    model = genlab.create_model("flow_matching", image_shape=data.image_shape, levels=data.levels, network="dense", hidden=4)
    run = Run(tmp_path / "carried")
    genlab.train(model, data, out=run.path, steps=2)
    best = run.best()
    assert best is not None
    cells = [cell.strip() for cell in models_table.matching_table([run]).splitlines()[2].strip("| ").split("|")]
    assert cells[:5] == ["`carried`", "`digits`", f"{best['velocity_error']:.4f}", "–", "–"]
    assert cells[6:8] == [str(model.parameter_count()), "2"]
    lies = {"coverage": {"value": 0.5, "low": 0.25, "high": 0.75}, "frechet": None}
    (run.path / "test.json").write_text(json.dumps({"nats": -1.5, "standard_error": 0.25, "neighbours": lies}))
    cells = [cell.strip() for cell in models_table.matching_table([run]).splitlines()[2].strip("| ").split("|")]
    assert cells[3:6] == ["1.50 ± 0.25 nats", "0.500 (0.250–0.750)", "–"]
