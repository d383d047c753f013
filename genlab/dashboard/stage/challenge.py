"""What "Real or generated?" shows: rounds, the machines that play them too, and guards of a door; models and real pictures are the stage's.

Of the held-out pictures every second one is shown in rounds and at doors; machines and guards learn from the others, and from drawn ones
that no round shows.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from genlab.challenge import Guard, Line, Round, Scores, draw, has_pictures, learn_line, make_round, score, scorer, train_guard
from genlab.dashboard.sampling_slot import SAMPLING_SLOT
from genlab.dashboard.stage.sources import Source, held_out_crowd, model_of, sources
from genlab.errors import GenlabError, InputError
from genlab.measures.fooling import Tally, tally
from genlab.runs import open_run

MACHINES = 3  # play beside the visitor
LEARNT_FROM = 96  # pictures of each kind
AT_THE_DOOR = 200  # of each generator, and as many real ones where there are so many
GENERATORS = 4  # at a door
_LEARNING_SEED, _GUARD_SEED, _DOOR_SEED = 2**31 - 1, 2**31 - 2, 2**31 - 3  # rounds draw their own from 0 on
_WORDS = {
    "judge": "the discriminator of {}",
    "likelihood": "log p by {}",
    "bound": "a bound on log p by {}",
}


class Pictures(NamedTuple):
    """Held-out pictures in the form of a model's own.

    Attributes:
        shown: In rounds and at doors, ``(N, C, H, W)``.
        learnt: What machines and guards learn from.
        words: Where they come from.
    """

    shown: NDArray[np.uint8]
    learnt: NDArray[np.uint8]
    words: str


def painters() -> list[Source]:
    """The models that draw pictures."""
    return [source for source in sources(by_class=True) if source.path and has_pictures(_shape(source))]


def real_pictures(source: Source) -> Pictures:
    """What a model's pictures are shown among.

    Raises:
        InputError: The model's data is not at hand.
    """
    images, _, words = held_out_crowd(source)
    return Pictures(images[::2], images[1::2], words)


@st.cache_data(max_entries=64, show_spinner=False)
def round_of(source: Source, size: int, seed: int, number: int) -> Round:
    """One round.

    Raises:
        InputError: The model draws no pictures, or its data is not at hand.
    """
    model, real = model_of(source), real_pictures(source).shown
    with SAMPLING_SLOT:
        return make_round(model, real, size=size, seed=seed, number=number, name=source.name)


# --- machines ----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Machine:
    """Who plays beside the visitor.

    Attributes:
        source: Whose model.
        words: What it goes by.
        line: What it calls real.
    """

    source: Source
    words: str
    line: Line

    @property
    def rule(self) -> str:
        """What it calls real, in words."""
        side = "above" if self.line.real_above else "below"
        return f"real is what lies {side} {self.line.threshold:.4g}".replace("-", "−")


def machines(source: Source) -> list[Machine]:
    """Who can judge a model's pictures: discriminators first, then exact likelihoods, then bounds; a model's own before others'."""
    able = [(ability, other) for other in _alike(source) if (ability := scorer(open_run(other.path).abilities))]
    able.sort(key=lambda pair: (list(_WORDS).index(pair[0]), pair[1] != source))
    found: list[Machine] = []
    for ability, other in able:
        if len(found) < MACHINES:
            # One with classes that are no digits has nothing to say here.
            with suppress(InputError):
                found.append(Machine(other, _WORDS[ability].format(other.name), _line(other, source)))
    return found


@st.cache_data(max_entries=64, show_spinner=False)
def _line(machine: Source, source: Source) -> Line:
    """Where a machine's model draws the line between real pictures and a model's."""
    real, drawn = real_pictures(source).learnt[:LEARNT_FROM], _drawn(source, LEARNT_FROM, _LEARNING_SEED)
    return learn_line(_scores(machine, real), _scores(machine, drawn))


@st.cache_data(max_entries=128, show_spinner=False)
def played_by(machine: Machine, source: Source, size: int, seed: int, number: int) -> Tally:
    """What came of a round that a machine played; its seconds are what judging took on this computer."""
    shown = round_of(source, size, seed, number)
    begun = time.perf_counter()
    called_real = machine.line.calls_real(_scores(machine.source, shown.images))
    return tally(shown.generated, called_real, time.perf_counter() - begun)


# --- the door ----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Keeper:
    """Who guards the door.

    Attributes:
        source: The generator that it learned to tell from real pictures.
        is_discriminator: Whether it was that generator's own adversary, who trained against it all the while; else it learned from pictures
            that the finished generator drew.
    """

    source: Source
    is_discriminator: bool

    @property
    def name(self) -> str:
        """What the address calls it."""
        return f"{self.source.name}.{'discriminator' if self.is_discriminator else 'classifier'}"

    @property
    def words(self) -> str:
        """For the reader."""
        own = f"the discriminator of {self.source.name}: its generator was trained to pass it"
        return own if self.is_discriminator else f"a classifier that has seen {self.source.name}’s pictures"


@dataclass(frozen=True, eq=False)
class Queue:
    """Scores of who stands before a door.

    Attributes:
        real: Of real pictures.
        generated: Of each generator's, by its name.
        words: Where the real ones come from.
    """

    real: Scores
    generated: Mapping[str, Scores]
    words: str


def keepers() -> list[Keeper]:
    """The guards there are: discriminators first."""
    found = painters()
    judges = [source for source in found if "judge" in open_run(source.path).abilities]
    return [Keeper(source, True) for source in judges] + [Keeper(source, False) for source in found]


def queue(keeper: Keeper) -> Queue:
    """What a guard makes of real pictures and of generators of the same form: the one it knows, then others."""
    others = sorted(_alike(keeper.source), key=lambda other: other != keeper.source)[:GENERATORS]
    generated = {other.name: _judged(keeper, other) for other in others}
    return Queue(_judged(keeper, None), generated, real_pictures(keeper.source).words)


@st.cache_data(max_entries=64, show_spinner=False)
def _judged(keeper: Keeper, generator: Source | None) -> Scores:
    """What a guard makes of a generator's pictures, or of real ones."""
    source = keeper.source
    images = real_pictures(source).shown if generator is None else _drawn(generator, AT_THE_DOOR, _DOOR_SEED)
    return _scores(source, images) if keeper.is_discriminator else _guard(source).score(images)


@st.cache_resource(max_entries=16, show_spinner=False)
def _guard(source: Source) -> Guard:
    """A classifier that has learned a generator's pictures."""
    return train_guard(real_pictures(source).learnt, _drawn(source, AT_THE_DOOR, _GUARD_SEED), model_of(source).domain)


# --- both --------------------------------------------------------------------------------------------------------------------------


def _alike(source: Source) -> list[Source]:
    """The models whose pictures have the same form and were trained on the same data, the model itself among them."""
    form = _form(source)
    return [other for other in painters() if _form(other) == form]


def _form(source: Source) -> tuple[Any, ...]:
    data = open_run(source.path).config["data"]
    return (_shape(source), *(data.get(key) for key in ("name", "levels", "binarize", "size")))


def _shape(source: Source) -> tuple[int, ...]:
    try:
        return open_run(source.path).domain.shape
    except GenlabError:  # a run that cannot be read draws nothing
        return ()


def _drawn(source: Source, n: int, seed: int) -> NDArray[np.uint8]:
    model = model_of(source)
    with SAMPLING_SLOT:
        return draw(model, n, seed)


def _scores(source: Source, images: NDArray[np.uint8]) -> Scores:
    return score(model_of(source), images)
