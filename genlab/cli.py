"""The command line: the library's verbs, one function each.

Long work shows a bar on a terminal and plain lines elsewhere. A known error is one line on stderr. Exit codes: 0 done (also after a
requested stop), 1 unexpected, 2 bad input, 3 training failed, 4 a run folder that is locked, torn or missing, 130 Ctrl-C. Whatever
loads torch is imported where it is used, so that ``--help`` and ``info`` answer at once.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from importlib.metadata import version
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genlab import __version__
from genlab.errors import BackendError, GenlabError, InputError, RunError, TrainingError
from genlab.runs import Run, is_run, list_runs, load_model, new_run_path, open_run, remove_run, write_aside

if TYPE_CHECKING:
    from genlab.training import Progress

DEFAULT_DATA = "digits"

_EXIT_CODES: dict[type[GenlabError], int] = {InputError: 2, BackendError: 2, TrainingError: 3, RunError: 4}
_INTERRUPTED = 130
# The data decide these two, so that a model always fits its images.
_FROM_DATA = {"image_shape", "levels"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: What follows ``genlab``; None takes it from the process.

    Returns:
        The exit code.
    """
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as stop:
        # argparse has printed help (code 0) or what was wrong (code 2).
        return int(stop.code or 0)
    try:
        return int(arguments.run(arguments))
    except GenlabError as error:
        print(f"genlab: error: {' '.join(str(error).split())}", file=sys.stderr)
        return next((code for kind, code in _EXIT_CODES.items() if isinstance(error, kind)), 1)
    except KeyboardInterrupt:
        print("genlab: interrupted", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader, such as `head`, has had enough. Python would complain again when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


class _Parser(argparse.ArgumentParser):
    """A parser whose closing words are made, and what they need is loaded, only when help is asked for."""

    closing: Callable[[], str] | None = None

    def format_help(self) -> str:
        if self.closing is not None:
            self.epilog = self.closing()
        return super().format_help()


def _parser() -> _Parser:
    parser = _Parser(prog="genlab", description="A laboratory for generative models.")
    parser.add_argument("--version", action="version", version=f"genlab {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    train = commands.add_parser(
        "train", help="train a model into a run folder", formatter_class=argparse.RawDescriptionHelpFormatter, description=_TRAIN
    )
    train.closing = _settings_help
    train.add_argument("model", nargs="?", metavar="MODEL", help="a model's name; optional with --resume")
    train.add_argument("--data", metavar="NAME", help=f"a dataset's name, or a path (default: {DEFAULT_DATA})")
    train.add_argument("--epochs", metavar="N", help="passes over the training images (default: 10, unless --minutes is given)")
    train.add_argument("--minutes", metavar="M", help="training time, over all sessions of the run; whichever ends first")
    train.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="K=V", help="settings of model, data and training, see below"
    )
    train.add_argument("--out", type=Path, metavar="DIR", help="the run folder (default: a new one below $GENLAB_RUNS_DIR or ./runs)")
    train.add_argument("--resume", action="store_true", help="go on with the run in --out; what isn't given is taken from there")
    train.set_defaults(run=_train)

    sample = commands.add_parser("sample", help="draw images from a trained model")
    sample.add_argument("model", metavar="RUN", help="a run's folder or name, or a .safetensors file")
    sample.add_argument("-n", type=int, default=64, help="number of images (default: 64)")
    sample.add_argument("--out", type=Path, default=Path("samples.png"), metavar="PNG", help="the picture (default: samples.png)")
    sample.add_argument("--seed", type=int, default=0, help="decides the draws (default: 0)")
    sample.add_argument("--temperature", type=float, default=1.0, help="below 1 favours the likely (default: 1)")
    sample.add_argument("--backend", default="auto", help="native, torch, naive or auto (default: auto)")
    sample.add_argument("--weights", default="best", help="best, ema or raw (default: best)")
    sample.set_defaults(run=_sample)

    evaluate = commands.add_parser("evaluate", help="score a split under a trained model, in nats an image and bits/dim")
    evaluate.add_argument("model", metavar="RUN", help="a run's folder or name, or a .safetensors file")
    evaluate.add_argument("--data", metavar="NAME", help="other images than the run's own; needed with a .safetensors file")
    evaluate.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="K=V", help="settings of the data, such as binarize=dynamic"
    )
    evaluate.add_argument("--split", default="test", help="train, valid or test (default: test)")
    evaluate.add_argument("--draws", type=int, default=1, help="binarisations drawn per image, if dynamic (default: 1)")
    evaluate.add_argument("--backend", default="auto", help="native, torch or auto (default: auto)")
    evaluate.add_argument("--json", type=Path, metavar="FILE", help="write the result there too")
    evaluate.set_defaults(run=_evaluate)

    runs = commands.add_parser("runs", help="list, show or remove runs")
    runs.add_argument("action", nargs="?", choices=("list", "show", "remove"), default="list", help="(default: list)")
    runs.add_argument("names", nargs="*", metavar="RUN", help="folders or names; for list: a folder of runs")
    runs.set_defaults(run=_runs)

    bench = commands.add_parser("bench", help="time the native code against Python, after checking that they agree")
    bench.add_argument(
        "which",
        nargs="?",
        choices=("roofline", "kernels", "training", "memory", "precision", "sampling", "growth", "toy-gan", "all"),
        default="all",
        help="(default: all)",
    )
    bench.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    bench.add_argument("--quick", action="store_true", help="smaller cases, fewer repeats")
    bench.set_defaults(run=_bench)

    quiz = commands.add_parser("quiz", help="the lecture's questions, answered by typing letters")
    quiz.add_argument("--name", help="keep the answers under this name, as the dashboard does")
    quiz.add_argument("--csv", type=Path, metavar="FILE", help="ask nothing: write all answers that were kept, for the instructor")
    quiz.set_defaults(run=_quiz)

    info = commands.add_parser("info", help="what is installed, and what the native code runs on")
    info.set_defaults(run=_info)
    return parser


_TRAIN = """\
Train a model into a run folder. Ctrl-C leaves a run that can be resumed.

  genlab train pixelcnn --data digits --minutes 2 --out runs/a
  genlab train pixelcnn --data mnist5k --set binarize=dynamic channels=16 learning_rate=1e-3
  genlab train --resume --out runs/a --minutes 5"""


def _settings_help() -> str:
    """The settings of every model, of the data and of training, with their defaults."""
    from genlab.models import list_models, settings_class
    from genlab.settings import DataSettings, TrainSettings

    sections = {"training": TrainSettings, "data": DataSettings} | {f"model {name}": settings_class(name) for name in list_models()}
    lines = ["settings for --set, as name=value or, if two have the name, as training.name, data.name or model.name:"]
    for title, kind in sections.items():
        lines.append(f"\n{title}:")
        for name, entry in kind.model_fields.items():
            if name not in _FROM_DATA or kind is DataSettings:
                default = "none" if entry.default is None else entry.default
                lines.append(f"  {name + '=' + str(default):28} {entry.description or ''}".rstrip())
    return "\n".join(lines)


@dataclass(frozen=True)
class _Asked:
    """What a training was asked for: settings by the part they belong to, still as text."""

    model: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)


def _train(arguments: argparse.Namespace) -> int:
    from genlab.training import train

    recorded = _recorded_config(arguments)
    model_name = arguments.model or (recorded["model"]["name"] if recorded else None)
    if model_name is None:
        raise InputError("MODEL must be given unless a run is resumed; got none")
    asked = _asked(model_name, arguments)
    if recorded:
        model_settings = recorded["model"]["settings"] if model_name == recorded["model"]["name"] else {}
        asked = _Asked({**model_settings, **asked.model}, {**_data_settings(recorded), **asked.data}, asked.training)
    model, data = _model_and_data(model_name, asked)
    out = arguments.out or new_run_path(model_name, data.name)
    try:
        with _training_progress() as show:
            run = train(model, data, out=out, resume=arguments.resume, on_progress=show, **asked.training)
    except KeyboardInterrupt:
        print(f"\ngenlab: interrupted; {_how_to_resume(out)}" if is_run(out) else "\ngenlab: interrupted", file=sys.stderr)
        return _INTERRUPTED
    _print_summary(run)
    return 0


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
    from genlab.settings import DataSettings, TrainSettings

    asked = _Asked()
    known = {
        "model": [name for name in settings_class(model_name).model_fields if name not in _FROM_DATA],
        "data": [name for name in DataSettings.model_fields if name != "name"],
        "training": list(TrainSettings.model_fields),
    }
    for part, name, value in _assignments(arguments.set, known):
        getattr(asked, part)[name] = value
    if arguments.data is not None:
        asked.data["name"] = arguments.data
    for name in ("epochs", "minutes"):
        if getattr(arguments, name) is not None:
            asked.training[name] = getattr(arguments, name)
    return asked


def _assignments(assignments: Sequence[str], known: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str, str | None]]:
    """Part, name and value of each ``name=value`` or ``part.name=value``."""
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise InputError(f"--set takes name=value; got {assignment!r}")
        yield *_find_setting(key, known), None if value.lower() in ("none", "null", "") else value


def _find_setting(key: str, known: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """Which part a key belongs to, and its name there."""
    part, _, name = key.rpartition(".")
    parts = [place for place, names in known.items() if name in names and part in ("", place)]
    if len(parts) > 1:
        raise InputError(f"--set {key} could mean {' or '.join(f'{place}.{name}' for place in parts)}; write one of them")
    if not parts:
        names = ", ".join(f"{place}.{name}" for place, names in known.items() for name in names)
        raise InputError(f"--set has no setting {key!r}; known: {names}")
    return parts[0], name


def _data_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The data settings in a run's config."""
    return {name: value for name, value in config["data"].items() if name != "record"}


def _load_data(settings: Mapping[str, Any]) -> Any:
    """The dataset of settings that may still be text."""
    from genlab.datasets import load_dataset
    from genlab.settings import DataSettings, validate

    checked = validate(DataSettings, {"name": DEFAULT_DATA, **settings}).model_dump()
    return load_dataset(checked.pop("name"), **checked)


def _model_and_data(model_name: str, asked: _Asked) -> tuple[Any, Any]:
    """A model with seeded weights, made for the data's images."""
    import torch

    from genlab.models import create_model
    from genlab.settings import TrainSettings, validate

    settings = validate(TrainSettings, asked.training)
    data = _load_data(asked.data)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(settings.seed)
        model = create_model(model_name, **{**asked.model, "image_shape": data.image_shape, "levels": data.levels})
    return model, data


@contextmanager
def _training_progress() -> Iterator[Callable[[Progress], None]]:
    """A bar on a terminal; elsewhere the lines that go to log.txt."""
    if not sys.stderr.isatty():
        yield lambda progress: print(progress.message, file=sys.stderr, flush=True) if progress.message else None
        return
    from tqdm import tqdm  # type: ignore[import-untyped]

    with tqdm(total=1.0, bar_format="{percentage:3.0f}%|{bar:24}| {desc}", leave=False) as bar:

        def show(progress: Progress) -> None:
            if progress.message and progress.message != str(progress):
                bar.write(progress.message, file=sys.stderr)
            if progress.seconds_left is not None:
                bar.n = progress.seconds / max(1e-9, progress.seconds + progress.seconds_left)
            bar.set_description_str(str(progress))

        yield show


def _print_summary(run: Run) -> None:
    """What came out of a training, and what to do with it."""
    best = [record for record in run.metrics("valid") if record["best"]]
    if best:
        numbers = f"{best[-1]['bits_per_dim']:.4f} bits/dim ({best[-1]['nats']:.2f} nats an image)"
        print(f"best validation  {numbers} at step {best[-1]['step']}")
    if run.sample_files:
        print(f"sample grid      {run.sample_files[-1]}")
    if run.state() == "stopped":
        print(_how_to_resume(run.path))
    print(f"draw images      genlab sample {run.path} -n 64 --out grid.png")
    print(f"score the test   genlab evaluate {run.path}")


def _how_to_resume(path: Path) -> str:
    return f"resume with: genlab train --resume --out {path}"


def _sample(arguments: argparse.Namespace) -> int:
    from genlab.images import grid, save_png
    from genlab.sampling import sample

    if arguments.out.suffix.lower() != ".png":
        raise InputError(f"--out must end in .png; got {str(arguments.out)!r}")
    if arguments.n < 1:
        raise InputError(f"-n must be at least 1; got {arguments.n}")
    model = load_model(arguments.model, weights=arguments.weights)
    with _sampling_progress() as show:
        images = sample(
            model, arguments.n, seed=arguments.seed, backend=arguments.backend, temperature=arguments.temperature, on_progress=show
        )
    picture = grid(images, model.levels, scale=max(1, 56 // max(model.image_shape[1:])))
    text = f"genlab {__version__}: {arguments.n} images of {model.name}, seed {arguments.seed}, temperature {arguments.temperature:g}"
    save_png(arguments.out, picture, text={"Description": text})
    print(arguments.out)
    return 0


@contextmanager
def _sampling_progress() -> Iterator[Callable[[int, int], None] | None]:
    if not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(unit="pixel", leave=False) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


def _evaluate(arguments: argparse.Namespace) -> int:
    from genlab.measures.likelihood import evaluate

    is_file = Path(arguments.model).suffix == ".safetensors"
    if is_file and arguments.data is None:
        raise InputError(f"--data must be given with a .safetensors file, which doesn't know its dataset; got none with {arguments.model}")
    run = None if is_file else open_run(arguments.model)
    result = evaluate(
        run or load_model(arguments.model),
        _other_data(arguments, run),
        split=arguments.split,
        draws=arguments.draws,
        backend=arguments.backend,
    )
    error = "" if result.standard_error is None else f" ± {result.standard_error:.2f}"
    print(f"{result.split}: {result.nats:.2f}{error} nats an image, {result.bits_per_dim:.4f} bits/dim, {result.images} images")
    print(result.protocol)
    for figure in result.published:
        print(f"published: {figure.value:g} {figure.unit}, {figure.model} ({figure.source})")
    if arguments.json is not None:
        write_aside(arguments.json, (json.dumps({"model": str(arguments.model), **asdict(result)}, indent=2) + "\n").encode())
    return 0


def _other_data(arguments: argparse.Namespace, run: Run | None) -> Any:
    """The dataset of --data and --set, like the run's own in all that isn't given; None if nothing is given."""
    from genlab.settings import DataSettings

    if arguments.data is None and not arguments.set:
        return None
    names = [name for name in DataSettings.model_fields if name != "name"]
    settings = _data_settings(run.config) if run else {}
    settings |= {name: value for _, name, value in _assignments(arguments.set, {"data": names})}
    return _load_data(settings if arguments.data is None else {**settings, "name": arguments.data})


def _runs(arguments: argparse.Namespace) -> int:
    if arguments.action == "list":
        for folder in arguments.names or [None]:
            _print_runs(list_runs(folder))
        return 0
    if not arguments.names:
        raise InputError(f"runs {arguments.action} takes at least one RUN; got none")
    for run in [open_run(name) for name in arguments.names]:
        if arguments.action == "show":
            _print_run(run)
        else:
            remove_run(run)
            print(f"removed {run.path}")
    return 0


def _print_runs(runs: Sequence[Run]) -> None:
    rows = [("RUN", "STATE", "MODEL", "DATA", "STEP", "BITS/DIM")]
    for run in runs:
        try:
            config, records = run.config, run.metrics()
        except RunError as error:
            rows.append((run.name, "torn", str(error), "", "", ""))
            continue
        best = [record["bits_per_dim"] for record in records if record["kind"] == "valid" and record["best"]]
        step = records[-1]["step"] if records else 0
        rows.append(
            (
                run.name,
                run.state(),
                config["model"]["name"],
                Path(config["data"]["name"]).name,
                str(step),
                f"{best[-1]:.4f}" if best else "",
            )
        )
    widths = [max(len(row[column]) for row in rows if row[1] != "torn") for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _print_run(run: Run) -> None:
    config = run.config
    print(f"{run.path}: {run.state()}")
    settings = {
        "model": {"name": config["model"]["name"], **config["model"]["settings"]},
        "data": config["data"],
        "training": config["training"],
    }
    for part, values in settings.items():
        shown = [f"{name}={value}" for name, value in values.items() if name != "record" and value is not None]
        print(f"  {part:9} {' '.join(shown)}")
    print(f"  {'seed':9} {config['seed']}")
    for event in run.metrics("event"):
        print(f"  {datetime.fromtimestamp(event['time']):%Y-%m-%d %H:%M:%S}  {event['event']:8} {event['message']}")
    for record in run.metrics("valid")[-1:]:
        print(f"  last validation {record['bits_per_dim']:.4f} bits/dim ({record['nats']:.2f} nats an image) at step {record['step']}")


def _bench(arguments: argparse.Namespace) -> int:
    from genlab import benchmark

    return int(benchmark.main(arguments.which, arguments.quick, arguments.json))


def _quiz(arguments: argparse.Namespace) -> int:
    from shutil import get_terminal_size

    from genlab import quiz_store
    from genlab.lecture import quiz, quiz_terminal

    if arguments.csv is not None:
        write_aside(arguments.csv, quiz_store.export_csv().encode())
        print(arguments.csv)
        return 0
    questions = quiz.load()
    name = None if arguments.name is None else quiz_store.clean_name(arguments.name)

    def remember(position: int, mark: quiz.Mark) -> None:
        if name is not None:
            quiz_store.remember(name, questions, position, mark)

    if isinstance(sys.stdout, TextIOWrapper):
        # A terminal that lacks the check mark still shows the quiz.
        sys.stdout.reconfigure(errors="replace")
    patient = sys.stdin.isatty()
    quiz_terminal.play(questions, ask=input, say=print, patient=patient, width=get_terminal_size().columns, remember=remember)
    return 0


def _info(_: argparse.Namespace) -> int:
    from genlab.models import list_models
    from genlab.native import native_info

    lines = {"genlab": __version__, "python": sys.version.split()[0], "torch": version("torch"), "models": ", ".join(list_models())}
    for name, value in {**lines, **{f"native {name}": value for name, value in native_info().items()}}.items():
        print(f"{name:18} {value}")
    return 0
