"""Part 1: four pixels, and what makes them a face."""

from __future__ import annotations

import streamlit as st

from genlab import toy_gan
from genlab.dashboard.components.easel import easel
from genlab.dashboard.slanted import pictures
from genlab.lecture import worked


def world() -> None:
    """The question, and the easel to answer it on."""
    st.header("Can you draw a face with four pixels?", anchor=False)
    st.markdown(
        "In slanted land everybody is tall and leans backwards by 45°: dark hair at the top left, a dark beard at the bottom right. "
        "A camera of 2×2 pixels is enough to see them. White is 0, black is 1. **Draw until somebody appears.**"
    )
    _easel()


@st.fragment
def _easel() -> None:
    picture = pictures.picture(pictures.ALMOST_FACE)
    *weights, bias = pictures.LECTURE_WEIGHTS
    score = float(toy_gan.discriminate(picture, weights, bias))
    easel(
        picture,
        {
            "faces of the lecture": toy_gan.FACES.tolist(),
            "slide 53: which of these is one?": worked.PICTURES,
            "noise": pictures.noise(),
        },
        score=score,
        says=f"{score:.2f}: {pictures.verdict(score)}",
        total=pictures.sum_in_words(picture, pictures.LECTURE_WEIGHTS, pictures.logit(picture, pictures.LECTURE_WEIGHTS), score),
        key="easel",
        on_change=_drawn,
    )


def _drawn() -> None:
    if change := st.session_state["easel"]["drawing"]:
        pictures.keep_picture(change)
