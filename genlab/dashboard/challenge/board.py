"""Who did how: one's own rounds so far, what is kept under a name, and the class's board, which the instructor's PIN opens."""

from __future__ import annotations

from typing import Any

import streamlit as st

from genlab import challenge_store
from genlab.dashboard import charts, instructor, keeping
from genlab.dashboard.challenge.charts import fooling_rates
from genlab.dashboard.challenge.game import Game
from genlab.dashboard.frame import say
from genlab.dashboard.words import duration
from genlab.errors import GenlabError
from genlab.measures.fooling import FOOLING_WORDS, Tally


def so_far(game: Game) -> None:
    """One's own rounds, and what they say of each model."""
    total = game.total
    if not total.rounds:
        return
    st.header("So far", anchor=False)
    with st.container(horizontal=True, gap="large"):
        st.metric("told rightly", total.right.brief(), width="content")
        st.metric("generated, taken for real", total.fooling.brief(), width="content")
        st.metric("real, taken for real", total.passing.brief(), width="content")
        st.metric("time a picture", duration(total.pace), width="content")
    _rates(game.by_model, key="own")
    st.caption(
        f"{total.pictures} pictures in {total.rounds} round{'s' if total.rounds > 1 else ''}, with 95% Wilson intervals. Who cannot tell "
        "takes as many generated pictures for real as real ones, and tells half of all rightly. Who calls all real is always fooled."
    )


def _rates(by_model: dict[str, Tally], *, key: str) -> None:
    """Each model's fooling rate, as a chart and in words."""
    shares = {name: came.fooling for name, came in by_model.items()}
    words = {name: f"{name}: {share.text()}; {FOOLING_WORDS[share.verdict]}" for name, share in shares.items()}
    if any(share.trials for share in shares.values()):
        charts.show(fooling_rates(shares), key=f"rates {key}", alt="Fooling rates. " + ". ".join(words.values()) + ".")
    for each in words.values():
        say(st.markdown, "{}.", each)


def keep(game: Game) -> None:
    """Rounds outlive this browser session under a name, if one is given."""
    words = (
        "Without a name they are gone when this page is reloaded. With one they are kept on this computer and stand on the class’s "
        "board; whoever types the same name sees them. A round counts once, since it then shows which pictures were generated."
    )
    keeping.keep(game, challenge_store, what="rounds", words=words, key="challenge name", file="my-challenge.csv")


def for_the_instructor() -> None:
    """The class's board, its file, and its reset."""
    with st.expander("The class’s board, for the instructor"):
        try:
            if instructor.opened("Show the board"):
                _board()
        except GenlabError as error:
            say(st.warning, "{}", error)


def _board() -> None:
    if emptied := st.session_state.pop("emptied", 0):
        st.success(f"The board is empty: {emptied} round{'s are' if emptied > 1 else ' is'} gone.")
    rows = challenge_store.board()
    if not rows:
        st.caption(
            "Nobody has played under a name yet. Send the page’s address: it holds the seed and the round, so that all see the same."
        )
        return
    st.dataframe([cells(name, came, rounds=True) for name, came in rows], hide_index=True, width="stretch", key="board")
    st.caption("In the order of the lower end of “told rightly”, so that one lucky round does not win.")
    _rates(dict(challenge_store.models()), key="class")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        table = challenge_store.export_csv()
        st.download_button(f"All rounds, as CSV ({keeping.rows(table)})", table, "challenge.csv", "text/csv", on_click="ignore")
        sure = st.checkbox("I have the file, or do not need it", key="sure")
        st.button("Empty the board", disabled=not sure, on_click=_empty)


def _empty() -> None:
    if instructor.is_here():
        st.session_state["emptied"] = challenge_store.reset()
        st.session_state["sure"] = False


def cells(name: str, came: Tally, *, rounds: bool = False) -> dict[str, Any]:
    """A line of a table."""
    return {
        "who": name,
        **({"rounds": came.rounds} if rounds else {}),
        "told rightly": came.right.text(),
        "generated, taken for real": came.fooling.text(),
        "real, taken for real": came.passing.text(),
        "time a picture": duration(came.pace),
    }
