"""A run as a Python script that does it again with the public names alone.

A run folder may come from a stranger. What is written into the script is therefore made of two things only: names that this genlab declares
itself (the fields of its settings), and values that went through those settings and whose text means exactly that value (`_literal`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from genlab.datasets import DATASETS
from genlab.datasets.catalogue import OWN_ARRAYS
from genlab.errors import RunError
from genlab.models import settings_class
from genlab.models.contract import Report
from genlab.runs import Run
from genlab.settings import FROM_DATA, DataSettings, Settings, TrainSettings, validate

_TEXT_AT_MOST = 200
_STEPS_AT_MOST = 10**12  # a record that says more was not written by a training


def script(run: Run) -> str:
    """Python that trains the run's model anew, from the same seed to the same end.

    A finished run whose minutes decided its end is told to do as many steps, so that the weights come out the same on the same
    machine with the same versions. First weights are drawn from the run's seed, as the command line and the dashboard do. What the script
    cannot do again stands in its docstring, such as the schedule of a run that was resumed for another number of epochs.

    Raises:
        RunError: The run's files are torn.
        InputError: Its config names a model or a setting that this genlab does not know.
    """
    config = run.config
    name, data, training, model = _checked(run, config)
    ours = [field for field in FROM_DATA if field in type(model).model_fields]
    network = [f"{field}=data.{field}" for field in ours] + _arguments(_different(model, without=ours))
    train = {"epochs": training.epochs, "seed": training.seed} | _different(training, without=["epochs", "seed"]) | _end(run, training)
    train = {field: value for field, value in train.items() if value is not None or field not in ("epochs", "minutes")}
    return f"""\
{_docstring(run, config, data, training)}
import torch

import genlab

{_data(config, data)}
{_same_images(config["data"].get("record"))}torch.manual_seed({_literal(training.seed)})  # decides the first weights
model = genlab.create_model({_call(_literal(name), network)})
run = genlab.train({_call("model, data", _arguments(train))})

{_result(run.report)}
"""


def _checked(run: Run, config: Mapping[str, Any]) -> tuple[str, DataSettings, TrainSettings, Settings]:
    """Everything that the script repeats, as the settings of this genlab: the model's name, data, training, model."""
    for part, values in (("data", config["data"]), ("training", config["training"]), ("model.settings", config["model"]["settings"])):
        if not isinstance(values, dict):
            raise RunError(f"{run.path / 'config.json'} must hold an object as {part}; got {_text(values)}")
    name = config["model"]["name"]
    if not isinstance(name, str):
        raise RunError(f"{run.path / 'config.json'} must hold a text as model.name; got {_text(name)}")
    kind = settings_class(name)
    data = validate(DataSettings, {field: value for field, value in config["data"].items() if field != "record"})
    training = validate(TrainSettings, {**config["training"], "seed": config["seed"]})
    return name, data, training, validate(kind, config["model"]["settings"])


def _data(config: Mapping[str, Any], data: DataSettings) -> str:
    """The lines that load the images or points; arrays that were given in Python have to be given again."""
    settings = _arguments(_different(data, without=["name"]))
    if data.name != OWN_ARRAYS:
        return f"data = genlab.load_dataset({_call(_literal(data.name), settings)})"
    record = config["data"].get("record")
    names = ["points", "labels"] if isinstance(record, dict) and record.get("levels") is None else ["images", "labels"]
    arrays = f"{', '.join(names)} = None, None  # the arrays that the run was given, labels only if it had any"
    return f"{arrays}\ndata = genlab.load_dataset({', '.join([f'{name}={name}' for name in names] + settings)})"


def _result(report: Report) -> str:
    """The lines that tell what came out, in the words of the model's report."""
    best = "min" if report.lower_is_better else "max"
    if report.key == "nats":
        figures = "{best['bits_per_dim']:.6f} bits/dim"
        told = f"""f"{{run.path}}: best validation {figures} at step {{best['step']}}\""""
    else:
        told = (
            f"f\"{{run.path}}: best validation\", best['values'][{_literal(report.key)}], {_literal(report.words)}, 'at step', best['step']"
        )
    return f"best = {best}(run.metrics('valid'), key=lambda record: record['values'][{_literal(report.key)}])\nprint({told})"


def _end(run: Run, training: TrainSettings) -> dict[str, Any]:
    """The steps that a finished run's minutes were enough for, in place of the minutes."""
    if training.minutes is None or run.state() != "finished":
        return {}
    return {"minutes": None, "steps": run.metrics()[-1]["step"]}


# --- what it cannot do again ---------------------------------------------------------------------------------------------------------


def _docstring(run: Run, config: Mapping[str, Any], data: DataSettings, training: TrainSettings) -> str:
    """The script's docstring: which run it is, what it was trained with, and what comes out otherwise."""
    versions = config.get("versions")
    with_what = ", ".join(f"{name} {value}" for name, value in versions.items()) if isinstance(versions, dict) else "not recorded"
    lines = [
        f"The run {_text(run.name)}, once more.",
        "",
        f"Trained with: {_text(with_what)}.",
        "On the same machine with the same versions the weights come out the same to the last bit, unless one of these holds:",
        "- the run began from weights that somebody brought along in Python, which no config records;",
        *(f"- {sentence};" for sentence in _otherwise(run, config, data, training)),
    ]
    lines[-1] = lines[-1].removesuffix(";") + "."
    # Whatever names hold, they cannot end the docstring.
    body = "\n".join(lines).replace("\\", "\\\\").replace('"', '\\"')
    return f'"""{body}\n"""'


def _otherwise(run: Run, config: Mapping[str, Any], data: DataSettings, training: TrainSettings) -> list[str]:
    """What is known of this run that a single training from the beginning does not repeat."""
    sentences = []
    if data.name == OWN_ARRAYS:
        sentences.append("the arrays that the run was given in Python are others than those put into the script")
    elif data.name not in DATASETS:
        sentences.append(f"the images at {_text(data.name)} have changed since")
    if (state := run.state()) != "finished":
        sentences.append(f"it is compared with the folder as it is now: the run is {state}, and the script trains to the end")
    finished = [event["step"] for event in run.metrics("event") if event.get("event") == "finished"]
    if len(finished) > 1:
        sentences.append(f"the run had ended at step {finished[0]} and was prolonged: the validation at that end is not made again")
    if (step := _last_other_rate(run, config, training)) is not None:
        sentences.append(
            f"up to step {step} the run had other learning rates than its config says, as when it is resumed for another number of epochs"
        )
    return sentences


def _last_other_rate(run: Run, config: Mapping[str, Any], training: TrainSettings) -> int | None:
    """The last recorded step whose learning rate is not what the config's schedule gives."""
    from genlab.training.schedule import learning_rate_at

    record = config["data"].get("record")
    images = record.get("images") if isinstance(record, dict) else None
    train = images.get("train") if isinstance(images, dict) else None
    if not isinstance(train, int) or train < 1:
        return None
    steps = None if training.epochs is None else training.epochs * -(-train // training.batch_size)
    other = [
        made["step"]
        for made in run.metrics("train")
        if 0 < made["step"] < _STEPS_AT_MOST and made.get("learning_rate") != learning_rate_at(made["step"] - 1, training, steps)
    ]
    return max(other, default=None)


def _same_images(record: Any) -> str:
    """A line that stops the script where the images are no longer those of the run."""
    checksum = record.get("sha256") if isinstance(record, dict) else None
    if not (isinstance(checksum, str) and re.fullmatch("[0-9a-f]{64}", checksum)):
        return ""
    return f"assert data.record['sha256'] == {checksum!r}, 'other images'\n"


# --- values as text ------------------------------------------------------------------------------------------------------------------


def _different(settings: Settings, *, without: list[str]) -> dict[str, Any]:
    """The settings that are not the default, as plain values by the names of their fields."""
    return settings.model_dump(exclude_defaults=True, exclude=set(without))


def _arguments(values: Mapping[str, Any]) -> list[str]:
    return [f"{name}={_literal(value)}" for name, value in values.items()]


def _call(first: str, arguments: list[str]) -> str:
    """What stands between the brackets of a call."""
    return ", ".join([first, *arguments])


def _literal(value: Any) -> str:
    """The text that Python reads as exactly this value: no more than a literal, so that none can end its string and become code.

    Raises:
        RunError: There is no such text.
    """
    text = repr(value)
    try:
        same = ast.literal_eval(text) == value
    except (ValueError, SyntaxError):
        same = False
    if not same:
        raise RunError(f"a value of the run cannot be written as Python: {_text(value)}")
    return text


def _text(value: Any) -> str:
    """A value in a sentence: escaped, and not longer than a few lines."""
    text = repr(value)
    return text if len(text) <= _TEXT_AT_MOST else f"{text[:_TEXT_AT_MOST]}…"
