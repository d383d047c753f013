"""Where a visitor of the 2-D GAN lab is: how the game began and what was done since, which an address holds and a browser plays again.

What was done is a list of words: ``400b`` is 400 steps of both players, ``30d`` and ``30g`` are moves of D or G alone, and ``lr_d:0.01``
is a setting that was changed. Whatever comes out of an address or a browser is checked here.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from genlab.dashboard.gan_lab.settings import BY_NAME, CHOICES, Settings
from genlab.dashboard.gan_lab.situations import BY_NAME as SITUATION
from genlab.dashboard.gan_lab.situations import SITUATIONS

MOST_STEPS = 20_000
MOST_WORDS = 60
MOST_POINTS = 300
POINTS_A_UNIT = 40
_EDGE = 60  # of what can be drawn, 1.5 units

Word = tuple[int, str] | tuple[str, Any]


@dataclass(frozen=True)
class State:
    """Where a visitor is.

    Attributes:
        situation: The name of the situation that it began as.
        settings: With which it began.
        done: What was done since, as above.
        points: Drawn by hand, x₁, y₁, x₂, …
    """

    situation: str = SITUATIONS[0].name
    settings: Settings | None = None
    done: tuple[Word, ...] = ()
    points: tuple[float, ...] = ()

    @property
    def start(self) -> Settings:
        """All settings with which it began."""
        return self.settings or SITUATION[self.situation].settings

    def as_data(self) -> dict[str, Any]:
        """For the browser."""
        done = [list(word) for word in self.done]
        return {"situation": self.situation, "settings": self.start, "done": done, "points": list(self.points)}

    def as_address(self) -> dict[str, Any]:
        """Names and values; None where it is as the situation has it. What was done is left out where it is too much for an address."""
        usual = SITUATION[self.situation].settings
        words = [f"{first}{second}" if isinstance(first, int) else f"{first}:{_text(second)}" for first, second in self.done]
        changed = {name: None if value == usual[name] else value for name, value in self.start.items()}
        return {
            "situation": None if self.situation == SITUATIONS[0].name else self.situation,
            **changed,
            "done": ",".join(words) if words and _fits(self.done) else None,
            "points": _packed(self.points) or None,
        }


def of_address(query: Mapping[str, Any]) -> State:
    """The state in an address; what breaks a rule counts as not given."""
    name = str(query.get("situation", ""))
    name = name if name in SITUATION else SITUATIONS[0].name
    asked = {choice.name: choice.checked(query.get(choice.name)) for choice in CHOICES}
    settings = SITUATION[name].settings | {name: value for name, value in asked.items() if value is not None}
    words = [_word(text) for text in str(query.get("done", "")).split(",")[: MOST_WORDS + 1] if text]
    known = [word for word in words if word is not None]
    done = tuple(known) if len(known) == len(words) and _fits(known) else ()
    return State(name, settings, done, _unpacked(str(query.get("points", ""))))


def of_browser(said: Any) -> State | None:
    """The state that a browser has sent, or None if it is none."""
    if not isinstance(said, Mapping) or said.get("situation") not in SITUATION or not isinstance(said.get("settings"), Mapping):
        return None
    settings = {choice.name: choice.checked(said["settings"].get(choice.name)) for choice in CHOICES}
    if any(value is None for value in settings.values()):
        return None
    listed = said.get("done")
    pairs = listed if isinstance(listed, list) and len(listed) <= 10 * MOST_WORDS else []
    words = [_checked(*pair) for pair in pairs if isinstance(pair, list) and len(pair) == 2]
    points = _places(said.get("points"))
    if len(words) != len(pairs) or any(word is None for word in words) or points is None:
        return None
    return State(said["situation"], settings, tuple(word for word in words if word is not None), points)


def _word(text: str) -> Word | None:
    if found := re.fullmatch(r"(\d{1,6})([bdg])", text, re.ASCII):
        return _checked(int(found[1]), found[2])
    name, _, value = text.partition(":")
    return _checked(name, value)


def _checked(first: Any, second: Any) -> Word | None:
    """Steps and whose they are, or a setting that can be changed in mid-run and its value."""
    if type(first) is int:
        return (first, second) if second in ("b", "d", "g") and 0 < first < 10**6 else None
    choice = BY_NAME.get(first) if isinstance(first, str) else None
    value = None if choice is None or choice.fresh else choice.checked(second)
    return None if value is None else (first, value)


def _fits(done: Sequence[Word]) -> bool:
    """Whether it can be played again in a little time."""
    return len(done) <= MOST_WORDS and sum(first for first, _ in done if isinstance(first, int)) <= MOST_STEPS


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _places(given: Any) -> tuple[float, ...] | None:
    """Coordinates on the grid of the pen, an even number of them."""
    if not isinstance(given, list) or len(given) % 2 or len(given) > 2 * MOST_POINTS:
        return None
    if not all(type(value) in (int, float) and abs(value) * POINTS_A_UNIT <= _EDGE for value in given):
        return None
    return tuple(round(value * POINTS_A_UNIT) / POINTS_A_UNIT for value in given)


def _packed(points: Sequence[float]) -> str:
    """A byte a coordinate."""
    values = np.rint(np.array(points) * POINTS_A_UNIT).astype(np.int8)
    return urlsafe_b64encode(values.tobytes()).decode().rstrip("=")


def _unpacked(text: str) -> tuple[float, ...]:
    if len(text) > 3 * MOST_POINTS:
        return ()
    try:
        values = np.frombuffer(urlsafe_b64decode(text + "=" * (-len(text) % 4)), np.int8)
    except (Base64Error, ValueError):
        return ()
    return _places([float(value) / POINTS_A_UNIT for value in values]) or ()
