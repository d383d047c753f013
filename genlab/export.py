"""A run as a Python script that does it again with the public names alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genlab.runs import Run
from genlab.settings import DataSettings, TrainSettings, validate


def script(run: Run) -> str:
    """Python that trains the run's model anew, from the same seed to the same end.

    A finished run whose minutes decided its end is told to do as many steps, so that the weights come out the same on the same
    machine with the same versions. First weights are drawn from the run's seed, as the command line and the dashboard do; weights
    that somebody brought along in Python are not in the config and cannot be reproduced.

    Raises:
        RunError: The run's files are torn.
        InputError: Its config holds a setting that this genlab does not know.
    """
    config = run.config
    data = validate(DataSettings, {name: value for name, value in config["data"].items() if name != "record"})
    training = validate(TrainSettings, {**config["training"], "seed": config["seed"]})
    settings = {name: value for name, value in config["model"]["settings"].items() if name not in ("image_shape", "levels")}
    train = {"epochs": training.epochs, "seed": training.seed} | _different(training) | _end(run, training)
    train = {name: value for name, value in train.items() if value is not None or name not in ("epochs", "minutes")}
    versions = ", ".join(f"{name} {value}" for name, value in (config.get("versions") or {}).items())
    return f"""\
# The run {run.name!r}, once more.
# Trained with: {versions!r}
import torch

import genlab

data = genlab.load_dataset({_call(repr(data.name), _different(data, "name"))})
torch.manual_seed({training.seed})  # decides the first weights
model = genlab.create_model({_call(repr(config["model"]["name"]), settings, "image_shape=data.image_shape, levels=data.levels")})
run = genlab.train({_call("model, data", train)})

best = min(run.metrics("valid"), key=lambda record: record["nats"])
print(f"{{run.path}}: best validation {{best['bits_per_dim']:.6f}} bits/dim at step {{best['step']}}")
"""


def _end(run: Run, training: TrainSettings) -> dict[str, Any]:
    """The steps that a finished run's minutes were enough for, in place of the minutes."""
    if training.minutes is None or run.state() != "finished":
        return {}
    return {"minutes": None, "steps": run.metrics()[-1]["step"]}


def _different(settings: DataSettings | TrainSettings, *without: str) -> dict[str, Any]:
    """The settings that are not the default."""
    return settings.model_dump(exclude_defaults=True, exclude=set(without))


def _call(first: str, arguments: Mapping[str, Any], more: str = "") -> str:
    """What stands between the brackets of a call. Every value goes through `repr`, so none can end its string and become code."""
    return ", ".join([first, *([more] if more else []), *(f"{name}={value!r}" for name, value in arguments.items())])
