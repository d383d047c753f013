"""Charts, all in one style; colours come from the theme in `.streamlit/config.toml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

_POINTS = 400


def learning_curve(train: Sequence[Mapping[str, Any]], valid: Sequence[Mapping[str, Any]]) -> alt.LayerChart | alt.FacetChart:
    """Bits per dimension against training steps: a fine line for training, a line with points for validation.

    Args:
        train: Records of kind ``"train"`` out of `metrics.jsonl`.
        valid: Records of kind ``"valid"``.
    """
    scale = alt.Scale(domain=["training", "validation"])
    base = alt.Chart(alt.InlineData(values=_rows(train, "training") + _rows(valid, "validation"))).encode(
        x=alt.X("step:Q", title="step", axis=alt.Axis(grid=False, tickCount=6)),
        y=alt.Y("bits_per_dim:Q", title="bits/dim", scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5)),
        color=alt.Color("split:N", scale=scale, legend=alt.Legend(title=None, orient="top")),
        tooltip=[
            alt.Tooltip("split:N"),
            alt.Tooltip("step:Q"),
            alt.Tooltip("bits_per_dim:Q", title="bits/dim", format=".4f"),
        ],
    )
    fine = base.transform_filter("datum.split == 'training'").mark_line(strokeWidth=1.2, opacity=0.75)
    strong = base.transform_filter("datum.split == 'validation'").mark_line(strokeWidth=2, point={"size": 18})
    return alt.layer(fine, strong).properties(height=380)


def _rows(records: Sequence[Mapping[str, Any]], split: str) -> list[dict[str, Any]]:
    """At most `_POINTS` of the records, evenly spaced, the newest always among them."""
    chosen = np.unique(np.linspace(0, len(records) - 1, min(len(records), _POINTS)).round().astype(int))
    return [{"step": records[i]["step"], "bits_per_dim": records[i]["bits_per_dim"], "split": split} for i in chosen]


def bits_by_temperature(costs: Mapping[float, NDArray[np.float64]], real: float | None) -> alt.LayerChart | alt.FacetChart:
    """A point for each image at the temperature it was drawn at, and a line at what real images cost.

    Args:
        costs: Bits of each image, by temperature.
        real: Mean bits of real images, if known.
    """
    rows = [
        {"temperature": f"{temperature:g}", "bits": float(value), "kind": "drawn"}
        for temperature, values in costs.items()
        for value in values
    ]
    order = [f"{temperature:g}" for temperature in costs]
    colour = alt.Color("kind:N", scale=alt.Scale(domain=["drawn", "real digits"]), legend=None)
    points = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_tick(thickness=1.5, width=30, opacity=0.45)
        .encode(
            x=alt.X("temperature:O", sort=order, title="temperature", axis=alt.Axis(labelAngle=0, grid=False)),
            y=alt.Y("bits:Q", title="−log₂ p(x), bits", axis=alt.Axis(tickCount=5)),
            color=colour,
            tooltip=[alt.Tooltip("temperature:O"), alt.Tooltip("bits:Q", format=".1f")],
        )
    )
    layers = [points]
    if real is not None:
        line = alt.Chart(alt.InlineData(values=[{"bits": real, "kind": "real digits"}])).encode(y="bits:Q", color=colour)
        layers.append(line.mark_rule(strokeWidth=1.5, strokeDash=[5, 4]))
        layers.append(line.mark_text(align="left", baseline="bottom", dy=-4, x=4, fontSize=13).encode(text="kind:N"))
    return alt.layer(*layers).properties(height=340)
