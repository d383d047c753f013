"""The state of the page: it lives in the address, so that a link or a reload brings it back.

What is dragged changes many times a second; it is kept in the session and reaches the address when it is let go. Whatever comes out
of an address or a browser is checked here, and what breaks a rule counts as not given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st


def numbers(name: str, default: Sequence[float], *, least: float, most: float) -> tuple[float, ...]:
    """As many numbers as `default` has, written ``1,0,0,1``; the session's are newer than the address's."""
    kept = st.session_state.get(_kept(name))
    given = kept if kept is not None else st.query_params.get(name, "").split(",")
    return _checked(given, len(default), least, most) or tuple(default)


def number(name: str, default: float, *, least: float, most: float) -> float:
    """One number."""
    return (_checked([st.query_params.get(name)], 1, least, most) or (default,))[0]


def whole(name: str, default: int, *, least: int, most: int) -> int:
    """One whole number."""
    text = st.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and least <= int(text) <= most else default


def choice(name: str, options: Sequence[str]) -> str:
    """One of the options, by default the first."""
    asked = st.query_params.get(name, "")
    return asked if asked in options else options[0]


def keep(name: str, values: Any, *, count: int, least: float, most: float, settled: bool) -> None:
    """Keep numbers that a browser has sent; once they are settled, in the address too."""
    checked = _checked(values, count, least, most)
    if checked is None:
        return
    st.session_state[_kept(name)] = checked
    if settled:
        st.query_params[name] = ",".join(f"{value:g}" for value in checked)


def linked(widget: Callable[..., Any], label: str, name: str, value: Any, *args: Any, forget: Sequence[str] = (), **options: Any) -> Any:
    """A widget that shows `value` and writes what it is changed to into the address under `name`.

    Args:
        widget: For example ``st.slider``.
        label: Its label.
        name: The name in the address.
        value: What the address says now.
        args: Handed on.
        forget: Names that lose their meaning when this one changes.
        options: Handed on.
    """
    key = f"slanted_widget_{name}"

    def changed() -> None:
        if (new := st.session_state[key]) is None:
            return
        put(**{name: new})
        for each in forget:
            st.query_params.pop(each, None)

    st.session_state[key] = value
    return widget(label, *args, key=key, on_change=changed, **options)


def put(**values: Any) -> None:
    """Write into the address."""
    for name, value in values.items():
        st.query_params[name] = f"{value:.6g}" if isinstance(value, float) else str(value)


def _kept(name: str) -> str:
    return f"slanted_{name}"


def _checked(given: Any, count: int, least: float, most: float) -> tuple[float, ...] | None:
    try:
        values = tuple(float(each) for each in given)
    except (TypeError, ValueError):
        return None
    good = len(values) == count and all(math.isfinite(value) and least <= value <= most for value in values)
    return values if good else None
