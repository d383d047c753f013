"""One button of every page that saves its pictures, whoever drew them: PNG and SVG, WebM of what moves, CSV of the numbers behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import streamlit as st

from genlab.dashboard.components import component

_mount = component("save")
_CHARTS = "charts of the page"
_ROWS_AT_MOST = 20_000


def begin_page() -> None:
    """Nothing is remembered of the charts of another run."""
    st.session_state[_CHARTS] = {}


def remember_chart(chart: Any, *, key: str, alt: str) -> None:
    """Keep the numbers of a chart at hand for whoever saves them.

    Args:
        chart: Any chart of inline data.
        key: Of this chart among those of the page.
        alt: What there is to see, by which the browser finds it.
    """
    rows = list(islice(_rows_of(chart), _ROWS_AT_MOST))
    columns = list(dict.fromkeys(name for row in rows for name in row))
    found = {"alt": alt, "columns": columns, "rows": [[row.get(name) for name in columns] for row in rows]}
    st.session_state.setdefault(_CHARTS, {})[key] = found


def save_pictures() -> None:
    """Show the button; at a page's end, when all its charts are known."""
    _mount(data={"charts": list(st.session_state.get(_CHARTS, {}).values())}, key="save", width="content")


def _rows_of(chart: Any) -> Iterator[Mapping[str, Any]]:
    """All rows of inline data in a chart and in those that it is made of."""
    values = getattr(getattr(chart, "data", None), "values", None)
    if isinstance(values, list):
        yield from values
    for made_of in ("layer", "hconcat", "vconcat", "concat"):
        if isinstance(charts := getattr(chart, made_of, None), list):
            for each in charts:
                yield from _rows_of(each)
    if hasattr(inner := getattr(chart, "spec", None), "mark") or hasattr(inner, "layer"):
        yield from _rows_of(inner)
