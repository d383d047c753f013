"""Form fields made from settings: bounds, defaults and help come from the same pydantic fields as the command line's options."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args, get_origin

import streamlit as st

from genlab.settings import Settings

_NONE = "none"


def fields(
    kind: type[Settings],
    names: Iterable[str],
    values: Mapping[str, Any],
    *,
    labels: Mapping[str, str] = types.MappingProxyType({}),
    columns: int = 4,
) -> dict[str, Any]:
    """Input fields of a settings class, in rows.

    Bounds are checked in the browser alone, so what comes back still has to go through `genlab.settings.validate`.

    Args:
        kind: The settings class.
        names: Its fields, in this order.
        values: Other defaults than the fields' own.
        labels: Other labels than the fields' names.
        columns: Fields in a row.

    Returns:
        What the fields hold, by name.
    """
    filled = {}
    places = st.columns(columns, vertical_alignment="bottom")
    for index, name in enumerate(names):
        with places[index % columns]:
            filled[name] = field(kind, name, values.get(name, kind.model_fields[name].default), label=labels.get(name))
    return filled


def field(kind: type[Settings], name: str, value: Any, *, label: str | None = None) -> Any:
    """The input for one field: a choice of words for a ``Literal``, a number for an int or a float; both may be none."""
    entry = kind.model_fields[name]
    options = get_args(entry.annotation) if isinstance(entry.annotation, types.UnionType) else (entry.annotation,)
    label, help_text = label or name.replace("_", " "), entry.description
    for option in options:
        if get_origin(option) is Literal:
            words = [*([_NONE] if type(None) in options else []), *get_args(option)]
            chosen = st.selectbox(label, words, index=words.index(value or _NONE) if value or _NONE in words else 0, help=help_text)
            return None if chosen == _NONE else chosen
    number = int if _has(int, options) else float
    numbers: dict[str, Any] = {key: number(bound) for key, bound in _bounds(entry.metadata, options).items()}
    numbers |= {"value": None if value is None else number(value), "step": number(_step(value, number))}
    return st.number_input(label, **numbers, format="%d" if number is int else "%g", placeholder=_NONE, help=help_text)


def _has(kind: type, options: Iterable[Any]) -> bool:
    return any(option is kind or kind in get_args(option) for option in options)


def _bounds(metadata: Iterable[Any], options: Iterable[Any]) -> dict[str, Any]:
    """What ``ge`` and ``le`` say, wherever in the annotation they stand."""
    rules = [*metadata, *(rule for option in options for rule in _unfolded(getattr(option, "__metadata__", ())))]
    found = {}
    for rule in rules:
        for key, bound in (("min_value", "ge"), ("max_value", "le")):
            if hasattr(rule, bound):
                found[key] = getattr(rule, bound)
    return found


def _unfolded(metadata: Iterable[Any]) -> list[Any]:
    """Pydantic's `Field` keeps its rules one level deeper."""
    return [rule for item in metadata for rule in (item, *getattr(item, "metadata", ()))]


def _step(value: Any, number: type) -> float:
    """What the buttons add: about a quarter of the number, in its leading digit."""
    if not value:
        return 1
    step = 10.0 ** (len(str(int(value))) - 1) if value >= 1 else 10.0 ** -len(f"{1 / value:.0f}")
    return max(1, step) if number is int else step
