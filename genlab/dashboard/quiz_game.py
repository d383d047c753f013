"""A visitor's way through the quiz: what was answered, what comes next, and where it is kept. Knows no Streamlit."""

from __future__ import annotations

from collections.abc import Collection

from genlab import quiz_store
from genlab.errors import GenlabError
from genlab.kept import clean_name
from genlab.lecture.quiz import Mark, Quiz, Result


class Game:
    """The state of one browser session.

    Attributes:
        quiz: The questions.
        answers: The last answer to each question that was answered, by position.
        round: How often a series of questions was begun.
        judged: Whether the question at hand has been answered and is being looked at.
        name: Under which answers are kept, or empty.
        trouble: Why the last answer could not be kept, or empty.
    """

    def __init__(self, quiz: Quiz) -> None:
        self.quiz = quiz
        self.answers: dict[int, set[str]] = {}
        self.name = ""
        self.trouble = ""
        self.round = 0
        self._begin(range(len(quiz.questions)))

    def _begin(self, positions: Collection[int]) -> None:
        self._series = list(positions)
        self._next = 0
        self.judged = False
        self.round += 1

    @property
    def position(self) -> int | None:
        """The question at hand, or None in the review."""
        return self._series[self._next] if self._next < len(self._series) else None

    @property
    def progress(self) -> tuple[int, int]:
        """How many questions of this series are behind the visitor, and how many there are."""
        return self._next + self.judged, len(self._series)

    @property
    def can_go_back(self) -> bool:
        """Whether there is an earlier question in this series."""
        return self._next > 0

    @property
    def result(self) -> Result:
        """The result so far: what was not answered counts as nothing ticked."""
        return self.quiz.score([self.answers.get(position, set()) for position in range(len(self.quiz.questions))])

    def answer(self, ticked: Collection[str]) -> Mark:
        """Answer the question at hand; it stays at hand, to be looked at.

        Raises:
            InputError: A letter that the question does not have.
            LookupError: There is no question at hand.
        """
        if self.position is None:
            raise LookupError("no question is at hand")
        mark = self.quiz.mark(self.position, ticked)
        self.answers[self.position] = mark.ticked
        self.judged = True
        self._keep(self.position, mark)
        return mark

    def go_on(self, position: int) -> None:
        """From the question at `position` to the next one, or to the review; from any other, nowhere: a double click is one step."""
        if self.position == position:
            self._next, self.judged = self._next + 1, False

    def go_back(self, position: int) -> None:
        """From the question at `position` to the one before, as it was answered, if it was."""
        if self.position == position and self._next > 0:
            self._next -= 1
            self.judged = self.position in self.answers

    def try_missed(self) -> None:
        """A new series of the questions that were not answered exactly."""
        self._begin(self.result.missed)

    def start_again(self) -> None:
        """All questions anew. What was kept under the name stays kept."""
        self.answers = {}
        self._begin(range(len(self.quiz.questions)))

    def keep_as(self, text: str) -> None:
        """Keep answers under a name from now on, those given so far included, and fetch those that were kept; nothing for no name.

        Raises:
            InputError: A name that is none.
            QuizStoreError: The answers could not be read or written.
        """
        self.name, self.trouble = "", ""
        if not text.strip():
            return
        name = clean_name(text)
        kept = quiz_store.recall(name, self.quiz)
        for position, ticked in self.answers.items():
            if kept.get(position) != ticked:
                quiz_store.remember(name, self.quiz, position, self.quiz.mark(position, ticked))
        self.name = name
        if set(kept) - set(self.answers):
            self.answers = kept | self.answers
            # On with what is still open; the rest is in the review.
            self._begin([position for position in range(len(self.quiz.questions)) if position not in self.answers])

    def _keep(self, position: int, mark: Mark) -> None:
        self.trouble = ""
        if not self.name:
            return
        try:
            quiz_store.remember(self.name, self.quiz, position, mark)
        except GenlabError as error:
            # The game goes on; the page says so.
            self.trouble = str(error)
