"""Charts of the challenge, in the style of `genlab.dashboard.charts`."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import numpy as np

from genlab.challenge import Scores, above
from genlab.dashboard.charts import interval
from genlab.measures.fooling import FOOLING_WORDS, Share

_STEPS = 200  # of a curve


def fooling_rates(shares: Mapping[str, Share]) -> alt.LayerChart | alt.FacetChart:
    """Each model's fooling rate with its interval, and an upright line at one half."""
    values = [
        {
            "model": name,
            "rate": found.value,
            "low": found.low,
            "high": found.high,
            "shown": share.trials,
            "says": FOOLING_WORDS[share.verdict],
        }
        for name, share in shares.items()
        if (found := share.estimate) is not None
    ]
    scale, percent = alt.Scale(domain=[0, 1]), alt.Axis(format=".0%", grid=False, values=[0, 0.25, 0.5, 0.75, 1])
    line = (
        alt.Chart(alt.InlineData(values=[{"half": 0.5}])).mark_rule(strokeDash=[2, 3], opacity=0.6).encode(x=alt.X("half:Q", scale=scale))
    )
    base = alt.Chart(alt.InlineData(values=values)).encode(
        y=alt.Y("model:N", sort=list(shares), title=None, axis=alt.Axis(labelLimit=180)),
        color=alt.Color("model:N", legend=None),
        tooltip=["model:N", alt.Tooltip("rate:Q", format=".1%"), *interval(".1%"), "shown:Q", "says:N"],
    )
    across = alt.X("low:Q", title="generated pictures taken for real", scale=scale, axis=percent)
    points = base.mark_point(filled=True, size=90, opacity=1).encode(x="rate:Q")
    return alt.layer(line, base.mark_rule(strokeWidth=2).encode(x=across, x2="high:Q"), points).properties(height=60 + 34 * len(values))


def two_rates(real: Scores, generated: Mapping[str, Scores], threshold: float) -> alt.LayerChart | alt.FacetChart:
    """What a door lets in at every threshold: real pictures upwards, each generator's to the right; points where the threshold is now.

    Args:
        real: Scores of real pictures.
        generated: Scores of each generator's.
        threshold: Now.
    """
    curves, now = [], []
    for name, scores in generated.items():
        every = np.unique(np.concatenate([real, scores]))
        cuts = np.concatenate([[every[0] - 1], every[np.linspace(0, len(every) - 1, _STEPS).astype(int)]])
        pairs = zip(above(scores, cuts), above(real, cuts), strict=True)
        curves += [{"generator": name, "let in": float(x), "real": float(y), "at": at} for at, (x, y) in enumerate(pairs)]
        now.append({"generator": name, "let in": float((scores >= threshold).mean()), "real": float((real >= threshold).mean())})
    percent = alt.Axis(format=".0%", tickCount=5)
    x = alt.X("let in:Q", title="generated pictures let in", scale=alt.Scale(domain=[0, 1]), axis=percent)
    y = alt.Y("real:Q", title="real pictures let in", scale=alt.Scale(domain=[0, 1]), axis=percent)
    colour = alt.Color("generator:N", scale=alt.Scale(domain=list(generated)), legend=alt.Legend(title=None, orient="top", columns=2))
    ends = alt.Chart(alt.InlineData(values=[{"let in": 0, "real": 0}, {"let in": 1, "real": 1}]))
    lines = alt.Chart(alt.InlineData(values=curves)).mark_line(strokeWidth=2).encode(x=x, y=y, color=colour, order="at:Q")
    tooltip = ["generator:N", alt.Tooltip("let in:Q", format=".1%"), alt.Tooltip("real:Q", format=".1%")]
    points = alt.Chart(alt.InlineData(values=now)).mark_point(filled=True, size=140, opacity=1)
    diagonal = ends.mark_line(strokeDash=[2, 3], opacity=0.6).encode(x="let in:Q", y="real:Q")
    return alt.layer(diagonal, lines, points.encode(x=x, y=y, color=colour, tooltip=tooltip)).properties(height=380)
