"""The chart of what steps of a solver are worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from genlab.dashboard.charts import interval
from genlab.dashboard.stage.matching import Worth

_HEIGHT = 320


def worth_by_passes(found: Sequence[Worth], figure: str, title: str) -> alt.LayerChart | alt.FacetChart:
    """A figure of `genlab.measures.neighbours.Neighbours` with its interval against passes of the network, a line for each solver.

    Args:
        found: What was measured.
        figure: The figure's name there.
        title: The figure's name for a reader.
    """
    rows: list[dict[str, Any]] = []
    for each in found:
        estimate = getattr(each.lie, figure)
        ends = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
        rows.append({"solver": each.solver, "steps": each.steps, "passes": each.passes, **ends})
    solvers = list(dict.fromkeys(row["solver"] for row in rows))
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("passes:Q", title="passes of the network for each example", scale=alt.Scale(type="log", base=2), axis=alt.Axis(grid=False)),
        color=alt.Color(
            "solver:N", scale=alt.Scale(domain=solvers), legend=alt.Legend(title=None, orient="top") if len(solvers) > 1 else None
        ),
        tooltip=["solver:N", "steps:Q", "passes:Q", alt.Tooltip("value:Q", title=title, format=".3f"), *interval(".3f")],
    )
    return alt.layer(
        base.mark_rule(strokeWidth=1.5, opacity=0.6).encode(y=alt.Y("low:Q", title=title), y2="high:Q"),
        base.mark_line(strokeWidth=2, point={"size": 40}).encode(y=alt.Y("value:Q", title=title)),
    ).properties(height=_HEIGHT)
