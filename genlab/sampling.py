"""Images out of a model: p(x) = ∏ p(x_i | x_1 … x_{i−1}), drawn pixel after pixel from seeded uniforms."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genlab.errors import InputError
from genlab.native import resolve_backend

if TYPE_CHECKING:
    from genlab.models.causal_model import CausalModel

BACKENDS = ("native", "torch", "naive")


def sample(
    model: CausalModel,
    n: int = 64,
    *,
    seed: int = 0,
    backend: str = "auto",
    known: ArrayLike | None = None,
    known_mask: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    temperature: float = 1.0,
    on_progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.uint8]:
    """x_i ~ p(x_i | x_1 … x_{i−1}) for every pixel in order; pixels that are known keep their value.

    The randomness of image i depends on `seed` and i alone, so that asking for more images keeps the first ones.

    Args:
        model: A causal model.
        n: Number of images; 0 gives an empty array.
        seed: Decides the draws; at least 0.
        backend: ``"native"``, ``"torch"`` (the same cached algorithm), ``"naive"`` (a full forward pass for each pixel) or ``"auto"``.
        known: Levels to complete, ``(C, H, W)`` for all images alike or ``(n, C, H, W)``. What stands where nothing is known is ignored.
        known_mask: bool, true where a pixel of `known` is kept: ``(H, W)``, ``(C, H, W)`` or ``(n, C, H, W)``.
        labels: Classes to draw, for a class-conditional model.
        temperature: Logits are divided by it: below 1 the likely is favoured, 1 is the model's own distribution.
        on_progress: Called with (pixels done, pixels in all).

    Returns:
        uint8 levels ``(n, C, H, W)``.

    Raises:
        InputError: An argument breaks one of these rules.
        BackendError: The backend cannot compute this here.
    """
    n = _natural(n, "n")
    seed = _natural(seed, "seed")
    resolve_backend(backend, allowed=BACKENDS)
    if labels is not None:
        raise InputError(f"labels must be None: model {model.name!r} is not class-conditional; got {np.shape(labels)} labels")
    if not (math.isfinite(temperature) and temperature > 0):
        raise InputError(f"temperature must be a finite number above 0; got {temperature}")
    values, mask = _known_pixels(known, known_mask, n, model)
    if n == 0:
        return np.zeros((0, *model.image_shape), np.uint8)
    channels, height, width = model.image_shape
    uniforms = np.random.Generator(np.random.Philox(key=seed)).random((n, height, width, channels))
    return model.draw(uniforms, values, mask, backend=backend, temperature=temperature, on_progress=on_progress)


def _natural(value: SupportsIndex, argument: str) -> int:
    """An integer from 0 to 2⁶³ − 1, NumPy's included."""
    try:
        number = operator.index(value)
    except TypeError:
        raise InputError(f"{argument} must be a whole number; got {value!r}") from None
    if not 0 <= number < 2**63:
        raise InputError(f"{argument} must be at least 0 and below 2**63; got {number}")
    return number


def _known_pixels(
    known: ArrayLike | None, known_mask: ArrayLike | None, n: int, model: CausalModel
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]] | tuple[None, None]:
    """Both arrays checked and spread over ``(n, C, H, W)``."""
    if known is None and known_mask is None:
        return None, None
    if known is None or known_mask is None:
        raise InputError(f"known and known_mask must be given together; got only {'known_mask' if known is None else 'known'}")
    levels, mask = np.asarray(known), np.asarray(known_mask)
    image_shape = model.image_shape
    shapes = [image_shape, (n, *image_shape)]
    _check_array("known", levels, "ui", "integer levels", shapes)
    _check_array("known_mask", mask, "b", "bool", [image_shape[1:], *shapes])
    mask = np.broadcast_to(mask, (n, *image_shape)).copy()
    levels = np.where(mask, levels, 0)
    if levels.size and not 0 <= levels.min() <= levels.max() < model.levels:
        wrong = levels.min() if levels.min() < 0 else levels.max()
        raise InputError(f"known must hold levels from 0 to {model.levels - 1}; got {wrong}")
    return levels.astype(np.uint8), mask


def _check_array(argument: str, array: NDArray[Any], kinds: str, content: str, shapes: list[tuple[int, ...]]) -> None:
    if array.dtype.kind not in kinds:
        raise InputError(f"{argument} must hold {content}; got {array.dtype}")
    if array.shape not in shapes:
        raise InputError(f"{argument} must have shape {' or '.join(str(shape) for shape in shapes)}; got {array.shape}")
