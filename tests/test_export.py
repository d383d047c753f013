"""A run as a script: it runs, and does what the run did."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import genlab
from genlab import cli
from genlab.export import script
from genlab.runs import Run

TINY = ["channels=2", "blocks=1", "log_seconds=0"]


def trained(path: Path, *settings: str) -> Run:
    assert cli.main(["train", "pixelcnn", "--data", "digits", "--out", str(path), "--set", *TINY, *settings]) == 0
    return Run(path)


def again(run: Run, folder: Path) -> Run:
    """What the script trains, in a process and a folder of its own, where nothing is found but the library."""
    folder.mkdir()
    (folder / "again.py").write_text(script(run))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "GENLAB_RUNS_DIR": str(folder / "runs")}
    done = subprocess.run([sys.executable, "again.py"], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = (folder / "runs").iterdir()
    assert str(path.name) in done.stdout
    return Run(path)


@pytest.mark.parametrize(
    "settings",
    [
        ("epochs=2", "training.seed=7", "learning_rate=2e-3", "binarize=threshold", "data.seed=3"),
        ("epochs=2", "learning_rates=5:1e-3,20:5e-4", "clip_norm=none", "levels=4"),
    ],
)
def test_the_script_gives_the_same_weights(tmp_path: Path, settings: tuple[str, ...]) -> None:
    run = trained(tmp_path / "run", *settings)
    copy = again(run, tmp_path / "copy")
    ours, theirs = load_file(run.checkpoint_path), load_file(copy.checkpoint_path)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


def test_a_budget_of_minutes_becomes_the_steps_that_it_was_enough_for(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", "minutes=0.02", "steps=60")
    last = run.metrics()[-1]["step"]
    assert f"steps={last}" in script(run)
    assert "minutes" not in script(run)
    copy = again(run, tmp_path / "copy")
    assert copy.metrics()[-1]["step"] == last
    ours, theirs = load_file(run.checkpoint_path), load_file(copy.checkpoint_path)
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


def test_the_script_uses_public_names_alone(tmp_path: Path) -> None:
    tree = ast.parse(script(trained(tmp_path / "run", "epochs=1")))
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "genlab"}
    assert used == {"load_dataset", "create_model", "train"} & set(genlab.__all__)


@pytest.mark.parametrize("text", ["'); import os; os.abort() #", "a\nimport os\nos.abort()\n", '"""\nraise SystemExit', "\\"])
def test_no_name_becomes_code(tmp_path: Path, text: str) -> None:
    run = trained(tmp_path / "run", "epochs=1")
    config = run.config
    config["data"]["name"] = text
    config["versions"]["genlab"] = text
    (run.path / "config.json").write_text(json.dumps(config))
    calls = [ast.unparse(node.func) for node in ast.walk(ast.parse(script(run))) if isinstance(node, ast.Call)]
    assert sorted(calls) == sorted(
        ["genlab.load_dataset", "torch.manual_seed", "genlab.create_model", "genlab.train", "min", "run.metrics", "print"]
    )
