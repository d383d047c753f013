"""Charts of games of two networks: what D hands to G, where a game leads, what D makes of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from genlab.games.gradient import EXTENT, LOSSES, Handed, Look

if TYPE_CHECKING:
    from genlab.games.learning import Course

Chart = alt.LayerChart | alt.FacetChart
_HEIGHT = 320
_LEGEND = alt.Legend(title=None, orient="top", columns=2, labelLimit=320, symbolOpacity=1)
_LONGEST = 0.6  # of the longest arrow, in the plane's units
_FEWEST = 1e-6  # what a logarithm is taken of, at least
_ARROWS = 48


def handed(found: Handed, look: Look, loss: str, *, most: float) -> Chart:
    """D as a field, real and generated points, and the way that D hands to each generated one.

    Args:
        found: The points.
        look: At what moment.
        loss: Whose gradient.
        most: The length of a gradient that is drawn as long as arrows get.
    """
    scale = alt.Scale(domain=[-EXTENT, EXTENT], nice=False)
    side = np.linspace(-EXTENT, EXTENT, len(look.field))
    half = (side[1] - side[0]) / 2
    cells = [
        {"left": x - half, "right": x + half, "low": y - half, "high": y + half, "D": float(look.field[row, column])}
        for row, y in enumerate(side)
        for column, x in enumerate(side)
    ]
    x, y = (alt.X("x:Q", scale=scale, title=None, axis=None), alt.Y("y:Q", scale=scale, title=None, axis=None))
    field = (
        alt.Chart(alt.InlineData(values=cells))
        .mark_rect(clip=True)
        .encode(
            x=alt.X("left:Q", scale=scale, title=None, axis=None),
            x2="right:Q",
            y=alt.Y("low:Q", scale=scale, title=None, axis=None),
            y2="high:Q",
            opacity=alt.Opacity("D:Q", scale=alt.Scale(domain=[0, 1], range=[0, 0.5]), legend=None),
            color=alt.value("#808080"),
            tooltip=[alt.Tooltip("D:Q", title="D(x)", format=".3f")],
        )
    )
    kinds = ["real", "generated"]
    colour = alt.Color("kind:N", scale=alt.Scale(domain=kinds), legend=_LEGEND)
    points = [
        {"x": float(point[0]), "y": float(point[1]), "kind": kind}
        for kind, values in zip(kinds, (found.real, found.generated), strict=True)
        for point in values
    ]
    arrows = [
        {"x": float(at[0]), "y": float(at[1]), "to x": float(to[0]), "to y": float(to[1]), "kind": "generated"}
        for at, to in zip(found.generated[:_ARROWS], (found.generated + look.arrows[loss] * _LONGEST / most)[:_ARROWS], strict=True)
    ]
    strokes = alt.Chart(alt.InlineData(values=arrows)).mark_rule(strokeWidth=1.5, clip=True)
    marks = alt.Chart(alt.InlineData(values=points)).mark_circle(size=22, opacity=0.9)
    return alt.layer(
        field, strokes.encode(x=x, y=y, x2="to x:Q", y2="to y:Q", color=colour), marks.encode(x=x, y=y, color=colour)
    ).properties(height=_HEIGHT)


def fading(looks: Sequence[Look], chosen: Look) -> Chart:
    """The norm of G's gradient against D's steps, a line a loss; the chosen moment is marked."""
    rows = [
        {"step": look.step, "norm": look.gradient[loss], "differences": look.difference[loss], "D(G(z))": look.looks_real, "loss": loss}
        for look in looks
        for loss in LOSSES
    ]
    x = alt.X("step:O", title="steps that D has trained alone", axis=alt.Axis(labelAngle=0, grid=False))
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=x,
        y=alt.Y("norm:Q", title="norm of G’s gradient", scale=alt.Scale(type="log"), axis=alt.Axis(tickCount=5, format="~g")),
        color=alt.Color("loss:N", scale=alt.Scale(domain=list(LOSSES)), legend=_LEGEND),
        tooltip=[
            "loss:N",
            "step:O",
            alt.Tooltip("norm:Q", title="through D", format=".5f"),
            alt.Tooltip("differences:Q", title="by differences", format=".5f"),
            alt.Tooltip("D(G(z)):Q", format=".4f"),
        ],
    )
    here = alt.Chart(alt.InlineData(values=[{"step": chosen.step}])).mark_rule(strokeDash=[3, 3], opacity=0.6).encode(x=x)
    return alt.layer(here, base.mark_line(strokeWidth=2, point={"size": 40})).properties(height=_HEIGHT)


def orbits(paths: Mapping[str, NDArray[np.float64]], *, ink: str) -> Chart:
    """The way of θ and ψ, a line for each way to play, and a cross where nobody can do better."""
    most = min(3.0, 1.05 * max(float(np.nanmax(np.abs(path))) for path in paths.values()))
    scale = alt.Scale(domain=[-most, most], nice=False, clamp=False)
    rows = [
        {"θ": float(theta), "ψ": float(psi), "step": step, "way": way}
        for way, path in paths.items()
        for step, (theta, psi) in enumerate(path)
        if np.isfinite(theta) and max(abs(theta), abs(psi)) < 10 * most
    ]
    x, y = alt.X("θ:Q", title="θ, the point that G draws", scale=scale), alt.Y("ψ:Q", title="ψ, D’s weight", scale=scale)
    lines = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_line(strokeWidth=1.4, clip=True)
        .encode(x=x, y=y, order="step:Q", color=alt.Color("way:N", scale=alt.Scale(domain=list(paths)), legend=_LEGEND))
    )
    cross = alt.Chart(alt.InlineData(values=[{"θ": 0.0, "ψ": 0.0}])).mark_point(shape="cross", size=160, filled=True, opacity=1)
    return alt.layer(lines, cross.encode(x=x, y=y, color=alt.value(ink))).properties(height=_HEIGHT + 60)


def approaches(paths: Mapping[str, NDArray[np.float64]], found: float, *, ink: str) -> Chart:
    """The distance from the equilibrium against steps, and a level line below which it is found."""
    rows = [
        {"step": step, "distance": float(max(np.hypot(*place), _FEWEST)), "way": way}
        for way, path in paths.items()
        for step, place in enumerate(path)
        if np.isfinite(place).all() and np.hypot(*place) < 1 / _FEWEST
    ]
    y = alt.Y("distance:Q", title="distance from (0, 0)", scale=alt.Scale(type="log"), axis=alt.Axis(tickCount=6, format="~g"))
    lines = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("step:Q", title="step", axis=alt.Axis(grid=False, tickCount=6)),
            y=y,
            color=alt.Color("way:N", scale=alt.Scale(domain=list(paths)), legend=_LEGEND),
            tooltip=["way:N", "step:Q", alt.Tooltip("distance:Q", format=".3g")],
        )
    )
    level = alt.Chart(alt.InlineData(values=[{"distance": found}]))
    rule = level.mark_rule(strokeDash=[5, 4]).encode(y=y, color=alt.value(ink))
    words = level.mark_text(align="right", baseline="bottom", dy=-3, fontSize=12).encode(
        y=y, x=alt.value("width"), text=alt.value("found, below this"), color=alt.value(ink)
    )
    return alt.layer(lines, rule, words).properties(height=_HEIGHT + 60)


def courses(runs: Sequence[Course], what: str, title: str, *, level: float | None = None, ink: str) -> Chart:
    """A figure of every run against its steps, thin, and the mean over runs, strong.

    Args:
        runs: Of the same looks.
        what: ``"right"`` or ``"distance"``.
        title: Of the axis.
        level: Where a line is drawn.
        ink: The colour of that line.
    """
    lines = [(f"seed {run.seed}", run.steps, getattr(run, what)) for run in runs]
    mean = np.mean([values for _, _, values in lines], axis=0)
    rows = [
        {"step": int(step), "value": float(value), "run": name, "kind": kind}
        for kind, group in (("one run", lines), ("mean of all", [("mean", runs[0].steps, mean)]))
        for name, steps, values in group
        for step, value in zip(steps[1:], values[1:], strict=True)
    ]
    scale = alt.Scale(domain=[0, 1]) if what == "right" else alt.Scale(type="log")
    y = alt.Y("value:Q", title=title, scale=scale, axis=alt.Axis(tickCount=5, format="%" if what == "right" else "~g"))
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("step:Q", title="step", axis=alt.Axis(grid=False, tickCount=6)),
        y=y,
        detail="run:N",
        color=alt.Color("kind:N", scale=alt.Scale(domain=["mean of all", "one run"]), legend=_LEGEND),
        tooltip=["run:N", "step:Q", alt.Tooltip("value:Q", format=".3f")],
    )
    layers: list[Any] = [
        base.transform_filter("datum.kind == 'one run'").mark_line(strokeWidth=1, opacity=0.7),
        base.transform_filter("datum.kind != 'one run'").mark_line(strokeWidth=2.5),
    ]
    if level is not None:
        line = alt.Chart(alt.InlineData(values=[{"value": level}]))
        layers.append(line.mark_rule(strokeDash=[5, 4]).encode(y=y, color=alt.value(ink)))
    return alt.layer(*layers).properties(height=_HEIGHT)


def verdicts(probabilities: Mapping[str, NDArray[np.float64]], own: float | None, *, ink: str) -> Chart:
    """How probable D finds it that each image is real: shares in twenty bins where there are any, and a line at one's own."""
    seen = np.concatenate([*probabilities.values(), [] if own is None else [own]])
    edges = np.linspace(max(0.0, seen.min() - 0.01), min(1.0, seen.max() + 0.01), 21)
    rows = [
        {"from": float(edges[place]), "to": float(edges[place + 1]), "share": float(share), "kind": kind}
        for kind, values in probabilities.items()
        for place, share in enumerate(np.histogram(values, edges)[0] / max(1, len(values)))
    ]
    scale = alt.Scale(domain=[float(edges[0]), float(edges[-1])], nice=False)
    title = "D(x), how probable D finds it that x is real"
    x = alt.X("from:Q", title=title, scale=scale, axis=alt.Axis(grid=False, format="%", tickCount=6))
    bars = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_bar(opacity=0.55)
        .encode(
            x=alt.X("from:Q", bin="binned", title=title, scale=scale, axis=alt.Axis(grid=False, format="%", tickCount=6)),
            x2="to:Q",
            y=alt.Y("share:Q", title="share of the images", stack=None, axis=alt.Axis(format="%", tickCount=5)),
            color=alt.Color("kind:N", scale=alt.Scale(domain=list(probabilities)), legend=_LEGEND),
            tooltip=["kind:N", alt.Tooltip("from:Q", format=".2f"), alt.Tooltip("share:Q", format=".1%")],
        )
    )
    layers: list[Any] = [bars]
    if own is not None:
        line = alt.Chart(alt.InlineData(values=[{"from": own, "words": "yours"}]))
        layers.append(line.mark_rule(strokeWidth=2).encode(x=x, color=alt.value(ink)))
        layers.append(
            line.mark_text(baseline="top", align="left", dx=5, fontSize=13).encode(
                x=x, y=alt.value(4), text="words:N", color=alt.value(ink)
            )
        )
    return alt.layer(*layers).properties(height=240)
