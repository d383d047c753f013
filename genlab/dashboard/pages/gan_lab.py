"""The 2-D GAN lab: what do two networks do to each other while they train?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from genlab.dashboard import address
from genlab.dashboard.components.duel import duel
from genlab.dashboard.doctor_panel import tell
from genlab.dashboard.frame import frame
from genlab.dashboard.gan_lab.patient import as_settings, examine
from genlab.dashboard.gan_lab.points import point_sets
from genlab.dashboard.gan_lab.situations import SITUATIONS
from genlab.dashboard.gan_lab.state import State, of_address


def page() -> None:
    """The page from top to bottom."""
    with frame(
        "Two networks, one plane",
        "G bends a sheet of noise *z* until its points lie where the data lie; D learns to tell them apart, and hands back to each "
        "generated point the way that would look more real. Both train here, in your browser, as you watch.",
    ):
        state = of_address(st.query_params.to_dict())
        told = duel(state, SITUATIONS, point_sets(), on_state=lambda told: address.put(**told.as_address()))
        doctor(state, told)


def doctor(state: State, told: Mapping[str, Any]) -> None:
    """What the GAN doctor says of the game as it stood when it last rested."""
    st.header("What is going on?", anchor=False)
    if not told.get("turns"):
        st.caption("The GAN doctor reads a game's records whenever it rests.")
        return
    diagnosis = examine(state, told)
    tell(diagnosis)
    for number, finding in enumerate(diagnosis.findings):
        cure = as_settings(finding.cure)
        if cure:
            words = ", ".join(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in cure.items())
            begun = State(state.situation, state.start | cure, (), state.points)
            st.button(f"Begin anew with {words}", key=f"cure {number}", on_click=address.put, kwargs=begun.as_address())


page()
