"""What a check of a promise finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from genlab.errors import InputError


@dataclass(frozen=True)
class Proof:
    """What a check found.

    Attributes:
        holds: Whether the claim held in every figure; None if it cannot be decided.
        sentence: What was checked and what came out, for a reader; if it cannot be decided, why.
        figures: The numbers, by what they are.
        seconds: What the check took.
    """

    holds: bool | None
    sentence: str
    figures: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def verdict(self) -> str:
        """``"holds"``, ``"does not hold"`` or ``"cannot be decided"``."""
        return "cannot be decided" if self.holds is None else "holds" if self.holds else "does not hold"


def at_least_one(argument: str, value: int) -> None:
    """Refuse less than 1 of something."""
    if value < 1:
        raise InputError(f"{argument} must be at least 1; got {value}")
