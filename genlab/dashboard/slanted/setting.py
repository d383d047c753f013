"""The training that parts 4 and 5 look at: its setting, out of the address, and its run."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from genlab import toy_gan
from genlab.dashboard import address

MOST_EPOCHS = 20_000
MOST_SEED = 2**53 - 1  # what a browser can count to; the library goes further


@dataclass(frozen=True)
class Setting:
    """What decides a run, but for the loss.

    Attributes:
        seed: Of its start and its draws.
        learning_rate: Its learning rate.
        init_scale: Standard deviation of its start.
        epochs: Times that every face is seen.
    """

    seed: int
    learning_rate: float
    init_scale: float
    epochs: int

    @property
    def steps(self) -> int:
        """An epoch is one step on each face."""
        return self.epochs * len(toy_gan.FACES)


def current() -> Setting:
    """The setting in the address, by default the lecture's learning rate and number of steps."""
    return Setting(
        seed=address.whole("seed", 0, least=0, most=MOST_SEED),
        learning_rate=address.number("lr", 0.01, least=1e-6, most=100),
        init_scale=address.number("scale", 1.0, least=0, most=100),
        epochs=address.whole("epochs", 1000, least=1, most=MOST_EPOCHS),
    )


def train(setting: Setting, loss: str, record_every: int) -> toy_gan.Run:
    """Train with that setting, and record."""
    return toy_gan.train(
        epochs=setting.epochs,
        learning_rate=setting.learning_rate,
        loss=loss,
        seed=setting.seed,
        init_scale=setting.init_scale,
        record_every=record_every,
    )


@st.cache_data(max_entries=8, show_spinner=False)
def trained(setting: Setting, loss: str) -> toy_gan.Run:
    """The run of that setting, every step recorded."""
    return train(setting, loss, 1)
