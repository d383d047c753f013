"""Of models with an exact likelihood, and of causal ones.

- `sums_to_one` (likelihood): Σ_x p(x) = 1 over every image of a tiny size.
- `samples_fit` (likelihood): how often each tiny image is drawn fits its probability.
- `no_leak` (causal): p(x_i | …) depends on x_1 … x_{i−1} alone.
- `native_is_torch` (causal): both walks give the same likelihoods, gradients and drawn images.

A network of convolutions has no size of its own, so tiny images are scored by the model's own trained weights (`on_tiny_images`). A
conditional model promises all this of p(x | class, maps): every image of a check is given the same class and the same maps, tiny ones the
corner of the maps.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from genlab.domain import Batch
from genlab.errors import InputError
from genlab.models import create_model
from genlab.models.contract import Causal, Compute, Likelihood, Model, abilities, require
from genlab.proofs.claim import Proof, at_least_one
from genlab.sampling import sample

# So many images are enumerated at most: 83,521 are those of 2×2 pixels with 17 levels, and take seconds.
_IMAGES_AT_MOST = 100_000
_PIXELS_AT_MOST = 12
_LOGITS_AT_MOST = 2**25  # of all changed images together, in float32: 128 MB
# Probabilities are sums of float32 logits: an image of p = 1e-3 is known to some 1e-8, and the sum over all to this.
_SUM_TOLERANCE = 1e-5
# An image likelier than this leaves so little to all others that a sum over them shows nothing.
_CERTAIN = 0.99
# Two walks add the same terms in another order: nats of a whole image and what rounding adds by its size, gradients by the layer's largest.
_NATS_TOLERANCE = 1e-3
_NATS_ROUNDING = 1e-6
_GRADIENT_TOLERANCE = 1e-3
# Times what torch itself is off by in single precision: the walks of ten untrained PixelCNN++ were up to 9 times that apart.
_MORE_ROUNDING = 10
_P_VALUE = 0.001
_EXPECTED_IN_A_CELL = 5  # below it a χ² statistic is not distributed like χ²
_CELLS_AT_LEAST = 8  # a model that is certain of a tiny image draws only that one, and nothing could fail
_TEMPERATURES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


Condition = Mapping[str, ArrayLike] | None


class Scored(Model, Likelihood, Protocol):
    """A model with an exact likelihood."""


class Autoregressive(Model, Likelihood, Causal, Protocol):
    """A model that predicts one value after another."""


@dataclass(frozen=True)
class _Given:
    """What every image of a check is given before it is drawn: a class, maps ``(1, C, H, W)`` by name, both or nothing."""

    label: int | None
    maps: Mapping[str, NDArray[Any]]

    @property
    def words(self) -> str:
        """To begin a sentence with."""
        parts = [f"class {self.label}"] * (self.label is not None) + list(self.maps)
        return f"Given {' and '.join(parts)}: " if parts else ""

    def to_score(self, n: int) -> dict[str, Any]:
        """Of `n` images, as `log_prob`, `logits` and `Batch` take it."""
        told: dict[str, Any] = {} if self.label is None else {"labels": np.full(n, self.label)}
        return told | ({"given": {name: np.repeat(array, n, axis=0) for name, array in self.maps.items()}} if self.maps else {})

    def to_draw(self, n: int) -> dict[str, Any]:
        """The same as `sample` takes it."""
        return {"condition" if name == "given" else name: value for name, value in self.to_score(n).items()}

    def cropped(self, shape: tuple[int, ...], tiny: tuple[int, ...]) -> _Given:
        """For images of shape `tiny` instead of `shape`: the upper left corner of every map, however fine it is."""
        corners = {}
        for name, array in self.maps.items():
            height, width = (math.ceil(size * small / full) for size, small, full in zip(array.shape[2:], tiny[1:], shape[1:], strict=True))
            corners[name] = array[:, :, :height, :width]
        return replace(self, maps=corners)


def _given(model: Model, labels: int | None, condition: Condition) -> _Given:
    """What was asked for, checked as far as one image goes; the model checks the rest."""
    maps = {name: np.asarray(value) for name, value in (condition or {}).items()}
    for name, array in maps.items():
        if array.ndim != 4 or len(array) != 1:
            raise InputError(f"condition must hold maps of shape (1, C, H, W), one for all images; {name!r} has {array.shape}")
    if labels is None and getattr(model, "classes", None):
        labels = 0
    return _Given(labels, maps)


def no_leak(
    model: Autoregressive, *, seed: int = 0, values_at_most: int = 256, labels: int | None = None, condition: Condition = None
) -> Proof:
    """Change one value of an image, and no prediction at or before it may change, not in one bit.

    Args:
        model: A causal model.
        seed: Decides the image, which the model draws, and which values are changed.
        values_at_most: So many values are changed, one at a time, or as many as memory allows; an image of fewer has each changed.
        labels: The class that every image is given, for a class-conditional model; by default the first.
        condition: Maps that every image is given, ``(1, C, H, W)`` by the name of the model's given node.

    Raises:
        InputError: The model is not causal, or an argument breaks a rule.
    """
    start = time.perf_counter()
    require(model, "causal", "no_leak")
    at_least_one("values_at_most", values_at_most)
    levels = _levels(model)
    given = _given(model, labels, condition)
    image = sample(model, 1, seed=seed, **given.to_draw(1))
    flat = _in_order(image)[0]
    rng = np.random.default_rng(seed)
    count = min(values_at_most, max(1, _LOGITS_AT_MOST // (flat.size * levels)))
    chosen = np.sort(rng.permutation(flat.size)[:count])
    changed = np.repeat(flat[None], len(chosen), axis=0)
    shift = rng.integers(1, levels, len(chosen))
    changed[np.arange(len(chosen)), chosen] = (flat[chosen] + shift) % levels
    before = _predictions(model, image, given)
    after = _predictions(model, _as_images(changed, image.shape[1:]), given)
    difference = np.abs(after - before).max(-1)
    known = np.arange(flat.size)[None] <= chosen[:, None]
    leaked = float(difference[known].max())
    reached = int(((difference > 0) & ~known).any(1).sum())
    sentence = (
        f"{given.words}{len(chosen)} values were changed, one at a time. Of the {int(known.sum()):,} predictions at or before a change, "
        f"{int((difference[known] > 0).sum()):,} moved. After it, {reached} of the {len(chosen)} changes moved a prediction."
    )
    holds: bool | None = leaked == 0
    if holds and reached == 0:
        # The last value has nothing after it; that most others reach something shows that the test could have failed.
        holds = None
        why = (
            "an image of one value has no later one"
            if flat.size == 1
            else "these predictions depend on no value at all, or on none that was changed"
        )
        sentence += f" That shows nothing: {why}."
    figures = {
        "values changed": float(len(chosen)),
        "predictions that must not move": float(known.sum()),
        "largest change among them": leaked,
        "changes that moved a later one": float(reached),
    }
    return Proof(holds, sentence, figures, time.perf_counter() - start)


def sums_to_one(model: Scored, *, labels: int | None = None, condition: Condition = None) -> Proof:
    """Σ_x p(x) = 1, by enumerating every image of a tiny size under the model's own weights.

    A model of large images may be all but certain of a tiny one (the corner of a digit is black); whatever the others have, the sum is 1.
    A causal model is then heated too, until no image is certain, and that sum counts as well. `labels` and `condition` as in `no_leak`.

    Raises:
        InputError: The model has no exact likelihood, or even its smallest images have too many values to be enumerated.
    """
    start = time.perf_counter()
    require(model, "likelihood", "sums_to_one")
    tiny = on_tiny_images(model)
    given = _given(model, labels, condition).cropped(model.domain.shape, tiny.domain.shape)
    images = all_images(tiny.domain.shape, _levels(tiny))
    probabilities = tiny.log_prob(images, **given.to_score(len(images))).double().exp().numpy(force=True)
    total, likeliest = float(probabilities.sum()), float(probabilities.max())
    sentence = (
        f"{given.words}All {len(probabilities):,} images of {_size(tiny)} pixels with {_levels(tiny)} levels, by the same weights: "
        f"Σ p(x) = {total:.8f}. The likeliest has p = {likeliest:.3g}, the least likely {probabilities.min():.3g}."
    )
    figures = {"images": float(len(probabilities)), "Σ p(x)": total, "|Σ p(x) − 1|": abs(total - 1)}
    holds: bool | None = abs(total - 1) < _SUM_TOLERANCE
    if holds and likeliest > _CERTAIN:
        temperature, heated = 1.0, probabilities
        if _is_causal(tiny):
            temperature, heated = _heated(tiny, images, given, lambda heated: heated.max() <= _CERTAIN)
        total, likeliest = float(heated.sum()), float(heated.max())
        holds = abs(total - 1) < _SUM_TOLERANCE if likeliest <= _CERTAIN else None
        if holds is None:
            sentence += " Of one image the model is all but certain, and then the sum says nothing of the others."
        else:
            sentence += f" At temperature {temperature:.0f}, where the likeliest has p = {likeliest:.3g}: Σ p(x) = {total:.8f}."
            figures |= {"temperature": temperature, "Σ p(x), heated": total}
    return Proof(holds, sentence, figures, time.perf_counter() - start)


def samples_fit(model: Scored, *, draws: int = 20_000, seed: int = 0, labels: int | None = None, condition: Condition = None) -> Proof:
    """Pearson's χ² = Σ (observed − expected)² / expected over every image of a tiny size, by the model's own weights.

    Images that are expected less than five times share cells. A model of large images may be all but certain of a tiny one (the corner
    of a digit is black); a causal one is then heated, both where it draws and where it scores, until enough images are likely for a misfit
    to show. Where fewer than two cells are expected five times, nothing can be decided. `labels` and `condition` as in `no_leak`.

    Raises:
        InputError: As for `sums_to_one`; or `draws` is below 1.
    """
    start = time.perf_counter()
    require(model, "likelihood", "samples_fit")
    at_least_one("draws", draws)
    tiny = on_tiny_images(model)
    given = _given(model, labels, condition).cropped(model.domain.shape, tiny.domain.shape)
    levels = _levels(tiny)
    images = all_images(tiny.domain.shape, levels)
    if _is_causal(tiny):
        temperature, probabilities = _heated(
            tiny,
            images,
            given,
            lambda heated: (heated * draws >= _EXPECTED_IN_A_CELL).sum() >= _CELLS_AT_LEAST or _is_spread(heated, draws),
        )
        drawn = sample(tiny, draws, seed=seed, temperature=temperature, **given.to_draw(draws))
    else:
        temperature, probabilities = 1.0, tiny.log_prob(images, **given.to_score(len(images))).double().exp().numpy(force=True)
        drawn = sample(tiny, draws, seed=seed, **given.to_draw(draws))
    counts = np.bincount(_codes(drawn, levels), minlength=len(probabilities))
    observed, expected = _cells(counts, probabilities / probabilities.sum() * draws)
    figures = {"images drawn": float(draws), "temperature": temperature, "cells": float(len(observed))}
    heated = f", at temperature {temperature:.0f}," if temperature > 1 else ""
    begin = f"{given.words}{draws:,} images of {_size(tiny)} pixels were drawn by the same weights{heated} and counted against p(x): "
    if len(observed) < 2:
        certain = probabilities.max() > _CERTAIN
        why = "the model is all but certain of one image" if certain else f"so few draws fill no two cells of {_EXPECTED_IN_A_CELL} each"
        return Proof(None, f"{begin}that shows nothing, for {why}.", figures, time.perf_counter() - start)
    statistic, p_value = chi_square(observed, expected)
    sentence = (
        f"{begin}χ² = {statistic:.1f} over {len(observed)} cells, where {len(observed) - 1} is expected; a fit at least as bad has "
        f"probability {p_value:.3f}."
    )
    return Proof(p_value > _P_VALUE, sentence, {**figures, "χ²": statistic, "p-value": p_value}, time.perf_counter() - start)


def native_is_torch(
    model: Autoregressive, *, images: int = 4, seed: int = 0, labels: int | None = None, condition: Condition = None
) -> Proof:
    """The native walks against the torch walks: likelihoods, gradients of the loss, and images from the same uniform numbers.

    They may differ by rounding: by 1e-3 nats and 1e-3 of a gradient, or, where single precision itself is worse, by ten times what the
    torch walk differs from one in double precision.

    `labels` and `condition` as in `no_leak`.

    Raises:
        InputError: The model is not causal, or `images` is below 1.
        BackendError: Nothing is compiled here.
    """
    start = time.perf_counter()
    require(model, "causal", "native_is_torch")
    at_least_one("images", images)
    given = _given(model, labels, condition)
    native, torch_drawn = (sample(model, images, seed=seed, backend=backend, **given.to_draw(images)) for backend in ("native", "torch"))
    # A uniform number within rounding of a border between two levels may fall on either side, and then the rest of that image differs.
    alike = int((native == torch_drawn).all(axis=(1, 2, 3)).sum())
    nats = [model.log_prob(native, backend=backend, **given.to_score(images)).numpy(force=True) for backend in ("native", "torch")]
    nats_apart = float(np.abs(nats[0] - nats[1]).max())
    batch = Batch(native, **given.to_score(images))
    gradients = _gradients(model, batch, "native"), _gradients(model, batch, "torch")
    gradients_apart = _apart(*gradients)
    nats_allowed = _NATS_TOLERANCE + _NATS_ROUNDING * float(np.abs(nats[1]).max())
    gradients_allowed, why = _GRADIENT_TOLERANCE, ""
    if nats_apart >= nats_allowed or gradients_apart >= gradients_allowed:
        # Random weights of a deep list can make so large numbers that float32 itself is off by more: how far, double precision tells.
        exact: Any = copy.deepcopy(model)
        exact.double()
        off = float(np.abs(nats[1] - exact.log_prob(native, backend="torch", **given.to_score(images)).numpy(force=True)).max())
        gradients_off = _apart(gradients[1], _gradients(exact, batch, "torch"))
        nats_allowed, gradients_allowed = nats_allowed + _MORE_ROUNDING * off, gradients_allowed + _MORE_ROUNDING * gradients_off
        why = f" In single precision torch itself is off by {off:.1e} nats, its gradients by {gradients_off:.1e}."
    holds = nats_apart < nats_allowed and gradients_apart < gradients_allowed and alike > images // 2
    sentence = (
        f"{given.words}{alike} of {images} images drawn from the same random numbers are the same, pixel for pixel. Their log-likelihoods, "
        f"{nats[0].mean():.3f} nats on average, differ by {nats_apart:.1e} nats at most, gradients by {gradients_apart:.1e} of the largest."
        f"{why}"
    )
    figures = {
        "images drawn": float(images),
        "drawn alike": float(alike),
        "log p apart, nats": nats_apart,
        "gradients apart, relative": gradients_apart,
    }
    return Proof(holds, sentence, figures, time.perf_counter() - start)


def on_tiny_images(model: Scored) -> Any:
    """The same network with the same weights over images so small that all of them can be listed; itself, if its own are.

    Raises:
        InputError: It has no images of integer levels, its network is made for one size alone, or its smallest images have too many values.
    """
    levels, shape = _levels(model), model.domain.shape
    if levels**model.domain.size <= _IMAGES_AT_MOST and model.domain.size <= _PIXELS_AT_MOST:
        return model
    channels, height, width = shape
    sizes = [(h, w) for h in range(1, height + 1) for w in range(1, width + 1) if h * w <= _PIXELS_AT_MOST]
    listed = [(h, w) for h, w in sizes if h * w > 1 and levels ** (channels * h * w) <= _IMAGES_AT_MOST]
    if not listed:
        pixels = "two pixels" if height * width > 1 else "one pixel"
        raise InputError(
            f"model must have few enough levels that all images of {pixels} can be listed, {_IMAGES_AT_MOST:,} at most; "
            f"it has {levels} levels and {channels} channel(s)"
        )
    # As many pixels as can be, and as square as can be.
    small = (channels, *max(listed, key=lambda size: (size[0] * size[1], -abs(size[0] - size[1]))))
    whole: Any = model
    try:
        with torch.random.fork_rng(devices=[]):  # its first weights are thrown away
            tiny = create_model(model.name, **{**model.config["settings"], "image_shape": small})
        tiny.load_state_dict(whole.state_dict())
    except (InputError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"model must be a network of any size to be checked on images of {small}; {model.name!r} is not: {reason}"
        ) from None
    return tiny.to(next(whole.parameters())).eval()


def all_images(image_shape: tuple[int, ...], levels: int) -> NDArray[np.uint8]:
    """Every image of a shape, uint8 ``(levels^(C·H·W), C, H, W)``; the first value changes slowest."""
    values = math.prod(image_shape)
    numbers = np.arange(levels**values)[:, None] // levels ** np.arange(values - 1, -1, -1)
    images: NDArray[np.uint8] = (numbers % levels).astype(np.uint8).reshape(-1, *image_shape)
    return images


def chi_square(observed: NDArray[np.float64], expected: NDArray[np.float64]) -> tuple[float, float]:
    """Pearson's statistic Σ (o − e)² / e and its p-value Q((cells − 1)/2, χ²/2)."""
    statistic = float(((observed - expected) ** 2 / expected).sum())
    half = torch.tensor([(len(observed) - 1) / 2, statistic / 2], dtype=torch.float64)
    return statistic, float(torch.special.gammaincc(half[0], half[1]))


def _cells(counts: NDArray[np.int64], expected: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Observed and expected counts: the likely images alone, the rare ones with their neighbours in likelihood."""
    order = np.argsort(-expected, kind="stable")
    observed, wanted = counts[order].astype(np.float64), expected[order]
    rare = wanted < _EXPECTED_IN_A_CELL
    # Each rare image expects less than a cell needs, so one that spans twice as much holds at least that.
    shared = np.floor(np.cumsum(np.where(rare, wanted, 0)) / (2 * _EXPECTED_IN_A_CELL))
    cells = np.where(rare, int((~rare).sum()) + shared, np.arange(len(wanted))).astype(np.int64)
    if cells[-1] > 0 and wanted[cells == cells[-1]].sum() < _EXPECTED_IN_A_CELL:
        cells[cells == cells[-1]] = cells[-1] - 1
    _, cells = np.unique(cells, return_inverse=True)
    return np.bincount(cells, observed).astype(np.float64), np.bincount(cells, wanted).astype(np.float64)


def _codes(images: NDArray[np.uint8], levels: int) -> NDArray[np.int64]:
    """The number of each image in the order of `all_images`."""
    flat = images.reshape(len(images), -1).astype(np.int64)
    codes: NDArray[np.int64] = flat @ levels ** np.arange(flat.shape[1] - 1, -1, -1)
    return codes


def _gradients(model: Autoregressive, batch: Batch, backend: str) -> list[torch.Tensor]:
    """A walk's gradients of the loss, one for each parameter."""
    parameters = [parameter for _, parameter in model.named_parameters() if parameter.requires_grad]
    return list(torch.autograd.grad(model.terms(model.players[0].name, batch, Compute(backend=backend)).total, parameters))


def _apart(found: list[torch.Tensor], reference: list[torch.Tensor]) -> float:
    """The largest difference between two walks' gradients, over the largest gradient of the same parameter."""
    pairs = zip(found, reference, strict=True)
    return max(float((ours - theirs).abs().max() / theirs.abs().max().clamp_min(1e-12)) for ours, theirs in pairs)


def _heated(
    model: Any, images: NDArray[np.uint8], given: _Given, enough: Callable[[NDArray[np.float64]], Any]
) -> tuple[float, NDArray[np.float64]]:
    """The lowest temperature at which the images' probabilities are `enough`, or the highest there is, and the probabilities."""
    logits = torch.from_numpy(_predictions(model, images, given)).double()
    values = torch.from_numpy(_in_order(images).astype(np.int64))[..., None]
    for temperature in _TEMPERATURES:
        probabilities = (logits / temperature).log_softmax(-1).gather(-1, values).sum((-2, -1)).exp().numpy()
        if enough(probabilities):
            break
    return temperature, probabilities


def _is_spread(probabilities: NDArray[np.float64], draws: int) -> bool:
    """Whether so many images are so rare that they fill enough cells together."""
    rare = probabilities[probabilities * draws < _EXPECTED_IN_A_CELL]
    return float(rare.sum()) * draws >= 2 * _EXPECTED_IN_A_CELL * _CELLS_AT_LEAST


def _is_causal(model: object) -> bool:
    return "causal" in abilities(model)


def _levels(model: Model) -> int:
    """Of an image's values.

    Raises:
        InputError: The model is not one of images of integer levels.
    """
    levels = model.domain.levels
    if levels is None or not model.domain.is_image:
        raise InputError(f"model must be one of images of integer levels; {model.name!r} is one of {model.domain}")
    return levels


def _predictions(model: Any, images: NDArray[np.uint8], given: _Given) -> NDArray[np.float32]:
    """Logits in the order of drawing, ``(N, H · W · C, levels)``."""
    logits = model.logits(images, **given.to_score(len(images))).permute(0, 2, 3, 1, 4)
    predictions: NDArray[np.float32] = logits.reshape(len(images), -1, logits.shape[-1]).numpy(force=True)
    return predictions


def _in_order(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Values in the order of drawing, ``(N, H · W · C)``: rows, columns, channels."""
    return images.transpose(0, 2, 3, 1).reshape(len(images), -1)


def _as_images(values: NDArray[np.uint8], image_shape: tuple[int, ...]) -> NDArray[np.uint8]:
    channels, height, width = image_shape
    return np.ascontiguousarray(values.reshape(-1, height, width, channels).transpose(0, 3, 1, 2))


def _size(model: Model) -> str:
    channels, height, width = model.domain.shape
    return f"{height}×{width}" + (f"×{channels}" if channels > 1 else "")
