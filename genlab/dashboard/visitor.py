"""Who is looking: one browser is one visitor, known by a cookie that means nothing anywhere else.

Only the browser that started a run may stop, change or delete it. This keeps a class of students out of each other's way; it is no
protection against somebody who can read another's cookies.
"""

from __future__ import annotations

import re
from uuid import uuid4

import streamlit as st

_COOKIE = "genlab_visitor"

_remember = st.components.v2.component(
    "genlab_visitor",
    html="<span></span>",
    js=f"""export default function ({{ data }}) {{
  document.cookie = `{_COOKIE}=${{data}}; path=/; max-age=31536000; samesite=strict`;
}}""",
)


def visitor() -> str:
    """The visitor's name; made up at the first call of a session whose browser has none."""
    brought = str(st.context.cookies.get(_COOKIE))
    if re.fullmatch(r"[0-9a-f]{32}", brought):
        return brought
    return str(st.session_state.setdefault(_COOKIE, uuid4().hex))


def remember_visitor() -> None:
    """Let the browser keep a name that was made up. Goes to the end of a page, since it takes up a line."""
    if _COOKIE in st.session_state:
        # Not under the name's own key: Streamlit forgets what is kept under a component's key once a page without it is shown.
        _remember(data=st.session_state[_COOKIE], key="remember_visitor")
