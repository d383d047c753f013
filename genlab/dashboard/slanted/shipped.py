"""The surveys that come with genlab, so that the first map is there at once.

``python -m genlab.dashboard.slanted.shipped`` computes them anew, in some three minutes. The file holds, for each plan, how many runs of
each cell draw faces and how: two arrays uint16 (rows, columns). On a processor with other vectors a run that lies on the edge of a
definition may be counted on its other side.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from genlab.dashboard.slanted.surveys import Chart, Plan

FILE = Path(__file__).with_name("surveys.npz")


@cache
def chart(plan: Plan) -> Chart | None:
    """The finished survey of that plan, if it is shipped."""
    name = _name(plan)
    with np.load(FILE, allow_pickle=False) as file:
        if f"{name}/varied" not in file:
            return None
        varied, same = file[f"{name}/varied"], file[f"{name}/same"]
        return Chart(varied, same, plan.rows, plan.steps)


def write(plans: Collection[Plan], file: Path = FILE) -> None:
    """Compute the surveys and write the file."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    for plan in plans:
        *_, last = plan.charts()
        print(f"{_name(plan)}: {last.seconds:.1f} s", file=sys.stderr)
        arrays |= {f"{_name(plan)}/{part}": getattr(last, part) for part in ("varied", "same")}
    np.savez_compressed(file, allow_pickle=False, **arrays)


def _name(plan: Plan) -> str:
    return f"{plan.across}, {plan.loss}, {plan.rows}x{plan.columns} cells of {plan.runs}, {plan.epochs} epochs"


if __name__ == "__main__":
    from genlab.dashboard.slanted.million import plans

    write(plans())
