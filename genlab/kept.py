"""What visitors leave under a name of their own, in tables of SQLite: the manners that all such tables share.

A name is a label and not an account: who types it sees what was kept under it. Knows no user interface.
"""

from __future__ import annotations

import csv
import io
import sqlite3
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from genlab.errors import GenlabError, InputError

LONGEST_NAME = 60
BUSY_SECONDS = 10.0


def clean_name(text: str) -> str:
    """The name under which something is kept: one form of each character, single spaces, nothing invisible.

    Raises:
        InputError: Nothing is left, or more than `LONGEST_NAME` characters.
    """
    visible = "".join(" " if unicodedata.category(each)[0] in "ZC" else each for each in unicodedata.normalize("NFKC", text))
    name = " ".join(visible.split())
    if not 1 <= len(name) <= LONGEST_NAME:
        raise InputError(f"name must have 1 to {LONGEST_NAME} visible characters; got {len(name)}")
    return name


def differing_in_capitals(name: str, names: Iterable[str]) -> list[str]:
    """Those of `names` that differ from a clean name in capitals alone."""
    return [found for found in names if found != name and found.casefold() == name.casefold()]


def harmless(cell: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@")) else cell


def as_csv(columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> str:
    """A table as CSV: each row begins with a time, in seconds since 1970, which is written as a moment in UTC."""
    table = io.StringIO()
    # In quotes, a name cannot end its cell either, whichever separator a spreadsheet expects.
    writer = csv.writer(table, quoting=csv.QUOTE_ALL)
    writer.writerow(columns)
    for when, *rest in rows:
        writer.writerow([datetime.fromtimestamp(when, UTC).isoformat(timespec="seconds"), *rest])
    return table.getvalue()


@contextmanager
def connected(file: Path, schema: str, fault: Callable[[str], GenlabError]) -> Iterator[sqlite3.Connection]:
    """A connection for a moment, in whatever thread; each statement is a transaction of its own.

    Args:
        file: The database, which is made if it is not there.
        schema: Statements that make its tables, if they are not there.
        fault: Makes the error that is raised if it cannot be used, out of the reason.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(schema)
            yield database
    except (sqlite3.Error, OSError) as error:
        raise fault(f"{file}, could not be used: {error}") from error
