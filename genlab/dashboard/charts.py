"""Charts, all in one style; colours come from the theme in `.streamlit/config.toml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import altair as alt
import numpy as np
from numpy.typing import NDArray

from genlab.lecture import Published

Records = Sequence[Mapping[str, Any]]

_POINTS = 400
_HEIGHT = 380


def learning_curve(
    train: Records,
    valid: Records,
    *,
    earlier: tuple[str, Records] | None = None,
    references: Sequence[Published] = (),
    dimensions: int = 1,
    changes: Sequence[int] = (),
) -> alt.LayerChart | alt.FacetChart:
    """Bits per dimension against training steps: a fine line for training, a line with points for validation.

    Args:
        train: Records of kind ``"train"`` out of `metrics.jsonl`.
        valid: Records of kind ``"valid"``.
        earlier: The label and the validations of another run under the same protocol, drawn dashed.
        references: Published figures under the same protocol, each a level line.
        dimensions: C · H · W, to turn the figures from nats an image into bits/dim.
        changes: Steps at which the learning rate was changed.
    """
    rows = _rows(train, "training") + _rows(valid, "validation")
    names, dashes = ["training", "validation"], [[1, 0], [1, 0]]
    if earlier is not None:
        rows += _rows(earlier[1], earlier[0])
        names, dashes = [*names, earlier[0]], [*dashes, [5, 4]]
    base = _base(rows, "step", names)
    strong = base.transform_filter("datum.split != 'training'").mark_line(strokeWidth=2, point={"size": 18})
    layers = [
        base.transform_filter("datum.split == 'training'").mark_line(strokeWidth=1.2, opacity=0.75),
        strong.encode(strokeDash=alt.StrokeDash("split:N", scale=alt.Scale(domain=names, range=dashes), legend=None)),
        *_level_lines(references, dimensions),
        *_changes(changes),
    ]
    return alt.layer(*layers).properties(height=_HEIGHT)


def overlaid_curves(curves: Mapping[str, Records], *, against: Literal["step", "seconds"] = "step") -> alt.LayerChart | alt.FacetChart:
    """Bits per dimension of several runs, each in a colour of its own.

    Args:
        curves: Records with a ``bits_per_dim``, by the run's label.
        against: What goes to the right.
    """
    rows = [row for label, records in curves.items() for row in _rows(records, label)]
    base = _base(rows, against, list(curves))
    return alt.layer(base.mark_line(strokeWidth=2, point={"size": 18})).properties(height=_HEIGHT)


def _base(rows: list[dict[str, Any]], against: str, names: list[str]) -> alt.Chart:
    title = {"step": "step", "seconds": "seconds of training"}[against]
    return alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X(f"{against}:Q", title=title, axis=alt.Axis(grid=False, tickCount=6)),
        y=alt.Y("bits_per_dim:Q", title="bits/dim", scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5)),
        color=alt.Color("split:N", scale=alt.Scale(domain=names), legend=alt.Legend(title=None, orient="top", columns=3, labelLimit=260)),
        tooltip=[
            alt.Tooltip("split:N", title="curve"),
            alt.Tooltip("step:Q"),
            alt.Tooltip("seconds:Q", format=",.0f"),
            alt.Tooltip("bits_per_dim:Q", title="bits/dim", format=".4f"),
        ],
    )


def _level_lines(references: Sequence[Published], dimensions: int) -> list[alt.Chart]:
    """A level line for each published figure, with its name at the left end."""
    values = [{"bits_per_dim": each.bits_per_dim(dimensions), "name": each.model, "source": each.source} for each in references]
    if not values:
        return []
    base = alt.Chart(alt.InlineData(values=values)).encode(y="bits_per_dim:Q", tooltip=["name:N", "bits_per_dim:Q", "source:N"])
    words = base.mark_text(align="left", baseline="bottom", dx=4, fontSize=10, opacity=0.8).encode(x=alt.value(0), text="name:N")
    return [base.mark_rule(strokeDash=[2, 3], opacity=0.6), words]


def _changes(steps: Sequence[int]) -> list[alt.Chart]:
    """An upright line where the learning rate was changed."""
    if not steps:
        return []
    base = alt.Chart(alt.InlineData(values=[{"step": step, "what": "learning rate changed"} for step in steps]))
    return [base.mark_rule(strokeDash=[2, 3], opacity=0.6).encode(x="step:Q", tooltip=["what:N", "step:Q"])]


def _rows(records: Records, split: str) -> list[dict[str, Any]]:
    """At most `_POINTS` of the records, evenly spaced, the newest always among them."""
    chosen = np.unique(np.linspace(0, len(records) - 1, min(len(records), _POINTS)).round().astype(int))
    names = ("step", "seconds", "bits_per_dim")
    return [{name: records[i][name] for name in names if name in records[i]} | {"split": split} for i in chosen]


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
