"""``genlab train``: a model into a run folder, anew or from where it was left."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genlab.cli.parser import INTERRUPTED, Commands
from genlab.cli.progress import training_progress
from genlab.cli.settings import DEFAULT_DATA, assigned, data_settings, load_data, settings_help
from genlab.errors import InputError
from genlab.runs import Run, is_run, new_run_path

_DESCRIPTION = """\
Train a model into a run folder. Ctrl-C leaves a run that can be resumed.

  genlab train pixelcnn --data digits --minutes 2 --out runs/a
  genlab train pixelcnn --data mnist5k --set binarize=dynamic channels=16 learning_rate=1e-3
  genlab train --resume --out runs/a --minutes 5
  genlab train --resume --out runs/a --epochs 20 --set learning_rate=5e-4"""


def add(commands: Commands) -> None:
    """The verb's options."""
    train = commands.add_parser(
        "train", help="train a model into a run folder", formatter_class=argparse.RawDescriptionHelpFormatter, description=_DESCRIPTION
    )
    train.closing = settings_help
    train.add_argument("model", nargs="?", metavar="MODEL", help="a model's name; optional with --resume")
    train.add_argument("--data", metavar="NAME", help=f"a dataset's name, or a path (default: {DEFAULT_DATA})")
    train.add_argument(
        "--epochs", metavar="N", help="passes over the training images (default: 10, if neither minutes nor steps are given)"
    )
    train.add_argument("--minutes", metavar="M", help="training time, over all sessions of the run; whichever ends first")
    train.add_argument("--seed", metavar="S", help="decides the first weights, the order of the images and every draw (default: 0)")
    train.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="K=V", help="settings of model, data and training, see below"
    )
    train.add_argument("--out", type=Path, metavar="DIR", help="the run folder (default: a new one below $GENLAB_RUNS_DIR or ./runs)")
    train.add_argument("--resume", action="store_true", help="go on with the run in --out; what isn't given is taken from there")
    train.add_argument(
        "--processes", metavar="N", help="share every batch among N processes of this machine (torchrun starts them on several)"
    )
    train.add_argument("--device", metavar="D", help="cpu, cuda or cuda:N (default: cpu); GPUs compute by torch")
    train.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    from genlab.training import is_follower, train

    recorded = _recorded_config(arguments)
    model_name = arguments.model or (recorded["model"]["name"] if recorded else None)
    if model_name is None:
        raise InputError("MODEL must be given unless a run is resumed; got none")
    asked = _asked(model_name, arguments)
    if recorded:
        if model_name != recorded["model"]["name"]:
            raise InputError(f"MODEL must be {recorded['model']['name']!r} to resume {arguments.out}; got {model_name!r}")
        asked = _Asked({**recorded["model"]["settings"], **asked.model}, {**data_settings(recorded), **asked.data}, asked.training)
    model, data = _model_and_data(model_name, asked)
    how = {"processes": _whole("--processes", arguments.processes), "device": arguments.device, **asked.training}
    if is_follower():
        train(model, data, resume=arguments.resume, **how)
        return 0
    out = arguments.out or new_run_path(model_name, data.name)
    try:
        with training_progress() as show:
            run = train(model, data, out=out, resume=arguments.resume, on_progress=show, **how)
    except KeyboardInterrupt:
        print(f"\ngenlab: interrupted; {_how_to_resume(out)}" if is_run(out) else "\ngenlab: interrupted", file=sys.stderr)
        return INTERRUPTED
    _print_summary(run)
    return 0


def _whole(option: str, value: str | None) -> int | None:
    """An option that is a whole number."""
    if value is None or re.fullmatch(r"-?\d{1,9}", value):
        return None if value is None else int(value)
    raise InputError(f"{option} must be a whole number; got {value!r}")


@dataclass(frozen=True)
class _Asked:
    """What a training was asked for: settings by the part they belong to, still as text."""

    model: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)


def _recorded_config(arguments: argparse.Namespace) -> dict[str, Any] | None:
    """The config of the run to resume, or None for a new one."""
    if not arguments.resume:
        return None
    if arguments.out is None:
        raise InputError("--out must name the run folder to resume; got none")
    return Run(arguments.out).config


def _asked(model_name: str, arguments: argparse.Namespace) -> _Asked:
    """Sort the assignments of --set and the options that stand for settings."""
    from genlab.models import settings_class
    from genlab.settings import FROM_DATA, DataSettings, TrainSettings

    asked = _Asked()
    known = {
        "model": [name for name in settings_class(model_name).model_fields if name not in FROM_DATA],
        "data": [name for name in DataSettings.model_fields if name != "name"],
        "training": list(TrainSettings.model_fields),
    }
    for (part, name), value in assigned(arguments.set, known).items():
        getattr(asked, part)[name] = value
    if arguments.data is not None:
        asked.data["name"] = arguments.data
    for name in ("epochs", "minutes", "seed"):
        value = getattr(arguments, name)
        if value is None:
            continue
        if asked.training.setdefault(name, value) != value:
            raise InputError(f"--{name} and --set {name} must not contradict each other; got {value!r} and {asked.training[name]!r}")
    return asked


def _model_and_data(model_name: str, asked: _Asked) -> tuple[Any, Any]:
    """A model with seeded weights, made for the data's images."""
    from genlab.models import create_for
    from genlab.settings import TrainSettings, validate

    settings = validate(TrainSettings, asked.training)
    data = load_data(asked.data)
    return create_for(data, model_name, settings.seed, asked.model), data


def _print_summary(run: Run) -> None:
    """What came out of a training, and what to do with it."""
    if best := run.best():
        print(f"best validation  {run.report.describe(best['values'])} at step {best['step']}")
    if run.sample_files:
        print(f"sample grid      {run.sample_files[-1]}")
    if run.state() == "stopped":
        print(_how_to_resume(run.path))
    drawn = "images      genlab sample {} -n 64 --out grid.png" if run.domain.is_image else "points      genlab sample {} --out points.npz"
    print(f"draw {drawn.format(_quoted(run.path))}")
    print(f"score the test   genlab evaluate {_quoted(run.path)}")


def _how_to_resume(path: Path) -> str:
    return f"resume with: genlab train --resume --out {_quoted(path)}"


def _quoted(path: Path) -> str:
    """The path as a shell takes it."""
    return shlex.quote(str(path))
