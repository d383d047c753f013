"""How people did in "Real or generated?": one table in SQLite, a row a round, its board and its export.

Kept under names as `kept` has them. A round counts once, since it then shows which pictures were generated. Knows no user interface.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from genlab.errors import GenlabError
from genlab.kept import as_csv, clean_name, connected, differing_in_capitals, harmless
from genlab.measures.fooling import Tally
from genlab.runs import runs_folder

# A table that anyone may write into needs an end: about 20 MB.
MOST_ROUNDS = 200_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS rounds (
    id INTEGER PRIMARY KEY,
    time REAL NOT NULL,        -- Unix time
    name TEXT NOT NULL,
    model TEXT NOT NULL,
    kind TEXT NOT NULL,        -- how it was played
    size INTEGER NOT NULL,     -- pictures
    seed INTEGER NOT NULL,
    number INTEGER NOT NULL,
    generated INTEGER NOT NULL,
    fooled INTEGER NOT NULL,   -- generated ones taken for real
    passed INTEGER NOT NULL,   -- real ones taken for real
    seconds REAL NOT NULL,     -- over all of its pictures
    UNIQUE (name, model, kind, size, seed, number)
);
"""

COLUMNS = ("time", "name", "model", "kind", "seed", "round", "pictures", "generated", "fooled", "real", "passed", "seconds")


class ChallengeStoreError(GenlabError, RuntimeError):
    """The results could not be written or read."""


@dataclass(frozen=True)
class Played:
    """A round that was played.

    Attributes:
        model: Whose pictures were among the real ones.
        kind: How it was played.
        seed: Of the round.
        number: Of the round.
        tally: What came of it.
    """

    model: str
    kind: str
    seed: int
    number: int
    tally: Tally


def remember(name: str, played: Played) -> bool:
    """Keep a round, unless this name has played it before; whether it was kept.

    Raises:
        InputError: A name that is none.
        ChallengeStoreError: The database cannot be used, or is full.
    """
    which = (played.model, played.kind, played.tally.pictures, played.seed, played.number)
    came = (played.tally.generated, played.tally.fooled, played.tally.passed, played.tally.seconds)
    row = (time.time(), clean_name(name), *which, *came)
    with _connection() as database:
        if (database.execute("SELECT MAX(id) FROM rounds").fetchone()[0] or 0) >= MOST_ROUNDS:
            raise ChallengeStoreError(f"the challenge keeps at most {MOST_ROUNDS} rounds; export the board and empty it")
        done = database.execute(
            "INSERT OR IGNORE INTO rounds (time, name, model, kind, size, seed, number, generated, fooled, passed, seconds) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )
        return done.rowcount == 1


def recall(name: str) -> list[Played]:
    """The rounds that are kept under a name, in the order they were played.

    Raises:
        InputError: A name that is none.
        ChallengeStoreError: The database cannot be used.
    """
    with _connection() as database:
        rows = database.execute(
            "SELECT model, kind, seed, number, 1, size, generated, fooled, passed, seconds FROM rounds WHERE name = ? ORDER BY id",
            (clean_name(name),),
        ).fetchall()
    return [Played(model, kind, seed, number, Tally(*sums)) for model, kind, seed, number, *sums in rows]


def alike(name: str) -> list[str]:
    """Other names on the board that differ from this one in capitals alone.

    Raises:
        InputError: A name that is none.
        ChallengeStoreError: The database cannot be used.
    """
    own = clean_name(name)
    with _connection() as database:
        names = [found for (found,) in database.execute("SELECT DISTINCT name FROM rounds ORDER BY name")]
    return differing_in_capitals(own, names)


def board() -> list[tuple[str, Tally]]:
    """Each name with what came of its rounds, the most accurate first: by the lower end of the interval, lest one lucky round win.

    Raises:
        ChallengeStoreError: The database cannot be used.
    """
    return sorted(_tallies("name"), key=lambda row: (-row[1].right.estimate.low if row[1].right.estimate else 0.0, row[1].pace))


def models() -> list[tuple[str, Tally]]:
    """Each model with what came of its rounds, whoever played them; the one that fools most first.

    Raises:
        ChallengeStoreError: The database cannot be used.
    """
    return sorted(_tallies("model"), key=lambda row: -row[1].fooling.estimate.value if row[1].fooling.estimate else 0.0)


def _tallies(column: str) -> list[tuple[str, Tally]]:
    with _connection() as database:
        rows = database.execute(
            f"SELECT {column}, COUNT(*), SUM(size), SUM(generated), SUM(fooled), SUM(passed), SUM(seconds) FROM rounds GROUP BY {column}"
        ).fetchall()
    return [(name, Tally(*sums)) for name, *sums in rows]


def reset() -> int:
    """Empty the board; how many rounds are gone.

    Raises:
        ChallengeStoreError: The database cannot be used.
    """
    with _connection() as database:
        return database.execute("DELETE FROM rounds").rowcount


def export_csv(name: str | None = None) -> str:
    """Rounds in the order they were played, as CSV with the columns `COLUMNS`.

    Args:
        name: Whose; None takes everybody's.

    Raises:
        InputError: A name that is none.
        ChallengeStoreError: The database cannot be used.
    """
    with _connection() as database:
        rows = database.execute(
            "SELECT time, name, model, kind, seed, number, size, generated, fooled, size - generated, passed, seconds FROM rounds "
            "WHERE ?1 IS NULL OR name = ?1 ORDER BY id",
            (None if name is None else clean_name(name),),
        )
        return as_csv(
            COLUMNS, ((when, harmless(whose), harmless(model), *rest, f"{seconds:.3f}") for when, whose, model, *rest, seconds in rows)
        )


def _file() -> Path:
    return runs_folder() / ".quiz" / "challenge.sqlite"


def _connection() -> AbstractContextManager[sqlite3.Connection]:
    return connected(_file(), _SCHEMA, lambda reason: ChallengeStoreError(f"the results of the challenge, {reason}"))
