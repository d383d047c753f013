"""Part 2: the discriminator by hand."""

from __future__ import annotations

import numpy as np
import streamlit as st

from genlab import toy_gan
from genlab.dashboard import address
from genlab.dashboard.components.neuron import Judged, neuron
from genlab.dashboard.slanted import pictures
from genlab.lecture import worked

_LIMIT = 5.0
_CURVE_REACH = 6.0
_TRAINED_EPOCHS = 1000


def discriminator() -> None:
    """The question, and the neuron to answer it with."""
    st.header("Can one neuron tell a face from noise?", anchor=False)
    st.markdown(
        "It multiplies every pixel by a weight, adds a bias, and squeezes the sum into (0, 1): above ½ it says *face*. "
        "The lecture’s weights do it. **Set them all to zero and find your own**; the pixels can be changed as well."
    )
    _neuron()


def weights() -> tuple[float, ...]:
    """The weights and the bias that the visitor has set, by default the lecture's."""
    return address.numbers("weights", pictures.LECTURE_WEIGHTS, least=-_LIMIT, most=_LIMIT)


@st.fragment
def _neuron() -> None:
    picture, current = pictures.picture(), weights()
    total, score = pictures.logit(picture, current), _score(picture, current)
    shelf = _judged(current)
    right = sum(each.right for each in shelf)
    neuron(
        picture,
        current,
        total=total,
        score=score,
        curve=_curve(),
        says=pictures.verdict(score),
        shelf=shelf,
        presets=_presets(),
        limit=_LIMIT,
        verdict=(f"{right} of {len(shelf)} right.", _praise(right, len(shelf))),
        key="neuron",
        on_change=_changed,
    )
    st.caption(f"{pictures.sum_in_words(picture, current, total, score)}: {pictures.verdict(score)}.")
    _slide(current)


def _slide(current: tuple[float, ...]) -> None:
    with st.expander("The five pictures of slide 53, worked out with these weights"):
        for picture in worked.PICTURES:
            score = _score(picture, current)
            st.markdown(
                f"{pictures.sum_in_words(picture, current, pictures.logit(picture, current), score)}: **{pictures.verdict(score)}**"
            )
        if current == pictures.LECTURE_WEIGHTS:
            st.caption("Two of them land exactly on ½: the rule of the slide, above is a face and below is not, leaves them open.")


def _score(picture: tuple[float, ...], current: tuple[float, ...]) -> float:
    *own, bias = current
    return float(toy_gan.discriminate(picture, own, bias))


def _judged(current: tuple[float, ...]) -> list[Judged]:
    shelf = [(tuple(map(float, face)), True) for face in toy_gan.FACES] + [
        (picture, False) for picture in (worked.NOISE, *pictures.noise())
    ]
    found = []
    for picture, face in shelf:
        score = _score(picture, current)
        found.append(Judged(picture, face, score, score > 0.5 if face else score < 0.5))
    return found


@st.cache_data(max_entries=1, show_spinner=False)
def _curve() -> list[tuple[float, float]]:
    """The sigmoid, as D gives it for pictures of one pixel."""
    sums = np.linspace(-_CURVE_REACH, _CURVE_REACH, 49)
    one = (1.0, 0.0, 0.0, 0.0)
    return [(float(g), float(toy_gan.discriminate(one, (g, 0, 0, 0), 0.0))) for g in sums]


@st.cache_data(max_entries=1, show_spinner=False)
def _presets() -> dict[str, tuple[float, ...]]:
    trained = toy_gan.train(epochs=_TRAINED_EPOCHS)
    learnt = np.clip([*trained.d_weights, trained.d_bias], -_LIMIT, _LIMIT).round(2)
    return {
        "The lecture’s weights": pictures.LECTURE_WEIGHTS,
        "All zero": (0.0,) * 5,
        "What a GAN’s discriminator ends with": tuple(map(float, learnt)),
    }


def _praise(right: int, count: int) -> str:
    if right == count:
        return "Faces at the right, noise at the left: one neuron is enough here."
    return "Framed ones stand on the wrong side, or exactly on ½."


def _changed() -> None:
    if change := st.session_state["neuron"]["hand"]:
        pictures.keep_picture(change)
        settled = bool(change.get("settled"))
        address.keep("weights", change.get("weights"), count=5, least=-_LIMIT, most=_LIMIT, settled=settled)
