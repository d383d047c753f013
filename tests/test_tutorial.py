"""The tutorial and the examples do what they say: every block runs, in order, with shorter trainings."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SNIPPET = re.compile(r'^--8<-- "(.*?):(\w+)"$', re.MULTILINE)


def shortened(program: str) -> str:
    return re.sub(r"steps=\d+", "steps=5", program)


def part(match: re.Match) -> str:
    """What the site puts in the place of a mark: the named part of a file."""
    text = (ROOT / match[1]).read_text()
    found = re.search(rf"^# --8<-- \[start:{match[2]}\]\n(.*?)^# --8<-- \[end:{match[2]}\]", text, re.MULTILINE | re.DOTALL)
    assert found, match[0]
    return found[1]


def run(program: str, folder: Path) -> str:
    """What a program prints, as a file of its own, so that a model in it can be found again by its module."""
    file = folder / "program.py"
    file.write_text(shortened(program))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])}
    done = subprocess.run([sys.executable, "-W", "error", file], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_tutorial_runs(tmp_path):
    text = SNIPPET.sub(part, (ROOT / "docs" / "tutorial.md").read_text())
    printed = run("\n\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL)), tmp_path)
    assert "nats an image" in printed
    assert {path.name for path in tmp_path.iterdir()} >= {"runs", "mine.safetensors", "again.py", "records.csv", "decoder.onnx"}


@pytest.mark.parametrize("example", sorted(path.name for path in (ROOT / "examples").glob("*.py")))
def test_examples_run(example, tmp_path):
    assert "nats" in run((ROOT / "examples" / example).read_text(), tmp_path)
