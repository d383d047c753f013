"""What a benchmark is made of: a table of cases, the sides that run each case, and how their results are held to the truth."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]
Settings = Mapping[str, Any]
Role = Literal["native", "peer", "context"]
Unit = Literal["seconds", "bytes"]

MOST_UNREST = 1.5
SHARE_OF_PEAK = "share_of_peak"


@dataclass(frozen=True)
class Contender:
    """One side of a case, ready to run.

    Attributes:
        outputs: Runs once and returns the arrays that are checked, by name.
        run: What is timed. It computes what `outputs` returns, and nothing else beyond it. In a table of bytes it returns the number.
        scale: How many such runs the whole computation takes. A minute of the same forward pass over and over is timed by a few of
            them; the side's name says so.
    """

    outputs: Callable[[], Arrays]
    run: Callable[[], Any]
    scale: float = 1.0


@dataclass(frozen=True)
class Side:
    """One way to compute the cases of a table.

    Attributes:
        process: Sides of the same process share one; every framework has its own.
        prepare: ``prepare(**settings)`` makes the inputs of a case, the same on every side. It is called in the side's process.
        role: ``"native"`` is what the others are divided by. A ``"peer"`` computes the same; ``"context"`` is another quantity to
            be seen beside them.
        once: A run so long that neither warming up nor the drift of the machine matters: the one run that is checked is the one
            that is timed.
        threads: Threads of its process; None means as many as all others have. Sides of one process name have the same number.
    """

    process: str
    prepare: Callable[..., Contender]
    role: Role = "peer"
    once: bool = False
    limit: float | None = None
    threads: int | None = None


@dataclass(frozen=True)
class Case:
    """One row of sizes. `settings` are plain values of JSON, `sides` names of the table's sides, the native one among them."""

    name: str
    settings: Settings
    sides: Sequence[str]


@dataclass(frozen=True)
class Agreement:
    """How far a side's result lies from the truth, in the unit that `quantity` states."""

    quantity: str
    deviation: float
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether the deviation is within the tolerance. NaN is not."""
        return self.deviation <= self.tolerance


Check = Callable[[Arrays], Sequence[Agreement]]


@dataclass(frozen=True)
class Effort:
    """How much timing is enough.

    Attributes:
        rounds: Rounds through all sides.
        seconds: A side whose runs would take longer than this in all sits out the last rounds, but not the first three.
        retakes: How often a case that was disturbed is measured again.
    """

    rounds: int
    seconds: float
    retakes: int = 2


@dataclass(frozen=True)
class SideResult:
    """What one side did in one case: its times in seconds (or its memory in bytes), run by run, and its agreement with the truth."""

    side: str
    process: str
    role: Role
    agreements: Sequence[Agreement] = ()
    seconds: Sequence[float] = ()
    bytes: Sequence[int] = ()
    failure: str | None = None

    @property
    def measured(self) -> Sequence[float]:
        """Seconds or bytes, whichever the table measures; empty if the side was not measured."""
        return self.seconds or self.bytes

    @property
    def median(self) -> float:
        """Median of what was measured; NaN if nothing was."""
        return statistics.median(self.measured) if self.measured else math.nan

    @property
    def minimum(self) -> float:
        """Least of what was measured; NaN if nothing was."""
        return min(self.measured, default=math.nan)

    @property
    def unrest(self) -> float:
        """Median over minimum, 1 at best; NaN if it was not timed several times. Above `MOST_UNREST` something else used the cores."""
        return self.median / self.minimum if len(self.seconds) > 1 else math.nan


@dataclass(frozen=True)
class CaseResult:
    """All sides of one case.

    Attributes:
        case: What was measured.
        sides: Who took part.
        refusal: Why nothing was timed, if the sides disagree.
        impossible: Whether native seems faster than the machine can be: then the peak was disturbed, whatever the rounds look like.
    """

    case: Case
    sides: Sequence[SideResult]
    refusal: str | None = None
    impossible: bool = False

    def __getitem__(self, name: str) -> SideResult:
        return next(side for side in self.sides if side.side == name)

    def __contains__(self, name: str) -> bool:
        """Whether the side was measured in this case."""
        return any(side.side == name and side.measured for side in self.sides)

    @property
    def native(self) -> SideResult:
        """The side that the others are divided by."""
        return next(side for side in self.sides if side.role == "native")

    @property
    def unrest(self) -> float:
        """That of the most disturbed side; 1 if none can be told."""
        return max((side.unrest for side in self.sides if not math.isnan(side.unrest)), default=1.0)

    @property
    def disturbed(self) -> bool:
        """Whether something else was using the cores, so that neither times nor ratios are to be believed."""
        return self.impossible or self.unrest > MOST_UNREST

    def ratio(self, side: SideResult) -> float:
        """Median of `side` divided by native's: how many times faster native is."""
        return side.median / self.native.median

    def best_peer(self, process: str | None = None) -> SideResult | None:
        """The fastest (or smallest) peer, of one process or of all; None if none was measured."""
        peers = [side for side in self.sides if side.role == "peer" and side.measured and process in (None, side.process)]
        return min(peers, key=lambda side: side.median, default=None)

    def lead(self, process: str | None = None) -> float:
        """How many times faster native is than the fastest peer, of one process or of all; NaN if none was timed."""
        best = self.best_peer(process)
        return self.ratio(best) if best else math.nan


@dataclass(frozen=True)
class Figure:
    """One number that a table comes down to."""

    key: str
    value: float
    meaning: str

    @property
    def impossible(self) -> bool:
        """Whether it says that something was faster than the machine can be."""
        return self.key.endswith(SHARE_OF_PEAK) and self.value > 1


@dataclass(frozen=True)
class Table:
    """A benchmark.

    Attributes:
        name: As in ``genlab bench NAME``.
        module: The module that holds it as ``TABLE``, where the sides' processes find it.
        about: What is compared, and why it is fair.
        sides: All ways to compute, by name.
        cases: ``cases(quick)``.
        check: ``check(settings)`` computes the truth of a case and returns what holds a side's outputs to it.
        figures: What the results come down to.
        unit: What a run is measured in.
        notes: Sentences about what this machine leaves out.
    """

    name: str
    module: str
    about: str
    sides: Mapping[str, Side]
    cases: Callable[[bool], Sequence[Case]]
    check: Callable[[Settings], Check]
    figures: Callable[[Sequence[CaseResult]], Sequence[Figure]]
    unit: Unit = "seconds"
    notes: Callable[[], Sequence[str]] = tuple


def relative_error(result: Array, truth: Array) -> float:
    """Max |result − truth| / max |truth|; infinite if the shapes differ."""
    if result.shape != truth.shape:
        return math.inf
    return float(np.abs(result - truth).max(initial=0.0) / np.abs(truth).max(initial=np.finfo(np.float64).tiny))


def geometric_mean(values: Sequence[float]) -> float:
    """Exp of the mean logarithm, leaving out NaN; NaN if nothing is left."""
    known = [value for value in values if not math.isnan(value)]
    return statistics.geometric_mean(known) if known else math.nan
