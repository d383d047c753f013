"""``genlab doctor``: what is going on in a game of two networks, and what helps."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from genlab.cli.files import require_place
from genlab.cli.output import plain
from genlab.cli.parser import Commands
from genlab.runs import open_run, write_aside


def add(commands: Commands) -> None:
    """The verb's options."""
    doctor = commands.add_parser("doctor", help="say what is going on in the training of a GAN: its evidence, and what helps")
    doctor.add_argument("model", metavar="RUN", help="a run's folder or name")
    doctor.add_argument("-n", type=int, default=1000, metavar="N", help="samples to draw and compare with real examples (default: 1000)")
    doctor.add_argument("--seed", type=int, default=0, help="decides those samples (default: 0)")
    doctor.add_argument("--json", type=Path, metavar="FILE", help="write the result there too")
    doctor.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    from genlab.doctor import examine

    require_place("--json", arguments.json)
    run = open_run(arguments.model)
    diagnosis = examine(run, samples=arguments.n, seed=arguments.seed)
    for line in str(diagnosis).splitlines():
        print(plain(line))
    for finding in diagnosis.findings:
        if finding.cure:
            settings = " ".join(f"{name}={value}" for name, value in finding.cure.items())
            print(
                plain(f"train anew with: genlab train {run.config['model']['name']} --data {run.config['data']['name']} --set {settings}")
            )
    if arguments.json is not None:
        document = {"run": run.name, "findings": [asdict(each) for each in diagnosis.findings], "figures": dict(diagnosis.figures)}
        write_aside(arguments.json, (json.dumps(document, indent=2) + "\n").encode())
    return 0
