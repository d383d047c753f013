"""The three reasons of slide 60, run when they are asked for, with their numbers."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import streamlit as st

from genlab import miracles
from genlab.dashboard import charts

_HEIGHT = 190
_PENALTY = 0.5


def reasons() -> None:
    """The button, and once it was pressed the three experiments."""
    st.header("Three reasons why it is a miracle that GANs work", anchor=False)
    if not st.session_state.get("miracles"):
        st.markdown(
            "G is given no example to copy, no loss has to come to rest, and D is seldom fooled. Each can be tried in a few seconds."
        )
        st.button("Run the three experiments", on_click=lambda: st.session_state.update(miracles=True))
        return
    with st.spinner("Training three small GANs …"):
        (through, reward), fooled = _courses()
    columns = st.columns(3, gap="medium")
    with columns[0]:
        _signal(through, reward)
    with columns[1]:
        _equilibrium()
    with columns[2]:
        _fooled(fooled)


@st.cache_data(max_entries=1, show_spinner=False)
def _courses() -> tuple[tuple[miracles.Course, miracles.Course], miracles.Course]:
    return miracles.signal(), miracles.seldom_fooled()


def _signal(through: miracles.Course, reward: miracles.Course) -> None:
    st.markdown("**1. D tells G where to go.** A reward alone says how well, not which way: the same G, as many steps.")
    rows = [
        {"step": int(step), "distance": float(value), "G learns from": name}
        for name, course in (("the gradient through D", through), ("reward alone", reward))
        for step, value in zip(course.steps, course.distance, strict=True)
    ]
    _lines(rows, "distance", "G learns from", key="signal", alt="Distance to the data by step, by gradient and by reward")
    st.caption(
        f"Sliced Wasserstein distance to the data after {through.steps[-1]} steps: {through.distance[-1]:.3f} by the gradient, "
        f"{reward.distance[-1]:.3f} by reward alone; both began at {through.distance[0]:.3f}."
    )


def _equilibrium() -> None:
    st.markdown("**2. Nothing says that there is an end.** Data at 0, G at θ, D(x) = σ(ψx): the equilibrium is the middle.")
    without, with_penalty = miracles.equilibrium(), miracles.equilibrium(penalty_weight=_PENALTY)
    rows = [
        {"θ": float(theta), "ψ": float(psi), "order": order, "D": name}
        for name, orbit in (("free", without), (f"penalty γ = {_PENALTY:g}", with_penalty))
        for order, (theta, psi) in enumerate(orbit.places)
    ]
    chart = _chart(rows).mark_line(strokeWidth=1.2).encode(x="θ:Q", y="ψ:Q", order="order:Q", color=_colour("D"))
    charts.show(chart.properties(height=_HEIGHT), key="orbits", alt="Ways of θ and ψ around the equilibrium")
    late = np.sort(without.distances[-100:])
    st.caption(
        f"After {len(without.places) - 1} steps it is still {late[0]:.2f} to {late[-1]:.2f} away, as at the start "
        f"({without.distances[0]:.2f}); with the penalty {with_penalty.distances[-1]:.1g}."
    )


def _fooled(course: miracles.Course) -> None:
    st.markdown("**3. D is seldom fooled.** It moves five times a step, and G learns all the same: a gradient needs no success.")
    rows = [
        {"step": int(step), "value": float(value), "what": name}
        for name, values in (("points that pass for real", course.fooled), ("distance to the data", course.distance))
        for step, value in zip(course.steps, values, strict=True)
    ]
    _lines(rows, "value", "what", key="fooled", alt="Points that pass for real, and the distance to the data, by step")
    mean, most = 100 * course.fooled[1:].mean(), 100 * course.fooled[1:].max()
    st.caption(
        f"{mean:.0f}% of G’s points pass for real on average, {most:.0f}% at most; the distance falls from {course.distance[0]:.3f} "
        f"to {course.distance[-1]:.3f}."
    )


def _lines(rows: list[dict[str, Any]], value: str, name: str, *, key: str, alt: str) -> None:
    chart = _chart(rows).mark_line(strokeWidth=1.8).encode(x="step:Q", y=f"{value}:Q", color=_colour(name))
    charts.show(chart.properties(height=_HEIGHT), key=key, alt=alt)


def _chart(rows: list[dict[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=rows))


def _colour(name: str) -> alt.Color:
    return alt.Color(f"{name}:N", legend=alt.Legend(title=None, orient="top", columns=1, labelLimit=260))
