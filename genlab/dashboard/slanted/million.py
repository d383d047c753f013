"""Part 6: a million GANs, and what becomes of them."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt
import streamlit as st

from genlab import toy_gan
from genlab.dashboard import address
from genlab.dashboard.components.phases import Axis, Kind, Map, Outcome, phases
from genlab.dashboard.slanted import shipped
from genlab.dashboard.slanted.surveys import AXES, Chart, Plan, Survey, office

Array = npt.NDArray[np.float64]

SIZES = {"160,000": 16, "a million": 100}
_SIDE = 100
_EPOCHS = 1000
_FRAMES = 25
_FRAMES_OF_MANY = 60  # so that a million do not keep one waiting for the first
_MANY = 50
_STEP_ROWS = 50
_SHOWN_RUNS = 24
_REFRESH_SECONDS, _REFRESH_SECONDS_OF_MANY = 1.0, 3.0  # a frame of a million takes two cores as long
_PATIENCE_SECONDS = 4.0
_LIVE = "slanted_live"
# Of a stripe: columns to either side, the share of runs that it lies below them, and how many of its runs are looked at, and when.
_NEAR = 3
_DIP = 0.25
_WITNESSES = 48
_AROUND = (0.9, 1.0, 1.1)


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
        address.linked(st.segmented_control, "loss of G", "loss", loss, toy_gan.LOSSES, required=True)
        asked = plan(across, size, loss)
        if _beforehand(asked):
            st.button("Compute it here", on_click=_live, args=(asked,), help="Watch the map fill, computed by this machine.")
    # A map that is being worked on is not out of date: Streamlit would fade it.
    st.html("<style>.st-key-phases { opacity: 1 !important; }</style>")
    survey = _survey(asked)
    pause = _REFRESH_SECONDS_OF_MANY if asked.runs > _MANY else _REFRESH_SECONDS
    st.fragment(_panel, run_every=None if survey.finished else pause)(asked, survey.finished)
    if survey.chart and survey.finished:
        _stripe(survey.plan, survey.chart)


def plan(across: str, size: str, loss: str) -> Plan:
    """The survey that is meant by what can be chosen."""
    runs = SIZES[size]
    if across == AXES[1]:  # there is one row of runs, seen at many steps
        return Plan(across, runs * _SIDE, loss, columns=_SIDE, rows=_STEP_ROWS, epochs=_EPOCHS, frames=_STEP_ROWS)
    return Plan(across, runs, loss, columns=_SIDE, rows=_SIDE, epochs=_EPOCHS, frames=_FRAMES_OF_MANY if runs > _MANY else _FRAMES)


def plans() -> list[Plan]:
    """All that can be chosen."""
    return [plan(*chosen) for chosen in product(AXES, SIZES, toy_gan.LOSSES)]


def _live(asked: Plan) -> None:
    st.session_state[_LIVE] = asked


def _beforehand(asked: Plan) -> Chart | None:
    """The survey that comes with genlab, unless it is to be computed here."""
    return None if st.session_state.get(_LIVE) == asked else shipped.chart(asked)


def _survey(asked: Plan) -> Survey:
    """What there is of it, after waiting a little for the first steps."""
    if chart := _beforehand(asked):
        return Survey(asked, chart)
    return office().look(asked, patience=_PATIENCE_SECONDS)


def _panel(asked: Plan, was_finished: bool) -> None:
    """Show what is known. Runs as a fragment, again and again until all is computed."""
    survey = _survey(asked)
    if survey.chart is None:
        st.caption("The first steps of all of them …")
        return
    cell = _cell(asked, survey.chart)
    outcomes = _outcomes(asked, survey.chart, cell) if cell else []
    identity = f"{asked.across} {asked.runs} {asked.loss}"
    opened = phases(_map(survey, survey.chart), cell, outcomes, identity=identity, key="phases", on_cell=_chosen)
    if opened is not None and cell:
        _open(asked, cell, opened, survey.chart.steps_of(asked, cell[0]))
    if survey.finished and not was_finished:
        st.rerun()  # once, so that the timer ends


def _chosen() -> None:
    row, column = st.session_state["phases"]["cell"]
    address.put(cell=f"{int(row)}-{int(column)}")


def _cell(asked: Plan, chart: Chart) -> tuple[int, int] | None:
    parts = st.query_params.get("cell", "").split("-")
    if len(parts) != 2 or not all(part.isascii() and part.isdecimal() for part in parts):
        return None
    row, column = map(int, parts)
    return (row, column) if row < chart.rows_known and column < asked.columns else None


def _map(survey: Survey, chart: Chart) -> Map:
    asked = survey.plan
    return Map(
        x=_log_axis("learning rate", asked.rates),
        y=_step_axis(asked, chart) if asked.by_steps else _log_axis("initial scale", asked.scales),
        runs_per_cell=asked.runs,
        varied=chart.varied,
        same=chart.same,
        rows_known=chart.rows_known,
        done=survey.done,
        status=_status(asked, chart),
    )


def _status(asked: Plan, chart: Chart) -> str:
    what = f"{asked.total:,} GANs, {chart.steps_done:,} of {asked.steps:,} steps each"
    if chart.seconds is None:
        return f"{what}, computed beforehand."
    rate = asked.total * chart.steps_done / chart.seconds
    return f"{what}, in {chart.seconds:.1f} s: {_millions(rate)} steps a second."


def _step_axis(asked: Plan, chart: Chart) -> Axis:
    values = [f"{chart.steps_of(asked, row):,}" for row in range(asked.rows)]
    return Axis("steps", values, [(f"{int(asked.steps * share):,}", share) for share in (0.2, 0.4, 0.6, 0.8, 1.0)])


def _millions(rate: float) -> str:
    return f"{rate / 1e6:,.0f} million" if rate >= 1e6 else f"{rate:,.0f}"


def _log_axis(name: str, values: Array) -> Axis:
    """Ticks at the powers of ten."""
    low, high = np.log10(values[0]), np.log10(values[-1])
    powers = np.arange(np.ceil(low - 1e-9), np.floor(high + 1e-9) + 1)
    ticks = [(f"{10.0**power:g}", float((power - low) / (high - low))) for power in powers]
    return Axis(name, [f"{value:.3g}" for value in values], ticks)


def _outcomes(asked: Plan, chart: Chart, cell: tuple[int, int]) -> list[Outcome]:
    """The runs of the cell, trained once more alone: the same seeds give the same runs."""
    row, column = cell
    seeds = tuple(asked.seeds(row, column)[:_SHOWN_RUNS])
    return _trained(seeds, float(asked.rates[column]), asked.scale(row), chart.steps_of(asked, row), asked.loss)


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


def _open(asked: Plan, cell: tuple[int, int], seed: int, steps: int) -> None:
    """Show that run in part 5."""
    row, column = cell
    _to_training(seed, float(asked.rates[column]), asked.scale(row), max(1, steps // len(toy_gan.FACES)))
    st.rerun()


def _to_training(seed: int, rate: float, scale: float, epochs: int) -> None:
    address.put(part=5, seed=seed, lr=rate, scale=scale, epochs=epochs, step=None, micro=None)


# --- the stripe: a column in which hardly any run draws faces, though its neighbours do -------------------------------------------


def _stripe(asked: Plan, chart: Chart) -> None:
    """Say what the darkest stripe is, if there is one, from its own runs a little earlier and a little later."""
    column = None if asked.by_steps else dip((chart.varied + chart.same)[: asked.rows // 2].mean(axis=0) / asked.runs)
    if column is None:
        return
    rate, scale, seed = float(asked.rates[column]), asked.scale(0), asked.seeds(0, column)[0]
    before, now, after = ((steps, _drawing(rate, scale, seed, steps, asked.loss)) for steps in (round(asked.steps * x) for x in _AROUND))
    if now[1] >= min(before[1], after[1]):
        return
    st.markdown(
        f"**The pale stripe at learning rate {rate:.3g} is a moment, not a failure.** Of {_WITNESSES} of its runs, {before[1]} draw faces "
        f"after {before[0]:,} steps, {now[1]} after {now[0]:,}, {after[1]} after {after[0]:,}: D and G chase each other in circles, runs "
        "that start small do so in step, and the map shows one instant of it."
    )
    st.button(
        "Watch one of them swing",
        on_click=_to_training,
        args=(seed, rate, scale, after[0] // len(toy_gan.FACES)),
    )


def dip(shares: Array) -> int | None:
    """The column that lies furthest below its neighbours on both sides, or None if none does clearly."""
    depths = [
        min(shares[max(0, column - _NEAR) : column].max(), shares[column + 1 : column + 1 + _NEAR].max()) - shares[column]
        for column in range(1, len(shares) - 1)
    ]
    deepest = int(np.argmax(depths))
    return deepest + 1 if depths[deepest] > _DIP else None


@st.cache_data(max_entries=64, show_spinner=False)
def _drawing(rate: float, scale: float, seed: int, steps: int, loss: str) -> int:
    """How many of a setting's runs draw faces after so many steps."""
    runs = toy_gan.train_many(
        runs=_WITNESSES, seed=seed, learning_rate=rate, init_scale=scale, epochs=max(1, steps // len(toy_gan.FACES)), loss=loss
    )
    return int(toy_gan.draws_faces(runs.g_weights, runs.g_bias).sum())
