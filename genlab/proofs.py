"""What an exact likelihood promises, checked on a given model there and then, with the figures that came out.

- `no_leak`: p(x_i | …) depends on x_1 … x_{i−1} alone.
- `sums_to_one`: Σ_x p(x) = 1 over every image of a tiny size.
- `samples_fit`: how often each tiny image is drawn fits its probability.
- `native_is_torch`: both walks give the same likelihoods, gradients and drawn images.

A network of convolutions has no size of its own, so tiny images are scored by the model's own trained weights (`on_tiny_images`). Leaves
out class-conditional models.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from genlab.errors import InputError
from genlab.models import create_model
from genlab.sampling import sample

if TYPE_CHECKING:
    from genlab.models.causal.model import CausalModel

# So many images are enumerated at most: 83,521 are those of 2×2 pixels with 17 levels, and take seconds.
_IMAGES_AT_MOST = 100_000
_PIXELS_AT_MOST = 12
_LOGITS_AT_MOST = 2**25  # of all changed images together, in float32: 128 MB
# Probabilities are sums of float32 logits: an image of p = 1e-3 is known to some 1e-8, and the sum over all to this.
_SUM_TOLERANCE = 1e-5
# Two walks add the same terms in another order. Nats of a whole image, gradients by the largest of the layer's.
_NATS_TOLERANCE = 1e-3
_GRADIENT_TOLERANCE = 1e-3
_P_VALUE = 0.001
_EXPECTED_IN_A_CELL = 5  # below it a χ² statistic is not distributed like χ²
_CELLS_AT_LEAST = 8  # a model that is certain of a tiny image draws only that one, and nothing could fail
_TEMPERATURES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


@dataclass(frozen=True)
class Proof:
    """What a check found.

    Attributes:
        holds: Whether the claim held in every figure.
        sentence: What was checked and what came out, for a reader.
        figures: The numbers, by what they are.
        seconds: What the check took.
    """

    holds: bool
    sentence: str
    figures: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0


def no_leak(model: CausalModel, *, seed: int = 0, values_at_most: int = 256) -> Proof:
    """Change one value of an image, and no prediction at or before it may change, not in one bit.

    Args:
        model: A causal model.
        seed: Decides the image, which the model draws, and which values are changed.
        values_at_most: So many values are changed, one at a time, or as many as memory allows; an image of fewer has each changed.
    """
    start = time.perf_counter()
    image = sample(model, 1, seed=seed)
    flat = _in_order(image)[0]
    rng = np.random.default_rng(seed)
    count = min(values_at_most, max(1, _LOGITS_AT_MOST // (flat.size * model.levels)))
    chosen = np.sort(rng.permutation(flat.size)[:count])
    changed = np.repeat(flat[None], len(chosen), axis=0)
    shift = rng.integers(1, model.levels, len(chosen))
    changed[np.arange(len(chosen)), chosen] = (flat[chosen] + shift) % model.levels
    before = _predictions(model, image)
    after = _predictions(model, _as_images(changed, model.image_shape))
    difference = np.abs(after - before).max(-1)
    known = np.arange(flat.size)[None] <= chosen[:, None]
    leaked = float(difference[known].max())
    reached = int(((difference > 0) & ~known).any(1).sum())
    # The last value has nothing after it; that most others reach something shows that the test could have failed.
    holds = leaked == 0 and reached > 0
    sentence = (
        f"{len(chosen)} values were changed, one at a time. Of the {int(known.sum()):,} predictions at or before a change, "
        f"{int((difference[known] > 0).sum()):,} moved. After it, {reached} of the {len(chosen)} changes moved a prediction."
    )
    figures = {
        "values changed": float(len(chosen)),
        "predictions that must not move": float(known.sum()),
        "largest change among them": leaked,
        "changes that moved a later one": float(reached),
    }
    return Proof(holds, sentence, figures, time.perf_counter() - start)


def sums_to_one(model: CausalModel) -> Proof:
    """Σ_x p(x) = 1, by enumerating every image of a tiny size under the model's own weights.

    Raises:
        InputError: Even an image of two pixels has too many values to be enumerated.
    """
    start = time.perf_counter()
    tiny = on_tiny_images(model)
    probabilities = tiny.log_prob(all_images(tiny.image_shape, tiny.levels)).double().exp().numpy()
    total = float(probabilities.sum())
    sentence = (
        f"All {len(probabilities):,} images of {_size(tiny)} pixels with {tiny.levels} levels, by the same weights: "
        f"Σ p(x) = {total:.8f}. The likeliest has p = {probabilities.max():.3g}, the least likely {probabilities.min():.3g}."
    )
    figures = {"images": float(len(probabilities)), "Σ p(x)": total, "|Σ p(x) − 1|": abs(total - 1)}
    return Proof(abs(total - 1) < _SUM_TOLERANCE, sentence, figures, time.perf_counter() - start)


def samples_fit(model: CausalModel, *, draws: int = 20_000, seed: int = 0) -> Proof:
    """Pearson's χ² = Σ (observed − expected)² / expected over every image of a tiny size, by the model's own weights.

    Images that are expected less than five times share one cell. A model of large images may be all but certain of a tiny one (the corner
    of a digit is black); it is then heated, both where it draws and where it scores, until enough images are likely for a misfit to show.

    Raises:
        InputError: As for `sums_to_one`.
    """
    start = time.perf_counter()
    tiny = on_tiny_images(model)
    images = all_images(tiny.image_shape, tiny.levels)
    logits = torch.from_numpy(_predictions(tiny, images)).double()
    values = torch.from_numpy(_in_order(images).astype(np.int64))[..., None]
    for temperature in _TEMPERATURES:
        probabilities = (logits / temperature).log_softmax(-1).gather(-1, values).sum((-2, -1)).exp().numpy()
        if int((probabilities * draws >= _EXPECTED_IN_A_CELL).sum()) >= _CELLS_AT_LEAST:
            break
    drawn = sample(tiny, draws, seed=seed, temperature=temperature)
    counts = np.bincount(_codes(drawn, tiny.levels), minlength=len(probabilities))
    observed, expected = _cells(counts, probabilities / probabilities.sum() * draws)
    statistic, p_value = chi_square(observed, expected)
    heated = f", at temperature {temperature:.0f}," if temperature > 1 else ""
    sentence = (
        f"{draws:,} images of {_size(tiny)} pixels were drawn by the same weights{heated} and counted against p(x): "
        f"χ² = {statistic:.1f} over {len(observed)} cells, where {len(observed) - 1} is expected; a fit at least as bad has "
        f"probability {p_value:.3f}."
    )
    figures = {
        "images drawn": float(draws),
        "temperature": temperature,
        "cells": float(len(observed)),
        "χ²": statistic,
        "p-value": p_value,
    }
    return Proof(len(observed) > 1 and p_value > _P_VALUE, sentence, figures, time.perf_counter() - start)


def native_is_torch(model: CausalModel, *, images: int = 4, seed: int = 0) -> Proof:
    """The native walks against the torch walks: likelihoods, gradients of the loss, and images from the same uniform numbers.

    Raises:
        BackendError: Nothing is compiled here.
    """
    start = time.perf_counter()
    native, torch_drawn = (sample(model, images, seed=seed, backend=backend) for backend in ("native", "torch"))
    # A uniform number within rounding of a border between two levels may fall on either side, and then the rest of that image differs.
    alike = int((native == torch_drawn).all(axis=(1, 2, 3)).sum())
    nats = [model.log_prob(native, backend=backend).numpy() for backend in ("native", "torch")]
    nats_apart = float(np.abs(nats[0] - nats[1]).max())
    gradients_apart = _gradients_apart(model, native)
    holds = nats_apart < _NATS_TOLERANCE and gradients_apart < _GRADIENT_TOLERANCE and alike > images // 2
    sentence = (
        f"{alike} of {images} images drawn from the same random numbers are the same, pixel for pixel. Their log-likelihoods, "
        f"{nats[0].mean():.3f} nats on average, differ by {nats_apart:.1e} nats at most, gradients by {gradients_apart:.1e} of the largest."
    )
    figures = {
        "images drawn": float(images),
        "drawn alike": float(alike),
        "log p apart, nats": nats_apart,
        "gradients apart, relative": gradients_apart,
    }
    return Proof(holds, sentence, figures, time.perf_counter() - start)


def on_tiny_images(model: CausalModel) -> CausalModel:
    """The same network with the same weights over images so small that all of them can be listed.

    Raises:
        InputError: Even an image of two pixels has too many values.
    """
    channels, height, width = model.image_shape
    sizes = [(h, w) for h in range(1, height + 1) for w in range(1, width + 1) if h * w <= _PIXELS_AT_MOST]
    listed = [(h, w) for h, w in sizes if h * w > 1 and model.levels ** (channels * h * w) <= _IMAGES_AT_MOST]
    if not listed:
        raise InputError(
            f"model must have few enough levels that all images of two pixels can be listed, {_IMAGES_AT_MOST:,} at most; "
            f"it has {model.levels} levels and {channels} channel(s)"
        )
    # As many pixels as can be, and as square as can be.
    shape = (channels, *max(listed, key=lambda size: (size[0] * size[1], -abs(size[0] - size[1]))))
    tiny: CausalModel = create_model(model.name, **{**model.config["settings"], "image_shape": shape})
    tiny.load_state_dict(model.state_dict())
    return tiny.eval()


def all_images(image_shape: tuple[int, int, int], levels: int) -> NDArray[np.uint8]:
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
    """Observed and expected counts; rare images share one cell, and if that is rare too, it goes to the rarest of the others."""
    rare = expected < _EXPECTED_IN_A_CELL
    order = np.argsort(-expected[~rare])
    observed, wanted = counts[~rare][order].astype(np.float64), expected[~rare][order]
    rest = (float(counts[rare].sum()), float(expected[rare].sum()))
    if rest[1] >= _EXPECTED_IN_A_CELL or len(wanted) == 0:
        return np.append(observed, rest[0]), np.append(wanted, rest[1])
    observed[-1] += rest[0]
    wanted[-1] += rest[1]
    return observed, wanted


def _codes(images: NDArray[np.uint8], levels: int) -> NDArray[np.int64]:
    """The number of each image in the order of `all_images`."""
    flat = images.reshape(len(images), -1).astype(np.int64)
    codes: NDArray[np.int64] = flat @ levels ** np.arange(flat.shape[1] - 1, -1, -1)
    return codes


def _gradients_apart(model: CausalModel, images: NDArray[np.uint8]) -> float:
    """The largest difference between the two walks' gradients of the loss, over the largest gradient of the same parameter."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    native, reference = (torch.autograd.grad(model.loss(images, backend=backend), parameters) for backend in ("native", "torch"))
    return max(
        float((ours - theirs).abs().max() / theirs.abs().max().clamp_min(1e-12)) for ours, theirs in zip(native, reference, strict=True)
    )


def _predictions(model: CausalModel, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits in the order of drawing, ``(N, H · W · C, levels)``."""
    logits = model.logits(images).permute(0, 2, 3, 1, 4)
    predictions: NDArray[np.float32] = logits.reshape(len(images), -1, logits.shape[-1]).numpy(force=True)
    return predictions


def _in_order(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Values in the order of drawing, ``(N, H · W · C)``: rows, columns, channels."""
    return images.transpose(0, 2, 3, 1).reshape(len(images), -1)


def _as_images(values: NDArray[np.uint8], image_shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    channels, height, width = image_shape
    return np.ascontiguousarray(values.reshape(-1, height, width, channels).transpose(0, 3, 1, 2))


def _size(model: CausalModel) -> str:
    channels, height, width = model.image_shape
    return f"{height}×{width}" + (f"×{channels}" if channels > 1 else "")
