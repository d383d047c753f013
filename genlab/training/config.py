"""A run's folder and its config: made new, or taken over and compared when a run is resumed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from genlab import __version__
from genlab.errors import InputError, RunError
from genlab.native import native_info
from genlab.runs import Run, is_run, new_run_path
from genlab.settings import TrainSettings, validate

if TYPE_CHECKING:
    from genlab.datasets import Dataset
    from genlab.models.causal.model import CausalModel

DEFAULT_EPOCHS = 10

# What may differ when a run is resumed: how long and how often, never what is computed at a step.
_FREE = {"epochs", "minutes", "steps", "patience", "checkpoint_seconds", "sample_seconds", "log_seconds"}
_BUDGETS = {"epochs", "minutes", "steps"}


def run_folder(model: CausalModel, data: Dataset, out: Path | str | None, *, resume: bool) -> Run:
    """The run folder, made if it is new; whether it holds a run is decided under the lock."""
    if out is None:
        if resume:
            raise InputError("out must name the run folder to resume; got None")
        return Run(new_run_path(model.name, data.name))
    path = Path(out)
    if resume and not is_run(path):
        raise RunError(f"there is nothing to resume: {path} has no config.json")
    if path.exists() and not is_run(path) and (not path.is_dir() or any(file.name != "lock" for file in path.iterdir())):
        raise InputError(f"out must be a new or empty folder; {path} is neither")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{path} could not be made: {error.strerror}") from None
    return Run(path)


def new_config(run: Run, model: CausalModel, data: Dataset, asked: Mapping[str, Any]) -> tuple[dict[str, Any], TrainSettings]:
    """The config of a run that begins, with its settings; refuses a folder that holds a run."""
    if is_run(run.path):
        raise InputError(f"out must be a new or empty folder; {run.path} holds a run already (resume=True goes on with it)")
    settings = validate(TrainSettings, asked)
    if settings.epochs is settings.minutes is settings.steps is None:
        settings = settings.model_copy(update={"epochs": DEFAULT_EPOCHS})
    return _config_of(model, data, settings), settings


def resumed_config(run: Run, model: CausalModel, data: Dataset, asked: Mapping[str, Any]) -> tuple[dict[str, Any], TrainSettings]:
    """The folder's config with what may change; refuses any other difference by its name."""
    config = run.config
    recorded = validate(TrainSettings, {**config["training"], "seed": config["seed"]})
    # A new budget replaces the old one whole: ten more epochs must not end at once because the old minutes are used up.
    kept = recorded.model_dump(exclude=_BUDGETS if _BUDGETS & asked.keys() else set())
    settings = validate(TrainSettings, {**kept, **asked})
    wanted = _config_of(model, data, settings)
    for part in ("data", "model"):
        _refuse_difference(run, part, _flat(config[part]), _flat(wanted[part]))
    # A run of an older genlab lacks the settings that it did not know; it was trained with their defaults.
    _refuse_difference(run, "training", recorded.model_dump(mode="json", exclude={"seed"}), wanted["training"])
    _refuse_difference(run, "training", {"seed": config["seed"]}, {"seed": wanted["seed"]})
    return {**wanted, "versions": config.get("versions")}, settings


def _refuse_difference(run: Run, part: str, recorded: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    for name in sorted(recorded.keys() | wanted.keys()):
        if (part != "training" or name not in _FREE) and recorded.get(name) != wanted.get(name):
            raise InputError(f"{part}.{name} must be {recorded.get(name)!r} to resume {run.path}; got {wanted.get(name)!r}")


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """One level of names: a model's settings are compared one by one, a dataset's images by their checksum."""
    flat = {name: value for name, value in config.items() if name not in ("settings", "record")}
    checksum = {"sha256": config["record"]["sha256"]} if "record" in config else {}
    return {**config.get("settings", {}), **flat, **checksum}


def _config_of(model: CausalModel, data: Dataset, settings: TrainSettings) -> dict[str, Any]:
    return {
        "model": model.config,
        "data": {**data.settings.model_dump(mode="json"), "record": data.record},
        "training": settings.model_dump(mode="json", exclude={"seed"}),
        "seed": settings.seed,
        "versions": versions(),
    }


def versions() -> dict[str, Any]:
    """What decides the last bits of a weight besides the config."""
    info = native_info()
    threads = {"torch_threads": torch.get_num_threads(), "native_threads": info["threads"]}
    return {"genlab": __version__, "torch": str(torch.__version__), "numpy": np.__version__, "isa": info["isa"], **threads}
