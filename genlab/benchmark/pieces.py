"""A table measured in pieces: some of its cases, some of their peers, put together in one file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from genlab.benchmark import report
from genlab.benchmark.table import Case, CaseResult, Table
from genlab.errors import InputError

_OF_THE_MOMENT = ("date", "load")


@dataclass(frozen=True)
class Piece:
    """What is measured of a table.

    Attributes:
        only: Words that a case's name holds, all of them.
        peers: Words of which a peer's name holds one; without any, all peers take part.
    """

    only: Sequence[str] = ()
    peers: Sequence[str] = ()

    def of(self, table: Table, quick: bool) -> list[Case]:
        """The cases of a table that are measured, each with its sides."""
        found = [case for case in table.cases(quick) if all(word in case.name for word in self.only)]
        return [replace(case, sides=tuple(name for name in case.sides if self._takes(table, name))) for case in found]

    def _takes(self, table: Table, side: str) -> bool:
        return not self.peers or table.sides[side].role != "peer" or any(word in side for word in self.peers)


def held(path: Path, quick: bool, machine: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The tables of a file that is to be added to; none if it is not there yet.

    Args:
        path: The file.
        quick: Whether what is added are the smaller cases.
        machine: What it is measured on.

    Raises:
        InputError: The file is none of a benchmark, or was measured on another machine, with other versions or in the other size.
    """
    if not path.exists():
        return []
    document = _read(path)
    here, there = (
        {"quick": small, **{key: value for key, value in about.items() if key not in _OF_THE_MOMENT}}
        for small, about in ((quick, machine), (document["settings"]["quick"], document["machine"]))
    )
    if here != there:
        changed = " and ".join(f"{key} {there.get(key)!r}, now {here[key]!r}" for key in here if here[key] != there.get(key))
        raise InputError(f"json_path must hold what was measured as it is now to be added to; {path.name} was with {changed}")
    return list(document["tables"])


def with_others(table: Table, results: Sequence[CaseResult], tables: Sequence[Mapping[str, Any]], quick: bool) -> list[CaseResult]:
    """The results, and what a file's tables hold of the table's other cases, in its order."""
    by_name = {result.case.name: result for kept in tables if kept["name"] == table.name for result in report.results_of(kept)}
    by_name.update((result.case.name, result) for result in results)
    return [by_name[case.name] for case in table.cases(quick) if case.name in by_name]


def _read(path: Path) -> Mapping[str, Any]:
    try:
        document: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] == report.FORMAT and isinstance(document["tables"], list):
            return document
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise InputError(f"json_path must name a file of `genlab bench --json` to be added to; got {str(path)!r}")
