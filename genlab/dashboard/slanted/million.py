"""Part 6: a million GANs, and what becomes of them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import streamlit as st

from genlab import toy_gan
from genlab.dashboard import address
from genlab.dashboard.components.phases import Axis, Kind, Map, Outcome, phases

Array = npt.NDArray[np.float64]

AXES = ("initial scale", "number of steps")
SIZES = {"160,000": 16, "a million": 100}
_SIDE = 100
_EPOCHS = 1000
_RATES = (1e-3, 10.0)
_SCALES = (0.05, 20.0)
_FRAMES = 25
_FRAMES_OF_MANY = 60  # so that a million do not keep one waiting for the first
_MANY = 50
_STEP_ROWS = 50
_SHOWN_RUNS = 24
_REFRESH_SECONDS = 0.2
_AT_A_TIME_SECONDS = 0.1
_KEY = "slanted_survey"


@dataclass
class Survey:
    """A phase diagram in the making.

    Attributes:
        across: What the rows are.
        runs: Runs in a cell.
        source: Yields the diagram so far.
        frames: The diagrams that were kept: all of them if rows are steps, else the newest.
        seconds: Time spent computing.
        finished: Whether the source is exhausted.
    """

    across: str
    runs: int
    source: Iterator[toy_gan.PhaseDiagram]
    frames: list[toy_gan.PhaseDiagram] = field(default_factory=list)
    seconds: float = 0.0
    finished: bool = False

    @property
    def by_steps(self) -> bool:
        """Whether rows are numbers of steps."""
        return self.across == AXES[1]

    def advance(self, seconds: float) -> None:
        """Compute one frame, and further ones until so much time has passed."""
        while not self.finished and seconds >= 0:
            before = self.seconds
            self._compute()
            seconds -= self.seconds - before

    def _compute(self) -> None:
        start = time.perf_counter()
        frame = next(self.source, None)
        self.seconds += time.perf_counter() - start
        if frame is None:
            self.finished = True
        else:
            self.frames = [*self.frames, frame] if self.by_steps else [frame]
            self.finished = frame.steps_done == frame.steps


def million() -> None:
    """The question, and the map that answers it."""
    st.header("Does it always work?", anchor=False)
    st.markdown(
        "One GAN learns or fails by the luck of its start. So train all of them: every cell of this map is a setting, and every setting is "
        "tried from many starts. **Click a cell to see its runs, and one of them to watch its training.**"
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        across = address.choice("rows", AXES)
        address.linked(st.segmented_control, "learning rate ×", "rows", across, AXES, forget=("cell",), required=True)
        size = address.choice("gans", tuple(SIZES))
        address.linked(st.segmented_control, "GANs", "gans", size, tuple(SIZES), forget=("cell",), required=True)
        loss = address.choice("loss", toy_gan.LOSSES)
        address.linked(st.selectbox, "loss of G", "loss", loss, toy_gan.LOSSES, width=180)
    # A map that is being worked on is not out of date: Streamlit would fade it.
    st.html("<style>.st-key-phases { opacity: 1 !important; }</style>")
    survey = _survey(across, size, loss)
    st.fragment(_panel, run_every=None if survey.finished else _REFRESH_SECONDS)(survey, f"{across} {size} {loss}", loss)


def _survey(across: str, size: str, loss: str) -> Survey:
    """The survey of that kind that is under way in this session, or a new one."""
    identity = (across, size, loss)
    kept = st.session_state.get(_KEY)
    if kept is None or kept[0] != identity:
        kept = (identity, _start(across, SIZES[size], loss))
        st.session_state[_KEY] = kept
    survey: Survey = kept[1]
    return survey


def _start(across: str, runs: int, loss: str) -> Survey:
    rates = np.geomspace(*_RATES, _SIDE)
    if across == AXES[1]:
        runs *= _SIDE  # there is one row of runs, seen at many steps
        source = toy_gan.phase_diagram(rates, [1.0], runs=runs, epochs=_EPOCHS, loss=loss, frames=_STEP_ROWS)
    else:
        source = toy_gan.phase_diagram(
            rates, np.geomspace(*_SCALES, _SIDE), runs=runs, epochs=_EPOCHS, loss=loss, frames=_FRAMES_OF_MANY if runs > _MANY else _FRAMES
        )
    return Survey(across, runs, source)


def _panel(survey: Survey, identity: str, loss: str) -> None:
    """Compute a little, show what is known. Runs as a fragment, again and again until all is computed."""
    if not survey.finished:
        with contextlib.nullcontext() if survey.frames else st.spinner("The first steps of all of them …"):
            survey.advance(_AT_A_TIME_SECONDS)
        if survey.finished:
            st.rerun()  # once, so that the timer ends
    cell = _cell(survey)
    outcomes = _outcomes(survey, cell, loss) if cell else []
    opened = phases(_map(survey), cell, outcomes, identity=identity, key="phases", on_cell=_chosen)
    if opened is not None and cell:
        _open(survey, cell, opened)


def _chosen() -> None:
    row, column = st.session_state["phases"]["cell"]
    address.put(cell=f"{int(row)}-{int(column)}")


def _cell(survey: Survey) -> tuple[int, int] | None:
    rows = _STEP_ROWS if survey.by_steps else _SIDE
    parts = st.query_params.get("cell", "").split("-")
    if len(parts) != 2 or not all(part.isascii() and part.isdecimal() for part in parts):
        return None
    row, column = map(int, parts)
    return (row, column) if row < min(rows, _known_rows(survey)) and column < _SIDE else None


def _known_rows(survey: Survey) -> int:
    if survey.by_steps:
        return len(survey.frames)
    return _SIDE if survey.frames else 0


def _map(survey: Survey) -> Map:
    rates = np.geomspace(*_RATES, _SIDE)
    newest = survey.frames[-1]
    total = newest.runs * (len(rates) if survey.by_steps else len(rates) * _SIDE)
    if survey.by_steps:
        rows = np.arange(1, _STEP_ROWS + 1) * (newest.steps // _STEP_ROWS)
        shown = [(frame.varied_faces[0], frame.draws_faces[0]) for frame in survey.frames]
        missing = _STEP_ROWS - len(shown)
        varied, faces = (np.pad(np.array([each[i] for each in shown]), ((0, missing), (0, 0))) for i in (0, 1))
        side = Axis("steps", [f"{row:,}" for row in rows], [(f"{int(rows[-1] * share):,}", share) for share in (0.2, 0.4, 0.6, 0.8, 1.0)])
    else:
        varied, faces = newest.varied_faces, newest.draws_faces
        side = _log_axis("initial scale", np.geomspace(*_SCALES, _SIDE))
    rate = total * newest.steps_done / survey.seconds
    steps = f"{newest.steps_done:,} of {newest.steps:,} steps each"
    status = f"{total:,} GANs, {steps}, in {survey.seconds:.1f} s: {_millions(rate)} steps a second."
    return Map(
        x=_log_axis("learning rate", rates),
        y=side,
        runs_per_cell=newest.runs,
        varied=np.round(varied * newest.runs).astype(np.uint16),
        same=np.round((faces - varied) * newest.runs).astype(np.uint16),
        rows_known=_known_rows(survey),
        done=newest.steps_done / newest.steps,
        status=status,
    )


def _millions(rate: float) -> str:
    return f"{rate / 1e6:,.0f} million" if rate >= 1e6 else f"{rate:,.0f}"


def _log_axis(name: str, values: Array) -> Axis:
    """Ticks at the powers of ten."""
    low, high = np.log10(values[0]), np.log10(values[-1])
    powers = np.arange(np.ceil(low - 1e-9), np.floor(high + 1e-9) + 1)
    ticks = [(f"{10.0**power:g}", float((power - low) / (high - low))) for power in powers]
    return Axis(name, [f"{value:.3g}" for value in values], ticks)


def _outcomes(survey: Survey, cell: tuple[int, int], loss: str) -> list[Outcome]:
    """The runs of the cell, trained once more alone: the same seeds give the same runs."""
    row, column = cell
    frame = survey.frames[row] if survey.by_steps else survey.frames[-1]
    seeds = frame.seeds[0 if survey.by_steps else row, column][:_SHOWN_RUNS]
    return _trained(tuple(map(int, seeds)), float(frame.learning_rates[column]), _scale(frame, survey, row), frame.steps_done, loss)


def _scale(frame: toy_gan.PhaseDiagram, survey: Survey, row: int) -> float:
    return float(frame.init_scales[0 if survey.by_steps else row])


@st.cache_data(max_entries=16, show_spinner=False)
def _trained(seeds: tuple[int, ...], rate: float, scale: float, steps: int, loss: str) -> list[Outcome]:
    epochs = max(1, steps // len(toy_gan.FACES))
    runs = toy_gan.train_many(
        runs=len(seeds), seed=np.array(seeds, np.uint64), learning_rate=rate, init_scale=scale, epochs=epochs, loss=loss
    )
    pictures = toy_gan.generate(0.5, runs.g_weights, runs.g_bias)
    good, same = toy_gan.draws_faces(runs.g_weights, runs.g_bias), toy_gan.ignores_z(runs.g_weights, runs.g_bias)
    return [
        Outcome(seed, tuple(map(float, picture)), _kind(*held)) for seed, picture, *held in zip(seeds, pictures, good, same, strict=True)
    ]


def _kind(good: bool, same: bool) -> Kind:
    if not good:
        return "none"
    return "same" if same else "varied"


def _open(survey: Survey, cell: tuple[int, int], seed: int) -> None:
    """Show that run in part 5."""
    row, column = cell
    frame = survey.frames[row] if survey.by_steps else survey.frames[-1]
    address.put(part=5, seed=seed, lr=float(frame.learning_rates[column]), scale=_scale(frame, survey, row))
    address.put(epochs=max(1, frame.steps_done // len(toy_gan.FACES)))
    for name in ("step", "micro"):
        st.query_params.pop(name, None)
    st.rerun()
