"""What a model says of the examples of a split, by its own `validate`: the figures that it reports, whatever it is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genlab.domain import Domain
from genlab.errors import InputError, unknown_name
from genlab.models.contract import Compute, Model, check_fits

if TYPE_CHECKING:
    from genlab.datasets import Dataset, Split

SPLITS = ("train", "valid", "test")

# Examples scored at once are limited by their logits: 2²² of them in float64 are 32 MB.
LOGITS_AT_ONCE = 2**22


@dataclass(frozen=True)
class Figure:
    """A mean over a split.

    Attributes:
        mean: Over the examples; of a distance, the distance.
        standard_error: From the spread over the examples; None for a single example or a distance.
        examples: How many.
    """

    mean: float
    standard_error: float | None
    examples: int


MORE_OF_LIKELIHOODS = ("calibration_error", "typicality_gap", "typicality_inside")
"""What can be measured beside a model's own figures, of models that predict value after value or have a likelihood."""

MORE_OF_SAMPLES = ("precision", "recall", "density", "coverage", "digit_frechet", "memorisation_excess")
"""What can be measured of any model's samples; `digit_frechet` of images that genlab's digit classifier is asked about."""

MORE = (*MORE_OF_LIKELIHOODS, *MORE_OF_SAMPLES)


def measure(
    model: Model,
    data: Dataset,
    *,
    split: str = "test",
    limit: int | None = None,
    seed: int = 0,
    backend: str = "auto",
    more: Sequence[str] = (),
) -> dict[str, Figure]:
    """Every figure that a model reports of a split, by name; ``model.report.key`` is among them.

    Args:
        model: Any model that keeps `genlab.models.contract.Model`.
        data: The dataset.
        split: ``"train"``, ``"valid"`` or ``"test"``.
        limit: Only the first so many examples; None takes all.
        seed: Decides whatever is drawn.
        backend: ``"native"``, ``"torch"`` or ``"auto"``.
        more: Names in `MORE`, measured too; `genlab.measures.calibration`, `typicality`, `neighbours` and `memorisation` have more to say.

    Raises:
        InputError: An unknown or empty split, data that doesn't fit the model, or a measure that is unknown or needs what it lacks.
    """
    for name in more:
        if name not in MORE:
            raise unknown_name("more", name, MORE)
    check_fits(model, data.domain, data.name)
    chosen = split_of(data, split)
    count = min(len(chosen), limit or len(chosen))
    found = split_figures(model, chosen, count, seed=seed, backend=backend)
    batch = chosen.batch(generator_of(seed, 0), np.arange(count)) if more else None
    extra = {name: _estimated(name, model, batch, seed, backend) for name in more if name in MORE_OF_LIKELIHOODS}
    of_samples = [name for name in more if name in MORE_OF_SAMPLES]
    extra |= _of_samples(of_samples, model, data, split, count, seed) if of_samples else {}
    return {name: _figure(values, count) for name, values in found.items()} | {name: extra[name] for name in more}


def _of_samples(names: list[str], model: Model, data: Dataset, split: str, count: int, seed: int) -> dict[str, Figure]:
    """Some of `MORE_OF_SAMPLES`."""
    from genlab.measures.memorisation import memorisation
    from genlab.measures.neighbours import neighbours

    found: dict[str, Figure] = {}
    if set(names) - {"memorisation_excess"}:
        lies = neighbours(model, data, split=split, limit=count, seed=seed)
        for name in names:
            estimate = getattr(lies, name.removeprefix("digit_"), None)
            if estimate is not None:
                found[name] = Figure(estimate.value, estimate.standard_error, lies.real)
    if "memorisation_excess" in names:
        copies = memorisation(model, data, seed=seed)
        found["memorisation_excess"] = Figure(copies.excess.value, copies.excess.standard_error, copies.samples)
    for name in names:
        if name not in found:
            raise InputError(f"more must suit the data; {name!r} is for images of digits, {data.name!r} has {data.domain}")
    return found


def _estimated(name: str, model: Model, batch: Any, seed: int, backend: str) -> Figure:
    """One of `MORE`."""
    from genlab.measures.calibration import calibration
    from genlab.measures.typicality import typicality

    if name == "calibration_error":
        found = calibration(model, batch, seed=seed, backend=backend).error
    else:
        found = getattr(typicality(model, batch, seed=seed, backend=backend), name.removeprefix("typicality_"))
    return Figure(found.value, found.standard_error, len(batch))


def split_figures(
    model: Model, split: Split, count: int, *, seed: int, draw: int = 0, backend: str = "auto", dtype: str = "float32"
) -> dict[str, NDArray[np.float64]]:
    """The figures of the first `count` examples, ``(count,)`` each, or ``(1,)`` where the model gives one number for all.

    Raises:
        InputError: The model's figures are of another shape, or its report is not among them.
    """
    batch = split.batch(generator_of(seed, draw), np.arange(count))
    parts = [slice(0, count)] if model.report.kind == "distance" else list(parts_of(count, model.domain))
    found = [model.validate(batch[part], Compute(backend, dtype, (seed, draw, index))) for index, part in enumerate(parts)]
    if model.report.key not in found[0]:
        raise InputError(
            f"model {model.name!r} must give its report {model.report.key!r} when validated; got {', '.join(found[0]) or 'nothing'}"
        )
    return {name: _joined(model, name, found, count) for name in found[0]}


def split_of(data: Dataset, split: str) -> Split:
    """The split of that name.

    Raises:
        InputError: It is unknown or empty.
    """
    if split not in SPLITS:
        raise unknown_name("split", split, SPLITS)
    chosen: Split = getattr(data, split)
    if len(chosen) == 0:
        raise InputError(f"split must have images; {split!r} of dataset {data.name!r} has none")
    return chosen


def generator_of(seed: int, draw: int) -> np.random.Generator:
    """Where the binarisation of a split gets its randomness."""
    return np.random.Generator(np.random.Philox(key=np.array((seed, draw), np.uint64)))


def parts_of(count: int, domain: Domain) -> Iterator[slice]:
    """Slices of 0 … `count` − 1 that are small enough to be scored at once."""
    size = max(1, min(256, LOGITS_AT_ONCE // ((domain.levels or 1) * domain.size)))
    return (slice(start, start + size) for start in range(0, count, size))


def _joined(model: Model, name: str, found: list[Any], count: int) -> NDArray[np.float64]:
    values = np.concatenate([np.asarray(part[name], np.float64).reshape(-1) for part in found])
    if len(values) != count and not (len(values) == 1 and len(found) == 1 and model.report.kind == "distance"):
        raise InputError(f"model {model.name!r} must give a number {name!r} for each of {count} examples; got {len(values)}")
    return values


def _figure(values: NDArray[np.float64], count: int) -> Figure:
    error = float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else None
    return Figure(float(values.mean()), error, count)
