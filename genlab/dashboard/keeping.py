"""What outlives a browser session: a game's results are kept under a name, if the visitor gives one, and can be taken along."""

from __future__ import annotations

from typing import Protocol

import streamlit as st

from genlab.dashboard.frame import say
from genlab.dashboard.plain import plain
from genlab.errors import GenlabError
from genlab.kept import LONGEST_NAME


class Game(Protocol):
    """What is played.

    Attributes:
        name: Under which results are kept; empty: under none.
        trouble: Why they could not be kept; empty if they could.
    """

    name: str
    trouble: str

    def keep_as(self, name: str) -> None:
        """Keep results under this name from now on."""


class Store(Protocol):
    """Where results go: `genlab.quiz_store`, `genlab.challenge_store`."""

    def alike(self, name: str, /) -> list[str]:
        """Names that differ from this one in capitals alone."""

    def export_csv(self, name: str, /) -> str:
        """One's own, as a table."""


def keep(game: Game, store: Store, *, what: str, words: str, key: str, file: str) -> None:
    """The field for a name, and what is kept under it.

    Args:
        game: What is played.
        store: Where its results go.
        what: They are called so, in the plural: "answers".
        words: What becomes of them without a name, and with one.
        key: Of the field.
        file: The name of the table that can be taken along.
    """
    with st.expander(f"{what.capitalize()} are kept as {plain(game.name)}" if game.name else f"Keep your {what} under a name"):
        st.caption(words)
        # Streamlit forgets a field while another page is shown; the game does not.
        st.session_state.setdefault(key, game.name)
        st.text_input("name", max_chars=LONGEST_NAME, key=key, on_change=_take_name, args=(game, key))
        if game.name:
            _kept_so_far(game.name, store, what, file)
    if game.trouble:
        say(st.warning, "Not kept, only remembered by this page: {}", game.trouble)


def _take_name(game: Game, key: str) -> None:
    try:
        game.keep_as(st.session_state[key])
    except GenlabError as error:
        game.trouble = str(error)


def _kept_so_far(name: str, store: Store, what: str, file: str) -> None:
    """One's own results, to take along, and names that one might have meant."""
    try:
        others, table = store.alike(name), store.export_csv(name)
    except GenlabError as error:
        say(st.warning, "{}", error)
        return
    if others:
        say(st.info, "Capitals count: {} are kept under {} too, and those are not yours of {}.", what, ", ".join(others), name)
    if count := rows(table):
        st.download_button(f"My {what}, as CSV ({count})", table, file, "text/csv", on_click="ignore")


def rows(table: str) -> int:
    """Of a CSV file, without its header."""
    return table.count("\n") - 1
