"""How likely images are under a model, or at least are, in nats an image and bits a dimension, with the protocol beside every number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from genlab.causal.condition import CONDITION
from genlab.errors import InputError, RunError
from genlab.lecture import Published, published
from genlab.measures.bound import bound_of, check_draws
from genlab.measures.figures import generator_of, parts_of, split_figures, split_of
from genlab.models.contract import Compute, Model, check_fits, check_labels, require
from genlab.runs import Run, load_model, open_run

if TYPE_CHECKING:
    from genlab.datasets import Dataset, Split

DRAWS_AT_MOST = 10_000  # more would take days, and no longer move a figure that is shown


@dataclass(frozen=True)
class Evaluation:
    """The mean negative log-likelihood of a split, or what it is at most.

    Attributes:
        nats: −(1/N) Σ log p(x), in nats an image; lower is better. Where `is_bound`, log p(x) gives way to a lower bound on it.
        standard_error: Of `nats`, from the spread over images; None for a single image.
        bits_per_dim: `nats` / (ln 2 · C · H · W); None of points, whose density has a unit.
        images: Number of images N.
        split: ``"train"``, ``"valid"`` or ``"test"``.
        draws: Binarisations drawn for each image; their log-likelihoods are averaged.
        protocol: One sentence: which data, how many levels, how binarised. Numbers compare only under the same protocol.
        published: The literature's figures under that protocol, for the test split; usually there are none.
        is_bound: Whether `nats` is the least that is known rather than exact.
        importance: Codes an image of an importance-weighted bound; 1: the model's own bound.
        parts: What the model's own bound is made of, means in nats an image: such as ``{"reconstruction", "kl"}``.
        example: What is scored, ``"image"`` or ``"point"``.
    """

    nats: float
    standard_error: float | None
    bits_per_dim: float | None
    images: int
    split: str
    draws: int
    protocol: str
    published: tuple[Published, ...] = ()
    is_bound: bool = False
    importance: int = 1
    parts: Mapping[str, float] = field(default_factory=dict)
    example: str = "image"

    @property
    def words(self) -> str:
        """What `nats` is, for a reader."""
        if not self.is_bound:
            return f"nats {'an' if self.example == 'image' else 'a'} {self.example}"
        kind = "the model's own bound" if self.importance == 1 else f"by {self.importance:,} importance-weighted codes"
        return f"nats an image at most ({kind})"


def bits_per_dim(nats: float, image_shape: tuple[int, ...]) -> float:
    """``nats / (ln 2 · C · H · W)``: what an image costs for each of its values, in bits."""
    return nats / (math.log(2) * math.prod(image_shape))


def log_prob(
    model: Any,
    images: ArrayLike | torch.Tensor,
    *,
    labels: ArrayLike | None = None,
    condition: ArrayLike | None = None,
    given: Mapping[str, ArrayLike] | None = None,
    backend: str = "auto",
) -> NDArray[np.float64]:
    """``log p(x)`` of each image, natural logarithm; of an autoregressive model ``Σ_i log p(x_i | x_1 … x_{i−1})``.

    Args:
        model: A model with an exact likelihood.
        images: Integer levels ``(N, C, H, W)``; N may be 0.
        labels: Classes ``(N,)``, or one for all, for a class-conditional model.
        condition: Levels of the image that the model goes by (small, grey), one for all or ``(N, c, h, w)``; None makes it of each image.
        given: Maps ``(N, C, H, W)`` by name, for a model that knows something before.
        backend: ``"native"``, ``"torch"`` or ``"auto"``.

    Returns:
        float64 ``(N,)``, in nats.

    Raises:
        InputError: The model has no likelihood (the sentence says what it has instead), or `images` has another shape than the model's,
            isn't integer or has levels out of range.
        BackendError: The backend cannot compute this here.
    """
    require(model, "likelihood", "log_prob")
    shape = model.domain.shape
    images = images if isinstance(images, torch.Tensor) else np.asarray(images)
    if images.ndim != 1 + len(shape):
        raise InputError(f"images must have shape (N, {', '.join(map(str, shape))}); got {tuple(images.shape)}")
    known = {"labels": None if labels is None else np.asarray(labels)}
    if known["labels"] is not None and known["labels"].ndim == 0:
        known["labels"] = np.full(len(images), labels)  # one for all
    maps = {name: np.asarray(value) for name, value in (given or {}).items()}
    if condition is not None:
        made = getattr(model, "condition", None)
        if made is None:
            raise InputError(f"condition must be None: model {model.name!r} goes by no other image; got {type(condition).__name__!r}")
        maps[CONDITION] = made.checked(condition, len(images))
    for name, array in [*known.items(), *maps.items()]:
        if array is not None and array.shape[:1] != images.shape[:1]:
            raise InputError(f"{name} must be given for each of {len(images)} images; got shape {array.shape}")

    def score(part: slice) -> torch.Tensor:
        more: dict[str, Any] = {name: array[part] for name, array in known.items() if array is not None}
        if maps:
            more["given"] = {name: array[part] for name, array in maps.items()}
        scored: torch.Tensor = model.log_prob(images[part], backend=backend, **more)
        return scored

    # One pass even if there is no image, so that an empty array of the wrong shape is refused too.
    return torch.cat([score(part) for part in parts_of(max(1, len(images)), model.domain)]).numpy(force=True)


def evaluate(
    run: Run | Path | str | Model,
    data: Dataset | None = None,
    *,
    split: str = "test",
    draws: int = 1,
    limit: int | None = None,
    seed: int = 0,
    backend: str = "auto",
    importance: int = 1,
) -> Evaluation:
    """−(1/N) Σ_n log p(x_n) over a split; of a model that has no more than a lower bound on log p, that bound in its place.

    Args:
        run: A run, its folder or name (its best weights are taken), or a model.
        data: The dataset; None loads the one the run was trained on.
        split: ``"train"``, ``"valid"`` or ``"test"``.
        draws: With dynamic binarisation, how often each image is drawn anew; other protocols score each image once.
        limit: Score only the first so many images; None scores all.
        seed: Decides the binarisation's draws.
        backend: ``"native"``, ``"torch"`` or ``"auto"``.
        importance: Codes an image of an importance-weighted bound (`genlab.bound`), for a model that has one; 1: the model's own bound.

    Raises:
        InputError: A model that has neither, a model without `data`, an unknown or empty split, a number out of its range, or data that
            doesn't fit the model.
        RunError: The run cannot be read, or its data on disk is no longer what it was trained on.
        BackendError: The backend cannot compute this here.
    """
    if limit is not None and limit < 1:
        raise InputError(f"limit must be at least 1; got {limit}")
    if not 1 <= draws <= DRAWS_AT_MOST:
        raise InputError(f"draws must be from 1 to {DRAWS_AT_MOST:,}; got {draws}")
    if not 0 <= seed < 2**63:
        raise InputError(f"seed must be at least 0 and below 2**63; got {seed}")
    model, data = _model_and_data(run, data)
    _check_scored(model, importance)
    chosen = split_of(data, split)
    check_fits(model, data.domain, data.name)
    check_labels(model, chosen.labels, data.name)
    count = min(len(chosen.images), limit or len(chosen.images))
    dynamic = data.settings.binarize == "dynamic"
    draws = draws if dynamic else 1
    found = [_figures(model, chosen, count, seed, draw, backend, importance) for draw in range(draws)]
    figures = {name: np.mean([each[name] for each in found], axis=0) for name in found[0]}
    nats = figures.pop("nats")
    mean = float(nats.mean())
    return Evaluation(
        nats=mean,
        standard_error=float(nats.std(ddof=1) / math.sqrt(count)) if count > 1 else None,
        bits_per_dim=None if model.domain.levels is None else bits_per_dim(mean, model.domain.shape),
        images=count,
        split=split,
        draws=draws,
        protocol=_protocol(data, draws, seed) + _given_words(model) + _dequantised_words(model),
        published=() if _given_words(model) else _published(data, split),
        is_bound=importance > 1 or model.report.kind == "bound",
        importance=importance,
        parts={name: float(values.mean()) for name, values in figures.items()},
        example="image" if model.domain.is_image else "point",
    )


def load_run_data(run: Run) -> Dataset:
    """The dataset a run was trained on, loaded anew.

    Raises:
        RunError: The files have changed since.
    """
    from genlab.datasets import load_dataset

    settings = dict(run.config["data"])
    record = settings.pop("record", {})
    data = load_dataset(settings.pop("name"), **settings)
    if data.record["sha256"] != record.get("sha256"):
        raise RunError(f"the images of dataset {data.name!r} are no longer those that {run.path} was trained on: their checksums differ")
    return data


def _model_and_data(run: Run | Path | str | Model, data: Dataset | None) -> tuple[Model, Dataset]:
    if isinstance(run, (str, Path)):
        run = open_run(run)
    if isinstance(run, Run):
        return load_model(run), load_run_data(run) if data is None else data
    if data is None:
        raise InputError("data must be given with a model, which doesn't know its dataset; got None")
    return run, data


def _check_scored(model: Model, importance: int) -> None:
    """Refuse a model of which nothing is known that could be scored."""
    check_draws(importance, "importance")
    if importance > 1:
        require(model, "bound", f"importance={importance}")
    elif model.report.kind != "bound":
        require(model, "likelihood", "evaluate")


def _figures(model: Model, split: Split, count: int, seed: int, draw: int, backend: str, importance: int) -> dict[str, NDArray[np.float64]]:
    """Of the first `count` images, binarised once: ``"nats"``, −log p or what it is at most, and a bound's parts, ``(count,)`` each."""
    if importance == 1 and model.report.kind != "distance":
        figures = split_figures(model, split, count, seed=seed, draw=draw, backend=backend)
        nats = figures.pop(model.report.key)
        return {"nats": nats if model.report.lower_is_better else -nats, **(figures if model.report.kind == "bound" else {})}
    batch = split.batch(generator_of(seed, draw), np.arange(count))
    if importance == 1:
        return {"nats": -log_prob(model, batch.values, backend=backend)}
    parts = enumerate(parts_of(count, model.domain))
    return {"nats": -np.concatenate([bound_of(model, batch[part], importance, Compute(backend, key=(seed, draw, i))) for i, part in parts])}


def _published(data: Dataset, split: str) -> tuple[Published, ...]:
    """What the literature reports for just this data: the test split, unresized."""
    settings: Any = data.settings
    if split != "test" or settings.size is not None or data.levels is None:
        return ()
    return tuple(published(data.name, levels=data.levels, binarize=settings.binarize))


def _given_words(model: Model) -> str:
    """What the model is told of an image before it scores it: log p(x | that) does not compare with log p(x)."""
    condition = getattr(model, "condition", None)
    told = ["its class"] if getattr(model, "classes", 0) else []
    told += [f"the {condition.words} made from it"] if condition is not None else []
    return f"; each image is scored given {' and '.join(told)}" if told else ""


def _dequantised_words(model: Any) -> str:
    """How levels became real values, of a model that has a density of such alone."""
    dequantisation = getattr(model, "dequantisation", None)
    return f"; {dequantisation} dequantisation" if dequantisation else ""


def _protocol(data: Dataset, draws: int, seed: int) -> str:
    settings: Any = data.settings
    if data.levels is None:
        return f"{data.name}, points of {data.image_shape[0]} real values, split of seed {settings.seed}"
    channels, height, width = data.image_shape
    binarisation = {
        "dynamic": f"dynamic binarisation, {draws} {'draw' if draws == 1 else 'draws'} an image (seed {seed})",
        "threshold": "binarised by a fixed threshold at one half",
        None: "not binarised",
    }[settings.binarize]
    return f"{data.name}, {channels}×{height}×{width}, {data.levels} levels, {binarisation}, split of seed {settings.seed}"
