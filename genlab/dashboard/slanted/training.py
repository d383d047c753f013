"""Part 5: thousands of steps while one looks."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
import streamlit as st

from genlab import toy_gan
from genlab.dashboard import address
from genlab.dashboard.components.reel import Lane, reel
from genlab.dashboard.slanted.pictures import signed
from genlab.dashboard.slanted.setting import MOST_EPOCHS, MOST_SEED, Setting, current, train
from genlab.lecture.worked import ideal_losses

_ROWS = 200  # of a recording, as many as can be told apart on the scrubber
_DRAWS = 8
_FORMULAS = {"non-saturating": "G minimises −ln D(G(z))", "minimax": "G minimises ln(1 − D(G(z)))"}
# What the losses would be if D could only guess: p = q = y = ½.
LN4, LN2 = ideal_losses()


def training() -> None:
    """The question, and the reel."""
    st.header("Does it learn to draw faces?", anchor=False)
    st.markdown(
        "The same start, trained by both losses side by side. If the fakes cannot be told from faces, the discriminator can only guess: "
        "its loss is ln 4, the generator’s ln 2. **Press play, pull the step to and fro, try another start.**"
    )
    setting = current()
    _controls(setting)
    _reel(setting)


def _controls(setting: Setting) -> None:
    # Another training has other steps.
    stale = ("step", "micro")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.button("Another start", type="primary", on_click=_another, args=(setting.seed,))
        address.linked(st.number_input, "seed", "seed", setting.seed, 0, None, forget=stale, width=170)
        address.linked(
            st.number_input, "learning rate", "lr", setting.learning_rate, 1e-6, 100.0, format="%.4g", step=0.01, forget=stale, width=150
        )
        address.linked(
            st.number_input, "initial scale", "scale", setting.init_scale, 0.0, 100.0, format="%.4g", step=0.1, forget=stale, width=150
        )
        address.linked(st.number_input, "epochs", "epochs", setting.epochs, 1, MOST_EPOCHS, step=500, forget=stale, width=150)


def _another(seed: int) -> None:
    address.put(seed=(seed + 1) % (MOST_SEED + 1))
    for name in ("step", "micro"):
        st.query_params.pop(name, None)


@st.fragment
def _reel(setting: Setting) -> None:
    steps, lanes, seconds = recordings(setting)
    asked = address.whole("step", 0, least=0, most=setting.steps)
    inspected = reel(
        steps,
        lanes,
        z=draws().tolist(),
        ideals={"ln 4": (LN4, "d"), "ln 2": (LN2, "g")},
        start=int(np.searchsorted(steps, asked)) if "step" in st.query_params else None,
        identity=str(setting),
        key="reel",
        on_step=_scrubbed,
    )
    if inspected is not None:
        address.put(part=4, step=max(1, min(inspected, setting.steps)), micro=1)
        st.rerun()
    st.caption(
        f"Twice {setting.steps:,} steps in {1000 * seconds:.1f} ms, of seed {setting.seed}, learning rate {setting.learning_rate:g}. "
        "Pictures are those of z from 0 to 1. "
        f"Losses are averaged over the {len(toy_gan.FACES)} faces and {_DRAWS} draws, in nats."
    )


def _scrubbed() -> None:
    step = st.session_state["reel"]["step"]
    if isinstance(step, int):
        address.put(step=step)


def draws() -> npt.NDArray[np.float64]:
    """The z of the pictures: the middles of equal pieces of (0, 1)."""
    return (np.arange(_DRAWS) + 0.5) / _DRAWS


@st.cache_data(max_entries=8, show_spinner=False)
def recordings(setting: Setting) -> tuple[list[int], list[Lane], float]:
    """The recorded steps, a lane for each loss, and the seconds that the trainings took."""
    every = max(1, setting.steps // _ROWS)
    lanes = []
    steps: list[int] = []
    seconds = 0.0
    for loss in toy_gan.LOSSES:
        start = time.perf_counter()
        history = train(setting, loss, every).history
        seconds += time.perf_counter() - start
        assert history is not None
        steps = history.step.tolist()
        lanes.append(_lane(loss, history))
    return steps, lanes, seconds


def _lane(loss: str, history: toy_gan.History) -> Lane:
    pictures = toy_gan.generate(draws()[None, :], history.g_weights[:, None], history.g_bias[:, None])
    d_weights, d_bias = history.d_weights[:, None], history.d_bias[:, None]
    on_faces = toy_gan.discriminate(toy_gan.FACES[None], d_weights, d_bias)
    on_fakes = toy_gan.discriminate(pictures, d_weights, d_bias)
    d_loss = -np.log(on_faces).mean(1) - np.log1p(-on_fakes).mean(1)
    g_loss = -np.log(on_fakes).mean(1)
    states = np.concatenate([history.d_weights, history.d_bias[:, None], history.g_weights, history.g_bias], axis=1)
    ranges = toy_gan.spread(history.g_weights, history.g_bias)
    good = toy_gan.draws_faces(history.g_weights, history.g_bias)
    same = toy_gan.ignores_z(history.g_weights, history.g_bias)
    words = [_words(*row) for row in zip(d_loss, g_loss, ranges, good, same, strict=True)]
    return Lane(loss, _FORMULAS[loss], pictures, states, d_loss, g_loss, words)


def _words(d_loss: float, g_loss: float, spread: float, good: bool, same: bool) -> str:
    drawn = "G draws faces" if good else "No faces yet"
    moved = f"z moves no pixel by more than {spread:.3f}" + (": G ignores it." if same else ".")
    return f"D’s loss {signed(d_loss, 3)} (ln 4 = {LN4:.3f}), G’s {signed(g_loss, 3)} (ln 2 = {LN2:.3f}). {drawn}; {moved}"
