"""How often generated pictures are taken for real: a share with its Wilson interval, and what it says in words.

    p̂ = fooled / shown        (p̂ + z²/2n ± z √(p̂ (1 − p̂)/n + z²/4n²)) / (1 + z²/n),   z = 1.96, n = shown

The interval (Wilson 1927) stays between 0 and 1 and is right for few pictures too. Half is what a coin does: who is fooled by every
second picture, while every second real one passes too, tells nothing from nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from genlab.errors import InputError
from genlab.measures.resampling import NORMAL, Estimate


@dataclass(frozen=True)
class Share:
    """So many of so many.

    Attributes:
        hits: How many.
        trials: Of how many.
    """

    hits: int
    trials: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.trials:
            raise InputError(f"hits must be from 0 to trials, {self.trials}; got {self.hits}")

    @property
    def estimate(self) -> Estimate | None:
        """The share with its 95% Wilson interval; None of no trials."""
        if not self.trials:
            return None
        n, share, z2 = self.trials, self.hits / self.trials, NORMAL**2
        middle = share + z2 / (2 * n)
        half = NORMAL * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
        low, high = ((middle + side) / (1 + z2 / n) for side in (-half, half))
        # Where all or none are hits an end is the share itself, but for rounding.
        return Estimate(share, min(share, max(0.0, low)), max(share, min(1.0, high)))

    @property
    def verdict(self) -> str:
        """Which side of one half it lies on: ``"below"``, ``"above"``, or ``"half"`` where the interval includes it; ``"nothing"``."""
        found = self.estimate
        if found is None:
            return "nothing"
        return "below" if found.high < 0.5 else "above" if found.low > 0.5 else "half"

    def text(self) -> str:
        """``42% of 60 (95%: 30 to 54%)``."""
        found = self.estimate
        return "none yet" if found is None else f"{found.value:.0%} of {self.trials} (95%: {100 * found.low:.0f} to {found.high:.0%})"

    def brief(self) -> str:
        """``42% (29–56%)``."""
        found = self.estimate
        return "none yet" if found is None else f"{found.value:.0%} ({100 * found.low:.0f}–{found.high:.0%})"


@dataclass(frozen=True)
class Tally:
    """What came of pictures that were judged, over one round or many.

    Attributes:
        rounds: How many.
        pictures: Over all of them.
        generated: How many of the pictures were.
        fooled: Generated ones that were taken for real.
        passed: Real ones that were taken for real.
        seconds: All of it took.
    """

    rounds: int
    pictures: int
    generated: int
    fooled: int
    passed: int
    seconds: float

    @property
    def right(self) -> Share:
        """Pictures that were told rightly; a coin gets half, whatever was said."""
        return Share(self.generated - self.fooled + self.passed, self.pictures)

    @property
    def fooling(self) -> Share:
        """Generated pictures taken for real."""
        return fooling_rate(self.fooled, self.generated)

    @property
    def passing(self) -> Share:
        """Real pictures taken for real."""
        return Share(self.passed, self.pictures - self.generated)

    @property
    def pace(self) -> float:
        """Seconds a picture, the mean."""
        return self.seconds / max(1, self.pictures)

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))


NO_TALLY = Tally(0, 0, 0, 0, 0, 0.0)


def tally(generated: NDArray[np.bool_], called_real: NDArray[np.bool_], seconds: float = 0.0) -> Tally:
    """One round's.

    Args:
        generated: bool ``(N,)``, which pictures were.
        called_real: bool ``(N,)``, which were taken for real.
        seconds: All of it took.
    """
    fooled, passed = int((generated & called_real).sum()), int((~generated & called_real).sum())
    return Tally(1, len(generated), int(generated.sum()), fooled, passed, seconds)


def fooling_rate(fooled: int, shown: int) -> Share:
    """The share of generated pictures that were taken for real, with its Wilson interval and its verdict.

    Args:
        fooled: Generated pictures that were taken for real.
        shown: Generated pictures that were judged.

    Raises:
        InputError: `fooled` is not from 0 to `shown`.
    """
    return Share(fooled, shown)


FOOLING_WORDS = {
    "nothing": "no generated picture was judged yet",
    "half": "the interval includes 50%: so far a coin would do as well",
    "below": "the interval lies below 50%: most generated pictures are found out",
    "above": "the interval lies above 50%: most generated pictures pass for real",
}
"""What a fooling rate says, by its verdict."""
