"""Charts, all in one style; colours come from the theme in `.streamlit/config.toml`.

`show` puts a chart on the page, whoever made it: Streamlit would set the words at an axis in a grey too pale to be read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import altair as alt
import numpy as np
import streamlit as st
from numpy.typing import NDArray

from genlab.ablation import Row
from genlab.dashboard.components.save import remember_chart
from genlab.lecture import Published

if TYPE_CHECKING:
    from genlab.comparison.outcome import Figure
    from genlab.comparison.outcome import Row as Compared
    from genlab.measures.calibration import Calibration

Records = Sequence[Mapping[str, Any]]


class Axis(NamedTuple):
    """A figure that curves show: its name in the records, and in words with its unit."""

    key: str
    words: str


_POINTS = 400
_HEIGHT = 380
_QUIET = 0.75  # share of ink in the words at axes and legends, the rest is paper


def show(chart: alt.LayerChart | alt.FacetChart | alt.Chart, *, key: str, alt: str) -> None:
    """Put a chart on the page, as wide as there is room, its words legible in either theme.

    Args:
        chart: Any chart.
        key: Of this chart among those of the page.
        alt: What there is to see, in words.
    """
    st.altair_chart(legible(chart, ink=ink(), paper=paper()), width="stretch", key=key, alt=alt)
    remember_chart(chart, key=key, alt=alt)


def legible(chart: Any, *, ink: str, paper: str) -> Any:
    """The chart with words in ink that is a little diluted, and without a ground of its own, which would be grey on paper.

    Args:
        chart: Any chart.
        ink: The theme's colour of words, ``#rrggbb``.
        paper: Its ground.
    """
    words = mixed(paper, ink, _QUIET)
    coloured = {"labelColor": words, "titleColor": words}
    return chart.configure(background="transparent", axis=coloured, legend=coloured, header=coloured)


def interval(numbers: str) -> list[alt.Tooltip]:
    """What is said of a 95% interval under the pointer, of rows that have its ends as ``low`` and ``high``.

    Args:
        numbers: Their format, such as ``".3f"``.
    """
    return [alt.Tooltip("low:Q", title="95% from", format=numbers), alt.Tooltip("high:Q", title="to", format=numbers)]


def ink() -> str:
    """The theme's colour of words."""
    return _of_theme("textColor")


def paper() -> str:
    """The theme's ground."""
    return _of_theme("backgroundColor")


def mixed(paper: str, ink: str, share: float) -> str:
    """Two colours ``#rrggbb``, so much of the second."""
    pairs = ((int(paper[at : at + 2], 16), int(ink[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(ground + (word - ground) * share):02x}" for ground, word in pairs)


def _of_theme(colour: str) -> str:
    return str(st.get_option(f"theme.{st.context.theme.type or 'light'}.{colour}"))


def learning_curve(
    train: Records,
    valid: Records,
    axis: Axis,
    *,
    earlier: tuple[str, Records] | None = None,
    references: Sequence[Published] = (),
    dimensions: int = 1,
    changes: Sequence[int] = (),
) -> alt.LayerChart | alt.FacetChart:
    """A figure against training steps: a fine line for training, a line with points for validation.

    Args:
        train: Records of kind ``"train"`` out of `metrics.jsonl`.
        valid: Records of kind ``"valid"``.
        axis: Which figure.
        earlier: The label and the validations of another run under the same protocol, drawn dashed.
        references: Published figures under the same protocol, each a level line.
        dimensions: C · H · W, to turn the figures from nats an image into bits/dim.
        changes: Steps at which the learning rate was changed.
    """
    rows = _rows(train, "training", axis) + _rows(valid, "validation", axis)
    names, dashes = ["training", "validation"], [[1, 0], [1, 0]]
    if earlier is not None:
        rows += _rows(earlier[1], earlier[0], axis)
        names, dashes = [*names, earlier[0]], [*dashes, [5, 4]]
    base = _base(rows, "step", names, axis)
    strong = base.transform_filter("datum.split != 'training'").mark_line(strokeWidth=2, point={"size": 18})
    layers = [
        base.transform_filter("datum.split == 'training'").mark_line(strokeWidth=1.2, opacity=0.75),
        strong.encode(strokeDash=alt.StrokeDash("split:N", scale=alt.Scale(domain=names, range=dashes), legend=None)),
        *_level_lines(references, dimensions),
        *_changes(changes),
    ]
    return alt.layer(*layers).properties(height=_HEIGHT)


def overlaid_curves(
    curves: Mapping[str, Records], axis: Axis, *, against: Literal["step", "seconds"] = "step"
) -> alt.LayerChart | alt.FacetChart:
    """A figure of several runs, each in a colour of its own.

    Args:
        curves: Records by the run's label.
        axis: Which figure.
        against: What goes to the right.
    """
    rows = [row for label, records in curves.items() for row in _rows(records, label, axis)]
    base = _base(rows, against, list(curves), axis)
    return alt.layer(base.mark_line(strokeWidth=2, point={"size": 18})).properties(height=_HEIGHT)


def losses(train: Records) -> alt.LayerChart | alt.FacetChart | None:
    """What the players of a game lose, each in a colour of its own; None where one minimises alone."""
    names = [name for name in (train[-1].get("values", {}) if train else {}) if name.endswith("/loss")]
    if not names:
        return None
    axis = Axis("loss", "loss")
    rows = [row for name in names for row in _rows(train, name.removesuffix("/loss"), Axis(name, "loss"), as_name="loss")]
    base = _base(rows, "step", [name.removesuffix("/loss") for name in names], axis)
    return alt.layer(base.mark_line(strokeWidth=1.5)).properties(height=_HEIGHT // 2)


def _base(rows: list[dict[str, Any]], against: str, names: list[str], axis: Axis) -> alt.Chart:
    title = {"step": "step", "seconds": "seconds of training"}[against]
    return alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X(f"{against}:Q", title=title, axis=alt.Axis(grid=False, tickCount=6)),
        y=alt.Y(f"{axis.key}:Q", title=axis.words, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5)),
        color=alt.Color("split:N", scale=alt.Scale(domain=names), legend=alt.Legend(title=None, orient="top", columns=3, labelLimit=260)),
        tooltip=[
            alt.Tooltip("split:N", title="curve"),
            alt.Tooltip("step:Q"),
            alt.Tooltip("seconds:Q", format=",.0f"),
            alt.Tooltip(f"{axis.key}:Q", title=axis.words, format=".4f"),
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


def _rows(records: Records, split: str, axis: Axis, as_name: str = "") -> list[dict[str, Any]]:
    """At most `_POINTS` of the records that have the figure, evenly spaced, the newest always among them."""
    records = [record for record in records if axis.key in record]
    chosen = np.unique(np.linspace(0, len(records) - 1, min(len(records), _POINTS)).round().astype(int))
    shown = as_name or axis.key
    return [
        {name: records[i][name] for name in ("step", "seconds") if name in records[i]} | {shown: records[i][axis.key], "split": split}
        for i in chosen
    ]


def scatter(values: NDArray[np.float32]) -> alt.Chart:
    """The first two values of each example ``(N, size)`` as a point."""
    rows = [{"x": float(value[0]), "y": float(value[min(1, len(value) - 1)])} for value in values[:_POINTS]]
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=rows)).mark_circle(size=14, opacity=0.5).encode(x="x:Q", y="y:Q").properties(height=_HEIGHT)
    )
    return chart


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


class Fan(NamedTuple):
    """What a fan chart shows, in the series' own unit.

    Attributes:
        past: ``(T,)``.
        futures: ``(n, steps)``.
        came: What really came, ``(steps,)``; None if nobody knows.
        start: The time of the first value of the past, in years.
        step: Between two values, in years.
        words: The series' name.
    """

    past: NDArray[np.float64]
    futures: NDArray[np.float64]
    came: NDArray[np.float64] | None
    start: float
    step: float
    words: str


_BANDS = ((0.025, 0.975, "95%"), (0.1, 0.9, "80%"), (0.25, 0.75, "50%"))
_SINGLE = 3


def fan(data: Fan) -> alt.LayerChart | alt.FacetChart:
    """The past as a line, the futures as bands that hold 50, 80 and 95% of them, three of them as fine lines, and what really came."""
    times = data.start + data.step * np.arange(len(data.past) + data.futures.shape[1])
    before, after = times[: len(data.past)], times[len(data.past) :]
    x = alt.X("year:Q", title="year", scale=alt.Scale(nice=False, domain=[times[0], times[-1]]), axis=alt.Axis(format="d", grid=False))
    y = alt.Y("value:Q", title=data.words, axis=alt.Axis(tickCount=5))
    layers: list[Any] = []
    for low, high, share in _BANDS:
        lines = np.quantile(data.futures, [low, high], axis=0)
        rows = [{"year": float(t), "value": float(a), "high": float(b), "share": share} for t, a, b in zip(after, *lines, strict=True)]
        shade = alt.Chart(alt.InlineData(values=rows)).mark_area(opacity=0.22, interpolate="monotone")
        layers.append(shade.encode(x=x, y=y, y2="high:Q", tooltip=["share:N", alt.Tooltip("year:Q", format=".1f")]))
    for future in data.futures[:_SINGLE]:
        layers.append(_series(after, future).mark_line(strokeWidth=0.8, opacity=0.8).encode(x=x, y=y))
    layers.append(_series(before, data.past).mark_line(strokeWidth=1.6).encode(x=x, y=y))
    if data.came is not None:
        came = _series(after[: len(data.came)], data.came)
        layers.append(came.mark_line(strokeWidth=1.6, strokeDash=[4, 3]).encode(x=x, y=y))
    return alt.layer(*layers).properties(height=_HEIGHT)


def _series(times: NDArray[np.float64], values: NDArray[np.float64]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=[{"year": float(t), "value": float(v)} for t, v in zip(times, values, strict=True)]))


def intervals(
    rows: Sequence[Row], figure: str = "bits_per_dim", title: str = "test bits/dim: fewer are better"
) -> alt.LayerChart | alt.FacetChart:
    """A figure of each variant as a point with its interval, and an upright line through the first, which the others are held against.

    Args:
        rows: Of a study.
        figure: Which of their intervals.
        title: Of the axis.
    """
    shown = {row.name: interval for row in rows if (interval := getattr(row, figure)) is not None}
    values = [
        {
            "variant": row.name,
            "trick": row.trick or "what the others are held against",
            "figure": shown[row.name].mean,
            "low": shown[row.name].mean - (shown[row.name].half or 0),
            "high": shown[row.name].mean + (shown[row.name].half or 0),
            "kind": row.verdict or "held against",
        }
        for row in rows
        if row.name in shown
    ]
    verdicts = ["held against", "better", "undecided", "worse"]
    shape = alt.Shape("kind:N", scale=alt.Scale(domain=verdicts, range=["square", "triangle-left", "circle", "triangle-right"]))
    base = alt.Chart(alt.InlineData(values=values)).encode(
        y=alt.Y("variant:N", sort=[row.name for row in rows], title=None, axis=alt.Axis(labelLimit=200)),
        color=alt.Color("kind:N", scale=alt.Scale(domain=verdicts), legend=alt.Legend(title=None, orient="top", columns=2)),
        tooltip=["variant:N", "trick:N", alt.Tooltip("figure:Q", title=title, format=".4f"), alt.Tooltip("kind:N", title="verdict")],
    )
    across = alt.X("low:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(grid=False, tickCount=6))
    line = alt.Chart(alt.InlineData(values=values[:1])).mark_rule(strokeDash=[2, 3], opacity=0.6).encode(x="figure:Q")
    reach = base.mark_rule(strokeWidth=2).encode(x=across, x2="high:Q")
    points = base.mark_point(filled=True, size=90, opacity=1).encode(x="figure:Q", shape=shape)
    return alt.layer(line, reach, points).properties(height=90 + 34 * len(values))


def compared(rows: Sequence[Compared], figure: Figure, yardstick: float | None) -> alt.LayerChart | alt.FacetChart:
    """One figure of each model as a point with its interval, a colour a family; times and sizes by their ratio, real examples as a line."""
    is_log = figure.digits is None and all(row.figures[figure.key].mean > 0 for row in rows)
    # An interval of a time may reach below nothing, where a ratio has no place.
    least = min(row.figures[figure.key].mean for row in rows) / 2 if is_log else -math.inf
    values = [
        {
            "model": row.name,
            "family": row.family,
            "value": row.figures[figure.key].mean,
            "low": max(least, row.figures[figure.key].ends[0]),
            "high": row.figures[figure.key].ends[1],
            "told": row.text(figure.key),
        }
        for row in rows
    ]
    families = list(dict.fromkeys(row.family for row in rows))
    base = alt.Chart(alt.InlineData(values=values)).encode(
        y=alt.Y("model:N", sort=[row.name for row in rows], title=None, axis=alt.Axis(labelLimit=200)),
        color=alt.Color(
            "family:N", scale=alt.Scale(domain=families), legend=alt.Legend(title=None, orient="top", columns=3, labelLimit=260)
        ),
        tooltip=["model:N", "family:N", alt.Tooltip("told:N", title=figure.head)],
    )
    scale = alt.Scale(type="log", nice=False) if is_log else alt.Scale(zero=False)
    across = alt.X("low:Q", title=figure.head, scale=scale, axis=alt.Axis(grid=False, tickCount=6))
    layers = [
        base.mark_rule(strokeWidth=2).encode(x=across, x2="high:Q"),
        base.mark_point(filled=True, size=90, opacity=1).encode(x="value:Q"),
    ]
    if yardstick is not None:
        line = alt.Chart(alt.InlineData(values=[{"real": yardstick}]))
        layers.insert(0, line.mark_rule(strokeDash=[2, 3], opacity=0.6).encode(x="real:Q"))
    return alt.layer(*layers).properties(height=150 + 34 * len(values))


def reliability(curve: Calibration) -> alt.LayerChart | alt.FacetChart:
    """What happened against what was said, a point a bin with its interval; a calibrated model's lie on the diagonal."""
    values = [
        {"said": each.said, "happened": each.happened.value, "low": each.happened.low, "high": each.happened.high, "events": each.count}
        | {"kind": "a bin"}  # has a colour of the theme, which strokes have not by themselves
        for each in curve.bins
    ]
    scale = alt.Scale(domain=[0, 1])
    ends = alt.Chart(alt.InlineData(values=[{"said": 0, "happened": 0}, {"said": 1, "happened": 1}]))
    diagonal = ends.mark_line(strokeDash=[2, 3], opacity=0.6).encode(x="said:Q", y="happened:Q")
    base = alt.Chart(alt.InlineData(values=values)).encode(
        x=alt.X("said:Q", title="probability that the model gave", scale=scale, axis=alt.Axis(grid=False, tickCount=6)),
        color=alt.Color("kind:N", legend=None),
        tooltip=[
            alt.Tooltip("said:Q", format=".3f"),
            alt.Tooltip("happened:Q", format=".3f"),
            *interval(".3f"),
            alt.Tooltip("events:Q", format=","),
        ],
    )
    share = alt.Y("low:Q", title="share that happened", scale=scale, axis=alt.Axis(tickCount=6))
    points = base.mark_point(filled=True, size=70, opacity=1).encode(y="happened:Q")
    return alt.layer(diagonal, base.mark_rule(strokeWidth=2).encode(y=share, y2="high:Q"), points).properties(height=_HEIGHT)


def costs(bits: Mapping[str, NDArray[np.float64]]) -> alt.LayerChart | alt.FacetChart:
    """What each image costs as a stroke, a line a kind, and the mean of each as a point.

    Args:
        bits: By kind, of each image.
    """
    return strokes(bits, "−log₂ p(x), bits")


def strokes(figures: Mapping[str, NDArray[np.float64]], words: str) -> alt.LayerChart | alt.FacetChart:
    """A stroke for each figure, a line a kind, and the mean of each kind as a point.

    Args:
        figures: By kind.
        words: What they are, with their unit.
    """
    rows = [{"kind": kind, "value": float(value)} for kind, values in figures.items() for value in values[:_POINTS]]
    means = [{"kind": kind, "value": float(values.mean())} for kind, values in figures.items()]
    y = alt.Y("kind:N", sort=list(figures), title=None)
    x = alt.X("value:Q", title=words, scale=alt.Scale(zero=False), axis=alt.Axis(grid=False, tickCount=6))
    colour = alt.Color("kind:N", scale=alt.Scale(domain=list(figures)), legend=None)
    lines = alt.Chart(alt.InlineData(values=rows)).mark_tick(thickness=1.5, height=26, opacity=0.45).encode(x=x, y=y, color=colour)
    points = (
        alt.Chart(alt.InlineData(values=means)).mark_point(filled=True, size=110, opacity=1, shape="diamond").encode(x=x, y=y, color=colour)
    )
    return alt.layer(lines, points).properties(height=max(150, 50 * len(figures)))
