"""Line plots on logarithmic axes as plain SVG text: the same file for the same numbers, small, and readable on light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

# Native in the accent colour; the others told apart by hue, dash and the order of the legend.
COLOURS = ("#2563eb", "#d97706", "#059669", "#db2777", "#7c3aed", "#64748b", "#0891b2")
_MARGIN = 66  # left of an axis, for its label and numbers
STYLE = """\
text { font: 12px system-ui, sans-serif; fill: #334155 } .head { font-size: 14px; font-weight: 600 } .grid { stroke: #cbd5e1 }
.line { fill: none; stroke-width: 2 } .roof { fill: none; stroke: #334155; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) { text { fill: #cbd5e1 } .grid { stroke: #475569 } .roof { stroke: #cbd5e1 } }"""


@dataclass(frozen=True)
class Series:
    """One line.

    Attributes:
        label: Its name in the legend.
        points: ``(x, y)``, both above 0, in the order of x.
        roof: A limit, drawn without marks and labelled in place.
        marks: Points alone, not joined.
    """

    label: str
    points: Sequence[tuple[float, float]]
    roof: bool = False
    marks: bool = False


@dataclass(frozen=True)
class Panel:
    """One pair of axes."""

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    x_ticks: Sequence[float] = ()
    width: int = 300


def figure(panels: Sequence[Panel], *, height: int = 300) -> str:
    """Panels side by side, with one legend for all."""
    labels = list(dict.fromkeys(series.label for panel in panels for series in panel.series if not series.roof))
    width = sum(panel.width for panel in panels)
    rows, legend = _legend(labels, width)
    top = 18 * rows + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height + top}" width="{width}" height="{height + top}">',
        f"<style>{STYLE}</style>",
        *legend,
    ]
    left = 0
    for panel in panels:
        parts += _panel(panel, labels, left, top, height)
        left += panel.width
    return "\n".join([*parts, "</svg>"]) + "\n"


def _legend(labels: Sequence[str], width: int) -> tuple[int, list[str]]:
    x, row, parts = 12.0, 0, []
    for position, label in enumerate(labels):
        needed = 34 + 6.6 * len(label)  # a letter's width, on average
        if x + needed > width and x > 12:
            x, row = 12.0, row + 1
        colour = COLOURS[position % len(COLOURS)]
        y = 18 * row + 14
        parts.append(f'<circle cx="{x:.0f}" cy="{y}" r="4" fill="{colour}"/><text x="{x + 9:.0f}" y="{y + 4}">{escape(label)}</text>')
        x += needed
    return row + 1, parts


def _panel(panel: Panel, labels: Sequence[str], left: int, top: int, height: int) -> list[str]:
    points = [point for series in panel.series for point in series.points]
    if not points:
        return [f'<text x="{left + 60}" y="{top + 40}">{escape(panel.title)}: not measured yet</text>']
    x_axis = _Axis([x for x, _ in points], left + _MARGIN, left + panel.width - 14)
    y_axis = _Axis([y for _, y in points], top + height - 44, top + 28, whole_decades=True)
    parts = [f'<text class="head" x="{left + _MARGIN}" y="{top + 16}">{escape(panel.title)}</text>']
    for value in y_axis.decades():
        y = y_axis.at(value)
        parts.append(f'<line class="grid" x1="{x_axis.start}" x2="{x_axis.end}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{x_axis.start - 6}" y="{y + 4:.1f}" text-anchor="end">{short(value)}</text>')
    for value in panel.x_ticks or x_axis.decades():
        x = x_axis.at(value)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{y_axis.start}" y2="{y_axis.end}"/>')
        parts.append(f'<text x="{x:.1f}" y="{y_axis.start + 16}" text-anchor="middle">{short(value)}</text>')
    middle = (x_axis.start + x_axis.end) / 2
    parts.append(f'<text x="{middle:.0f}" y="{top + height - 8}" text-anchor="middle">{escape(panel.x_label)}</text>')
    turn = f"translate({left + 12} {(y_axis.start + y_axis.end) / 2:.0f}) rotate(-90)"
    parts.append(f'<text transform="{turn}" text-anchor="middle">{escape(panel.y_label)}</text>')
    # The first series last, on top of the others.
    for series in reversed(panel.series):
        parts += _series(series, labels, x_axis, y_axis)
    return parts


def _series(series: Series, labels: Sequence[str], x_axis: _Axis, y_axis: _Axis) -> list[str]:
    places = [(x_axis.at(x), y_axis.at(y)) for x, y in series.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    if series.roof:
        (x0, y0), (x1, y1) = places[0], places[-1]
        level = y0 == y1
        # A slope's label lies along it near its foot, a level's above its right end.
        angle = math.degrees(math.atan2(y1 - y0, x1 - x0))
        place = f'x="{x1 - 4:.1f}" y="{y1 - 5:.1f}" text-anchor="end"'
        turned = f'transform="translate({x0:.1f} {y0:.1f}) rotate({angle:.1f})" x="8" y="-6"'
        return [f'<polyline class="roof" points="{path}"/>', f"<text {place if level else turned}>{escape(series.label)}</text>"]
    colour = COLOURS[labels.index(series.label) % len(COLOURS)]
    line = [] if series.marks else [f'<polyline class="line" stroke="{colour}" points="{path}"/>']
    return line + [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in places]


class _Axis:
    """A logarithmic axis from `start` to `end` on the page."""

    def __init__(self, values: Sequence[float], start: float, end: float, *, whole_decades: bool = False) -> None:
        self.start, self.end = start, end
        low, high = math.log10(min(values)), math.log10(max(values))
        if whole_decades:
            low, high = math.floor(low), max(math.ceil(high), math.floor(low) + 1)
        else:
            margin = max(0.05 * (high - low), 0.05)
            low, high = low - margin, high + margin
        self.low, self.high = low, high

    def at(self, value: float) -> float:
        return self.start + (math.log10(value) - self.low) / (self.high - self.low) * (self.end - self.start)

    def decades(self) -> list[float]:
        return [10.0**power for power in range(math.ceil(self.low - 1e-9), math.floor(self.high + 1e-9) + 1)]


def short(value: float) -> str:
    """A tick's number: ``0.01``, ``20``, ``10 000``."""
    return f"{value:,.0f}".replace(",", "\u202f") if value >= 1 else f"{value:g}"
