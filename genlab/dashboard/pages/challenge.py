"""Real or generated? A challenge in the manner of an image CAPTCHA: can people still tell, and can machines?"""

from __future__ import annotations

import streamlit as st

from genlab.dashboard import address
from genlab.dashboard.challenge.board import for_the_instructor, keep, so_far
from genlab.dashboard.challenge.door import door
from genlab.dashboard.challenge.game import Game
from genlab.dashboard.challenge.play import play
from genlab.dashboard.frame import caught, frame

PARTS = {"grid": "A grid", "one": "One by one", "door": "The door"}


def page() -> None:
    """The page from top to bottom."""
    with frame(
        "Real or generated?",
        "Once a picture proved that somebody is human. Some of these are digits that people wrote and no model was trained on, the others "
        "were drawn by a model. **Can you tell them apart?**",
    ):
        game: Game = st.session_state.setdefault("challenge", Game())
        part = address.choice("part", list(PARTS))
        address.linked(st.segmented_control, "part", "part", part, list(PARTS), format_func=PARTS.__getitem__, label_visibility="collapsed")
        if part == "door":
            door()
            return
        with caught():
            play(game, part)
        so_far(game)
        keep(game)
        for_the_instructor()


page()
