"""``genlab evaluate``: a split's score under a trained model."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from genlab.cli.files import require_place
from genlab.cli.parser import RUN, Commands
from genlab.cli.settings import assigned, data_settings, load_data
from genlab.errors import InputError
from genlab.runs import Run, load_model, open_run, write_aside


def add(commands: Commands) -> None:
    """The verb's options."""
    evaluate = commands.add_parser("evaluate", help="score a split under a trained model, in nats an image and bits/dim")
    evaluate.add_argument("model", metavar="RUN", help=RUN)
    evaluate.add_argument("--data", metavar="NAME", help="other images than the run's own; needed with a .safetensors file")
    evaluate.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="K=V", help="settings of the data, such as binarize=dynamic"
    )
    evaluate.add_argument("--split", default="test", help="train, valid or test (default: test)")
    evaluate.add_argument("--draws", type=int, default=1, help="binarisations drawn per image, if dynamic (default: 1)")
    evaluate.add_argument("--seed", type=int, default=0, help="decides those draws (default: 0)")
    evaluate.add_argument("--backend", default="auto", help="native, torch or auto (default: auto)")
    evaluate.add_argument("--json", type=Path, metavar="FILE", help="write the result there too")
    evaluate.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    from genlab.measures.likelihood import evaluate

    require_place("--json", arguments.json)
    is_file = Path(arguments.model).suffix == ".safetensors"
    if is_file and arguments.data is None:
        raise InputError(f"--data must be given with a .safetensors file, which doesn't know its dataset; got none with {arguments.model}")
    run = None if is_file else open_run(arguments.model)
    result = evaluate(
        run or load_model(arguments.model),
        _other_data(arguments, run),
        split=arguments.split,
        draws=arguments.draws,
        seed=arguments.seed,
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
    settings = data_settings(run.config) if run else {}
    settings |= {name: value for (_, name), value in assigned(arguments.set, {"data": names}).items()}
    return load_data(settings if arguments.data is None else {**settings, "name": arguments.data})
