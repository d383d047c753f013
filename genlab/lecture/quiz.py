"""The lecture's quiz: questions with several right answers, read from YAML, and their scoring. Knows no user interface.

An instructor replaces the questions by ``GENLAB_QUIZ=file.yaml``; `quiz.yaml` beside this file shows the form. Nothing in such a file
is executed or constructed: it is read as a tree of texts, and whatever breaks a rule is named with its line.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import stat
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NoReturn
from urllib.parse import urlencode

import yaml

from genlab.errors import InputError

VARIABLE = "GENLAB_QUIZ"
OWN_FILE = Path(__file__).with_name("quiz.yaml")

_MOST_BYTES = 256 * 1024
_MOST_QUESTIONS = 100
_MOST_LINKS = 10
_LONGEST_TEXT = 1000
# File, question, options, option: nothing useful is nested deeper, and recursion over a hostile file has to end somewhere.
_DEEPEST = 12

Verdict = Literal["right", "missed", "wrong", "left"]
VERDICTS: dict[Verdict, str] = {
    "right": "Ticked, and right.",
    "missed": "Not ticked, but it belongs to the key.",
    "wrong": "Ticked, but not in the key.",
    "left": "Not ticked, and rightly so.",
}


@dataclass(frozen=True)
class Link:
    """Where in the dashboard it can be seen to happen.

    Attributes:
        page: The stem of a file in `genlab/dashboard/pages`.
        words: What to look for there.
        at: What the page's address says there: names and values.
    """

    page: str
    words: str
    at: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """The page's address, such as ``slanted_land?part=4``."""
        return f"{self.page}?{urlencode(self.at)}" if self.at else self.page


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        text: The question.
        options: From letter to text, in the file's order.
        answers: The letters that are right.
        feedback: From letter to a sentence; empty if the file has none.
        argued: Why the key can be argued with, or None.
        links: Where it can be seen to happen.
    """

    text: str
    options: dict[str, str]
    answers: set[str]
    feedback: dict[str, str]
    argued: str | None
    links: tuple[Link, ...]

    def verdict(self, letter: str, ticked: Collection[str]) -> Verdict:
        """What became of one option."""
        if letter in self.answers:
            return "right" if letter in ticked else "missed"
        return "wrong" if letter in ticked else "left"


@dataclass(frozen=True)
class Mark:
    """What an answer to one question is worth.

    Attributes:
        ticked: The letters that were ticked.
        exact: Whether they are exactly the right ones: only then does the question score.
        partial: Partial credit, kept apart: (right ticks − wrong ticks) / right letters, and not below 0. Who ticks everything gains
            nothing over who thinks.
    """

    ticked: set[str]
    exact: bool
    partial: float


@dataclass(frozen=True)
class Result:
    """The marks of a whole quiz, in the order of its questions."""

    marks: tuple[Mark, ...]

    @property
    def exact(self) -> int:
        """How many questions were answered exactly."""
        return sum(mark.exact for mark in self.marks)

    @property
    def partial(self) -> float:
        """The sum of the partial credits, at most the number of questions."""
        return math.fsum(mark.partial for mark in self.marks)

    @property
    def missed(self) -> list[int]:
        """The positions of the questions that were not answered exactly."""
        return [position for position, mark in enumerate(self.marks) if not mark.exact]


@dataclass(frozen=True)
class Quiz:
    """Questions and where they come from."""

    title: str
    questions: list[Question]
    file: Path

    @property
    def key(self) -> str:
        """Names these very questions and keys: stored answers belong to a quiz only while it is the same."""
        told = [[question.text, question.options, sorted(question.answers)] for question in self.questions]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]

    def mark(self, position: int, ticked: Collection[str]) -> Mark:
        """What the ticked letters are worth as an answer to the question at `position`, counted from 0.

        Raises:
            InputError: There is no such question, or a letter that it does not have.
        """
        if not 0 <= position < len(self.questions):
            raise InputError(f"position must be from 0 to {len(self.questions) - 1}; got {position}")
        question, letters = self.questions[position], set(ticked)
        if unknown := letters - set(question.options):
            known = ", ".join(question.options)
            raise InputError(
                f"the answer to question {position + 1} must be letters of {known}; got {', '.join(sorted(map(str, unknown)))}"
            )
        right, wrong = len(letters & question.answers), len(letters - question.answers)
        return Mark(letters, letters == question.answers, max(0.0, (right - wrong) / len(question.answers)))

    def score(self, answers: Sequence[Collection[str]]) -> Result:
        """The result of a whole quiz.

        Args:
            answers: For each question the letters that were ticked; an empty set leaves it unanswered.

        Raises:
            InputError: Another number of answers than of questions, or a letter that a question does not have.
        """
        if len(answers) != len(self.questions):
            raise InputError(f"answers must be {len(self.questions)} sets of letters, one for each question; got {len(answers)}")
        return Result(tuple(self.mark(position, ticked) for position, ticked in enumerate(answers)))


def load(file: str | Path | None = None) -> Quiz:
    """The quiz of a YAML file.

    Args:
        file: None takes the file that the variable ``GENLAB_QUIZ`` names, and without one the lecture's own questions.

    Raises:
        InputError: The file cannot be read or breaks a rule; the sentence names the file and the line.
    """
    path = Path(file or os.environ.get(VARIABLE) or OWN_FILE)
    root = _root(path, _read(path))
    parts = root.mapping(required=("questions",), optional=("title",))
    questions = parts["questions"].items(most=_MOST_QUESTIONS)
    title = parts["title"].text() if "title" in parts else path.stem
    return Quiz(title, [_question(place) for place in questions], path)


def _question(place: _Place) -> Question:
    parts = place.mapping(required=("text", "options", "answers"), optional=("feedback", "argued", "see"))
    options = _by_letter(parts["options"])
    if len(options) < 2:
        parts["options"].fail(f"options must be at least 2; got {len(options)}")
    return Question(
        parts["text"].text(),
        options,
        _answers(parts["answers"], options),
        _feedback(parts["feedback"], options) if "feedback" in parts else {},
        parts["argued"].text() if "argued" in parts else None,
        tuple(_link(each) for each in parts["see"].items(most=_MOST_LINKS)) if "see" in parts else (),
    )


def _by_letter(place: _Place) -> dict[str, str]:
    texts = {}
    for key, value in place.pairs():
        letter = key.text()
        if not re.fullmatch("[a-z]", letter):
            key.fail(f"a key of {place.name} must be one letter from a to z; got {letter!r}")
        texts[letter] = value.text()
    return texts


def _answers(place: _Place, options: Collection[str]) -> set[str]:
    letters: set[str] = set()
    for each in place.items():
        letter = each.text()
        if letter not in options:
            each.fail(f"answers must be letters of {', '.join(options)}; got {letter!r}")
        if letter in letters:
            each.fail(f"answers must name each letter once; got {letter!r} twice")
        letters.add(letter)
    return letters


def _feedback(place: _Place, options: Collection[str]) -> dict[str, str]:
    sentences = _by_letter(place)
    if set(sentences) != set(options):
        place.fail(f"feedback must have a sentence for each of {', '.join(options)}; got {', '.join(sentences) or 'none'}")
    return sentences


def _link(place: _Place) -> Link:
    parts = place.mapping(required=("page", "words"), optional=("at",))
    page = parts["page"].text()
    # It becomes a path of the dashboard's.
    if not re.fullmatch("[a-z][a-z0-9_]*", page):
        parts["page"].fail(f"page must be the name of a page's file, such as theatre; got {page!r}")
    return Link(page, parts["words"].text(), _at(parts["at"]) if "at" in parts else {})


def _at(place: _Place) -> dict[str, str]:
    values = {}
    for key, value in place.pairs():
        if not re.fullmatch("[a-z][a-z0-9_]*", key.text()):
            key.fail(f"a key of at must be a name in the page's address, such as part; got {key.text()!r}")
        values[key.text()] = value.text()
    return values


# --- YAML as a tree of texts that know their lines ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Place:
    """A node of the file and what it is called."""

    node: yaml.Node
    name: str
    file: Path

    def fail(self, sentence: str) -> NoReturn:
        _fail(self.file, self.node.start_mark.line + 1, sentence)

    def text(self) -> str:
        """The text of a scalar, on one line."""
        if not isinstance(self.node, yaml.ScalarNode):
            self.fail(f"{self.name} must be a text; got {_kind(self.node)}")
        text = " ".join(self.node.value.split())
        if not text:
            self.fail(f"{self.name} must not be empty")
        if len(text) > _LONGEST_TEXT:
            self.fail(f"{self.name} must have at most {_LONGEST_TEXT} characters; got {len(text)}")
        # Escape sequences would reach the terminal; marks that turn the direction of writing could show another text than it is.
        if hidden := [character for character in text if unicodedata.category(character) in {"Cc", "Cs"} or character in _TURNS]:
            self.fail(f"{self.name} must not hold control characters; got U+{ord(hidden[0]):04X}")
        return text

    def items(self, *, most: int | None = None) -> list[_Place]:
        """The entries of a list that is not empty."""
        if not isinstance(self.node, yaml.SequenceNode):
            self.fail(f"{self.name} must be a list; got {_kind(self.node)}")
        if not self.node.value:
            self.fail(f"{self.name} must not be empty")
        if most is not None and len(self.node.value) > most:
            self.fail(f"{self.name} must have at most {most} entries; got {len(self.node.value)}")
        return [_Place(node, f"entry {number} of {self.name}", self.file) for number, node in enumerate(self.node.value, 1)]

    def pairs(self) -> list[tuple[_Place, _Place]]:
        """Keys and values of a mapping that names no key twice."""
        if not isinstance(self.node, yaml.MappingNode):
            self.fail(f"{self.name} must be a mapping; got {_kind(self.node)}")
        pairs = []
        seen: set[str] = set()
        for key_node, value_node in self.node.value:
            key = _Place(key_node, f"a key of {self.name}", self.file)
            if (name := key.text()) in seen:
                key.fail(f"{self.name} must name each key once; got {name!r} twice")
            seen.add(name)
            pairs.append((key, _Place(value_node, name, self.file)))
        return pairs

    def mapping(self, *, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, _Place]:
        """The values of a mapping with these keys."""
        known, found = (*required, *optional), {}
        for key, value in self.pairs():
            if value.name not in known:
                key.fail(f"a key of {self.name} must be one of {', '.join(known)}; got {value.name!r}")
            found[value.name] = value
        if missing := [name for name in required if name not in found]:
            self.fail(f"{self.name} must have {' and '.join(missing)}; got {', '.join(found) or 'nothing'}")
        return found


_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _fail(file: Path, line: int, sentence: str) -> NoReturn:
    raise InputError(f"{file}, line {line}: {sentence}")


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return f"the text {node.value[:40]!r}" if node.value else "nothing"
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"


def _read(path: Path) -> str:
    """The file's text."""
    try:
        # A pipe would keep the reader waiting for whoever writes into it.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise InputError(f"{path} must be a file of questions; got a pipe or a device")
            data = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path} must be a file of questions that can be read; got: {error.strerror}") from None
    if len(data) > _MOST_BYTES:
        raise InputError(f"{path} must have at most {_MOST_BYTES} bytes; it has more")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _fail(path, data.count(b"\n", 0, error.start) + 1, f"the file must be UTF-8; got the byte 0x{data[error.start]:02x}")


def _root(path: Path, text: str) -> _Place:
    """The file's root node."""
    depth, line = 0, 1
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            line = event.end_mark.line + 1
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                _fail(path, event.start_mark.line + 1, f"the file must not nest deeper than {_DEEPEST} levels")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.reader.ReaderError as error:
        _fail(path, text.count("\n", 0, error.position) + 1, f"the file must be YAML; got the character U+{error.character:04X}")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        _fail(path, mark.line + 1 if mark else 1, f"the file must be YAML: {error.problem}")
    except InputError:
        raise
    except (ValueError, OverflowError):  # a number in an escape or a directive that is none; after the last thing that was one
        _fail(path, line, "the file must be YAML: here or on the next lines stands a character's number or a version that cannot be")
    if node is None:
        _fail(path, 1, "the file must be a mapping with questions; got nothing")
    return _Place(node, "the file", path)
