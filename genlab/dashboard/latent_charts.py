"""Charts of models with a code for each image: what comes back, how close a bound is, which latents say anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import altair as alt

from genlab.dashboard.charts import interval
from genlab.measures.evidence import BoundByDraws
from genlab.measures.resampling import Estimate

if TYPE_CHECKING:
    from genlab.measures.collapse import CodeUse
    from genlab.measures.probe import Reading

Chart = alt.LayerChart | alt.FacetChart
_HEIGHT = 340
_BELOW = 12.0  # nats that are shown below the plain bound; codes from the prior begin far deeper
_LEGEND = alt.Legend(title=None, orient="top", columns=2, labelLimit=260, symbolOpacity=1)


def closing_gap(bounds: Mapping[str, Sequence[BoundByDraws]], exact: float | None, *, ink: str) -> Chart:
    """The bound by K codes with its interval, a line for each way to draw them, and a level line at log p(x) where that is known."""
    rows: list[dict[str, Any]] = [
        {"K": each.draws, "nats": each.nats.value, "low": each.nats.low, "high": each.nats.high, "codes": words}
        for words, line in bounds.items()
        for each in line
    ]
    plain = next(iter(bounds.values()))
    top = max(row["high"] for row in rows) if exact is None else exact
    scale = alt.Scale(domain=[plain[0].nats.value - _BELOW, top + 1], nice=False)
    y = alt.Y("nats:Q", title="nats", scale=scale, axis=alt.Axis(tickCount=6))
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X(
            "K:Q", title="K, codes for each estimate", scale=alt.Scale(type="log"), axis=alt.Axis(grid=False, format="~s", tickCount=5)
        ),
        color=alt.Color("codes:N", scale=alt.Scale(domain=list(bounds)), legend=_LEGEND),
        tooltip=[
            alt.Tooltip("codes:N"),
            alt.Tooltip("K:Q", format=","),
            alt.Tooltip("nats:Q", format=".3f"),
            *interval(".3f"),
        ],
    )
    layers: list[Any] = [
        base.mark_area(opacity=0.2, clip=True).encode(y=alt.Y("low:Q", title="nats", scale=scale), y2="high:Q"),
        base.mark_line(strokeWidth=2, clip=True, point={"size": 26}).encode(y=y),
    ]
    if exact is not None:
        level = alt.Chart(alt.InlineData(values=[{"nats": exact, "words": f"log p(x) = {exact:.2f}, integrated".replace("-", "−")}]))
        layers.append(level.mark_rule(strokeDash=[5, 4], strokeWidth=1.5).encode(y=y, color=alt.value(ink)))
        layers.append(
            level.mark_text(align="right", baseline="bottom", dy=-4, fontSize=13).encode(
                y=y, x=alt.value("width"), text="words:N", color=alt.value(ink)
            )
        )
    return alt.layer(*layers).properties(height=_HEIGHT)


def by_size(errors: Mapping[str, Mapping[int, Estimate]], chosen: int) -> Chart:
    """The squared error against the numbers in a code, a line for each way, with intervals; the chosen size is marked."""
    rows: list[dict[str, Any]] = [
        {"size": size, "error": each.value, "low": each.low, "high": each.high, "way": way}
        for way, line in errors.items()
        for size, each in line.items()
    ]
    sizes = sorted({row["size"] for row in rows})
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("size:O", sort=sizes, title="numbers in a code", axis=alt.Axis(labelAngle=0, grid=False)),
        color=alt.Color("way:N", scale=alt.Scale(domain=list(errors)), legend=_LEGEND),
        tooltip=[
            alt.Tooltip("way:N"),
            alt.Tooltip("size:O"),
            alt.Tooltip("error:Q", format=".2f"),
            *interval(".2f"),
        ],
    )
    title = "squared error of an image"
    here = (
        alt.Chart(alt.InlineData(values=[{"size": chosen}])).mark_rule(strokeDash=[2, 3], opacity=0.6).encode(x=alt.X("size:O", sort=sizes))
    )
    reach = base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", title=title, axis=alt.Axis(tickCount=5)), y2="high:Q")
    line = base.mark_line(strokeWidth=2, point={"size": 40}).encode(y=alt.Y("error:Q", title=title))
    return alt.layer(here, reach, line).properties(height=_HEIGHT)


def kl_by_latent(use: CodeUse) -> Chart:
    """What each latent costs, the dearest first."""
    rows: list[dict[str, Any]] = [
        {"latent": f"z{number + 1}", "nats": float(value), "kind": "says something" if active else "collapsed"}
        for number, (value, active) in sorted(enumerate(zip(use.kl, use.active, strict=True)), key=lambda each: -each[1][0])
    ]
    bars = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar(size=max(4, min(40, 700 // len(rows))))
        .encode(
            x=alt.X(
                "latent:N",
                sort=[row["latent"] for row in rows],
                title="latents, the dearest first",
                axis=alt.Axis(grid=False, labelAngle=0),
            ),
            y=alt.Y("nats:Q", title="KL, nats an image", axis=alt.Axis(tickCount=4)),
            color=alt.Color("kind:N", scale=alt.Scale(domain=["says something", "collapsed"]), legend=_LEGEND),
            tooltip=["latent:N", alt.Tooltip("nats:Q", format=".4f"), "kind:N"],
        )
    )
    return alt.layer(bars).properties(height=220)


_FEATURES = {"code": "the code", "pca": "as many principal components", "pixels": "pixels"}


def probe(readings: Sequence[Reading]) -> Chart:
    """How often a linear reader is right against the number of labels, for codes, principal components and pixels, with intervals."""
    rows: list[dict[str, Any]] = [
        {
            "features": f"{_FEATURES[each.features]} ({each.size})",
            "labels": each.labels,
            "accuracy": each.accuracy.value,
            "low": each.accuracy.low,
            "high": each.accuracy.high,
        }
        for each in readings
    ]
    labels = sorted({row["labels"] for row in rows})
    names = list(dict.fromkeys(row["features"] for row in rows))
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X(
            "labels:Q",
            title="labelled images",
            scale=alt.Scale(type="log", padding=20),
            axis=alt.Axis(values=labels, format=",", grid=False),
        ),
        color=alt.Color("features:N", scale=alt.Scale(domain=names), legend=_LEGEND),
        tooltip=[
            alt.Tooltip("features:N"),
            alt.Tooltip("labels:Q", format=","),
            alt.Tooltip("accuracy:Q", format=".1%"),
            *interval(".1%"),
        ],
    )
    y: dict[str, Any] = {"title": "test images named rightly", "scale": alt.Scale(zero=False), "axis": alt.Axis(format="%", tickCount=5)}
    reach = base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", **y), y2="high:Q")
    line = base.mark_line(strokeWidth=2, point={"size": 50}).encode(y=alt.Y("accuracy:Q", **y))
    return alt.layer(reach, line).properties(height=_HEIGHT)
