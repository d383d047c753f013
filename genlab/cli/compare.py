"""``genlab compare``: the lecture's four families on the same data and budget, everything measured."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from genlab.cli.parser import INTERRUPTED, Commands
from genlab.cli.progress import training_progress
from genlab.cli.settings import DEFAULT_DATA, load_data
from genlab.cli.studies import add_shared, aligned, announced, asked_for, handed_on, how_to_go_on, usual_place

if TYPE_CHECKING:
    from genlab.ablation import Plan
    from genlab.datasets import Dataset

_MINUTES, _SEEDS = "1", 3
_DESCRIPTION = """\
Train the four families on the same data and budget, and compare all that can be measured: exact likelihood, bound or neither,
precision and recall, coverage, a Fréchet distance, copies, time to draw, training time, parameters, memory.

  genlab compare --data digits --minutes 5
  genlab compare --data digits --minutes 1 --seeds 1 --models gated_pixelcnn vae realnvp dcgan --out runs/four
  genlab compare --data mnist --set binarize=dynamic --minutes 10 --out runs/comparison-mnist
  genlab compare --out runs/four

The last goes on with a comparison that was interrupted. Minutes are each model's, each seed's. Results are a JSON file and a page
of HTML that needs nothing else; nothing else should run on the machine meanwhile, for the budget is minutes."""


def add(commands: Commands) -> None:
    """The verb's options."""
    compare = commands.add_parser(
        "compare",
        help="the four families on the same data and budget, everything measured: one table, one page of HTML",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=_DESCRIPTION,
    )
    compare.closing = _members_help
    compare.add_argument("--models", nargs="+", metavar="MODEL", help="names of the catalogue (default: see below)")
    compare.add_argument("--data", metavar="NAME", help=f"a dataset's name, or a path (default: {DEFAULT_DATA})")
    compare.add_argument("--minutes", metavar="M", help=f"training time of each, with each seed (default: {_MINUTES}, or steps)")
    compare.add_argument("--steps", metavar="N", help="steps of each; equal on any machine")
    compare.add_argument("--seeds", type=int, metavar="S", help=f"how many seeds each is trained with (default: {_SEEDS})")
    add_shared(compare, "comparison")
    compare.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    from genlab.comparison import FILE, REPORT, compare, rows, table
    from genlab.comparison.carrying_out import COMPARISON
    from genlab.comparison.findings import balances
    from genlab.comparison.outcome import conditions, how_sure

    out = arguments.out or usual_place("comparison", arguments.data)
    plan, data = _plan(arguments, out)
    if handed_on(arguments, "compare", plan, out, COMPARISON):
        return 0
    try:
        with training_progress() as show:
            document = compare(plan, out, watch=announced(plan, show), data=data)
    except KeyboardInterrupt:
        print(f"\ngenlab: interrupted; go on with: {how_to_go_on('compare', out)}", file=sys.stderr)
        return INTERRUPTED
    found = rows(document)
    for line in aligned([list(each) for each in zip(*table(document), strict=True)]):  # a column a model: figures are many
        print(line)
    print(how_sure(document))
    for sentence in conditions(document):
        print(sentence)
    for balance in balances(found):
        print(f"{balance.family}: + {'; '.join(balance.pros) or 'nothing'}. − {'; '.join(balance.cons) or 'nothing'}.")
    for row in found:
        for failure in row.failures:
            print(f"{row.name} failed, {failure}")
    if len(document["runs"]) < len(plan.runs):
        print(f"stopped; go on with: {how_to_go_on('compare', out)}")
    print(out / FILE)
    print(out / REPORT)
    return 0


def _plan(arguments: argparse.Namespace, out: Path) -> tuple[Plan, Dataset | None]:
    """What the arguments ask for, with the data where they had to be seen; what is left open is as in the folder, or as usual."""
    from genlab.ablation import plan_again
    from genlab.comparison import FILE, comparison_of, read

    asked = asked_for(arguments)
    if (out / FILE).exists() and not (arguments.models or asked["model"]):
        return plan_again(read(out)["plan"], seeds=arguments.seeds, data=asked["data"], training=asked["training"]), None
    if not {"minutes", "steps", "epochs"} & asked["training"].keys():
        asked["training"]["minutes"] = _MINUTES
    data = load_data(asked["data"])
    seeds = _SEEDS if arguments.seeds is None else arguments.seeds
    return comparison_of(data, models=arguments.models, seeds=seeds, model=asked["model"], training=asked["training"]), data


def _members_help() -> str:
    """A line a family."""
    from genlab.comparison import MEMBERS
    from genlab.models import entry, list_models

    here = [name for name in MEMBERS if name in list_models()]
    families = dict.fromkeys(entry(name).family for name in here)
    lines = [f"  {family:16} {', '.join(name for name in here if entry(name).family == family)}" for family in families]
    return "\n".join(["the usual models, as far as the data suit them:", *lines])
