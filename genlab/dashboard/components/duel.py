"""The duel: a GAN in the plane that trains in the browser, as it is watched, stopped and changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from genlab.dashboard.components import component
from genlab.dashboard.gan_lab.points import PointSet
from genlab.dashboard.gan_lab.settings import CHOICES
from genlab.dashboard.gan_lab.situations import Situation
from genlab.dashboard.gan_lab.state import MOST_POINTS, POINTS_A_UNIT, State, of_browser

_SCRIPTS = ("player.js", "gan.js", "duel_records.js", "duel_settings.js", "duel_paint.js", "duel_pen.js")
_mount = component("duel", family="slanted", scripts=_SCRIPTS)
_KEY = "duel"


def duel(
    state: State, situations: Sequence[Situation], points: Mapping[str, PointSet], *, on_state: Callable[[State], None]
) -> Mapping[str, Any]:
    """Show the game, and let it be played.

    Args:
        state: Where to begin. While the visitor plays on, the browser is further, and stays there.
        situations: The prepared beginnings.
        points: The data that can be chosen, by name.
        on_state: Called with where the visitor is, whenever the game rests or a setting was changed.

    Returns:
        What the browser has said last: ``turns`` and ``looks`` are its records, as far as it can be trusted.
    """

    def told() -> None:
        said = _told()
        found = None if said is None else of_browser(said.get("state"))
        if found is not None:
            on_state(found)

    said = _told()
    data = {
        "heard": None if said is None else said.get("number"),
        "state": state.as_data(),
        "situations": [each.as_data() for each in situations],
        "choices": [choice.as_data() for choice in CHOICES],
        "points": {name: each.as_data() for name, each in points.items()},
        "most_points": MOST_POINTS,
        "points_a_unit": POINTS_A_UNIT,
    }
    _mount(data=data, key=_KEY, on_told_change=told)
    return said or {}


def _told() -> Mapping[str, Any] | None:
    """What the browser has said last; it can be anything."""
    said = (st.session_state.get(_KEY) or {}).get("told")
    return said if isinstance(said, Mapping) else None
