"""What `genlab.toy_gan` takes, checked, and a run's thirteen numbers as the four arrays that they are."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt

from genlab.errors import InputError, unknown_name
from genlab.kernels import toy_gan as kernel
from genlab.kernels import toy_gan_ensemble as ensemble
from genlab.kernels.toy_gan import D_BIAS, D_WEIGHTS, G_BIAS, G_WEIGHTS, PIXELS
from genlab.native import resolve_backend

Array = npt.NDArray[Any]


LOSSES = ("non-saturating", "minimax")
BACKENDS = ("native", "python", "numpy", "torch")
_VARIANT = {"numpy": "reference"}
PARTS: Mapping[str, Any] = {"d_weights": D_WEIGHTS, "d_bias": D_BIAS, "g_weights": G_WEIGHTS, "g_bias": G_BIAS}
# A step moves no weight further than the learning rate, so that float32 holds whatever such a run can reach.
LARGEST = 1e6
MOST_STEPS = ensemble.INIT_COUNTER


def named(states: Array) -> dict[str, Any]:
    """The four arrays of weights in states (..., 13), copied."""
    parts = {name: states[..., part].copy() for name, part in PARTS.items()}
    return {**parts, "d_bias": float(parts["d_bias"])} if states.ndim == 1 else parts


def state_of(named: Mapping[str, Any]) -> Array:
    """The state (13,) of four arrays of weights."""
    return np.concatenate([np.atleast_1d(named[name]) for name in PARTS])


def drawn_init(keys: Array, scales: Array) -> Array:
    """The states (13, runs) that runs start from."""
    return ensemble.normals(keys) * scales


def given_init(init: Mapping[str, Any]) -> Array:
    """The state (13,) of a start that was given by its four arrays."""
    if not isinstance(init, Mapping) or set(init) != set(PARTS):
        got = sorted(map(str, init)) if isinstance(init, Mapping) else type(init).__name__
        raise InputError(f"init must hold {', '.join(PARTS)}; got {got}")
    state = np.empty(kernel.STATE)
    for name, part in PARTS.items():
        value, shape = finite(name, init[name]), state[part].shape
        if value.shape != shape:
            raise InputError(f"{name} must have shape {shape}; got {value.shape}")
        within(name, value, -LARGEST, LARGEST)
        state[part] = value
    return state


def variant(backend: str) -> str:
    """The kernel's name of a backend."""
    resolved = resolve_backend(backend, allowed=BACKENDS)
    return _VARIANT.get(resolved, resolved)


def is_minimax(loss: Any) -> bool:
    """Whether G's loss is the one of slide 61."""
    if loss not in LOSSES:
        raise unknown_name("loss", loss, LOSSES)
    return bool(loss == "minimax")


def whole(name: str, value: Any, least: int) -> int:
    """A whole number of at least `least`."""
    if not isinstance(value, Integral) or int(value) < least:
        raise InputError(f"{name} must be a whole number of at least {least}; got {value!r}")
    return int(value)


def steps_of(epochs: Any, faces: Array) -> int:
    """Steps of so many epochs, as many as there are draws for."""
    steps = whole("epochs", epochs, 1) * len(faces)
    if steps > MOST_STEPS:
        raise InputError(f"epochs times the number of faces must be at most {MOST_STEPS}; got {steps}")
    return steps


def finite(name: str, value: Any) -> Array:
    """`value` as float64, without NaN and infinity."""
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise ValueError
    except ValueError:
        raise InputError(f"{name} must hold numbers; got {value!r}") from None
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise InputError(f"{name} must be finite; got {array[~np.isfinite(array)].flat[0]}")
    return array


def pixels(name: str, value: Any) -> Array:
    """Numbers whose last axis is a picture's pixels."""
    array = finite(name, value)
    if array.ndim < 1 or array.shape[-1] != PIXELS:
        raise InputError(f"{name} must have a last axis of {PIXELS} pixels; got shape {array.shape}")
    return array


def go_together(**arrays: Array) -> None:
    """Refuse arrays whose leading axes do not broadcast."""
    shapes = [array.shape for array in arrays.values()]
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        *names, last = arrays
        raise InputError(f"{', '.join(names)} and {last} must have shapes that go together; got leading axes {shapes}") from None


def checked_faces(faces: Any) -> Array:
    """Pictures (F, 4) in [0, 1], dense."""
    array = finite("faces", faces)
    if array.ndim != 2 or array.shape[1] != PIXELS or not len(array):
        raise InputError(f"faces must have shape (F, {PIXELS}) with at least one face; got {array.shape}")
    within("faces", array, 0, 1)
    return np.ascontiguousarray(array)


def checked_draws(z: Any, steps: int) -> Array:
    """The draws (steps,) in [0, 1], dense."""
    array = finite("z", z)
    if array.shape != (steps,):
        raise InputError(f"z must hold the draws of all steps, shape ({steps},); got {array.shape}")
    within("z", array, 0, 1)
    return np.ascontiguousarray(array)


def within(name: str, array: Array, least: float, most: float) -> None:
    """Refuse what lies outside `least` to `most`."""
    wrong = array[(array < least) | (array > most)]
    if wrong.size:
        raise InputError(f"{name} must lie between {least:g} and {most:g}; got {wrong.flat[0]:g}")


def checked_rates(value: Any) -> Array:
    """Learning rates of any shape."""
    rates = finite("learning_rate", value)
    wrong = rates[(rates <= 0) | (rates > LARGEST)]
    if wrong.size:
        raise InputError(f"learning_rate must be greater than 0 and at most {LARGEST:g}; got {wrong.flat[0]:g}")
    return rates


def checked_scales(value: Any) -> Array:
    """Initial scales of any shape."""
    scales = finite("init_scale", value)
    within("init_scale", scales, 0, LARGEST)
    return scales


def scalar(name: str, array: Array) -> Array:
    """Refuse all but one number."""
    if array.ndim:
        raise InputError(f"{name} must be one number; got shape {array.shape}")
    return array


def per_run(name: str, values: Array, runs: int) -> Array:
    """One number for each run, (runs,), from one for all or one for each."""
    if values.shape not in ((), (runs,)):
        raise InputError(f"{name} must be one number or have shape ({runs},), one for each run; got {values.shape}")
    return np.broadcast_to(values, (runs,))


def seeds_of(seed: Any, runs: int) -> Array:
    """Seeds of all runs, uint64 (runs,)."""
    array = np.asarray(seed)
    if array.dtype.kind not in "iu" or (array.dtype.kind == "i" and (array < 0).any()):
        raise InputError(f"seed must hold whole numbers from 0 to 2^64 - 1; got {seed!r}")
    if array.ndim == 0:
        # Beyond the last seed they go on from 0.
        with np.errstate(over="ignore"):
            return array.astype(np.uint64) + np.arange(runs, dtype=np.uint64)
    if array.shape != (runs,):
        raise InputError(f"seed must be one number or have shape ({runs},), one for each run; got {array.shape}")
    return array.astype(np.uint64)
