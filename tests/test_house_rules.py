"""What the documents name is there, files stay short, and rooms do not ask which family a model belongs to."""

from __future__ import annotations

import re
import subprocess
import sys
from fnmatch import fnmatch
from functools import cache
from importlib import import_module
from itertools import product
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
LONGEST = {"genlab": 450, "csrc": 600}
# May name the class of one family: its room, and what is about autoregression alone. All else goes by abilities.
MAY_NAME_CAUSAL_MODEL = ("genlab/models/causal/", "genlab/dashboard/")


def files(folder: str, *kinds: str) -> list[str]:
    """What is in a folder, without caches and compiled things."""
    return [str(path.relative_to(ROOT)) for path in sorted((ROOT / folder).rglob("*")) if path.suffix in kinds]


@cache
def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def spelled_out(pattern: str) -> list[str]:
    """``a.{b,c}`` is ``a.b`` and ``a.c``."""
    parts = [part[1:-1].split(",") if part.startswith("{") else [part] for part in re.split(r"(\{.*?\})", pattern)]
    return ["".join(choice) for choice in product(*parts)]


@cache
def everything() -> tuple[str, ...]:
    """Every file and folder of the repository's own."""
    tops = [path for path in ROOT.iterdir() if path.name not in {".git", "build", "runs", "__pycache__"}]
    return tuple(str(path.relative_to(ROOT)) for top in tops for path in (top, *top.rglob("*")))


def is_there(pattern: str) -> bool:
    """In the repository: from its root, or by its end, as the documents say ``pages/``, and ``_bind.cpp`` for the end of many names."""
    if pattern == "genlab/_core":
        return True  # compiled, and not beside its sources after every kind of installation
    pattern = pattern.rstrip("/").removeprefix("./")
    ends = f"*{pattern}" if pattern.startswith("_") else f"*/{pattern}"
    return any(fnmatch(path, pattern) or fnmatch(path, ends) for path in everything())


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_name_no_file_that_is_gone(document: str) -> None:
    named = [word for word in re.findall(r"`([^`\n]+)`", text(document)) if re.fullmatch(r"[\w.*{},/-]+", word)]
    tops = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"runs"}
    ours = [
        word
        for word in named
        if (word.partition("/")[0] in tops and "/" in word) or re.search(r"\w\.(py|[ch]pp|js|css|html|\*|\{.*\})$", word)
    ]
    gone = [each for word in ours for each in spelled_out(word) if not is_there(each)]
    assert gone == []


def test_the_architecture_names_every_source_of_the_engine() -> None:
    table = re.findall(r"^\| (`[^|]*)\|", text("ARCHITECTURE.md"), re.MULTILINE)
    patterns = re.findall(r"`([^`]+)`", " ".join(table))
    missing = [name for name in files("csrc", ".cpp", ".hpp") if not any(is_named(name.removeprefix("csrc/"), each) for each in patterns)]
    assert missing == []


def is_named(name: str, pattern: str) -> bool:
    return name.startswith(pattern) if pattern.endswith("/") else fnmatch(name, pattern)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_name_nothing_of_the_library_that_is_gone(document: str) -> None:
    gone = [name for name in re.findall(r"`(genlab(?:\.[A-Za-z_]\w*)+)", text(document)) if not resolves(name)]
    assert gone == []


def resolves(name: str) -> bool:
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def test_files_stay_short() -> None:
    sources = {"genlab": files("genlab", ".py", ".js", ".css"), "csrc": files("csrc", ".cpp", ".hpp")}
    lengths = {name: (len(text(name).splitlines()), LONGEST[folder]) for folder, names in sources.items() for name in names}
    assert {name: length for name, (length, longest) in lengths.items() if length >= longest} == {}


def test_rooms_ask_what_a_model_can_do_and_not_which_family_it_is_of() -> None:
    naming = {name for name in files("genlab", ".py") if "CausalModel" in text(name) and not name.startswith(MAY_NAME_CAUSAL_MODEL)}
    assert naming == set()


def test_every_public_name_is_there_without_further_imports() -> None:
    program = "import genlab; print([name for name in genlab.__all__ if not hasattr(genlab, name)])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
