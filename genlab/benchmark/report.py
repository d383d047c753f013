"""Results as text for a terminal and as JSON for everything else."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from genlab.benchmark.table import Agreement, Case, CaseResult, Figure, SideResult, Table

FORMAT = 1


def heading(machine: Mapping[str, Any]) -> str:
    """Machine, versions and date in four lines."""
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    lines = [
        f"{machine['date']}, {machine['cpu']}, {machine['cores']} cores, {machine['system']}",
        f"{versions}; native kernels: {machine['isa']}, {machine['compiler']}",
        f"Every framework in its own process with {machine['threads']} threads. All sides must agree before they are timed; then they take",
        "turns, so that the drift of a shared machine hits all alike. 'x native': median divided by native's.",
    ]
    if machine["load"] is not None and machine["load"] > 0.5:
        lines.append(f"NOTE: the machine was busy before the start (load {machine['load']}). What is disturbed is taken again, or says so.")
    return "\n".join(lines)


def case_table(result: CaseResult) -> str:
    """One case: a line for each side."""
    width = max(len(side.side) for side in result.sides)
    unit = "MB" if result.native.bytes else "ms"
    head = f"  {'':{width}}  {f'median {unit}':>10} {f'min {unit}':>10} {'x native':>9}   deviation (allowed)"
    lines = [result.case.name, head, *(_side_line(result, side, width) for side in result.sides)]
    if result.refusal:
        lines.append(f"  {result.refusal}")
    if result.disturbed:
        why = "native faster than the peak" if result.impossible else "medians far above the least times"
        lines.append(f"  NOTE: {why}: something else was using the cores, in each of several takes. Neither times nor ratios hold.")
    return "\n".join(lines)


def _side_line(result: CaseResult, side: SideResult, width: int) -> str:
    if side.failure:
        return f"  {side.side:{width}}  could not run: {side.failure}"
    worst = max(side.agreements, key=lambda agreement: agreement.deviation / agreement.tolerance, default=None)
    agreement = f"{worst.deviation:.1e} ({worst.tolerance:.0e})" if worst else ""
    unit = 1e-6 if side.bytes else 1e3
    numbers = f"{_number(side.median * unit, 10, 3)} {_number(side.minimum * unit, 10, 3)} {_number(result.ratio(side), 9, 2)}"
    return f"  {side.side:{width}}  {numbers}   {agreement}"


def _number(value: float, width: int, digits: int) -> str:
    return f"{'-' if math.isnan(value) else f'{value:,.{digits}f}':>{width}}"


def figures_table(table: Table, results: Sequence[CaseResult]) -> str:
    """What the table comes down to, and whether native is ahead everywhere."""
    lines = [f"{_number(figure.value, 12, 2)}  {figure.meaning}" for figure in _possible(table, results)]
    disturbed = [result.case.name for result in results if result.disturbed]
    for result in results:
        lines += [
            f"NOTE: native is behind {side.side!r} ({result.ratio(side):.2f}x) in {result.case.name!r}"
            + (", which was disturbed" if result.disturbed else "")
            for side in result.sides
            if side.role == "peer" and result.ratio(side) <= 1
        ]
    if disturbed:
        lines.append(f"NOTE: disturbed, and to be measured again on a quiet machine: {'; '.join(disturbed)}")
    elif ahead(results) and any(result.best_peer() for result in results):
        lines.append("Native is ahead of every peer that ran.")
    return "\n".join(lines)


def _possible(table: Table, results: Sequence[CaseResult]) -> list[Figure]:
    """The table's figures; a share above the machine's peak is none."""
    return [replace(figure, value=math.nan) if figure.impossible else figure for figure in table.figures(results)]


def ahead(results: Sequence[CaseResult]) -> bool:
    """Whether native was measured and is ahead of every peer in every case that has peers."""
    return all(result.lead() > 1 for result in results if any(side.role == "peer" for side in result.sides))


def as_json(table: Table, results: Sequence[CaseResult]) -> dict[str, Any]:
    """A table with everything that was measured, run by run; numbers that do not exist are None."""
    cases = []
    for result in results:
        sides = [
            {
                **asdict(side),
                "median": _known(side.median),
                "minimum": _known(side.minimum),
                "ratio": _known(result.ratio(side)),
                "agreements": [{**asdict(agreement), "deviation": _known(agreement.deviation)} for agreement in side.agreements],
            }
            for side in result.sides
        ]
        about = {"name": result.case.name, "settings": dict(result.case.settings)}
        cases.append({**about, "refusal": result.refusal, "disturbed": result.disturbed, "sides": sides})
    figures = [{**asdict(figure), "value": _known(figure.value)} for figure in _possible(table, results)]
    return {
        **{"name": table.name, "about": table.about, "notes": list(table.notes()), "unit": table.unit},
        **{"cases": cases, "figures": figures, "ahead": ahead(results)},
    }


def results_of(table: Mapping[str, Any]) -> list[CaseResult]:
    """What `as_json` wrote."""
    found = []
    for case in table["cases"]:
        sides = [
            SideResult(
                **{key: side[key] for key in ("side", "process", "role", "seconds", "bytes", "failure")},
                agreements=[Agreement(**{**kept, "deviation": _number_of(kept["deviation"])}) for kept in side["agreements"]],
            )
            for side in case["sides"]
        ]
        result = CaseResult(Case(case["name"], case["settings"], [side.side for side in sides]), sides, case["refusal"])
        found.append(replace(result, impossible=case["disturbed"] and not result.disturbed))
    return found


def _number_of(known: float | None) -> float:
    return math.nan if known is None else known


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def write(path: Path, document: Mapping[str, Any]) -> None:
    """Writes JSON aside, then renames: a file is whole or not there."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        aside.write_text(json.dumps({"format": FORMAT, **document}, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
