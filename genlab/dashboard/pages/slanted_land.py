"""Slanted land: the lecture's GAN of sigmoid neurons, from a picture of four pixels to a million GANs."""

from __future__ import annotations

import streamlit as st

from genlab.dashboard import address
from genlab.dashboard.frame import caught, frame
from genlab.dashboard.slanted.discriminator import discriminator
from genlab.dashboard.slanted.losses import losses
from genlab.dashboard.slanted.million import million
from genlab.dashboard.slanted.step import step
from genlab.dashboard.slanted.training import training
from genlab.dashboard.slanted.world import world

PARTS = {
    "1": ("1 The world", world),
    "2": ("2 By hand", discriminator),
    "3": ("3 Errors", losses),
    "4": ("4 One step", step),
    "5": ("5 Training", training),
    "6": ("6 A million", million),
}


def page() -> None:
    """The way through the parts, and the part that is asked for."""
    with frame("Slanted land: a GAN small enough to see"):
        names = tuple(PARTS)
        part = address.choice("part", names)
        address.linked(
            st.segmented_control,
            "part",
            "part",
            part,
            names,
            format_func=lambda name: PARTS[name][0],
            label_visibility="collapsed",
            required=True,
        )
        with caught():
            PARTS[part][1]()
        if part != names[-1]:
            following = names[names.index(part) + 1]
            st.button(f"Next: {PARTS[following][0]}", on_click=address.put, kwargs={"part": following})


page()
