"""The race: the same images drawn in several ways, each row stamped by a real clock as it is finished."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genlab.dashboard.components import base64, component
from genlab.dashboard.components.theatre import NOTHING
from genlab.dashboard.sampling_slot import SAMPLING_SLOT
from genlab.native import native_info

if TYPE_CHECKING:
    from genlab.models.causal.model import CausalModel

_mount = component("race")

# A runner that isn't home by then is stopped where it is: a visitor waits for all of them.
SECONDS_AT_MOST = 10.0
RUNNERS = {
    "native": "native: every pixel computed once, in C++",
    "torch": "torch: every pixel computed once, in Python",
    "jacobi": "Jacobi: all pixels guessed at once, again and again until none changes",
    "naive": "torch, the textbook's way: one full pass for each pixel",
}


@dataclass(frozen=True)
class Runner:
    """How one way of drawing did.

    Attributes:
        backend: Its name in `genlab.sample`.
        stamps: Pairs (seconds after the start, share of the rows that were finished by then).
        finished: Whether it came to the end.
        passes: Full forward passes that it takes; of Jacobi, that it took until it came to the end or was stopped.
    """

    backend: str
    stamps: list[tuple[float, float]]
    finished: bool
    passes: int = 1

    @property
    def seconds(self) -> float:
        """How long it ran."""
        return self.stamps[-1][0]

    @property
    def words(self) -> str:
        """Above its lane."""
        return f"{RUNNERS[self.backend]} ({self.passes:,} full pass{'es' if self.passes > 1 else ''})"


@dataclass(frozen=True)
class Race:
    """A race that was run.

    Attributes:
        image_shape: ``(C, H, W)``.
        levels: Number of levels.
        images: What the first runner drew, ``(N, C, H, W)``.
        runners: In the order of `RUNNERS`.
        alike: How many images every finished runner drew the same.
    """

    image_shape: tuple[int, int, int]
    levels: int
    images: NDArray[np.uint8]
    runners: list[Runner]
    alike: int

    @property
    def sentence(self) -> str:
        """Who was how much faster, by the clock."""
        first, last = self.runners[0], self.runners[-1]
        count = f"{len(self.images)} image" + ("s" if len(self.images) > 1 else "")
        if first.backend != "native":
            return f"{count}; the native walk is not built here."
        if last.finished:
            faster = f"{last.seconds / first.seconds:,.0f} times faster than the textbook's way"
            return f"{count}, drawn {faster}; {self.alike} come out alike in all {len(self.runners)} lanes."
        reached = f"{math.floor(100 * last.stamps[-1][1])}% of the way"  # whole rows, rounded down, as in its lane
        return (
            f"{count}. After {last.seconds:.0f} s the textbook's way was stopped, {reached}; "
            f"the native walk had needed {1000 * first.seconds:.0f} ms for all of it."
        )


class _TooSlow(Exception):  # noqa: N818 - not an error: it was stopped
    """Ends a draw."""


def run_race(
    model: CausalModel, *, images: int, seed: int, told: Mapping[str, Any] = NOTHING, seconds_at_most: float = SECONDS_AT_MOST
) -> Race:
    """Draw the same images with every backend that is here, one after the other, each alone on the machine's cores.

    Args:
        model: The model.
        images: How many.
        seed: Decides the uniform numbers, which all share.
        told: What the model is given each time, such as a class.
        seconds_at_most: When a runner other than the first is stopped.
    """
    from genlab.sampling import count_passes, sample

    runners: list[Runner] = []
    drawn: list[NDArray[np.uint8]] = []
    for backend in [name for name in RUNNERS if name != "native" or native_info()["available"]]:
        stamps: list[tuple[float, float]] = []
        asked: dict[str, Any] = dict(told)
        passes = [1]
        if backend == "jacobi":  # which alone does not know beforehand
            asked["on_pass"] = lambda count, _, passes=passes: passes.append(count)
        else:
            passes.append(count_passes(model, images, backend=backend, **told))
        with SAMPLING_SLOT:
            if backend == "native":
                sample(model, 1, seed=seed, backend=backend, **told)  # packs the weights, which a program does once
            start = time.perf_counter()
            # The first always comes home: it is what the others are compared with.
            limit = seconds_at_most if drawn else math.inf
            try:
                drawn.append(sample(model, images, seed=seed, backend=backend, on_progress=_stamp(stamps, start, limit), **asked))
                stamps.append((time.perf_counter() - start, 1.0))
                runners.append(Runner(backend, stamps, True, passes[-1]))
            except _TooSlow:
                runners.append(Runner(backend, stamps, False, passes[-1]))
    alike = np.all([(other == drawn[0]).all((1, 2, 3)) for other in drawn], axis=0)
    return Race(model.image_shape, model.levels, drawn[0], runners, int(alike.sum()))


def _stamp(stamps: list[tuple[float, float]], start: float, seconds_at_most: float) -> Callable[[int, int], None]:
    def report(done: int, total: int) -> None:
        stamps.append((time.perf_counter() - start, done / total))
        if stamps[-1][0] > seconds_at_most and done < total:
            raise _TooSlow

    return report


def race(result: Race, *, identity: str) -> None:
    """Replay a race in real time.

    Args:
        result: The race.
        identity: Another one starts the replay anew.
    """
    data: dict[str, Any] = {
        "id": identity,
        "shape": result.image_shape,
        "levels": result.levels,
        "count": len(result.images),
        "values": base64(result.images.transpose(0, 2, 3, 1)),
        "sentence": result.sentence,
        "runners": [{"words": runner.words, "stamps": runner.stamps, "finished": runner.finished} for runner in result.runners],
    }
    _mount(data=data, key="race")
