"""Guess before it is revealed: what one has guessed, one looks at."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from genlab.dashboard import address


def guess(question: str, name: str, options: Sequence[str], right: str, words: str) -> bool:
    """Ask, and say what is right once the visitor has guessed; the guess is kept in the address.

    Args:
        question: What is asked.
        name: Of the guess in the address.
        options: What can be guessed.
        right: Which of them is right.
        words: Why; said after the guess.

    Returns:
        Whether the visitor has guessed, so that the rest may be shown.
    """
    given = address.text(name)
    address.linked(st.segmented_control, question, name, given if given in options else None, list(options))
    if given not in options:
        return False
    st.markdown(f"**{'Right' if given == right else 'No'}.** {words}")
    return True
