"""The quiz in a terminal: one question at a time, what each option was worth, a review at the end, the missed ones again.

Reads lines and says lines, whatever they come from; answers out of a pipe are taken as they are and nothing is asked twice.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence

from genlab.errors import InputError
from genlab.lecture.quiz import VERDICTS, Mark, Question, Quiz, Result

Ask = Callable[[str], str]
Say = Callable[[str], None]
Remember = Callable[[int, Mark], None]


class _Left(Exception):  # noqa: N818
    """The visitor has had enough."""


def play(quiz: Quiz, *, ask: Ask, say: Say, patient: bool, width: int = 80, remember: Remember | None = None) -> Result:
    """Play the quiz from its first question to the review.

    Args:
        quiz: The questions.
        ask: Says a prompt and returns the line that was typed; it raises EOFError when there is no more.
        say: Shows a line.
        patient: Whether somebody is there to be asked again: after a line that is no answer, and for the missed questions.
        width: Columns of a line.
        remember: Called with position and mark after each answer.

    Returns:
        The result, with the last answer to each question; a question that was not reached counts as not answered.

    Raises:
        InputError: Nobody is there to be asked again, and a line is no answer or there are too few lines.
    """
    table = _Table(quiz, ask, say, patient, width, remember)
    try:
        table.ask_all(range(len(quiz.questions)))
        while table.review() and patient and table.wants("Try again the ones you missed?"):
            table.ask_all(table.result.missed)
    except _Left:
        table.review()
    return table.result


class _Table:
    """A game under way."""

    def __init__(self, quiz: Quiz, ask: Ask, say: Say, patient: bool, width: int, remember: Remember | None) -> None:
        self.quiz = quiz
        self._answers: list[set[str]] = [set() for _ in quiz.questions]
        self._ask, self._say, self._patient, self._remember = ask, say, patient, remember
        self._width = max(40, min(width, 110))

    @property
    def result(self) -> Result:
        return self.quiz.score(self._answers)

    def ask_all(self, positions: Sequence[int]) -> None:
        """Ask these questions, one after another."""
        self._say(self.quiz.title)
        self._wrap("", "Several answers may be right. Type the letters and Enter" + ("; q leaves." if self._patient else "."))
        for position in positions:
            question = self.quiz.questions[position]
            self._say("")
            self._wrap(f"{position + 1}/{len(self.quiz.questions)}  ", question.text)
            for letter, text in question.options.items():
                self._wrap(f"     {letter}. ", text)
            self._answers[position] = self._letters(position, question)
            mark = self.quiz.mark(position, self._answers[position])
            if self._remember is not None:
                self._remember(position, mark)
            self._judge(question, mark)

    def review(self) -> bool:
        """Say the result; True if something was missed."""
        result, count = self.result, len(self.quiz.questions)
        self._say("")
        for number, (question, mark) in enumerate(zip(self.quiz.questions, result.marks, strict=True), 1):
            yours, key = _list(mark.ticked) or "none", _list(question.answers)
            self._wrap(
                f"{'✓' if mark.exact else '✗'} {number}. ", f"{question.text} Yours: {yours}" + ("" if mark.exact else f"; the key: {key}")
            )
        self._say("")
        self._wrap("", f"Exactly right: {result.exact} of {count}. Partial credit, apart from that: {result.partial:.2f} of {count}.")
        return bool(result.missed)

    def wants(self, question: str) -> bool:
        """Ask for yes or no; no answer is no."""
        self._say("")
        wanted = self._line(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
        self._say("")
        return wanted

    def _letters(self, position: int, question: Question) -> set[str]:
        """The answer to a question, asked for until it is one."""
        known = ", ".join(question.options)
        while True:
            line = self._line("     your answer: ").strip().lower()
            # A quiz may have an option q.
            if self._patient and line in {"q", "quit"} and "q" not in question.options:
                raise _Left
            letters = set(re.sub(r"[\s,;.]", "", line))
            if not self._patient:
                self._say(line)  # a terminal would have shown it
            if letters and letters <= set(question.options):
                return letters
            rule = f"the answer to question {position + 1} must be letters of {known}; got {line!r}"
            if not self._patient:
                raise InputError(rule)
            self._wrap("     ", f"{rule[0].upper()}{rule[1:]}.")

    def _line(self, prompt: str) -> str:
        try:
            return self._ask(prompt)
        except EOFError:
            if self._patient:
                raise _Left from None
            raise InputError(f"answers must be one line for each of {len(self.quiz.questions)} questions; got fewer") from None

    def _judge(self, question: Question, mark: Mark) -> None:
        """What the answer was worth, option by option."""
        if mark.exact:
            self._say("     Exactly right.")
        else:
            self._say(f"     Not quite: the key is {_list(question.answers)}. Partial credit {mark.partial:.2f}.")
        for letter in question.options:
            verdict = question.verdict(letter, mark.ticked)
            sign = "✓" if verdict in {"right", "left"} else "✗"
            self._wrap(f"     {sign} {letter}  ", f"{VERDICTS[verdict]} {question.feedback.get(letter, '')}")
        if question.argued:
            self._wrap("     The key can be argued with: ", question.argued, hang=7)
        for link in question.links:
            self._wrap(f"     See it happen on the dashboard's page {link.address}: ", f"{link.words}.", hang=7)

    def _wrap(self, start: str, text: str, *, hang: int | None = None) -> None:
        indent = " " * (len(start) if hang is None else hang)
        self._say(textwrap.fill(f"{start}{text}".rstrip(), self._width, subsequent_indent=indent, break_long_words=False))


def _list(letters: set[str]) -> str:
    return ", ".join(sorted(letters))
