"""How likely images are under a model, in nats an image and bits a dimension, with the protocol beside every number."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from genlab.errors import InputError, RunError, unknown_name
from genlab.lecture import Published, published
from genlab.runs import Run, load_model, open_run

if TYPE_CHECKING:
    from genlab.datasets import Dataset, Split
    from genlab.models.causal.model import CausalModel

SPLITS = ("train", "valid", "test")

# Images scored at once are limited by their logits: 2²² of them in float64 are 32 MB.
_LOGITS_AT_ONCE = 2**22


@dataclass(frozen=True)
class Evaluation:
    """The mean negative log-likelihood of a split.

    Attributes:
        nats: −(1/N) Σ log p(x), in nats an image; lower is better.
        standard_error: Of `nats`, from the spread over images; None for a single image.
        bits_per_dim: `nats` / (ln 2 · C · H · W).
        images: Number of images N.
        split: ``"train"``, ``"valid"`` or ``"test"``.
        draws: Binarisations drawn for each image; their log-likelihoods are averaged.
        protocol: One sentence: which data, how many levels, how binarised. Numbers compare only under the same protocol.
        published: The literature's figures under that protocol, for the test split; usually there are none.
    """

    nats: float
    standard_error: float | None
    bits_per_dim: float
    images: int
    split: str
    draws: int
    protocol: str
    published: tuple[Published, ...] = ()


def bits_per_dim(nats: float, image_shape: tuple[int, int, int]) -> float:
    """``nats / (ln 2 · C · H · W)``: what an image costs for each of its values, in bits."""
    return nats / (math.log(2) * math.prod(image_shape))


def log_prob(model: CausalModel, images: ArrayLike | torch.Tensor, *, backend: str = "auto") -> NDArray[np.float64]:
    """``log p(x) = Σ_i log p(x_i | x_1 … x_{i−1})`` of each image, natural logarithm.

    Args:
        model: A causal model.
        images: Integer levels ``(N, C, H, W)``; N may be 0.
        backend: ``"native"``, ``"torch"`` or ``"auto"``.

    Returns:
        float64 ``(N,)``, in nats.

    Raises:
        InputError: `images` has another shape than the model's, isn't integer or has levels out of range.
        BackendError: The backend cannot compute this here.
    """
    images = images if isinstance(images, torch.Tensor) else np.asarray(images)
    if images.ndim != 4:
        raise InputError(f"images must have shape (N, {', '.join(map(str, model.image_shape))}); got {tuple(images.shape)}")
    # One pass even if there is no image, so that an empty array of the wrong shape is refused too.
    parts = [model.log_prob(images[part], backend=backend) for part in _parts(max(1, len(images)), model)]
    return torch.cat(parts).numpy(force=True)


def evaluate(
    run: Run | Path | str | CausalModel,
    data: Dataset | None = None,
    *,
    split: str = "test",
    draws: int = 1,
    limit: int | None = None,
    seed: int = 0,
    backend: str = "auto",
) -> Evaluation:
    """−(1/N) Σ_n log p(x_n) over a split.

    Args:
        run: A run, its folder or name (its best weights are taken), or a model.
        data: The dataset; None loads the one the run was trained on.
        split: ``"train"``, ``"valid"`` or ``"test"``.
        draws: With dynamic binarisation, how often each image is drawn anew; other protocols score each image once.
        limit: Score only the first so many images; None scores all.
        seed: Decides the binarisation's draws.
        backend: ``"native"``, ``"torch"`` or ``"auto"``.

    Raises:
        InputError: A model without `data`, an unknown or empty split, a number out of its range, or data that doesn't fit the model.
        RunError: The run cannot be read, or its data on disk is no longer what it was trained on.
        BackendError: The backend cannot compute this here.
    """
    for argument, value in (("draws", draws), ("limit", limit)):
        if value is not None and value < 1:
            raise InputError(f"{argument} must be at least 1; got {value}")
    if not 0 <= seed < 2**63:
        raise InputError(f"seed must be at least 0 and below 2**63; got {seed}")
    model, data = _model_and_data(run, data)
    chosen = _split(data, split)
    check_fits(model, data)
    count = min(len(chosen.images), limit or len(chosen.images))
    dynamic = data.settings.binarize == "dynamic"
    draws = draws if dynamic else 1
    nats = np.mean([-_split_log_prob(model, chosen, count, (seed, draw), backend) for draw in range(draws)], axis=0)
    mean = float(nats.mean())
    return Evaluation(
        nats=mean,
        standard_error=float(nats.std(ddof=1) / math.sqrt(count)) if count > 1 else None,
        bits_per_dim=bits_per_dim(mean, model.image_shape),
        images=count,
        split=split,
        draws=draws,
        protocol=_protocol(data, draws, seed),
        published=_published(data, split),
    )


def check_fits(model: CausalModel, data: Dataset) -> None:
    """Refuse data whose images the model cannot score.

    Raises:
        InputError: Another image shape or another number of levels.
    """
    for what in ("image_shape", "levels"):
        ours, theirs = getattr(data, what), getattr(model, what)
        if ours != theirs:
            raise InputError(f"data must have the model's {what}, {theirs}; dataset {data.name!r} has {ours}")


def load_run_data(run: Run) -> Dataset:
    """The dataset a run was trained on, loaded anew.

    Raises:
        RunError: The files have changed since.
    """
    from genlab.datasets import load_dataset

    settings = dict(run.config["data"])
    record = settings.pop("record")
    data = load_dataset(settings.pop("name"), **settings)
    if data.record["sha256"] != record["sha256"]:
        raise RunError(f"the images of dataset {data.name!r} are no longer those that {run.path} was trained on: their checksums differ")
    return data


def _model_and_data(run: Run | Path | str | CausalModel, data: Dataset | None) -> tuple[CausalModel, Dataset]:
    if isinstance(run, (str, Path)):
        run = open_run(run)
    if isinstance(run, Run):
        return load_model(run), load_run_data(run) if data is None else data
    if data is None:
        raise InputError("data must be given with a model, which doesn't know its dataset; got None")
    return run, data


def _split(data: Dataset, split: str) -> Split:
    if split not in SPLITS:
        raise unknown_name("split", split, SPLITS)
    chosen: Split = getattr(data, split)
    if len(chosen.images) == 0:
        raise InputError(f"split must have images; {split!r} of dataset {data.name!r} has none")
    return chosen


def _split_log_prob(model: CausalModel, split: Split, count: int, key: tuple[int, int], backend: str) -> NDArray[np.float64]:
    """The log-likelihoods of the first `count` images, ``(count,)``, under one binarisation."""
    generator = np.random.Generator(np.random.Philox(key=np.array(key, np.uint64)))
    return log_prob(model, split.draw(generator, np.arange(count)), backend=backend)


def _parts(count: int, model: CausalModel) -> Iterator[slice]:
    """Slices of 0 … `count` − 1 that are small enough to be scored at once."""
    size = max(1, min(256, _LOGITS_AT_ONCE // (model.levels * math.prod(model.image_shape))))
    return (slice(start, start + size) for start in range(0, count, size))


def _published(data: Dataset, split: str) -> tuple[Published, ...]:
    """What the literature reports for just this data: the test split, unresized."""
    settings: Any = data.settings
    if split != "test" or settings.size is not None:
        return ()
    return tuple(published(data.name, levels=data.levels, binarize=settings.binarize))


def _protocol(data: Dataset, draws: int, seed: int) -> str:
    settings: Any = data.settings
    channels, height, width = data.image_shape
    binarisation = {
        "dynamic": f"dynamic binarisation, {draws} {'draw' if draws == 1 else 'draws'} an image (seed {seed})",
        "threshold": "binarised by a fixed threshold at one half",
        None: "not binarised",
    }[settings.binarize]
    return f"{data.name}, {channels}×{height}×{width}, {data.levels} levels, {binarisation}, split of seed {settings.seed}"
