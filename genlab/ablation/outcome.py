"""What came of a study: a row a variant, with its interval, and what its trick is worth beside the first variant.

mean ± t(0.975, S − 1) · s / √S   over S seeds (Student); of a trick's worth, over the differences seed by seed
mean ± 1.96 · standard error      over the test images, where there is one seed

Neither says what other data would show.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlab.errors import RunError
from genlab.measures.resampling import NORMAL

_COST = ("verdict", "seeds", "parameters", "steps", "seconds")
HEAD = ("variant", "bits/dim", "nats an image", "against {}", *_COST)
HEAD_OF_SAMPLES = ("variant", "digit Fréchet", "precision", "recall", "against {}", *_COST)
"""Where a model has no likelihood."""
FIGURES = ("bits_per_dim", "frechet")
"""What decides, of models with a likelihood and without one: less is better."""


@dataclass(frozen=True)
class Interval:
    """A mean and how far a 95% interval reaches to either side; `half` is None where nothing tells."""

    mean: float
    half: float | None

    @property
    def ends(self) -> tuple[float, float]:
        """From where to where it reaches; both the mean where nothing tells."""
        half = self.half or 0.0
        return self.mean - half, self.mean + half

    def text(self, digits: int, *, signed: bool = False) -> str:
        """The mean ± half."""
        mean = f"{self.mean:{'+' if signed else ''}.{digits}f}"
        return mean if self.half is None else f"{mean} ± {self.half:.{digits}f}"


@dataclass(frozen=True)
class Row:
    """A variant.

    Attributes:
        name: Of the variant.
        trick: What it turns on or off.
        words: What differs.
        seeds: How many have been trained.
        bits_per_dim: Of the test images; None without a likelihood.
        nats: Likewise, for a whole image.
        frechet: Without a likelihood: the Fréchet distance in digit features.
        precision: Likewise, the share of samples that lie among the data.
        recall: Likewise, the share of the data that lie among samples.
        worth: How much more (`FIGURES`) than the first variant's; None for the first itself, or where nothing can be compared.
        verdict: The same in a word.
        parameters: Number of parameters.
        steps: Steps a training made, on average.
        seconds: Seconds it took.
        drawing_seconds: Seconds that `genlab.ablation.study.SAMPLES` images took.
        failures: What went wrong, a sentence a seed.
        samples: Images of the first seed, uint8 ``(n, C, H, W)``, or None.
        levels: Of the images' values.
    """

    name: str
    trick: str
    words: str
    seeds: int
    bits_per_dim: Interval | None
    nats: Interval | None
    frechet: Interval | None
    precision: Interval | None
    recall: Interval | None
    worth: Interval | None
    verdict: str
    parameters: int
    steps: float
    seconds: float
    drawing_seconds: float
    failures: tuple[str, ...]
    samples: NDArray[np.uint8] | None
    levels: int

    @property
    def figure(self) -> Interval | None:
        """What decides."""
        return self.bits_per_dim or self.frechet


def rows(document: Mapping[str, Any]) -> list[Row]:
    """A row for each variant of a study's document, in the plan's order.

    Raises:
        RunError: The document holds what a study does not write.
    """
    try:
        variants = document["plan"]["variants"]
        of_variant = {each["name"]: [record for record in document["runs"] if record["variant"] == each["name"]] for each in variants}
        return [_row(each, of_variant[each["name"]], of_variant[variants[0]["name"]]) for each in variants]
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, binascii.Error) as error:
        raise RunError(f"the file of the study holds what no study writes: {type(error).__name__} {error}") from None


def how_sure(document: Mapping[str, Any]) -> str:
    """What the intervals of a study are over, in a sentence."""
    most = max((row.seeds for row in rows(document)), default=0)
    if most > 1:
        return f"± is a 95% interval over {most} seeds (Student's t); differences are taken seed by seed."
    return "± is 1.96 standard errors over the test images, for there is one seed: what another seed would change is not in it."


def table(document: Mapping[str, Any]) -> list[list[str]]:
    """The rows as text, the head first."""
    found = rows(document)
    by_samples = any(row.frechet for row in found)
    cells = [[words.format(found[0].name if found else "") for words in (HEAD_OF_SAMPLES if by_samples else HEAD)]]
    digits = 2 if by_samples else 4
    for row in found:
        told = ((row.frechet, 2), (row.precision, 3), (row.recall, 3)) if by_samples else ((row.bits_per_dim, 4), (row.nats, 2))
        cells.append(
            [
                row.name,
                *(interval.text(places) if interval else "–" for interval, places in told),
                row.worth.text(digits, signed=True) if row.worth else "",
                row.verdict,
                str(row.seeds),
                f"{row.parameters:,}" if row.parameters else "–",
                f"{row.steps:,.0f}",
                f"{row.seconds:.0f}",
            ]
        )
    return cells


def _row(variant: Mapping[str, Any], records: Sequence[Mapping[str, Any]], first: Sequence[Mapping[str, Any]]) -> Row:
    done = _measured(records)
    failures = tuple(f"seed {record['seed']}: {record['failed']}" for record in records if "failed" in record)
    worth = None if records is first else _difference(done, _measured(first))
    with_samples = next((record for record in done if "samples" in record), None)
    return Row(
        name=str(variant["name"]),
        trick=str(variant["trick"]),
        words=str(variant["words"]),
        seeds=len(done),
        bits_per_dim=_over_seeds(done, "bits_per_dim"),
        nats=_over_seeds(done, "nats"),
        frechet=_over_seeds(done, "frechet"),
        precision=_over_seeds(done, "precision"),
        recall=_over_seeds(done, "recall"),
        worth=worth,
        verdict=_verdict(worth, bool(failures)),
        parameters=int(done[0]["parameters"]) if done else 0,
        steps=_mean(done, "steps"),
        seconds=_mean(done, "seconds"),
        drawing_seconds=_mean(done, "drawing_seconds"),
        failures=failures,
        samples=images_of(with_samples["samples"]) if with_samples else None,
        levels=int(with_samples["samples"]["levels"]) if with_samples else 2,
    )


def _measured(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those of trainings that came to their end."""
    return [record for record in records if any(name in record for name in FIGURES)]


def _over_seeds(records: Sequence[Mapping[str, Any]], name: str) -> Interval | None:
    if not records or name not in records[0]:
        return None
    values = [float(record[name]) for record in records]
    if len(values) > 1:
        return student(values)
    return Interval(values[0], _over_images(records[0], name))


def _over_images(record: Mapping[str, Any], name: str) -> float | None:
    """1.96 standard errors of one run's mean over the test images, in the unit of that figure."""
    error = record["standard_error"]
    return None if error is None else NORMAL * float(error) * float(record[name]) / float(record["nats"])


def _difference(ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]]) -> Interval | None:
    """How much more than theirs, seed by seed."""
    same = {record["seed"]: record for record in theirs}
    pairs = [(record, same[record["seed"]]) for record in ours if record["seed"] in same]
    if not pairs:
        return None
    name = next((name for name in FIGURES if all(name in record for record in pairs[0])), None)
    if name is None:  # one has a likelihood, the other has not
        return None
    values = [float(our[name]) - float(their[name]) for our, their in pairs]
    if len(values) > 1:
        return student(values)
    # Of two means over the same images, which rise and fall together: the interval is wider than need be.
    halves = [_over_images(record, name) for record in pairs[0]]
    return Interval(values[0], None if None in halves else math.hypot(*(half or 0.0 for half in halves)))


def student(values: Sequence[float]) -> Interval:
    """The mean of at least two values, and t(0.975, n − 1) · s / √n."""
    from scipy.special import stdtrit  # a tenth of a second, where scipy.stats takes a whole one

    spread = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return Interval(float(np.mean(values)), float(stdtrit(len(values) - 1, 0.975)) * spread)


def _verdict(worth: Interval | None, has_failed: bool) -> str:
    if worth is None:
        return "failed" if has_failed else ""
    if worth.half is None or abs(worth.mean) <= worth.half:
        return "undecided"
    return "better" if worth.mean < 0 else "worse"


def _mean(records: Sequence[Mapping[str, Any]], name: str) -> float:
    return float(np.mean([float(record[name]) for record in records])) if records else 0.0


def images_of(stored: Mapping[str, Any]) -> NDArray[np.uint8]:
    """Images out of the plain values that `genlab.ablation.study.stored` gives."""
    return np.frombuffer(base64.b64decode(stored["base64"], validate=True), np.uint8).reshape(stored["shape"])
