"""What the verbs share that train many models in one folder: `ablate` and `compare`."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genlab.cli.settings import DEFAULT_DATA, assigned
from genlab.errors import InputError
from genlab.runs import runs_folder

if TYPE_CHECKING:
    from genlab.ablation import Plan, Variant
    from genlab.ablation.study import Kind


def asked_for(arguments: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The settings of models, data and training among the arguments; a model's setting is one that some model has."""
    from genlab.models import list_models, settings_class
    from genlab.settings import FROM_DATA, DataSettings, TrainSettings

    of_models = {name: None for each in list_models() for name in settings_class(each).model_fields if name not in FROM_DATA}
    known = {
        "model": list(of_models),
        "data": [name for name in DataSettings.model_fields if name != "name"],
        "training": [name for name in TrainSettings.model_fields if name != "seed"],
    }
    found: dict[str, dict[str, Any]] = {part: {} for part in known}
    for (part, name), value in assigned(arguments.set, known).items():
        found[part][name] = value
    if arguments.data is not None:
        found["data"]["name"] = arguments.data
    for name in ("minutes", "steps"):
        if (value := getattr(arguments, name)) is not None:
            found["training"][name] = value
    return found


def add_shared(command: argparse.ArgumentParser, kind: str) -> None:
    """Settings, the place of a study of that kind, and the options that have it carried out elsewhere."""
    command.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="K=V", help="settings of data, training, and every model that has them"
    )
    command.add_argument(
        "--out", type=Path, metavar="FOLDER", help=f"where runs and results go (default: {kind}-<data> below $GENLAB_RUNS_DIR or ./runs)"
    )
    where = command.add_mutually_exclusive_group()
    where.add_argument("--queue", action="store_true", help="as one job of the dashboard's queue, in a new folder below the runs")
    where.add_argument(
        "--slurm", metavar="PARTITION", help="each training as a job of that partition, by submitit; the same --out then gathers them"
    )


def handed_on(arguments: argparse.Namespace, verb: str, plan: Plan, out: Path, kind: Kind | None = None) -> bool:
    """Whether the study is carried out elsewhere, which is then told; what it was asked for was checked before.

    Raises:
        InputError: A queue makes its own folder, or there is no SLURM here.
    """
    if arguments.queue:
        _queue(arguments, verb, len(plan.seeds))
    elif arguments.slurm is not None:
        from genlab.ablation.cluster import submit

        jobs = submit(plan, out, arguments.slurm, kind=kind)
        print(f"submitted {len(jobs)} of {len(plan.runs)} trainings to partition {arguments.slurm}{': ' if jobs else ''}{', '.join(jobs)}")
        print(f"once they are done, gather them with: {how_to_go_on(verb, out)}")
    return arguments.queue or arguments.slurm is not None


def _queue(arguments: argparse.Namespace, verb: str, seeds: int) -> None:
    from genlab.jobs import start_study

    if arguments.out is not None:
        raise InputError(f"--out must not be given with --queue, which makes a folder below the runs; got {arguments.out}")
    options = ["--seeds", str(seeds)]
    for name in ("variants", "models", "set"):
        if values := getattr(arguments, name, None):
            options += [f"--{name}", *values]
    for name in ("minutes", "steps"):
        if (value := getattr(arguments, name)) is not None:
            options += [f"--{name}", value]
    job = start_study(arguments.data or DEFAULT_DATA, options, verb=verb)
    print(f"queued; place {job.place} in the queue" if job.place else "queued; its turn has come")
    print(job.path)


def announced(plan: Plan, show: Callable[[Any], object]) -> Callable[[int, Variant, int], Callable[[Any], object]]:
    """A line before each training."""

    def watch(number: int, variant: Variant, seed: int) -> Callable[[Any], object]:
        print(f"genlab: {number + 1} of {len(plan.runs)}: {variant.name}, seed {seed}", file=sys.stderr, flush=True)
        return show

    return watch


def usual_place(kind: str, data: str | None) -> Path:
    """Where a study of such data goes if nobody says otherwise."""
    name = re.sub(r"[^A-Za-z0-9_]+", "-", Path(data or DEFAULT_DATA).stem).strip("-") or "data"
    return runs_folder() / f"{kind}-{name}"


def how_to_go_on(verb: str, out: Path) -> str:
    """The command that goes on with what is in a folder."""
    return f"genlab {verb} --out {shlex.quote(str(out))}"


def aligned(cells: list[list[str]]) -> list[str]:
    """Columns of equal width: names to the left, figures to the right."""
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return [
        "  ".join(
            text.ljust(width) if column == 0 else text.rjust(width) for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
