"""Memorisation: does a model draw, or does it hand back what it was shown?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from genlab.dashboard import address, charts
from genlab.dashboard.components.wall import wall
from genlab.dashboard.frame import frame, say
from genlab.dashboard.guess import guess
from genlab.dashboard.stage.memory import SAMPLES, pairs_of, with_data
from genlab.dashboard.stage.sources import Source

if TYPE_CHECKING:
    from genlab.measures.memorisation import Pairs

SPACES = {"pixels": "in pixels", "digit features": "in digit features"}
PLANTED = "a planted memoriser"
SIDES = ("A", "B")


def page() -> None:
    """The page from top to bottom."""
    with frame(
        "Does it draw, or remember?",
        "A model that hands back its training images draws perfectly and has learnt nothing. So each sample is put beside the training "
        "image that is nearest to it, and beside the nearest image that nobody trained on: an honest model knows both equally little.",
    ):
        models = with_data()
        name = address.choice("model", list(models))
        left, right = st.columns([3, 2], vertical_alignment="bottom")
        with left:
            address.linked(st.selectbox, "model", "model", name, list(models), format_func=lambda each: models[each].words)
        source = models[name]
        with right:
            space = address.choice("space", spaces_of(source))
            options: dict[str, Any] = {"format_func": SPACES.get, "required": True}
            address.linked(st.segmented_control, "neighbours", "space", space, spaces_of(source), **options)
        seed = address.again("Draw others", "seed", forget=("guess",))
        with st.spinner("Drawing, and looking for who is nearest …"):
            found = {words: pairs_of(source, space, seed, planted=words == PLANTED) for words in (name, PLANTED)}
        number = address.whole("pair", 1, least=1, most=SAMPLES)
        words = "sample, from the one nearest to a training image to the one farthest from any"
        number = address.linked(st.slider, words, "pair", number, 1, SAMPLES)
        guessed = address.text("guess") in SIDES
        planted = SIDES[seed % 2]
        order = list(found) if planted == SIDES[1] else list(found)[::-1]
        for side, each, column in zip(SIDES, order, st.columns(2, gap="large"), strict=True):
            with column:
                show(each, found[each], number, heading=each if guessed else f"Model {side}", guessed=guessed)
        words = f"Model {planted} is planted: it draws images of its training data, some of their pixels a level off."
        if guess("One of the two remembers. Which?", "guess", SIDES, planted, words):
            lengths(found)
        st.caption(
            f"{SAMPLES} samples each; {SPACES[space]} as Euclidean distances. By chance alone the nearest image is a training one the more "
            "often the more of them there are; the excess is what lies above that, with its 95% interval over samples drawn anew."
        )


def spaces_of(source: Source) -> list[str]:
    """In what its images can be compared."""
    from genlab.measures.features import usual_space
    from genlab.runs import open_run

    return list(dict.fromkeys(("pixels", usual_space(open_run(source.path).domain))))


def show(name: str, pairs: Pairs, number: int, *, heading: str, guessed: bool) -> None:
    """One sample with its neighbours, and once the visitor has guessed what all samples say."""
    from genlab.measures.memorisation import Memorisation

    found: Memorisation = pairs.found
    at = np.argsort(found.distances, kind="stable")[number - 1]
    say(st.header, "{}", f"{heading[0].upper()}{heading[1:]}", anchor=False)
    images = np.stack([pairs.drawn[at], pairs.training[at], pairs.held_out[at]])
    words = ["the sample", f"nearest training image, {found.distances[at]:.2f} away"]
    words.append(f"nearest held-out image, {found.distances_held_out[at]:.2f} away")
    wall(
        images,
        pairs.levels or 2,
        key=f"pair {name == PLANTED}",
        identity=f"{name} {number}",
        alt=f"{heading}, pair {number}",
        words=words,
        large=160,
    )
    if guessed:
        (st.warning if found.memorises else st.success)(found.sentence)


def lengths(found: dict[str, Pairs]) -> None:
    """How far the nearest training image is, of samples and of the yardstick."""
    first, *_ = found.values()
    distances = {name: pairs.found.distances for name, pairs in found.items()} | {"held-out images": first.found.yardsticks}
    means = "; ".join(f"{name}: {np.median(values):.2f} in the middle" for name, values in distances.items())
    charts.show(
        charts.strokes(distances, "distance to the nearest training image"),
        key="distances",
        alt=f"Distance to the nearest training image. {means}.",
    )


page()
