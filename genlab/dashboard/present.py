"""Present mode: one page at a time, large and as wide as the screen, gone through with the keys of a lecturer's remote control.

It stands in the address (``?present=1``) and stays on from page to page, whichever link leads there, until it is left.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from genlab.dashboard import address
from genlab.dashboard.components.podium import podium
from genlab.dashboard.navigation import PAGES, previous_of

_NAME, _ON = "present", "presenting"
_STYLE = Path(__file__).parent / "present.css"


def enter() -> None:
    """Heed an address that asks for it, before the page takes the address up."""
    if st.query_params.get(_NAME) == "1":
        st.session_state[_ON] = True


def is_on() -> bool:
    """Whether this visitor presents."""
    return bool(st.session_state.get(_ON))


def begin() -> None:
    """From now on."""
    st.session_state[_ON] = True


def leave() -> None:
    """No more."""
    st.session_state[_ON] = False
    address.put(**{_NAME: None})


def keep() -> None:
    """Say so in the page's address, and nowhere that a page which is come back to would begin it again; and make the page large."""
    if is_on() != (st.query_params.get(_NAME) == "1"):
        address.put(**{_NAME: 1 if is_on() else None})
    if is_on():
        st.html(_STYLE)


def stand(page: str) -> None:
    """What the lecturer stands at, below the page: the keys, the way on and back, and the way out."""
    if not is_on():
        return
    way = [name for name, entry in PAGES.items() if entry.slides]
    place = f"{way.index(page) + 1} of {len(way)}" if page in way else "beside the lecture"
    before = previous_of(page)
    with st.container(key="podium"):
        goes_back = podium(place=place, before=PAGES[before].title if before else "", on_leave=leave)
    if goes_back and before:
        st.switch_page(PAGES[before].file)
