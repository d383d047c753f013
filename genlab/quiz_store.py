"""Who answered what in the quiz: one table in SQLite that only ever grows, and its export for the instructor.

Kept under names as `kept` has them. Knows no user interface.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import AbstractContextManager
from pathlib import Path

from genlab.errors import GenlabError
from genlab.kept import as_csv, clean_name, connected, differing_in_capitals, harmless
from genlab.lecture.quiz import Mark, Quiz
from genlab.runs import runs_folder

# A table that anyone may write into needs an end: about 20 MB.
MOST_ANSWERS = 200_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    id INTEGER PRIMARY KEY,
    time REAL NOT NULL,         -- Unix time
    name TEXT NOT NULL,
    quiz TEXT NOT NULL,         -- Quiz.key: which questions these were
    position INTEGER NOT NULL,  -- of the question, from 0
    ticked TEXT NOT NULL,       -- letters in order, "abd"
    exact INTEGER NOT NULL,
    partial REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS by_name ON answers (name, quiz);
"""

COLUMNS = ("time", "name", "quiz", "question", "attempt", "ticked", "exact", "partial")


class QuizStoreError(GenlabError, RuntimeError):
    """The answers could not be written or read."""


def remember(name: str, quiz: Quiz, position: int, mark: Mark) -> None:
    """Append an answer to the question at `position`.

    Raises:
        InputError: A name that is none.
        QuizStoreError: The database cannot be used, or is full.
    """
    row = (time.time(), clean_name(name), quiz.key, position, "".join(sorted(mark.ticked)), mark.exact, mark.partial)
    with _connection() as database:
        if (database.execute("SELECT MAX(id) FROM answers").fetchone()[0] or 0) >= MOST_ANSWERS:
            raise QuizStoreError(f"the quiz keeps at most {MOST_ANSWERS} answers; export {_file()} and move it away")
        database.execute("INSERT INTO answers (time, name, quiz, position, ticked, exact, partial) VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def recall(name: str, quiz: Quiz) -> dict[int, set[str]]:
    """The last answer to each question that was answered under this name.

    Raises:
        InputError: A name that is none.
        QuizStoreError: The database cannot be used.
    """
    with _connection() as database:
        rows = database.execute(
            "SELECT position, ticked FROM answers WHERE name = ? AND quiz = ? ORDER BY id", (clean_name(name), quiz.key)
        ).fetchall()
    return {position: set(ticked) for position, ticked in rows}


def alike(name: str) -> list[str]:
    """Other names under which answers are kept and that differ from this one in capitals alone.

    Raises:
        InputError: A name that is none.
        QuizStoreError: The database cannot be used.
    """
    own = clean_name(name)
    with _connection() as database:
        names = [found for (found,) in database.execute("SELECT DISTINCT name FROM answers ORDER BY name")]
    return differing_in_capitals(own, names)


def export_csv(name: str | None = None) -> str:
    """Answers in the order they were given, as CSV with the columns `COLUMNS`; questions and attempts are counted from 1.

    Args:
        name: Whose; None takes everybody's.

    Raises:
        InputError: A name that is none.
        QuizStoreError: The database cannot be used.
    """
    with _connection() as database:
        rows = database.execute(
            "SELECT time, name, quiz, position + 1, ROW_NUMBER() OVER (PARTITION BY name, quiz, position ORDER BY id), "
            "ticked, exact, partial FROM answers WHERE ?1 IS NULL OR name = ?1 ORDER BY id",
            (None if name is None else clean_name(name),),
        )
        return as_csv(COLUMNS, ((when, harmless(whose), *rest, f"{partial:.3f}") for when, whose, *rest, partial in rows))


def _file() -> Path:
    return runs_folder() / ".quiz" / "quiz.sqlite"


def _connection() -> AbstractContextManager[sqlite3.Connection]:
    return connected(_file(), _SCHEMA, lambda reason: QuizStoreError(f"the answers to the quiz, {reason}"))
