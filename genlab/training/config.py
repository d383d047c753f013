"""A run's folder and its config: made new, or taken over and compared when a run is resumed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from genlab import __version__
from genlab.errors import InputError, RunError
from genlab.models import list_models, settings_class
from genlab.models.contract import Model, abilities
from genlab.native import native_info
from genlab.runs import Run, is_run, new_run_path
from genlab.settings import DataSettings, TrainSettings, validate

if TYPE_CHECKING:
    from genlab.datasets import Dataset

DEFAULT_EPOCHS = 10

# What may differ when a run is resumed: how long and how often, never what is computed at a step.
_FREE = {"epochs", "minutes", "steps", "patience", "checkpoint_seconds", "sample_seconds", "log_seconds", "join_seconds"}
_BUDGETS = {"epochs", "minutes", "steps"}


def run_folder(model: Model, data: Dataset, out: Path | str | None, *, resume: bool) -> Run:
    """The run folder, made if it is new; whether it holds a run is decided under the lock."""
    if out is None:
        if resume:
            raise InputError("out must name the run folder to resume; got None")
        return Run(new_run_path(model.name, data.name))
    path = Path(out)
    if resume and not is_run(path):
        raise RunError(f"there is nothing to resume: {path} has no config.json")
    try:
        if path.exists() and not is_run(path) and (not path.is_dir() or any(file.name != "lock" for file in path.iterdir())):
            raise InputError(f"out must be a new or empty folder; {path} is neither")
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{path} could not be made: {error.strerror}") from None
    return Run(path)


def check_is_catalogued(model: Model) -> None:
    """Refuse a model whose run nobody could load again.

    Raises:
        InputError: The catalogue has no such model.
    """
    if model.name not in list_models():
        raise InputError(
            "model must be in the catalogue, so that its run can be resumed and loaded (genlab.models.register adds one); "
            f"got {model.name!r}"
        )


def new_config(run: Run, model: Model, data: Dataset, asked: Mapping[str, Any]) -> tuple[dict[str, Any], TrainSettings]:
    """The config of a run that begins, with its settings; refuses a folder that holds a run."""
    if is_run(run.path):
        raise InputError(f"out must be a new or empty folder; {run.path} holds a run already (resume=True goes on with it)")
    settings = validate(TrainSettings, asked)
    if settings.epochs is settings.minutes is settings.steps is None:
        settings = settings.model_copy(update={"epochs": DEFAULT_EPOCHS})
    return _config_of(model, data, settings), settings


def resumed_config(run: Run, model: Model, data: Dataset, asked: Mapping[str, Any]) -> tuple[dict[str, Any], TrainSettings, float | None]:
    """The folder's config with what may change, its settings, and a new learning rate; refuses any other difference by its name."""
    _check_checkpoint(run)
    config = run.config
    recorded = validate(TrainSettings, {**config["training"], "seed": config["seed"]})
    # A new budget replaces the old one whole: ten more epochs must not end at once because the old minutes are used up.
    kept = recorded.model_dump(exclude=_BUDGETS if _BUDGETS & asked.keys() else set())
    settings = validate(TrainSettings, {**kept, **asked})
    new_rate = settings.learning_rate if settings.learning_rate != recorded.learning_rate else None
    settings = settings.model_copy(update={"learning_rate": recorded.learning_rate})
    wanted = _config_of(model, data, settings)
    _refuse_difference(run, "data", _data(config["data"]), _data(wanted["data"]))
    _refuse_difference(run, "model", _model(config["model"]), _model(wanted["model"]))
    # A run of an older genlab lacks the settings that it did not know; it was trained with their defaults.
    _refuse_difference(run, "training", recorded.model_dump(mode="json", exclude={"seed"}), wanted["training"])
    _refuse_difference(run, "training", {"seed": config["seed"]}, {"seed": wanted["seed"]})
    return {**wanted, "versions": config.get("versions")}, settings, new_rate


def _check_checkpoint(run: Run) -> None:
    """Refuse to begin anew what has come further than its first checkpoint: nothing of it could be gone on with."""
    steps = [record["step"] for record in run.metrics()]
    if not os.path.lexists(run.checkpoint_path) and max(steps, default=0) > 0:
        raise RunError(
            f"{run.checkpoint_path} is missing, though the run came to step {max(steps)}: put it back to go on, "
            "or train anew into another folder; nothing was changed"
        )


def _refuse_difference(run: Run, part: str, recorded: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    for name in sorted(recorded.keys() | wanted.keys()):
        if (part != "training" or name not in _FREE) and recorded.get(name) != wanted.get(name):
            raise InputError(f"{part}.{name} must be {recorded.get(name)!r} to resume {run.path}; got {wanted.get(name)!r}")


def refuse_other(told: Mapping[str, Any], model: Model, data: Dataset, asked: Mapping[str, Any]) -> None:
    """Refuse to help with a training of something else than what is here, by its name.

    Args:
        told: What process 0 trains: ``{"config", "versions"}``.
        model: The one here.
        data: Those here.
        asked: Settings of training that were given here.

    Raises:
        InputError: Something differs that decides a gradient.
    """
    config, names, here = told["config"], ("genlab", "torch"), versions()
    settings = validate(TrainSettings, asked).model_dump(mode="json")
    pairs: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]] = [
        ("version of", told["versions"], {name: here[name] for name in names}),
        ("data", _data(config["data"]), _data({**data.settings.model_dump(mode="json"), "record": data.record})),
        ("model", _model(config["model"]), _model(model.config)),
        ("training", {**config["training"], "seed": config["seed"]}, {name: settings[name] for name in asked if name not in _FREE}),
    ]
    for part, wanted, ours in pairs:
        for name in sorted(ours):
            if wanted.get(name) != ours[name] and name != "learning_rate":
                what = f"{part} {name}" if " " in part else f"{part}.{name}"
                raise InputError(f"{what} must be {wanted.get(name)!r} as in process 0; got {ours[name]!r}")


def _data(config: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the images: their checksum, and how they are drawn. A folder may have another name or place by now."""
    settings = validate(DataSettings, {name: value for name, value in config.items() if name != "record"})
    return {**settings.model_dump(mode="json", exclude={"name"}), "sha256": config.get("record", {}).get("sha256")}


def _model(config: Mapping[str, Any]) -> dict[str, Any]:
    """A model's name and settings, to be compared one by one; what an older genlab did not know has its default."""
    settings = validate(settings_class(config["name"]), config["settings"])
    return {"name": config["name"], **settings.model_dump(mode="json")}


def _config_of(model: Model, data: Dataset, settings: TrainSettings) -> dict[str, Any]:
    return {
        "model": model.config,
        "report": asdict(model.report),
        "abilities": sorted(abilities(model)),
        "domain": {"shape": list(model.domain.shape), "levels": model.domain.levels},
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
