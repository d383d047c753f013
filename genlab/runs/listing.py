"""Where runs are: made, found, listed, removed."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from genlab.errors import RunError, did_you_mean
from genlab.runs.run import Run, is_run


def runs_folder() -> Path:
    """Where runs go that were not told where: ``$GENLAB_RUNS_DIR``, or `runs` in the current folder."""
    return Path(os.environ.get("GENLAB_RUNS_DIR") or "runs")


def new_run_path(model: str, data: str) -> Path:
    """A fresh, empty folder ``<model>-<data>-<time>`` below :func:`runs_folder`, made at once so that nobody else gets it.

    Raises:
        RunError: The disk is full or refuses.
    """
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
        except OSError as error:
            raise RunError(f"{path} could not be made: {error.strerror}") from None


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
    _require_readable(Path(path))
    if os.path.lexists(path):
        raise RunError(f"{path} is not a run folder: it has no config.json")
    raise RunError(f"there is no run folder {path}{did_you_mean(str(path), _names())}")


def list_runs(folder: Path | str | None = None) -> list[Run]:
    """The runs directly below `folder` (by default :func:`runs_folder`), the one started or resumed last first.

    They are found, not read: one whose files are damaged is among them and says so when it is asked.

    Raises:
        RunError: The folder is there and cannot be read.
    """
    folder = runs_folder() if folder is None else Path(folder)
    try:
        paths = [path for path in folder.iterdir() if is_run(path)] if folder.is_dir() else []
    except OSError as error:
        raise RunError(f"{folder} could not be read: {error.strerror}") from None
    return [Run(path) for path in sorted(paths, key=_begun, reverse=True)]


def remove_run(run: Run) -> None:
    """Delete a run folder with everything in it.

    Raises:
        RunError: It is not a run folder, a process is training into it, or the disk refuses.
    """
    if not is_run(run.path):
        raise RunError(f"{run.path} is not a run folder: it has no config.json")
    with run.lock():
        try:
            shutil.rmtree(run.path)
        except OSError as error:
            raise RunError(f"{run.path} could not be removed: {error.filename}: {error.strerror}") from None


def pretrained_path(name: str) -> Path | None:
    """The folder of the packaged pretrained model `name` (`config.json` and `model.safetensors`), or None if there is none."""
    path = Path(__file__).parents[1] / "pretrained" / name
    return path if re.fullmatch(r"[\w-]+", name) and is_run(path) else None


def _begun(path: Path) -> float:
    """When a run was started or resumed last; a folder that vanishes meanwhile is the oldest."""
    try:
        return (path / "config.json").stat().st_mtime
    except OSError:
        return 0.0


def _require_readable(path: Path) -> None:
    """What may not be looked into is not said to be missing."""
    try:
        (path / "config.json").stat()
    except PermissionError as error:
        raise RunError(f"{path} could not be read: {error.strerror}") from None
    except (OSError, ValueError):
        return


def _names() -> list[str]:
    """The names that `open_run` knows: runs, and packaged models."""
    packaged = Path(__file__).parents[1] / "pretrained"
    names = []
    for folder in (runs_folder(), packaged):
        with suppress(RunError):
            names += [run.name for run in list_runs(folder)]
    return names
