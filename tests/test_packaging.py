"""What is handed on holds all that an installation needs: sources, styles, scripts, data, trained models."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from scikit_build_core.build import build_sdist

ROOT = Path(__file__).parents[1]
COMPILED = (".so", ".pyc")


def test_the_source_distribution_holds_every_file_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with tarfile.open(tmp_path / build_sdist(str(tmp_path))) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    needed = {
        str(path.relative_to(ROOT))
        for folder in ("genlab", "csrc", ".streamlit")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix not in COMPILED and path.name != "secrets.toml" and "__pycache__" not in path.parts
    }
    assert {*needed, "app.py", "CMakeLists.txt", "pyproject.toml", "README.md", "LICENSE"} - held == set()
    assert {name for name in held if name.endswith(COMPILED)} == set()
