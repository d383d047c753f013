"""A comparison carried out: a study that measures more of each run, and writes a page of HTML beside its document."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genlab.ablation.study import Kind, Watch, study
from genlab.ablation.study import read as read_study
from genlab.comparison.measuring import measured, of_the_data
from genlab.runs import write_aside

if TYPE_CHECKING:
    from genlab.ablation import Plan
    from genlab.datasets import Dataset

FILE, REPORT = "comparison.json", "comparison.html"

read = partial(read_study, file=FILE)
"""The document of a comparison, begun or finished; a `RunError` if there is none, or it is torn."""


def compare(plan: Plan, folder: Path | str, *, watch: Watch | None = None, data: Dataset | None = None) -> dict[str, Any]:
    """Train and measure every model with every seed; what is finished is not done again. As `genlab.ablation.study`.

    Args:
        plan: Of `genlab.comparison.comparison_of`.
        folder: Where the runs go, `FILE` and `REPORT`; made if need be.
        watch: Hears of each training before it begins.
        data: The plan's, where they are loaded already.

    Raises:
        InputError: The folder holds another comparison, or something else.
        RunError: The folder cannot be written, its document is torn, or another process works in it.
        KeyboardInterrupt: After Ctrl-C; the same call goes on.
    """
    return study(plan, folder, watch=watch, kind=COMPARISON, data=data)


def _write_report(folder: Path, document: dict[str, Any]) -> None:
    from genlab.comparison.report import report

    write_aside(folder / REPORT, report(document).encode())


COMPARISON = Kind("comparison", FILE, measured, _write_report, of_the_data)
