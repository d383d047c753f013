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
from genlab.runs import runs_folder

if TYPE_CHECKING:
    from genlab.ablation import Plan, Variant


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
