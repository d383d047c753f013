"""Native against Python, side by side in one run, after checking that they agree: ``genlab bench``.

- `genlab.benchmark.kernels`, `training`, `sampling` and `toy_gan`: one file per table, each with what it compares and why that is fair.
- `genlab.benchmark.timing`: the core, which knows no framework. `worker`: the process of one framework.
- `genlab.benchmark.torch_peers` and `python_peers`: the textbook forms that genlab is compared with.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

from genlab.benchmark import machine, report
from genlab.benchmark.table import Case, CaseResult, Effort, Table
from genlab.benchmark.timing import measure, start_workers
from genlab.errors import InputError, unknown_name
from genlab.native import core

TABLES = ("kernels", "training", "sampling", "toy-gan")
QUICK = Effort(rounds=7, seconds=1.0)
FULL = Effort(rounds=21, seconds=10.0)


def main(which: str, quick: bool = False, json_path: Path | None = None) -> int:
    """Runs one table or all, prints them, and writes them to a file.

    Args:
        which: ``"kernels"``, ``"training"``, ``"sampling"``, ``"toy-gan"`` or ``"all"``.
        quick: Smaller cases, fewer rounds and one compiled peer in place of all: minutes for everything.
        json_path: Where machine, versions, settings, raw times, ratios and agreement go as JSON.

    Returns:
        0, or 1 if sides disagreed (they are not timed then) or a side could not run.

    Raises:
        InputError: An unknown table, or a path that cannot be written.
        BackendError: The native kernels are not available.
    """
    if which not in (*TABLES, "all"):
        raise unknown_name("which", which, (*TABLES, "all"))
    if json_path is not None and (json_path.is_dir() or not json_path.absolute().parent.is_dir()):
        raise InputError(f"json_path must name a file in a folder that exists; got {str(json_path)!r}")
    core()

    settings = {"which": which, "quick": quick}
    description = machine.describe()
    print(report.heading(description), flush=True)
    tables = []
    complete = True
    for name in TABLES if which == "all" else (which,):
        table: Table = import_module(f"{__name__}.{name.replace('-', '_')}").TABLE
        results = run(table, table.cases(quick), QUICK if quick else FULL)
        tables.append(report.as_json(table, results))
        complete &= not any(result.refusal or side.failure for result in results for side in result.sides)
    if json_path is not None:
        report.write(json_path, {"settings": settings, "machine": description, "tables": tables})
        print(f"\nwritten to {json_path}")
    return 0 if complete else 1


def run(table: Table, cases: Sequence[Case], effort: Effort) -> list[CaseResult]:
    """Measures the cases of a table, and prints each as soon as it is there."""
    print(f"\n== {table.name} ==\n{table.about}", flush=True)
    results = []
    with ExitStack() as stack:
        workers = start_workers(table, cases, stack, threads=core().info()["threads"])
        for case in cases:
            results.append(measure(table, case, workers, effort))
            print(f"\n{report.case_table(results[-1])}", flush=True)
    print(f"\n{report.figures_table(table, results)}", flush=True)
    return results
