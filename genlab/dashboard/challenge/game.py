"""A visitor's rounds of the challenge, and where they are kept. Knows no Streamlit."""

from __future__ import annotations

from genlab import challenge_store
from genlab.challenge_store import Played
from genlab.dashboard.components.captcha import Answer
from genlab.errors import GenlabError
from genlab.kept import clean_name
from genlab.measures.fooling import NO_TALLY, Tally

Key = tuple[str, str, int, int, int]
"""Which round: model, kind, pictures, seed, number."""


class Game:
    """The state of one browser session.

    Attributes:
        answers: What was said of each round that is over.
        name: Under which rounds are kept, or empty.
        trouble: Why the last round could not be kept, or empty.
    """

    def __init__(self) -> None:
        self.answers: dict[Key, Answer] = {}
        self.name = ""
        self.trouble = ""
        self._played: dict[Key, Played] = {}

    @property
    def played(self) -> list[Played]:
        """The rounds that count."""
        return list(self._played.values())

    @property
    def total(self) -> Tally:
        """Over all rounds."""
        return sum((each.tally for each in self.played), NO_TALLY)

    @property
    def by_model(self) -> dict[str, Tally]:
        """Over the rounds of each model."""
        found: dict[str, Tally] = {}
        for each in self.played:
            found[each.model] = found.get(each.model, NO_TALLY) + each.tally
        return found

    def answer(self, key: Key, said: Answer, came: Tally) -> None:
        """A round is over; it counts if it was not played before, here or under the name."""
        if key in self.answers:
            return
        self.answers[key] = said
        model, kind, _, seed, number = key
        played = self._played.setdefault(key, Played(model, kind, seed, number, came))
        self._keep(played)

    def keep_as(self, text: str) -> None:
        """Keep rounds under a name from now on, those played so far included, and fetch those that were kept; nothing for no name.

        Raises:
            InputError: A name that is none.
            ChallengeStoreError: The rounds could not be read or written.
        """
        # What was played under another name stays that one's.
        self._played = {} if self.name else self._played
        self.name, self.trouble = "", ""
        if not text.strip():
            return
        name = clean_name(text)
        for played in self.played:
            challenge_store.remember(name, played)
        self._played = {key_of(played): played for played in challenge_store.recall(name)}
        self.name = name

    def _keep(self, played: Played) -> None:
        self.trouble = ""
        if not self.name:
            return
        try:
            challenge_store.remember(self.name, played)
        except GenlabError as error:
            # The game goes on; the page says so.
            self.trouble = str(error)


def key_of(played: Played) -> Key:
    """Which round it was."""
    return played.model, played.kind, played.tally.pictures, played.seed, played.number
