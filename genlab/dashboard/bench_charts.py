"""Charts of benchmarks, made from documents as ``genlab bench --json`` writes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import altair as alt

Table = Mapping[str, Any]
Chart = alt.LayerChart | alt.FacetChart

_ROLES = {"native": "native", "peer": "the same in Python", "context": "for comparison"}
_ROW = 44  # pixels: a line of words, and below it what they name
_AROUND = 120  # pixels for axis and legend, which Streamlit counts as part of a chart's height
_LEGEND = alt.Legend(title=None, orient="top", direction="vertical", columns=3)


def leads(table: Table, *, ink: str) -> Chart:
    """Every side of every case against native: how many times its time (or memory), on a logarithmic axis; 1 is native itself.

    Args:
        table: A table with peers.
        ink: Colour of words.
    """
    rows = [
        {"case": case["name"], "side": side["side"], "with": side["process"], "ratio": side["ratio"], "measured": measured(table, side)}
        for case in table["cases"]
        for side in case["sides"]
        if side["ratio"] and side["role"] == "peer"
    ]
    cases = list(dict.fromkeys(row["case"] for row in rows))
    y = _words_above(cases)
    points = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_point(filled=True, size=70, opacity=0.85)
        .encode(
            x=alt.X("ratio:Q", title="times native", scale=alt.Scale(type="log"), axis=alt.Axis(tickCount=6, format="~g")),
            y=y,
            color=alt.Color("with:N", legend=_LEGEND),
            shape=alt.Shape("with:N", legend=_LEGEND),
            tooltip=[
                "case:N",
                "side:N",
                alt.Tooltip("measured:N", title="median"),
                alt.Tooltip("ratio:Q", title="times native", format=".3g"),
            ],
        )
    )
    native = alt.Chart(alt.InlineData(values=[{"ratio": 1}])).mark_rule(strokeDash=[4, 3], color=ink).encode(x="ratio:Q")
    words = _words("case", [{"case": case} for case in cases], y, ink)
    return alt.layer(native, points, words).properties(height=_AROUND + _ROW * len(cases))


def times(table: Table, case: Mapping[str, Any], *, ink: str, context: bool = False) -> Chart:
    """The sides of one case that compute the same as bars, the fastest on top, on a logarithmic axis.

    Args:
        table: The case's table.
        case: One case.
        ink: Colour of words.
        context: Those instead that compute something else: what takes another computation's time has no place on the same axis.
    """
    factor, unit = (1e-6, "MB") if is_memory(table) else (1e3, "ms")
    sides = [side for side in case["sides"] if side["median"] and (side["role"] == "context") == context]
    roles = [_ROLES[role] for role in _ROLES if (role == "context") == context]
    rows = [
        {
            "side": side["side"],
            "role": _ROLES[side["role"]],
            "median": side["median"] * factor,
            "words": f"{side['side']}: {measured(table, side)}" + (f", {side['ratio']:,.3g} × native" if side["role"] == "peer" else ""),
        }
        for side in sorted(sides, key=lambda side: side["median"])
    ]
    # A logarithmic axis has no zero to start from.
    start = min((row["median"] for row in rows), default=1) / 2
    y = _words_above([row["side"] for row in rows], field="side")
    bars = (
        alt.Chart(alt.InlineData(values=[{**row, "start": start} for row in rows]))
        .mark_bar(height=10)
        .encode(
            y=y,
            x=alt.X("median:Q", title=f"median {unit}", scale=alt.Scale(type="log", nice=False), axis=alt.Axis(tickCount=5, format="~g")),
            x2="start:Q",
            color=alt.Color("role:N", scale=alt.Scale(domain=roles), legend=_LEGEND),
            tooltip=[alt.Tooltip("words:N", title="median")],
        )
    )
    return alt.layer(bars, _words("words", rows, y, ink)).properties(height=_AROUND + _ROW * len(rows))


def _words_above(names: Sequence[str], field: str = "case") -> alt.Y:
    """An axis of names that has no words of its own: beside the chart they would leave no room for it on a telephone."""
    return alt.Y(f"{field}:N", sort=list(names), axis=alt.Axis(title=None, labels=False, ticks=False, grid=True))


def _words(field: str, rows: Sequence[Mapping[str, Any]], y: alt.Y, ink: str) -> alt.Chart:
    """Words above each line of a chart, from its left edge."""
    text: alt.Chart = alt.Chart(alt.InlineData(values=list(rows))).mark_text(align="left", dx=4, dy=-15, fontSize=12, color=ink)
    return text.encode(x=alt.value(0), y=y, text=f"{field}:N")


def roofline(kernels: Table, roofs: Table) -> Chart:
    """The native kernels below the machine's roof.

        roof(I) = min(peak, I · bandwidth)

    in operations a second, with I operations for every byte that must at least be moved. Peak and bandwidth are measured by code
    that does nothing else; a kernel's height is its share of the peak that was measured in the same rounds.
    """
    peak, bandwidth = roof(roofs)
    points = list(kernel_points(kernels, peak))
    intensities = [point["intensity"] for point in points]
    ridge = peak / bandwidth
    low, high = min([*intensities, ridge]) / 3, max([*intensities, ridge]) * 3
    line = [{"intensity": each, "gigaflops": min(peak, each * bandwidth)} for each in (low, ridge, high)]
    x = alt.X("intensity:Q", title="operations a byte", scale=alt.Scale(type="log", nice=False), axis=alt.Axis(tickCount=5, format="~g"))
    y = alt.Y("gigaflops:Q", title="billions of operations a second", scale=alt.Scale(type="log"), axis=alt.Axis(tickCount=5, format="~g"))
    above = alt.Chart(alt.InlineData(values=line)).mark_line(strokeWidth=2).encode(x=x, y=y)
    below = (
        alt.Chart(alt.InlineData(values=points))
        .mark_point(filled=True, size=80)
        .encode(
            x=x,
            y=y,
            color=alt.Color("direction:N", legend=_LEGEND),
            tooltip=["case:N", alt.Tooltip("gigaflops:Q", format=".3g"), alt.Tooltip("share:Q", title="share of the peak", format=".0%")],
        )
    )
    return alt.layer(above, below).properties(height=340)


def roof(roofs: Table) -> tuple[float, float]:
    """The measured peak in billions of operations a second, and the measured bandwidth from beyond all caches in GB a second."""
    figures = {figure["key"]: figure["value"] for figure in roofs["figures"]}
    sizes = [int(key.split("_")[1]) for key in figures if key.startswith("read_")]
    return figures["peak_gigaflops"], figures[f"read_{max(sizes)}_gigabytes"]


def kernel_points(kernels: Table, peak: float) -> Iterator[dict[str, Any]]:
    """Each kernel's place in the roofline chart."""
    figures = {figure["key"]: figure for figure in kernels["figures"]}
    for key, figure in figures.items():
        stem = key.removesuffix("_share_of_peak")
        # Earlier versions wrote down what no code can reach, when the peak had been disturbed.
        if stem == key or figure["value"] is None or figure["value"] > 1:
            continue
        case = figure["meaning"].partition("(")[2].rstrip(")")
        yield {
            "case": case,
            "direction": case.partition(":")[0],
            "intensity": figures[f"{stem}_intensity"]["value"],
            "gigaflops": figure["value"] * peak,
            "share": figure["value"],
        }


def is_memory(table: Table) -> bool:
    """Whether the table weighs instead of timing."""
    return bool(table.get("unit") == "bytes")


def measured(table: Table, side: Mapping[str, Any]) -> str:
    """A side's median in words."""
    if side["median"] is None:
        return "–"
    if is_memory(table):
        return f"{side['median'] / 1e6:,.1f} MB"
    return f"{side['median'] * 1e3:,.3g} ms" if side["median"] < 1 else f"{side['median']:,.3g} s"
