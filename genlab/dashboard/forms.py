"""Form fields made from settings: bounds, defaults and help come from the same pydantic fields as the command line's options."""

from __future__ import annotations

import types
from typing import Any, get_args

import streamlit as st

from genlab.settings import Settings


def number_field(kind: type[Settings], name: str, *, value: float | None = None, step: float = 1) -> Any:
    """A number input for one field of a settings class.

    Bounds are checked in the browser alone, so what comes back still has to go through `genlab.settings.validate`.

    Args:
        kind: The settings class.
        name: The field, an int or a float.
        value: Another default than the field's own.
        step: What the buttons add and take away.

    Returns:
        The number in the field.
    """
    field = kind.model_fields[name]
    number = _number_type(field.annotation)
    numbers = {"value": field.default if value is None else value, "step": step}
    for rule in field.metadata:
        for option, bound in (("min_value", "ge"), ("max_value", "le")):
            if hasattr(rule, bound):
                numbers[option] = getattr(rule, bound)
    options: dict[str, Any] = {option: number(each) for option, each in numbers.items()}
    options |= {"format": "%d" if number is int else "%g", "help": field.description}
    return st.number_input(name.replace("_", " "), **options)


def _number_type(annotation: Any) -> type[int] | type[float]:
    """Int or float, also out of ``int | None``."""
    options = get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    return int if int in options else float
