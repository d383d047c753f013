"""Form fields made from settings: bounds, defaults and help come from the same pydantic fields as the command line's options."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import streamlit as st
from pydantic import ValidationError

from genlab.dashboard.frame import say
from genlab.errors import InputError
from genlab.settings import Settings

_NONE = "none"

Refusals = Mapping[tuple[str, str], str]
"""What is wrong with a field, by the name of its settings class and its own."""


class FormError(InputError):
    """Fields hold what breaks a rule: a sentence each, which the form shows where the field is."""

    def __init__(self, refusals: Refusals) -> None:
        super().__init__("; ".join(refusals.values()))
        self.refusals = dict(refusals)


def refused(kind: type[Settings], values: Mapping[str, Any], labels: Mapping[str, str] = types.MappingProxyType({})) -> Refusals:
    """What breaks a rule of a settings class, in the words that stand beside the fields; nothing if all is well."""
    try:
        kind.model_validate(dict(values))
    except ValidationError as error:
        sentences = {}
        for problem in error.errors(include_url=False, include_context=True):
            name = str(problem["loc"][0]) if problem["loc"] else ""
            label = labels.get(name) or name.replace("_", " ")
            sentences[kind.__name__, name] = f"{label} {_rule(problem)}; got {_written(problem['input'])[:60]}"
        return sentences
    return {}


def _rule(problem: Mapping[str, Any]) -> str:
    """What a value must be, as people say it."""
    bounds = problem.get("ctx", {})
    for bound, words in (("gt", "above"), ("ge", "at least"), ("lt", "below"), ("le", "at most")):
        if bound in bounds:
            return f"must be {words} {_written(bounds[bound])}"
    kinds = {
        "int_": "a whole number",
        "float_": "a number",
        "finite": "a finite number",
        "literal": f"one of {bounds.get('expected', 'those listed')}",
    }
    known = next((words for start, words in kinds.items() if problem["type"].startswith(start)), None)
    return f"must be {known}" if known else str(problem["msg"]).removeprefix("Input ").removeprefix("Value error, ")


def _written(value: Any) -> str:
    """As in a field: no zeros behind the point, commas between thousands."""
    return f"{value:,g}" if isinstance(value, float) else f"{value:,}" if type(value) is int else as_text(value)


def fields(
    kind: type[Settings],
    names: Iterable[str],
    values: Mapping[str, Any],
    *,
    labels: Mapping[str, str] = types.MappingProxyType({}),
    columns: int = 4,
    refusals: Refusals = types.MappingProxyType({}),
) -> dict[str, Any]:
    """Input fields of a settings class, in rows.

    Bounds are checked in the browser alone, so what comes back still has to go through `genlab.settings.validate`.

    Args:
        kind: The settings class.
        names: Its fields, in this order.
        values: Other defaults than the fields' own.
        labels: Other labels than the fields' names.
        columns: Fields in a row.
        refusals: What was wrong with the fields when they were sent last.

    Returns:
        What the fields hold, by name.
    """
    filled = {}
    names = list(names)
    for start in range(0, len(names), columns):
        for place, name in zip(st.columns(columns), names[start : start + columns], strict=False):
            with place:
                filled[name] = field(kind, name, values.get(name, kind.model_fields[name].default), label=labels.get(name))
                if (kind.__name__, name) in refusals:
                    say(st.markdown, ":red[▲ {}]", refusals[kind.__name__, name])
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
