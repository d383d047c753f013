"""What is for the instructor alone: it opens with a PIN, which the variable names or the terminal shows when the server starts."""

from __future__ import annotations

import hmac
import math
import os
import secrets
import threading
import time
from collections import deque

import streamlit as st

from genlab.errors import InputError

VARIABLE = "GENLAB_INSTRUCTOR_PIN"
_DIGITS = 8
_MOST_WRONG = 5
_WINDOW_SECONDS = 60.0
_OPEN = "instructor is here"


class Lock:
    """A PIN that is compared in constant time, and few wrong ones a minute, from all visitors together."""

    def __init__(self, pin: str) -> None:
        self._pin = pin.encode()
        self._wrong: deque[float] = deque(maxlen=_MOST_WRONG)
        self._turn = threading.Lock()

    def opens(self, tried: str) -> bool:
        """Whether it is the PIN.

        Raises:
            InputError: Too many wrong ones were tried a moment ago, by anybody.
        """
        with self._turn:
            now = time.monotonic()
            if len(self._wrong) == _MOST_WRONG and (wait := self._wrong[0] + _WINDOW_SECONDS - now) > 0:
                raise InputError(f"too many wrong PINs were tried; the next one is looked at in {math.ceil(wait)} s")
            right = hmac.compare_digest(tried.strip().encode(), self._pin)
            if not right:
                self._wrong.append(now)
        return right


@st.cache_resource(show_spinner=False)
def lock() -> Lock:
    """The one lock of this server. Without a PIN in the environment it makes one and tells the terminal."""
    pin = os.environ.get(VARIABLE, "").strip()
    if not pin:
        pin = "".join(secrets.choice("0123456789") for _ in range(_DIGITS))
        print(f"  The instructor's PIN for the quiz: {pin} ({VARIABLE} sets another)", flush=True)
    return Lock(pin)


def is_here() -> bool:
    """Whether this session has given the PIN."""
    return bool(st.session_state.get(_OPEN))


def opened(label: str = "Show all answers") -> bool:
    """Whether this session has given the PIN; asks for it if not.

    Args:
        label: Of the button that hands it over.
    """
    if is_here():
        return True
    with st.form("instructor", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        tried = st.text_input("instructor’s PIN", type="password", autocomplete="off", width=220)
        pressed = st.form_submit_button(label)
    if not pressed or not tried:
        st.caption(f"Who started the server finds the PIN in its terminal, or has set it with `{VARIABLE}`.")
        return False
    if lock().opens(tried):
        st.session_state[_OPEN] = True
        st.rerun()  # without the question
    st.error("This is not the PIN.")
    return False
