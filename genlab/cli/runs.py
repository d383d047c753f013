"""``genlab runs``: what was trained here."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from genlab.cli.parser import Commands
from genlab.errors import InputError, RunError
from genlab.runs import Run, list_runs, open_run, remove_run


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
