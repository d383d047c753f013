"""``genlab export``: a run as a Python script, its records for other programs, its networks as ONNX, its model as one HTML file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from genlab.cli.files import require_place
from genlab.cli.parser import Commands
from genlab.errors import InputError
from genlab.runs import load_model, open_run, write_aside


def add(commands: Commands) -> None:
    """The verb's options."""
    export = commands.add_parser(
        "export", help="write a run as a Python script that trains the same model again, or hand it to other programs"
    )
    export.add_argument("model", metavar="MODEL", help="a run's folder or name; with --html and --onnx any model, shipped ones too")
    form = export.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="its records as a table")
    form.add_argument("--tensorboard", action="store_true", help="its records as event files; --out is the log directory")
    form.add_argument("--onnx", action="store_true", help="one of the model's networks as ONNX")
    form.add_argument("--html", action="store_true", help="the model as a page that draws in any browser, without a server or the web")
    export.add_argument("--limit", type=float, metavar="MB", help="with --html: refuse a page that is larger (default: 4)")
    export.add_argument(
        "--network", metavar="NAME", help="with --onnx: which, such as encoder, decoder or generator (default: the one that draws)"
    )
    export.add_argument("--out", type=Path, metavar="FILE", help="where to (default: scripts and tables are printed)")
    export.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    if arguments.network is not None and not arguments.onnx:
        raise InputError("--network must be given with --onnx; got it without")
    if arguments.limit is not None and not arguments.html:
        raise InputError(f"--limit must be given with --html; got --limit {arguments.limit:g} without")
    if arguments.html:
        return _html(arguments)
    if arguments.onnx:
        return _onnx(arguments)
    if arguments.tensorboard:
        return _tensorboard(arguments)
    from genlab.export import script
    from genlab.export.records import table

    require_place("--out", arguments.out, ".csv" if arguments.csv else ".py")
    made = open_run(arguments.model)
    text = table(made) if arguments.csv else script(made)
    if arguments.out is None:
        sys.stdout.write(text)
    else:
        write_aside(arguments.out, text.encode())
        print(arguments.out)
    return 0


def _tensorboard(arguments: argparse.Namespace) -> int:
    from genlab.export.records import write_tensorboard

    if arguments.out is None:
        raise InputError("--tensorboard needs --out, the log directory; got none")
    print(write_tensorboard(open_run(arguments.model), arguments.out))
    return 0


def _html(arguments: argparse.Namespace) -> int:
    from genlab.handout import LIMIT_MB, hand_out

    if arguments.out is None:
        raise InputError("--html needs --out, a file that ends in .html; got none")
    require_place("--out", arguments.out, ".html")
    write_aside(arguments.out, hand_out(arguments.model, limit_mb=LIMIT_MB if arguments.limit is None else arguments.limit))
    print(arguments.out)
    return 0


def _onnx(arguments: argparse.Namespace) -> int:
    from genlab.export.onnx import write_onnx

    if arguments.out is None:
        raise InputError("--onnx needs --out, a file that ends in .onnx; got none")
    require_place("--out", arguments.out, ".onnx")
    network = write_onnx(load_model(arguments.model), arguments.out, arguments.network)
    print(f"{arguments.out} ({network})")
    return 0
