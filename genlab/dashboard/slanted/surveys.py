"""Surveys of toy GANs: each is computed once in this process, behind everything else, and all sessions look at the same one.

A survey that is shipped with genlab (`shipped`) is there at once. Any other is computed frame by frame by one thread, the least in the
queue for the processor, for as long as somebody looks at it; what is computed is kept until the server ends.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import streamlit as st

from genlab import toy_gan

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.uint16]

AXES = ("initial scale", "number of steps")
RATES = (1e-3, 10.0)
SCALES = (0.05, 20.0)
_LOOKED_AT_SECONDS = 5.0


@dataclass(frozen=True)
class Plan:
    """What is asked: it decides a survey to the last run.

    Attributes:
        across: What the rows are, one of `AXES`; columns are learning rates.
        runs: In a cell.
        loss: Of G.
        columns: How many.
        rows: How many.
        epochs: Times that every run sees every face.
        frames: How many states are shown on the way; as many as rows if rows are steps.
    """

    across: str
    runs: int
    loss: str
    columns: int
    rows: int
    epochs: int
    frames: int

    @property
    def by_steps(self) -> bool:
        """Whether rows are numbers of steps."""
        return self.across == AXES[1]

    @property
    def total(self) -> int:
        """Runs in all; if rows are steps, all rows are the same runs."""
        return self.runs * self.columns * (1 if self.by_steps else self.rows)

    @property
    def steps(self) -> int:
        """Steps of a run."""
        return self.epochs * len(toy_gan.FACES)

    @property
    def rates(self) -> Array:
        """The learning rates of the columns."""
        return np.geomspace(*RATES, self.columns)

    @property
    def scales(self) -> Array:
        """The initial scales: of the rows, or the one of all."""
        return np.ones(1) if self.by_steps else np.geomspace(*SCALES, self.rows)

    def scale(self, row: int) -> float:
        """The initial scale of a row."""
        return float(self.scales[0 if self.by_steps else row])

    def seeds(self, row: int, column: int) -> range:
        """The seeds of a cell's runs: `genlab.toy_gan.phase_diagram` numbers them through row by row."""
        first = ((0 if self.by_steps else row) * self.columns + column) * self.runs
        return range(first, first + self.runs)

    def charts(self) -> Iterator[Chart]:
        """Compute it: what is known after each frame."""
        source = toy_gan.phase_diagram(self.rates, self.scales, runs=self.runs, epochs=self.epochs, loss=self.loss, frames=self.frames)
        varied, same = np.zeros((2, self.rows, self.columns), np.uint16)
        seconds = 0.0
        for known in range(1, self.frames + 1):
            start = time.perf_counter()
            frame = next(source)
            seconds += time.perf_counter() - start
            rows = slice(known - 1, known) if self.by_steps else slice(None)
            varied, same = varied.copy(), same.copy()  # sessions hold on to what was shown
            varied[rows] = np.round(frame.varied_faces * self.runs)
            same[rows] = np.round((frame.draws_faces - frame.varied_faces) * self.runs)
            yield Chart(varied, same, known if self.by_steps else self.rows, frame.steps_done, seconds)


@dataclass(frozen=True)
class Chart:
    """What is known of a survey.

    Attributes:
        varied: How many of a cell's runs draw faces and heed z, (rows, columns).
        same: How many draw faces and ignore z, (rows, columns).
        rows_known: Rows that are computed.
        steps_done: Steps that the runs have made.
        seconds: Time spent computing; None if it comes with genlab.
    """

    varied: Counts
    same: Counts
    rows_known: int
    steps_done: int
    seconds: float | None = None

    def steps_of(self, plan: Plan, row: int) -> int:
        """Steps behind a row."""
        return plan.steps * (row + 1) // plan.rows if plan.by_steps else self.steps_done


class Survey:
    """A plan and what is known of it so far."""

    def __init__(self, plan: Plan, chart: Chart | None = None) -> None:
        self.plan = plan
        self.chart = chart
        self.failure: BaseException | None = None
        self.looked_at = -math.inf
        self._source = plan.charts()

    @property
    def finished(self) -> bool:
        """Whether nothing is to be computed any more."""
        return self.failure is not None or self.done == 1

    @property
    def done(self) -> float:
        """The share of the work that is done."""
        return self.chart.steps_done / self.plan.steps if self.chart else 0.0

    def advance(self) -> None:
        """Compute a frame; whoever looks is told what went wrong."""
        try:
            self.chart = next(self._source)
        except BaseException as error:
            self.failure = error


class Office:
    """All surveys of this process, and the thread that works on those that somebody looks at."""

    def __init__(self) -> None:
        self._surveys: dict[Plan, Survey] = {}
        self._changed = threading.Condition()
        threading.Thread(target=self._work, name="surveys", daemon=True).start()

    def look(self, plan: Plan, *, patience: float = 0.0) -> Survey:
        """The survey of that plan; it is worked on for a while from now.

        Args:
            plan: What is asked.
            patience: Seconds to wait for a first chart.
        """
        with self._changed:
            survey = self._surveys.setdefault(plan, Survey(plan))
            survey.looked_at = time.monotonic()
            self._changed.notify_all()
            self._changed.wait_for(lambda: survey.chart or survey.finished, timeout=patience)
        if survey.failure is not None:
            raise survey.failure
        return survey

    def _work(self) -> None:
        _be_last()
        while True:
            survey = self._next()
            survey.advance()
            with self._changed:
                self._changed.notify_all()

    def _next(self) -> Survey:
        """The one that lies furthest behind of those that are looked at, as soon as there is one."""
        with self._changed:
            while not (wanted := self._wanted()):
                self._changed.wait()
            return min(wanted, key=lambda survey: survey.done)

    def _wanted(self) -> list[Survey]:
        since = time.monotonic() - _LOOKED_AT_SECONDS
        return [survey for survey in self._surveys.values() if not survey.finished and survey.looked_at >= since]


def _be_last() -> None:
    """This thread, and those that work for it, take what others leave of the processor."""
    if sys.platform == "linux":  # elsewhere a thread has no such number of its own
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)


@st.cache_resource(show_spinner=False)
def office() -> Office:
    """The one office of this process."""
    return Office()
