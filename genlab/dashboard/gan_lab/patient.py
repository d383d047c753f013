"""What the GAN doctor hears of a game in the browser, and what its cures are there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from genlab.dashboard.gan_lab.points import point_sets
from genlab.dashboard.gan_lab.settings import BY_NAME, Settings
from genlab.dashboard.gan_lab.state import State
from genlab.doctor import Diagnosis, diagnose, of_records
from genlab.settings import TrainSettings

_MOST_RECORDS = 1000
_EARLY = 500  # steps
_RATE: float = TrainSettings.model_fields["learning_rate"].default  # which the models' rates are parts of
_RATES = {"generator_rate": "lr_g", "discriminator_rate": "lr_d"}
_SAME = {"loss": "loss", "penalty": "penalty", "discriminator_moves": "moves"}


def examine(state: State, told: Mapping[str, Any]) -> Diagnosis:
    """The doctor's word.

    Args:
        state: Where the visitor is.
        told: What the browser recorded: ``turns`` and ``looks``, lists of ``{"step", "values"}``; whatever else it holds is left out.
    """
    now = {**state.start, **{name: value for name, value in state.done if isinstance(name, str)}}
    settings = as_model(now)
    figures = of_records([{"values": values} for values in _values(told.get("turns"))], settings)
    looks = _values(told.get("looks"))
    modes = getattr(point_sets().get(now["data"]), "centres", None)
    if looks and "spread" in looks[-1]:
        figures["spread"] = looks[-1]["spread"]
    if looks and "missed" in looks[-1] and modes is not None:
        figures |= {"bins missed": looks[-1]["missed"], "bins": float(len(modes))}
    found = diagnose(figures, settings)
    is_early = sum(word[0] for word in state.done if isinstance(word[0], int)) < _EARLY
    # Every game swings and misses something while it unfolds; but who has won so soon has won.
    return diagnose({}, settings) if is_early and found.kind != "d_has_won" else found


def as_model(settings: Settings) -> dict[str, Any]:
    """The lab's settings by the names that the library's models have for them."""
    rates = {name: settings[ours] / _RATE for name, ours in _RATES.items()}
    return rates | {name: settings[ours] for name, ours in _SAME.items()}


def as_settings(cure: Mapping[str, Any]) -> Settings:
    """A cure in the lab's settings; what the lab has no name for is left out."""
    found = {_RATES[name]: round(value * _RATE, 6) for name, value in cure.items() if name in _RATES}
    found |= {_SAME[name]: value for name, value in cure.items() if name in _SAME}
    return {name: value for name, value in found.items() if BY_NAME[name].checked(value) is not None}


def _values(records: Any) -> list[dict[str, float]]:
    """The figures of each record; what a browser sends can be anything."""
    found = []
    for each in records[:_MOST_RECORDS] if isinstance(records, list) else []:
        values = each.get("values") if isinstance(each, Mapping) else None
        if isinstance(values, Mapping):
            known = {str(name): float(value) for name, value in values.items() if type(value) in (int, float) and math.isfinite(value)}
            found.append(known)
    return found
