"""Settings as people type them: ``--set name=value``, and the data that they describe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from genlab.errors import InputError

DEFAULT_DATA = "digits"
# The data decide these two, so that a model always fits its images.
FROM_DATA = {"image_shape", "levels"}


def settings_help() -> str:
    """The settings of every model, of the data and of training, with their defaults."""
    from genlab.models import list_models, settings_class
    from genlab.settings import DataSettings, TrainSettings

    sections = {"training": TrainSettings, "data": DataSettings} | {f"model {name}": settings_class(name) for name in list_models()}
    lines = ["settings for --set, as name=value or, if two have the name, as training.name, data.name or model.name:"]
    for title, kind in sections.items():
        lines.append(f"\n{title}:")
        for name, entry in kind.model_fields.items():
            if name not in FROM_DATA or kind is DataSettings:
                default = "none" if entry.default is None else entry.default
                lines.append(f"  {name + '=' + str(default):28} {entry.description or ''}".rstrip())
    return "\n".join(lines)


def assignments(assignments: Sequence[str], known: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str, str | None]]:
    """Part, name and value of each ``name=value`` or ``part.name=value``."""
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise InputError(f"--set takes name=value; got {assignment!r}")
        yield *_find_setting(key, known), None if value.lower() in ("none", "null", "") else value


def _find_setting(key: str, known: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """Which part a key belongs to, and its name there."""
    part, _, name = key.rpartition(".")
    parts = [place for place, names in known.items() if name in names and part in ("", place)]
    if len(parts) > 1:
        raise InputError(f"--set {key} could mean {' or '.join(f'{place}.{name}' for place in parts)}; write one of them")
    if not parts:
        names = ", ".join(f"{place}.{name}" for place, names in known.items() for name in names)
        raise InputError(f"--set has no setting {key!r}; known: {names}")
    return parts[0], name


def data_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The data settings in a run's config."""
    return {name: value for name, value in config["data"].items() if name != "record"}


def load_data(settings: Mapping[str, Any]) -> Any:
    """The dataset of settings that may still be text."""
    from genlab.datasets import load_dataset
    from genlab.settings import DataSettings, validate

    checked = validate(DataSettings, {"name": DEFAULT_DATA, **settings}).model_dump()
    return load_dataset(checked.pop("name"), **checked)
