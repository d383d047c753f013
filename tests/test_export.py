"""A run as a script: it runs, and does what the run did."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import outside_family
import pytest
import torch
from safetensors.torch import load_file
from tiny import digits

import genlab
from genlab import cli
from genlab.errors import GenlabError, RunError
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


# --- a folder from a stranger --------------------------------------------------------------------------------------------------------

INNOCENT = sorted(["genlab.load_dataset", "torch.manual_seed", "genlab.create_model", "genlab.train", "min", "run.metrics", "print"])
HOSTILE = [
    "'); import os; os.abort() #",
    "a\nimport os\nos.abort()\n",
    '"""\nraise SystemExit',
    "\\",
    '\\"""); raise SystemExit #',
    "\r\x0cx\u2028raise SystemExit\x00",
    "\ud800",
    "{__import__('os').abort()}",
    "a" * 100_000,
]
CODE = "channels=8); __import__('os').system('echo X'); dict(a"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return trained(tmp_path_factory.mktemp("export") / "run", "epochs=1")


@pytest.fixture
def foreign(finished: Run, tmp_path: Path) -> Run:
    """A finished run that may be spoilt."""
    shutil.copytree(finished.path, tmp_path / "foreign")
    return Run(tmp_path / "foreign")


def spoil(run: Run, *where: str, **what: Any) -> None:
    """Add to an object of the config, such as ``spoil(run, "model", "settings", channels=2)``."""
    config = json.loads((run.path / "config.json").read_text())
    part = config
    for key in where:
        part = part[key]
    part.update(what)
    (run.path / "config.json").write_text(json.dumps(config))


def calls_of(code: str) -> list[str]:
    compile(code, "again.py", "exec")
    return sorted(ast.unparse(node.func) for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_name_becomes_code(foreign: Run, text: str) -> None:
    spoil(foreign, "data", name=text)
    spoil(foreign, "versions", genlab=text, **{text: text})
    spoil(foreign, "data", "record", sha256=text)
    renamed = Run(foreign.path.rename(foreign.path.with_name(text.replace("\0", "").replace("/", "")[:100].replace("\ud800", "\udc80"))))
    if text == "\ud800":  # half a letter, which no file name and no text can hold
        with pytest.raises(RunError, match="surrogates not allowed"):
            script(renamed)
        return
    code = script(renamed)
    assert calls_of(code) == INNOCENT
    assert len(code) < 2_000 + 2 * len(text)
    code.encode()


@pytest.mark.parametrize("where", [("data",), ("training",), ("model", "settings")], ids=".".join)
def test_a_key_that_is_code_is_refused(foreign: Run, where: tuple[str, ...]) -> None:
    spoil(foreign, *where, **{CODE: 1})
    with pytest.raises(RunError, match=r"the name of a setting must be an identifier; got \"channels=8\); __import__"):
        script(foreign)


@pytest.mark.parametrize(
    ("where", "what", "sentence"),
    [
        (("model",), {"name": "pixelcnn'); raise SystemExit #"}, "model must be one of"),
        (("model",), {"name": ["pixelcnn"]}, "model.name should be a valid string"),
        (("model",), {"settings": [[CODE, 1]]}, "model.settings should be a valid dictionary"),
        (("model", "settings"), {"channels": CODE}, "channels should be a valid integer"),
        (("model", "settings"), {"dilations": [CODE]}, "dilations.0 should be a valid integer"),
        (("training",), {"learning_rates": [[CODE, 1]]}, "learning_rates"),
        (("training",), {"schedule": CODE}, "schedule should be"),
        (("training",), {"batch_size": 2**40}, "batch_size should be less"),
        ((), {"seed": CODE}, "seed should be a valid integer"),
    ],
)
def test_a_value_that_breaks_a_rule_is_refused(foreign: Run, where: tuple[str, ...], what: dict[str, Any], sentence: str) -> None:
    spoil(foreign, *where, **what)
    with pytest.raises(GenlabError, match=sentence):
        script(foreign)


@pytest.mark.parametrize("part", ["versions", "record"])
@pytest.mark.parametrize("value", [None, 1, "x", [1], {"images": 1}, {"images": {"train": "x"}}, {"sha256": 7}], ids=str)
def test_what_the_script_can_do_without_is_what_it_must_be_or_refused(foreign: Run, part: str, value: Any) -> None:
    spoil(foreign, *(("data",) if part == "record" else ()), **{part: value})
    sound = part == "versions" and (value is None or (isinstance(value, dict) and all(isinstance(each, int) for each in value.values())))
    if sound:
        assert calls_of(script(foreign)) == INNOCENT
        return
    with pytest.raises(RunError, match=rf"config\.json: .*{part}"):
        script(foreign)


# --- what it cannot do again ---------------------------------------------------------------------------------------------------------


def test_a_sound_run_has_nothing_to_confess_but_weights_brought_along(finished: Run) -> None:
    said = ast.get_docstring(ast.parse(script(finished)))
    assert said is not None
    assert said.startswith(f"The run {finished.name!r}, once more.")
    assert [line for line in said.splitlines() if line.startswith("-")] == [
        "- the run began from weights that somebody brought along in Python, which no config records."
    ]


def test_another_length_on_resume_is_confessed(foreign: Run) -> None:
    assert cli.main(["train", "pixelcnn", "--data", "digits", "--out", str(foreign.path), "--resume", "--epochs", "2"]) == 0
    said = str(ast.get_docstring(ast.parse(script(foreign))))
    assert "had ended at step 23 and was prolonged" in said
    assert "up to step 23 the run had other learning rates" in said


def test_other_images_stop_the_script(foreign: Run, tmp_path: Path) -> None:
    spoil(foreign, "data", "record", sha256="0" * 64)
    with pytest.raises(AssertionError, match="other images"):
        again(foreign, tmp_path / "copy")


def test_arrays_given_in_python_are_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).integers(0, 2, (60, 4, 4), dtype=np.uint8)
    data = genlab.load_dataset(images=images, source_levels=2)
    torch.manual_seed(0)
    model = genlab.create_model("pixelcnn", image_shape=(1, 4, 4), levels=2, channels=2, blocks=1)
    code = script(genlab.train(model, data, epochs=1, out=tmp_path / "run"))
    assert "images, labels = None, None" in code
    assert "genlab.load_dataset(images=images, labels=labels, source_levels=2)" in code
    assert "given in Python are others" in code
    scope: dict[str, Any] = {"given": images}
    monkeypatch.setenv("GENLAB_RUNS_DIR", str(tmp_path / "runs"))
    exec(code.replace("images, labels = None", "images, labels = given"), scope)
    ours, theirs = load_file(Run(tmp_path / "run").checkpoint_path), load_file(scope["run"].checkpoint_path)
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


def test_a_model_of_another_report_is_exported_in_its_words(tmp_path: Path) -> None:
    run = genlab.train(genlab.create_model(outside_family.NAME), digits(), epochs=1, out=tmp_path / "run", batch_size=512)
    code = script(run)
    assert calls_of(code) == INNOCENT
    assert "key=lambda record: record['values']['mean_distance']" in code
    assert "'mean distance of average pixels'" in code
