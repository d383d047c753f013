"""The fuzzer itself: it mutates as its seed says, finds what is wrong, and what it once found stays refused."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz import worker
from fuzz.__main__ import fuzz, main
from fuzz.mutate import mutated, mutated_json, mutated_png
from fuzz.targets import TARGETS, Target, emptied

FOUND = Path(__file__).parent / "fuzz_findings"


def answered(target: Target, content: bytes, folder: Path) -> None:
    with contextlib.suppress(*target.refusals):
        target.read(content, emptied(folder / "scratch"))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_is_sound_and_some_of_its_mutants_are_answered(name: str, tmp_path: Path) -> None:
    """Programs are left to a child of their own: they may take the whole process with them."""
    target = TARGETS[name]
    corpus = target.corpus()
    assert corpus
    assert len({worker.input_of(name, 0, number, corpus) for number in range(40)}) > 30
    assert worker.input_of(name, 0, 7, corpus) == worker.input_of(name, 0, 7, corpus) != worker.input_of(name, 1, 7, corpus)
    target.read(corpus[0], emptied(tmp_path / "scratch"))
    for number in range(0 if name == "programs" else 15):
        answered(target, worker.input_of(name, 3, number, corpus), tmp_path)


@pytest.mark.parametrize("path", sorted(FOUND.glob("*-*")) if FOUND.exists() else [], ids=lambda path: path.name)
def test_what_was_once_found_is_answered(path: Path, tmp_path: Path) -> None:
    answered(TARGETS[path.name.partition("-")[0]], path.read_bytes(), tmp_path)


def test_mutations_differ_from_what_they_are_made_of() -> None:
    rng = random.Random(0)
    content = bytes(range(200))
    assert sum(mutated(content, [content], rng) != content for _ in range(50)) > 45
    tree = json.dumps({"a": [1, 2, {"b": None}], "c": "text"}).encode()
    changed = [mutated_json(tree, [tree], rng) for _ in range(50)]
    assert sum(one != tree for one in changed) > 40
    assert mutated(b"", [b""], rng) is not None


def test_a_mutated_png_is_often_still_one(tmp_path: Path) -> None:
    from PIL import Image

    picture = TARGETS["pictures"].corpus()[0]
    rng, opened = random.Random(0), 0
    for _ in range(60):
        (tmp_path / "a.png").write_bytes(mutated_png(picture, [picture], rng))
        try:
            with Image.open(tmp_path / "a.png") as file:
                file.load()
            opened += 1
        except Exception:
            pass
    assert opened > 5


BROKEN = """
import os, sys, time
import numpy as np
from fuzz import worker
from fuzz.targets import TARGETS, Target
from genlab.errors import InputError

def broken(content, folder):
    if content == b"sound":
        return
    if kind == "traceback":
        raise KeyError("key")
    if kind == "abort":
        os.abort()
    if kind == "hang":
        time.sleep(60)
    if kind == "address space":
        np.empty(worker.MEMORY // 8 + 1)
    if kind == "memory":
        np.ones(worker.RESIDENT // 2)
    raise InputError("input must be sound")

kind, folder = sys.argv[1:]
worker.faulthandler.enable()
worker.SECONDS, worker.RESIDENT = 0.3 if kind == "hang" else 20, 1 << 24
TARGETS["made-up"] = Target(lambda: [b"sound"], lambda *_: b"mutant", broken)
sys.exit(worker.work("made-up", 0, 0, 0.2, worker.Path(folder)))
"""
FAULTS = {
    "traceback": "KeyError",
    "abort": "Aborted",
    "hang": "Timeout",
    "address space": "MemoryError",
    "memory": "MiB of memory",
    "none": "",
}


@pytest.mark.parametrize("kind", FAULTS)
def test_every_kind_of_fault_is_found(kind: str, tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    child = subprocess.run([sys.executable, "-c", BROKEN, kind, str(tmp_path)], cwd=root, capture_output=True, text=True, check=False)
    assert (child.returncode == worker.ENDED) == (kind == "none")
    assert FAULTS[kind] in child.stderr
    assert (tmp_path / "input").read_bytes() == b"mutant"


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["quiz", "--seconds", "0.3", "--keep", str(tmp_path / "found")]) == 0
    assert "quiz: " in capsys.readouterr().out
    assert not (tmp_path / "found").exists()
    sound = tmp_path / "sound"
    sound.write_bytes(TARGETS["npz"].corpus()[0])
    assert main(["npz", "--replay", str(sound)]) == 0


def test_what_is_found_is_kept_and_ends_with_code_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child knows no target that a test made up, so it is given a Python that dies."""
    dies = tmp_path / "python"
    dies.write_text('#!/bin/sh\nfor last; do :; done\nprintf mutant > "$last/input"\necho "ValueError: boom" >&2\nexit 70\n')
    dies.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(dies))
    outcome = fuzz("npz", 0.2, 0, tmp_path / "found")
    assert [path.read_bytes() for path, _ in outcome.findings] == [b"mutant"]
    assert "ValueError: boom" in outcome.findings[0][1]
    assert outcome.executions >= 1


def test_an_input_is_a_function_of_its_number_alone() -> None:
    """A change once put a list that all trees shared into a tree, and the next one changed that list for all inputs to come."""
    corpus = TARGETS["metrics"].corpus()
    inputs = [worker.input_of("metrics", 4, number, corpus) for number in range(3000)]
    assert [worker.input_of("metrics", 4, number, corpus) for number in range(3000)] == inputs
