"""Form fields made from settings: bounds, defaults and help come from the same pydantic fields as the command line's options."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

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
    """The input for one field: a choice of words for a ``Literal``, a number for an int or a float (each may be none), else a text."""
    entry = kind.model_fields[name]
    options = [_bare(option) for option in _alternatives(entry.annotation)]
    label, help_text = label or name.replace("_", " "), entry.description
    for option in options:
        if get_origin(option) is Literal:
            words = [*([_NONE] if type(None) in options else []), *get_args(option)]
            chosen = st.selectbox(label, words, index=words.index(value or _NONE) if value or _NONE in words else 0, help=help_text)
            return None if chosen == _NONE else chosen
    if not {int, float} & set(options):
        return st.text_input(label, as_text(value), help=help_text)
    number = int if int in options else float
    rules = [*entry.metadata, *(rule for option in _alternatives(entry.annotation) for rule in getattr(option, "__metadata__", ()))]
    numbers: dict[str, Any] = {key: number(bound) for key, bound in _bounds(rules).items()}
    numbers |= {"value": None if value is None else number(value), "step": number(_step(value, number))}
    if type(None) in options and value is not None:
        # Streamlit lets a number be cleared only if it began with none; this one begins so and is filled in at once.
        numbers |= {"value": None, "key": f"{kind.__name__} {name} {value}"}
        st.session_state.setdefault(numbers["key"], number(value))
    return st.number_input(label, **numbers, format="%d" if number is int else "%g", placeholder=_NONE, help=help_text)


def as_text(value: Any) -> str:
    """A setting as the command line takes it: ``1,2,4`` for a tuple."""
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    """What stands between the bars of ``A | B``."""
    return get_args(annotation) if isinstance(annotation, types.UnionType) or get_origin(annotation) is Union else (annotation,)


def _bare(option: Any) -> Any:
    """The type itself, without the rules that ``Annotated`` adds."""
    return get_args(option)[0] if get_origin(option) is Annotated else option


def _bounds(rules: Iterable[Any]) -> dict[str, Any]:
    """What ``ge`` and ``le`` say; pydantic's `Field` may keep its rules one level deeper."""
    found = {}
    for rule in [each for outer in rules for each in (outer, *getattr(outer, "metadata", ()))]:
        for key, bound in (("min_value", "ge"), ("max_value", "le")):
            if hasattr(rule, bound):
                found[key] = getattr(rule, bound)
    return found


def _step(value: Any, number: type) -> float:
    """What the buttons add: about a quarter of the number, in its leading digit."""
    if not value:
        return 1
    step = 10.0 ** (len(str(int(value))) - 1) if value >= 1 else 10.0 ** -len(f"{1 / value:.0f}")
    return max(1, step) if number is int else step
