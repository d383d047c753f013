"""Native against Python, side by side in one run, after checking that they agree: ``genlab bench``.

- `genlab.benchmark.roofline`, `kernels`, `training`, `memory`, `precision`, `sampling`, `growth`, `systems` and `toy_gan`: one file each,
  with what it compares and why that is fair.
- `genlab.benchmark.timing`: the core, which knows no framework. `worker`: the process of one framework.
- `genlab.benchmark.torch_peers`, `gated_peer`, `recurrent_peer`, `pixelcnn_pp_peer`, `jax_peers` and `python_peers`: the textbook forms
  that genlab is compared with; `peers` says which file holds which system's.
- `genlab.benchmark.pieces`: a table measured in pieces, and put together in one file.
- `genlab.benchmark.background`: a benchmark as a detached process, for whoever only looks on.
- `genlab.benchmark.document`: the figures of the documents, out of the files that were written here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

from genlab.benchmark import machine, report
from genlab.benchmark.pieces import Piece, held, with_others
from genlab.benchmark.table import Case, CaseResult, Effort, Table
from genlab.benchmark.timing import measure, start_workers, weigh
from genlab.errors import InputError, unknown_name
from genlab.native import core

TABLES = {
    "roofline": ("roofline.TABLE",),
    "kernels": ("kernels.TABLE",),
    "training": ("training.TABLE",),
    "memory": ("memory.TABLE",),
    "precision": ("precision.TABLE",),
    "sampling": ("sampling.TABLE",),
    "growth": ("growth.TRAINING", "growth.SAMPLING"),
    "systems": ("systems.TABLE",),
    "toy-gan": ("toy_gan.TABLE",),
}
WEIGHINGS = 3
WHOLE = Piece()
QUICK = Effort(rounds=7, seconds=1.0)
FULL = Effort(rounds=15, seconds=6.0)
SHORT = Effort(rounds=7, seconds=2.0, retakes=1)


def main(
    which: str, quick: bool = False, json_path: Path | None = None, *, piece: Piece = WHOLE, add: bool = False, wait: bool = False
) -> int:
    """Runs one table or all, prints them, and writes them to a file.

    Args:
        which: A key of `TABLES`, or ``"all"``.
        quick: Smaller cases, fewer rounds and one compiled peer in place of all: minutes for everything.
        json_path: Where machine, versions, settings, raw times, ratios and agreement go as JSON.
        piece: Which of the cases, against which of their peers.
        add: Keep what the file already holds of other cases, so that a table can be measured piece by piece.
        wait: Wait for Enter before a case is timed, after all its sides are ready and agree: time to make the machine quiet.

    Returns:
        0, or 1 if sides disagreed (they are not timed then) or a side could not run.

    Raises:
        InputError: An unknown table, no case with these words, a path that cannot be written, or a file that cannot be added to.
        BackendError: The native kernels are not available.
    """
    if which not in (*TABLES, "all"):
        raise unknown_name("which", which, (*TABLES, "all"))
    if json_path is not None and (json_path.is_dir() or not json_path.absolute().parent.is_dir()):
        raise InputError(f"json_path must name a file in a folder that exists; got {str(json_path)!r}")
    if add and json_path is None:
        raise InputError("add must come with json_path, the file to add to; got none")
    core()
    loaded = chain.from_iterable(map(load_tables, TABLES if which == "all" else (which,)))
    chosen = [(table, cases) for table in loaded if (cases := piece.of(table, quick))]
    if not chosen:
        raise InputError(f"only must be words of a case's name; no case of {which!r} holds {' and '.join(map(repr, piece.only))}")

    settings = {"which": which, "quick": quick}
    description = machine.describe()
    there = held(json_path, quick, description) if add and json_path else []
    print(report.heading(description), flush=True)
    tables: list[Mapping[str, Any]] = []
    complete = True
    for table, cases in chosen:
        # Of growth there are many points, and what counts is their line; the steps of systems are long.
        effort = QUICK if quick or table.name.startswith("growth") else SHORT if table.name == "systems" else FULL
        results = run(table, cases, effort, wait_for_enter if wait else None)
        tables.append(report.as_json(table, with_others(table, results, there, quick)))
        complete &= not any(result.refusal or side.failure for result in results for side in result.sides)
    tables += [table for table in there if table["name"] not in {found["name"] for found in tables}]
    if json_path is not None:
        report.write(json_path, {"settings": settings, "machine": description, "tables": tables})
        print(f"\nwritten to {json_path}")
    return 0 if complete else 1


def load_tables(name: str) -> list[Table]:
    """The tables of one key of `TABLES`; loads their modules."""
    places = [place.split(".") for place in TABLES[name]]
    return [getattr(import_module(f"{__name__}.{module}"), variable) for module, variable in places]


def wait_for_enter(case: Case) -> None:
    """Time to make the machine quiet."""
    print(f"\nready: {case.name}. Press Enter to time it.", flush=True)
    sys.stdin.readline()


def run(table: Table, cases: Sequence[Case], effort: Effort, ready: Callable[[Case], None] | None = None) -> list[CaseResult]:
    """Measures the cases of a table, and prints each as soon as it is there."""
    print("\n".join([f"\n== {table.name} ==", table.about, *table.notes()]), flush=True)
    threads = core().info()["threads"]
    results = []
    with ExitStack() as stack:
        workers = {} if table.unit == "bytes" else start_workers(table, cases, stack, threads=threads)
        for case in cases:
            weighed = table.unit == "bytes"
            results.append(weigh(table, case, threads=threads, runs=WEIGHINGS) if weighed else measure(table, case, workers, effort, ready))
            print(f"\n{report.case_table(results[-1])}", flush=True)
    print(f"\n{report.figures_table(table, results)}", flush=True)
    return results
