"""``genlab ablate``: which tricks pay, by variants trained on equal budgets and seeds."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from genlab.cli.parser import INTERRUPTED, Commands
from genlab.cli.progress import training_progress
from genlab.cli.settings import DEFAULT_DATA
from genlab.cli.studies import add_shared, aligned, announced, asked_for, handed_on, how_to_go_on, usual_place

if TYPE_CHECKING:
    from genlab.ablation import Plan

_MINUTES, _SEEDS = "2", 3
_DESCRIPTION = """\
Train variants of a network on equal budgets and seeds, and compare their test likelihoods, or where they have none, their samples.

  genlab ablate --data digits --minutes 2 --seeds 3 --out runs/tricks
  genlab ablate --data digits --minutes 2 --variants plain gated dilated --out runs/three
  genlab ablate --data mnist5k --set binarize=dynamic --minutes 10 --models pixelcnn gated_pixelcnn --out runs/systems
  genlab ablate --data digits --minutes 2 --slurm PARTITION --out runs/tricks
  genlab ablate --out runs/tricks

The last goes on with a study that was interrupted: what is finished is not trained again, and a training that was cut
short is resumed. The first variant is what the others are held against."""


def add(commands: Commands) -> None:
    """The verb's options."""
    ablate = commands.add_parser(
        "ablate",
        help="train variants on equal budgets and seeds: which tricks pay",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=_DESCRIPTION,
    )
    ablate.closing = _variants_help
    ablate.add_argument(
        "--variants",
        nargs="+",
        metavar="V",
        help="see below; 'systems' for every model with a likelihood, 'switches' for slide 65's, of a GAN (default: all below)",
    )
    ablate.add_argument("--models", nargs="+", metavar="MODEL", help="instead, models by their names, with their own settings")
    ablate.add_argument("--data", metavar="NAME", help=f"a dataset's name, or a path (default: {DEFAULT_DATA})")
    ablate.add_argument(
        "--minutes", metavar="M", help=f"training time of each variant with each seed (default: {_MINUTES}, if no steps are given)"
    )
    ablate.add_argument("--steps", metavar="N", help="steps of each; equal on any machine")
    ablate.add_argument("--seeds", type=int, metavar="S", help=f"how many seeds each variant is trained with (default: {_SEEDS})")
    add_shared(ablate, "ablation")
    ablate.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    from genlab.ablation import study, table
    from genlab.ablation.outcome import how_sure, rows

    plan = _plan(arguments)
    out = arguments.out or usual_place("ablation", arguments.data)
    for sentence in plan.left_out:
        print(f"genlab: {sentence}", file=sys.stderr)
    if handed_on(arguments, "ablate", plan, out):
        return 0
    try:
        with training_progress() as show:
            document = study(plan, out, watch=announced(plan, show))
    except KeyboardInterrupt:
        print(f"\ngenlab: interrupted; go on with: {how_to_go_on('ablate', out)}", file=sys.stderr)
        return INTERRUPTED
    for line in aligned(table(document)):
        print(line)
    print(how_sure(document))
    for row in rows(document):
        for failure in row.failures:
            print(f"{row.name} failed, {failure}")
    if len(document["runs"]) < len(plan.runs):
        print(f"stopped; go on with: {how_to_go_on('ablate', out)}")
    print(out / "ablation.json")
    return 0


def _plan(arguments: argparse.Namespace) -> Plan:
    """What the arguments ask for; what they leave open is as in the study that the folder holds, or as usual."""
    from genlab.ablation import plan_again, plan_of, read
    from genlab.ablation.study import FILE

    out = arguments.out or usual_place("ablation", arguments.data)
    asked = asked_for(arguments)
    if (out / FILE).exists() and not (arguments.variants or arguments.models or asked["model"]):
        return plan_again(read(out)["plan"], seeds=arguments.seeds, data=asked["data"], training=asked["training"])
    if not {"minutes", "steps", "epochs"} & asked["training"].keys():
        asked["training"]["minutes"] = _MINUTES
    seeds = _SEEDS if arguments.seeds is None else arguments.seeds
    return plan_of(variants=arguments.variants, models=arguments.models, seeds=seeds, **asked)


def _variants_help() -> str:
    """A line a variant."""
    from genlab.ablation import VARIANTS

    lines = ["variants:"]
    for variant in VARIANTS:
        obstacle = variant.obstacle()
        lines.append(f"  {variant.name:14} {variant.words}{f' (left out here: {obstacle})' if obstacle else ''}")
    return "\n".join(lines)
