"""Settings: every bound that a field declares is kept, and every refusal is one sentence."""

from __future__ import annotations

import math
from typing import Any, get_args

import pytest
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from genlab.errors import InputError
from genlab.settings import DataSettings, Settings, TrainSettings, validate

KINDS = (TrainSettings, DataSettings)


def just_outside(entry: FieldInfo) -> list[Any]:
    """The values next to a field's declared bounds, on the wrong side."""
    found = []
    for bound in entry.metadata:
        found += [bound.ge - 1] if hasattr(bound, "ge") else []
        found += [bound.le + 1] if hasattr(bound, "le") else []
        found += [bound.gt] if hasattr(bound, "gt") else []
        found += [bound.lt] if hasattr(bound, "lt") else []
    return found


OUTSIDE = [(name, value) for name, entry in TrainSettings.model_fields.items() for value in just_outside(entry)]


def test_the_defaults_keep_their_own_rules() -> None:
    for kind in KINDS:
        assert validate(kind, kind().model_dump()) == kind()


def test_every_number_has_a_bound_on_both_sides() -> None:
    for name, entry in TrainSettings.model_fields.items():
        if {int, float} & {entry.annotation, *get_args(entry.annotation)}:
            assert len(just_outside(entry)) == 2, name


@pytest.mark.parametrize(("name", "value"), OUTSIDE)
def test_a_value_outside_its_bounds_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=rf"^{name} .*; got {value!r}$"):
        validate(TrainSettings, {name: value})


@pytest.mark.parametrize("name", ["minutes", "learning_rate", "clip_norm", "ema_decay", "checkpoint_seconds"])
@pytest.mark.parametrize("value", [math.nan, math.inf, "abc", None, [1]])
def test_what_is_no_finite_number_is_refused(name: str, value: Any) -> None:
    if value is None and name in ("minutes", "clip_norm"):
        assert validate(TrainSettings, {name: None}) == TrainSettings(**{name: None})
        return
    with pytest.raises(InputError, match=name):
        validate(TrainSettings, {name: value})


@pytest.mark.parametrize("name", ["schedule", "backend", "dtype"])
def test_a_word_nobody_knows_is_refused_with_the_known_ones(name: str) -> None:
    known = get_args(TrainSettings.model_fields[name].annotation)
    with pytest.raises(InputError, match=name) as caught:
        validate(TrainSettings, {name: "nonsense"})
    assert all(repr(word) in str(caught.value) for word in known)


def test_an_unknown_setting_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"batch_size.*got 'batchsize'"):
        validate(TrainSettings, {"batchsize": 3})


def test_text_is_read_as_the_fields_type() -> None:
    settings = validate(TrainSettings, {"epochs": "3", "learning_rate": "1e-3", "schedule": "constant"})
    assert (settings.epochs, settings.learning_rate, settings.schedule) == (3, 1e-3, "constant")


def test_all_wrong_values_are_named_at_once() -> None:
    with pytest.raises(InputError, match=r"^epochs .*; batch_size "):
        validate(TrainSettings, {"batch_size": 0, "epochs": 0})


def test_settings_are_frozen() -> None:
    settings: Settings = TrainSettings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.epochs = 3  # type: ignore[attr-defined]


def test_every_training_setting_says_what_it_is() -> None:
    assert all(entry.description for entry in TrainSettings.model_fields.values())


@pytest.mark.parametrize(
    ("budget", "since", "left"),
    [
        ({"epochs": 3}, (0, 0.0), 20.0),  # 10 steps an epoch, a second each
        ({"steps": 15, "epochs": 3}, (0, 0.0), 5.0),
        ({"minutes": 0.2, "epochs": 3}, (0, 0.0), 2.0),
        ({"minutes": 0.1}, (0, 0.0), 0.0),
        ({"steps": 15}, (8, 4.0), 15.0),  # slower since it was resumed
        ({"steps": 15}, (10, 10.0), None),
        ({}, (0, 0.0), None),
    ],
)
def test_time_left_is_what_ends_first(budget: dict[str, Any], since: tuple[int, float], left: float | None) -> None:
    assert TrainSettings(batch_size=10, **budget).seconds_left(10, 10.0, 100, since=since) == left
