"""What a visitor chose lives in the address, of every page alike: a reload, Back, a bookmark or a second browser finds it again.

Streamlit empties the address where a link of the sidebar leads; `enter` puts back what the page's address held last. What is dragged
changes many times a second; it is kept in the session and reaches the address when it is let go. Whatever comes out of an address or a
browser is checked here, and what breaks a rule counts as not given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import streamlit as st

_HERE = "address of"
_PAGES = "addresses of pages"
_SHARED = "address of all pages"
AGAIN_AT_MOST = 999_999


def enter(page: str, shared: Iterable[str] = ()) -> None:
    """Take up the page's address: the one that stands there, or where there is none, what it was when the visitor left the page.

    Args:
        page: Its name.
        shared: Names whose values the visitor takes along from page to page.
    """
    st.session_state[_HERE] = (page, tuple(shared))
    taken_along = {name: value for name, value in st.session_state.get(_SHARED, {}).items() if name in shared}
    found = st.query_params.to_dict() or {**st.session_state.get(_PAGES, {}).get(page, {}), **taken_along}
    if found != st.query_params.to_dict():
        st.query_params.from_dict(found)
    _remember()


def here() -> str:
    """The name of the page that was entered; nothing where a page is run by itself."""
    return str(st.session_state.get(_HERE, ("",))[0])


def numbers(name: str, default: Sequence[float], *, least: float, most: float) -> tuple[float, ...]:
    """As many numbers as `default` has, written ``1,0,0,1``; the session's are newer, as long as the address is as they found it."""
    kept, asked = st.session_state.get(_kept(name)), st.query_params.get(name, "")
    is_newer = kept is not None and st.session_state.get(_found(name), asked) == asked
    given = kept if is_newer else asked.split(",")
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


def text(name: str) -> str:
    """What stands there, or nothing."""
    return str(st.query_params.get(name, ""))


def keep(name: str, values: Any, *, count: int, least: float, most: float, settled: bool) -> None:
    """Keep numbers that a browser has sent; once they are settled, in the address too."""
    checked = _checked(values, count, least, most)
    if checked is None:
        return
    if settled:
        put(**{name: ",".join(f"{value:g}" for value in checked)})
    st.session_state[_kept(name)] = checked
    st.session_state[_found(name)] = st.query_params.get(name, "")


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
    key = f"linked {name}"

    def changed() -> None:
        if (new := st.session_state[key]) is not None:
            put(**{name: new}, **dict.fromkeys(forget))

    st.session_state[key] = value
    return widget(label, *args, key=key, on_change=changed, **options)


def put(**values: Any) -> None:
    """Write into the address; None takes a name out of it."""
    written = {name: f"{value:.6g}" if isinstance(value, float) else str(value) for name, value in values.items() if value is not None}
    # In one piece, since each change is a step of the browser's history.
    others = {name: value for name, value in st.query_params.to_dict().items() if name not in values}
    st.query_params.from_dict({**others, **written})
    _remember()


def again(label: str, name: str, *, forget: Sequence[str] = (), **button: Any) -> int:
    """A button for other draws; returns how often it was pressed, which the address remembers under `name`.

    Args:
        label: Of the button.
        name: In the address.
        forget: Names that lose their meaning then.
        button: Handed on to ``st.button``.
    """
    number = whole(name, 0, least=0, most=AGAIN_AT_MOST)
    changed = {name: (number + 1) % (AGAIN_AT_MOST + 1), **dict.fromkeys(forget)}
    st.button(label, key=f"again {name}", on_click=put, kwargs=changed, **button)
    return number


def _remember() -> None:
    """What the page's address is now, for when the visitor comes back to it."""
    page, shared = st.session_state.get(_HERE, ("", ()))
    found = st.query_params.to_dict()
    st.session_state[_PAGES] = {**st.session_state.get(_PAGES, {}), page: found}
    st.session_state[_SHARED] = {**st.session_state.get(_SHARED, {}), **{name: found[name] for name in shared if name in found}}


def _kept(name: str) -> str:
    return f"slanted_{name}"


def _found(name: str) -> str:
    return f"address beside {name}"


def _checked(given: Any, count: int, least: float, most: float) -> tuple[float, ...] | None:
    try:
        values = tuple(float(each) for each in given)
    except (TypeError, ValueError):
        return None
    good = len(values) == count and all(math.isfinite(value) and least <= value <= most for value in values)
    return values if good else None
