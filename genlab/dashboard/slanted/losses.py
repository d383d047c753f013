"""Part 3: the error functions."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import streamlit as st

from genlab import toy_gan
from genlab.dashboard import address, charts
from genlab.dashboard.slanted.discriminator import weights
from genlab.dashboard.slanted.pictures import picture, signed
from genlab.lecture.worked import error_of

_LEAST, _MOST = 0.01, 0.99
REAL, FAKE = "−ln p", "−ln(1 − p)"
_TANGENT = 0.12  # how far to each side a tangent is drawn
_PICKS = (0.1, 0.5, 0.9)  # slides 57 to 61 work out the outer two


def losses() -> None:
    """The question, and the two curves."""
    st.header("What does it cost to be wrong?", anchor=False)
    st.markdown(
        f"The discriminator says: *this is a face with probability p*. For a real face its error is **{REAL}**, for a fake **{FAKE}**; the "
        f"generator, which wants its fake to pass, pays **{REAL}**. **Move p:** being sure and wrong is what costs."
    )
    _curves()


@st.fragment
def _curves() -> None:
    p = address.number("p", _PICKS[0], least=_LEAST, most=_MOST)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        address.linked(st.slider, "p, what the discriminator says", "p", p, _LEAST, _MOST, step=0.01, width="stretch")
        for pick in _PICKS:
            st.button(f"{pick:g}", on_click=address.put, kwargs={"p": pick}, help=f"set p to {pick:g}")
        *own, bias = weights()
        own_p = float(np.clip(toy_gan.discriminate(picture(), own, bias), _LEAST, _MOST).round(2))
        st.button("your neuron’s", on_click=address.put, kwargs={"p": own_p}, help=f"{own_p:.2f}, which your neuron says of your picture")
    errors = {REAL: error_of(p, real=True), FAKE: error_of(p, real=False)}
    slopes = {REAL: -1 / p, FAKE: 1 / (1 - p)}
    words = f"At p = {p:.2f}: " + ", ".join(f"{name} is {errors[name]:.3f} with slope {signed(slopes[name])}" for name in errors) + "."
    chart, figures = st.columns([5, 2], gap="large", vertical_alignment="center")
    with chart:
        charts.show(error_curves(p, errors, slopes), key="error_curves", alt=words)
    with figures:
        st.metric(f"a real face: {REAL}", f"{errors[REAL]:.3f} nats")
        st.caption(f"slope −1/p = {signed(slopes[REAL])}; through the sigmoid, p − 1 = {signed(p - 1)}")
        st.metric(f"a fake: {FAKE}", f"{errors[FAKE]:.3f} nats")
        st.caption(f"slope 1/(1 − p) = {signed(slopes[FAKE])}; through the sigmoid, p = {signed(p)}")
    st.caption(
        "The curves are steep where the discriminator is sure and wrong; the sigmoid’s own slope p(1 − p) tames that, so what "
        "reaches the weights is p − 1 or p, never more than 1. "
        f"Where the slides print 0.11 and 0.1, both are {error_of(_PICKS[-1], real=True):.3f}, rounded."
    )


def error_curves(p: float, errors: dict[str, float], slopes: dict[str, float]) -> alt.LayerChart | alt.FacetChart:
    """Both error functions, with the picked point and its tangent on each.

    Args:
        p: The picked point.
        errors: Its error on each curve, in nats.
        slopes: Its slope on each curve.
    """
    grid = np.linspace(_LEAST, _MOST, 99)
    curves = [
        {"p": float(x), "error": float(y), "curve": name}
        for name, values in ((REAL, -np.log(grid)), (FAKE, -np.log(1 - grid)))
        for x, y in zip(grid, values, strict=True)
    ]
    points = [{"p": p, "error": float(errors[name]), "curve": name} for name in errors]
    reach = np.array([max(p - _TANGENT, 0), min(p + _TANGENT, 1)])
    tangents = [{"p": float(x), "error": float(errors[name] + slopes[name] * (x - p)), "curve": name} for name in errors for x in reach]

    def layer(rows: list[dict[str, Any]]) -> alt.Chart:
        return alt.Chart(alt.InlineData(values=rows)).encode(
            x=alt.X("p:Q", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(grid=False, tickCount=6)),
            y=alt.Y("error:Q", title="error (nats)", scale=alt.Scale(domain=[0, -np.log(_LEAST)]), axis=alt.Axis(tickCount=5)),
            color=alt.Color("curve:N", scale=alt.Scale(domain=[REAL, FAKE]), legend=alt.Legend(title=None, orient="top")),
            tooltip=[alt.Tooltip("curve:N"), alt.Tooltip("p:Q", format=".2f"), alt.Tooltip("error:Q", format=".3f")],
        )

    rule = alt.Chart(alt.InlineData(values=[{"p": p}])).mark_rule(strokeDash=[3, 4], opacity=0.6).encode(x="p:Q")
    return alt.layer(
        layer(curves).mark_line(strokeWidth=2.5),
        rule,
        layer(tangents).mark_line(strokeWidth=1.2, strokeDash=[6, 3], clip=True),
        layer(points).mark_point(size=110, filled=True, opacity=1),
    ).properties(height=360)
