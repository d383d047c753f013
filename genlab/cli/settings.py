"""Settings as people type them: ``--set name=value``, and the data that they describe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from genlab.errors import InputError, did_you_mean

DEFAULT_DATA = "digits"


def settings_help() -> str:
    """The settings of every model, of the data and of training, with their defaults, after a line for each model."""
    from genlab.models import entries, settings_class
    from genlab.settings import FROM_DATA, DataSettings, TrainSettings

    sections = {"training": TrainSettings, "data": DataSettings} | {f"model {each.name}": settings_class(each.name) for each in entries()}
    lines = ["models:", *(f"  {each.name:28} {each.paper}: {each.words}" for each in entries())]
    lines += ["", "settings for --set, as name=value or, if two have the name, as training.name, data.name or model.name:"]
    for title, kind in sections.items():
        lines.append(f"\n{title}:")
        for name, entry in kind.model_fields.items():
            if name not in FROM_DATA or kind is DataSettings:
                default = "none" if entry.default is None else entry.default
                lines.append(f"  {name + '=' + str(default):28} {entry.description or ''}".rstrip())
    return "\n".join(lines)


def assigned(assignments: Sequence[str], known: Mapping[str, Sequence[str]]) -> dict[tuple[str, str], str | None]:
    """The value of each part and name out of ``name=value`` or ``part.name=value``.

    Raises:
        InputError: One is no assignment, names no setting or several, or two give one setting different values.
    """
    values: dict[tuple[str, str], str | None] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise InputError(f"--set takes name=value; got {assignment!r}")
        setting, meant = _find_setting(key, known), None if value.lower() in ("none", "null", "") else value
        if values.setdefault(setting, meant) != meant:
            raise InputError(f"--set {'.'.join(setting)} must not contradict itself; got {values[setting]!r} and {meant!r}")
    return values


def _find_setting(key: str, known: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """Which part a key belongs to, and its name there."""
    part, _, name = key.rpartition(".")
    parts = [place for place, names in known.items() if name in names and part in ("", place)]
    if len(parts) > 1:
        raise InputError(f"--set {key} could mean {' or '.join(f'{place}.{name}' for place in parts)}; write one of them")
    if not parts:
        names = ", ".join(f"{place}.{name}" for place, names in known.items() for name in names)
        close = did_you_mean(key, [*names.split(", "), *(name for each in known.values() for name in each)])
        raise InputError(f"--set has no setting {key!r}{close}; known: {names}")
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
