"""``genlab runs``: what was trained here."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from genlab.cli.output import plain
from genlab.cli.parser import Commands
from genlab.errors import InputError, RunError
from genlab.runs import Run, list_runs, open_run, remove_run

_TORN = "torn"


def add(commands: Commands) -> None:
    """The verb's options."""
    runs = commands.add_parser("runs", help="list, show or remove runs")
    runs.add_argument("action", nargs="?", choices=("list", "show", "remove"), default="list", help="(default: list)")
    runs.add_argument("names", nargs="*", metavar="RUN", help="folders or names; for list: a folder of runs")
    runs.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
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
    rows = [("RUN", "STATE", "MODEL", "DATA", "STEP", "BEST"), *(_row(run) for run in runs)]
    widths = [max(len(row[column]) for row in rows if row[1] != _TORN) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _row(run: Run) -> tuple[str, ...]:
    """What a line says of a run; a damaged one says what is wrong with it, and the others are listed all the same."""
    try:
        config, records, best = run.config, run.metrics(), run.best()
        model, data, step = config["model"]["name"], Path(config["data"]["name"]).name, records[-1]["step"] if records else 0
        figure = run.report.headline(best["values"]) if best else ""
        return tuple(plain(cell) for cell in (run.name, run.state(), model, data, str(step), figure))
    except RunError as error:
        return plain(run.name), _TORN, plain(str(error)), "", "", ""


def _print_run(run: Run) -> None:
    config, report = run.config, run.report
    print(plain(f"{run.path}: {run.state()}"))
    settings = {
        "model": {"name": config["model"]["name"], **config["model"]["settings"]},
        "data": config["data"],
        "training": config["training"],
    }
    for part, values in settings.items():
        shown = [f"{name}={value}" for name, value in values.items() if name != "record" and value is not None]
        print(plain(f"  {part:9} {' '.join(shown)}"))
    print(f"  {'seed':9} {config['seed']}")
    for event in run.metrics("event"):
        print(plain(f"  {_moment(event['time'])}  {event['event']:8} {event['message']}"))
    for record in run.metrics("valid")[-1:]:
        print(plain(f"  last validation {report.describe(record['values'])} at step {record['step']}"))


def _moment(time: float) -> str:
    try:
        return f"{datetime.fromtimestamp(time):%Y-%m-%d %H:%M:%S}"
    except (OverflowError, ValueError, OSError):  # no clock ever showed it
        return "at an unknown time "
