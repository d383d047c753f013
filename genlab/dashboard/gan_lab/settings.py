"""What can be chosen in the 2-D GAN lab: one list, which makes the browser's controls and checks what comes back from there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Settings = dict[str, Any]


@dataclass(frozen=True)
class Choice:
    """A setting.

    Attributes:
        name: In the address.
        words: At its control.
        default: Its value in the situation that is shown first.
        options: Values and what they are called, where there are few.
        rates: Least and most of a number that is chosen by ratios.
        or_none: 0 may be chosen too, which is none.
        whole: Least and most of a whole number.
        fresh: A change of it begins a new training; any other is made in mid-run.
    """

    name: str
    words: str
    default: Any
    options: Mapping[Any, str] | None = None
    rates: tuple[float, float] | None = None
    or_none: bool = False
    whole: tuple[int, int] | None = None
    fresh: bool = False

    def checked(self, value: Any) -> Any:
        """The value as the game takes it, or None if it breaks a rule; from an address it comes as text."""
        if self.options is not None:
            return next((each for each in self.options if str(value) == str(each)), None)
        try:
            number = float(value)
        except (TypeError, ValueError):
            return None
        if self.whole is not None:
            return int(number) if number.is_integer() and self.whole[0] <= number <= self.whole[1] else None
        least, most = self.rates or (-math.inf, math.inf)
        return number if least <= number <= most or (self.or_none and number == 0) else None

    def as_data(self) -> dict[str, Any]:
        """For the browser."""
        options = None if self.options is None else [[value, words] for value, words in self.options.items()]
        return {"name": self.name, "words": self.words, "options": options, "rates": self.rates, "whole": self.whole} | {
            "none": self.or_none,
            "fresh": self.fresh,
        }


DRAWN = "drawn"
CHOICES = (
    Choice(
        "data",
        "data",
        "ring",
        options={"ring": "ring of 8", "grid25": "grid of 25", "spirals": "spirals", "moons": "two moons", DRAWN: "drawn by hand"},
        fresh=True,
    ),
    Choice(
        "loss",
        "loss",
        "relativistic",
        options={
            "nonsaturating": "non-saturating",
            "minimax": "minimax",
            "wasserstein": "Wasserstein",
            "hinge": "hinge",
            "relativistic": "relativistic",
        },
    ),
    Choice("lr_d", "D’s learning rate", 0.001, rates=(1e-5, 0.1)),
    Choice("lr_g", "G’s learning rate", 0.001, rates=(1e-5, 0.1)),
    Choice("moves", "moves of D a step", 1, whole=(1, 10)),
    Choice("penalty", "γ, D’s penalty", 0.1, rates=(1e-3, 10.0), or_none=True),
    Choice("z", "z", "normal", options={"normal": "normal, 2-D", "uniform": "uniform, 2-D", "line": "uniform, 1-D"}),
    Choice("width", "neurons a layer, of 2", 32, options={width: str(width) for width in (8, 16, 32, 64)}, fresh=True),
    Choice("seed", "seed", 0, whole=(0, 9999), fresh=True),
)
BY_NAME = {choice.name: choice for choice in CHOICES}


def complete(chosen: Mapping[str, Any]) -> Settings:
    """All settings, those that are not chosen by their defaults."""
    return {choice.name: chosen.get(choice.name, choice.default) for choice in CHOICES}
