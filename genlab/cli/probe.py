"""``genlab probe``: how many labels a linear reader needs of a model's codes, of principal components, and of pixels."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from genlab.cli.files import require_place
from genlab.cli.parser import Commands
from genlab.runs import load_model, open_run, write_aside


def add(commands: Commands) -> None:
    """The verb's options."""
    probe = commands.add_parser("probe", help="what a linear reader makes of a model's codes, beside principal components and pixels")
    probe.add_argument("model", metavar="RUN", help="a run's folder or name, or a packaged model's name")
    probe.add_argument("--labels", type=int, nargs="+", metavar="N", help="labelled images to be fitted to (default: 10 100 1000)")
    probe.add_argument("--draws", type=int, metavar="N", help="how often they are drawn anew (default: 20)")
    probe.add_argument("--seed", type=int, default=0, help="decides those draws (default: 0)")
    probe.add_argument("--limit", type=int, metavar="N", help="try it on the first so many test images (default: all)")
    probe.add_argument("--json", type=Path, metavar="FILE", help="write the result there too")
    probe.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    from genlab.measures.likelihood import load_run_data
    from genlab.measures.probe import DRAWS, LABELS, probe

    require_place("--json", arguments.json)
    run = open_run(arguments.model)
    readings = probe(
        load_model(run),
        load_run_data(run),
        labels=arguments.labels or LABELS,
        draws=DRAWS if arguments.draws is None else arguments.draws,
        seed=arguments.seed,
        limit=arguments.limit,
    )
    print(f"{'features':10}{'size':>6}{'labels':>8}  accuracy")
    for each in readings:
        accuracy = each.accuracy
        print(f"{each.features:10}{each.size:6}{each.labels:8}  {accuracy.value:.1%} (95%: {accuracy.low:.1%} to {accuracy.high:.1%})")
    print(f"on {readings[0].held_out:,} test images; intervals over {readings[0].draws} draws of the labels")
    if arguments.json is not None:
        document = {"model": run.name, "data": run.config["data"]["name"], "readings": [asdict(each) for each in readings]}
        write_aside(arguments.json, (json.dumps(document, indent=2) + "\n").encode())
    return 0
