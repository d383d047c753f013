"""Where runs are: made, found, listed, removed."""

from __future__ import annotations

import os
import re
import shutil
from datetime import datetime
from pathlib import Path

from genlab.errors import RunError
from genlab.runs.run import Run, is_run


def runs_folder() -> Path:
    """Where runs go that were not told where: ``$GENLAB_RUNS_DIR``, or `runs` in the current folder."""
    return Path(os.environ.get("GENLAB_RUNS_DIR") or "runs")


def new_run_path(model: str, data: str) -> Path:
    """A fresh, empty folder ``<model>-<data>-<time>`` below :func:`runs_folder`, made at once so that nobody else gets it."""
    data = re.sub(r"[^A-Za-z0-9_]+", "-", Path(data).stem).strip("-") or "data"
    stem = f"{model}-{data}-{datetime.now():%Y%m%d-%H%M%S}"
    number = 1
    while True:
        path = runs_folder() / (stem if number == 1 else f"{stem}-{number}")
        try:
            path.mkdir(parents=True)
            return path
        except FileExistsError:
            number += 1


def open_run(path: Run | Path | str) -> Run:
    """The run at a path, or of that name below :func:`runs_folder`, or a packaged pretrained model by its name.

    Raises:
        RunError: There is no run folder.
    """
    if isinstance(path, Run):
        return path
    packaged = pretrained_path(str(path))
    for folder in (Path(path), runs_folder() / path, packaged):
        if folder is not None and is_run(folder):
            return Run(folder)
    if Path(path).exists():
        raise RunError(f"{path} is not a run folder: it has no config.json")
    raise RunError(f"there is no run folder {path}")


def list_runs(folder: Path | str | None = None) -> list[Run]:
    """The runs directly below `folder` (by default :func:`runs_folder`), the one started or resumed last first."""
    folder = runs_folder() if folder is None else Path(folder)
    paths = [path for path in folder.iterdir() if is_run(path)] if folder.is_dir() else []
    return [Run(path) for path in sorted(paths, key=lambda path: (path / "config.json").stat().st_mtime, reverse=True)]


def remove_run(run: Run) -> None:
    """Delete a run folder with everything in it.

    Raises:
        RunError: It is not a run folder, or a process is training into it.
    """
    if not is_run(run.path):
        raise RunError(f"{run.path} is not a run folder: it has no config.json")
    with run.lock():
        shutil.rmtree(run.path)


def pretrained_path(name: str) -> Path | None:
    """The folder of the packaged pretrained model `name` (`config.json` and `model.safetensors`), or None if there is none."""
    path = Path(__file__).parents[1] / "pretrained" / name
    return path if re.fullmatch(r"[\w-]+", name) and is_run(path) else None
