"""The toy GAN of 'slanted land': two kinds of sigmoid neuron, trained by the lecture's rules, one run or a great many at once.

    D(x) = σ(w·x + b)          G(z) = σ(z·v + c), pixel by pixel          z uniform in (0, 1)

A picture is four pixels, in the order top-left, top-right, bottom-left, bottom-right; white is 0, black is 1. The updates and their
order are in `genlab.kernels.toy_gan`.

- `train` makes one run in float64, step by step as the lecture does; `train_many` makes many at once in float32.
- `one_step` takes a single step apart: every number in it, and each gradient beside its finite difference.
- `phase_diagram` shows which learning rates and initial scales learn to draw faces, while it computes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt

from genlab.errors import InputError, unknown_name
from genlab.kernels import toy_gan as kernel
from genlab.kernels import toy_gan_ensemble as ensemble
from genlab.kernels.sigmoid_neuron import sigmoid, softplus
from genlab.kernels.toy_gan import D_BIAS, D_WEIGHTS, G_BIAS, G_WEIGHTS, PIXELS
from genlab.lecture import worked
from genlab.native import resolve_backend

Array = npt.NDArray[Any]

FACES = np.array(worked.FACES)
FACES.flags.writeable = False

LOSSES = ("non-saturating", "minimax")
BACKENDS = ("native", "python", "numpy", "torch")
_VARIANT = {"numpy": "reference"}
_PARTS: Mapping[str, Any] = {"d_weights": D_WEIGHTS, "d_bias": D_BIAS, "g_weights": G_WEIGHTS, "g_bias": G_BIAS}
# A step moves no weight further than the learning rate, so that float32 holds whatever such a run can reach.
_LARGEST = 1e6
_MOST_STEPS = ensemble.INIT_COUNTER


# --- results ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class History:
    """A run as it went: one row for its start, for every `record_every`-th step and for the last.

    Attributes:
        step: Steps done, (rows,); the first is 0.
        d_weights: (rows, 4).
        d_bias: (rows,).
        g_weights: (rows, 4).
        g_bias: (rows, 4).
        d_loss: D's loss in that step, −ln D(face) − ln(1 − D(G(z))), in nats, (rows,); NaN in the first row, before any step.
        g_loss: What G minimises, in that step: −ln D(G(z)), or ln(1 − D(G(z))) if the loss is minimax; NaN in the first row.
    """

    step: Array
    d_weights: Array
    d_bias: Array
    g_weights: Array
    g_bias: Array
    d_loss: Array
    g_loss: Array


@dataclass(frozen=True)
class Run:
    """One run of the toy GAN.

    Attributes:
        d_weights: w, float64 (4,).
        d_bias: b.
        g_weights: v, float64 (4,).
        g_bias: c, float64 (4,).
        history: How it went, or None if nothing was recorded.
        init: The four arrays it started from.
        z: The draws of all steps, float64 (steps,).
    """

    d_weights: Array
    d_bias: float
    g_weights: Array
    g_bias: Array
    history: History | None
    init: Mapping[str, Any]
    z: Array


@dataclass(frozen=True)
class Runs:
    """Many runs of the toy GAN; run r is the one that `train` makes from ``seed=seeds[r]``, in float32.

    Attributes:
        d_weights: w, float32 (runs, 4).
        d_bias: b, float32 (runs,).
        g_weights: v, float32 (runs, 4).
        g_bias: c, float32 (runs, 4).
        seeds: uint64 (runs,).
    """

    d_weights: Array
    d_bias: Array
    g_weights: Array
    g_bias: Array
    seeds: Array


# --- the two networks ------------------------------------------------------------------------------------------------------------


def discriminate(x: Any, d_weights: Any, d_bias: Any) -> Array:
    """D(x) = σ(w·x + b): how sure the discriminator is that pictures are faces; above 0.5 it says so.

    Args:
        x: Pictures (..., 4).
        d_weights: w (4,), or (..., 4) for discriminators of many runs; leading axes broadcast.
        d_bias: b, a number or (...).

    Returns:
        Probabilities (...), float64.

    Raises:
        InputError: NaN or infinity, a last axis that is not 4 long, or leading axes that do not broadcast.
    """
    pictures, weights, bias = _pixels("x", x), _pixels("d_weights", d_weights), _finite("d_bias", d_bias)
    _go_together(x=pictures[..., 0], d_weights=weights[..., 0], d_bias=bias)
    return sigmoid((pictures * weights).sum(axis=-1) + bias)


def generate(z: Any, g_weights: Any, g_bias: Any) -> Array:
    """G(z) = σ(z·v + c): the pictures that the generator makes of draws.

    Args:
        z: Draws, a number or (...).
        g_weights: v (4,), or (..., 4) for generators of many runs; leading axes broadcast with those of `z`.
        g_bias: c, of the shape of `g_weights`.

    Returns:
        Pictures (..., 4), float64.

    Raises:
        InputError: NaN or infinity, a last axis that is not 4 long, or leading axes that do not broadcast.
    """
    draws, v, c = _finite("z", z), _pixels("g_weights", g_weights), _pixels("g_bias", g_bias)
    _go_together(z=draws, g_weights=v[..., 0], g_bias=c[..., 0])
    return sigmoid(draws[..., None] * v + c)


# --- one run ---------------------------------------------------------------------------------------------------------------------


def train(
    faces: Any = FACES,
    *,
    epochs: int = 1000,
    learning_rate: float = 0.01,
    loss: str = "non-saturating",
    init: Mapping[str, Any] | None = None,
    z: Any = None,
    seed: int = 0,
    init_scale: float = 1.0,
    record_every: int = 0,
    backend: str = "native",
) -> Run:
    """Train one toy GAN in float64, in the lecture's order: an epoch is one step on each face.

    Args:
        faces: Pictures (F, 4) of any number of faces.
        epochs: Times that every face is seen; ``epochs · F`` steps in all.
        learning_rate: Greater than 0.
        loss: ``"non-saturating"``: G minimises −ln D(G(z)), as the lecture's code does; ``"minimax"``: ln(1 − D(G(z))), slide 61.
        init: ``{"d_weights": (4,), "d_bias": number, "g_weights": (4,), "g_bias": (4,)}`` to start from; by default `seed` draws it.
        z: The draws of all steps, (epochs · F,), in [0, 1]; by default `seed` draws them.
        seed: What decides the init and the draws that are not given, with the generator of `train_many`.
        init_scale: The standard deviation of an init that is drawn.
        record_every: Record the weights and losses of every so-manieth step; 0 for none.
        backend: ``"native"``, ``"python"``, ``"numpy"`` or ``"torch"``; they agree to rounding.

    Raises:
        InputError: An argument breaks one of the rules above.
        BackendError: ``"native"`` was asked for and is not available.
    """
    pictures = _faces(faces)
    steps = _steps(epochs, pictures)
    rate = float(_scalar("learning_rate", _rates(learning_rate)))
    scale = _scalar("init_scale", _scales(init_scale))
    minimax = _is_minimax(loss)
    every = _count("record_every", record_every, 0)
    keys = ensemble.keys_of(_seeds(seed, 1))
    start = _draw_init(keys, scale)[:, 0] if init is None else _given_init(init)
    draws = ensemble.uniforms(keys, np.arange(steps))[:, 0].astype(np.float64) if z is None else _draws(z, steps)

    run = kernel.TRAIN[_variant(backend)]
    states, losses = run(pictures, draws, start, rate, minimax, every or steps)
    history = None
    if every:
        states_from_start = np.concatenate([start[None], states])
        d_loss, g_loss = np.concatenate([np.full((1, 2), np.nan), losses]).T
        history = History(
            step=np.concatenate([[0], kernel.recorded_steps(steps, every)]), **_named(states_from_start), d_loss=d_loss, g_loss=g_loss
        )
    return Run(**_named(states[-1]), history=history, init=_named(start), z=draws)


# --- one step, taken apart -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MicroStep:
    """One of the four parts of a training step, with every number in it.

    Attributes:
        name: ``"real"`` (D on a face), ``"draw"`` (z becomes a picture), ``"fake"`` (D on that picture), ``"generator"`` (G through D).
        picture: The picture x that is looked at, (4,).
        z: The draw behind it; None for a face.
        pixel_logits: z·v + c, what G's neurons sum up, (4,); None for a face.
        logit: w·x + b, what D's neuron sums up; None in ``"draw"``.
        probability: σ(logit): p, q or y; None in ``"draw"``.
        loss: −ln p, −ln(1 − q), and −ln y or ln(1 − y), in nats; None in ``"draw"``.
        logit_gradient: ∂loss/∂logit; None in ``"draw"``.
        picture_gradient: ∂loss/∂x = ∂loss/∂logit · w, what D hands to G, (4,); in ``"generator"`` alone.
        pixel_gradient: ∂loss/∂(z·v + c) = picture_gradient · x · (1 − x), (4,); in ``"generator"`` alone.
        gradients: ∂loss/∂parameter by the formula, for each parameter that this part moves.
        finite_differences: The same as (loss(parameter + h) − loss(parameter − h)) / 2h, element by element.
        before: The four arrays of weights before this part.
        after: And after it.
    """

    name: str
    picture: Array
    z: float | None
    pixel_logits: Array | None
    logit: float | None
    probability: float | None
    loss: float | None
    logit_gradient: float | None
    picture_gradient: Array | None
    pixel_gradient: Array | None
    gradients: Mapping[str, Any]
    finite_differences: Mapping[str, Any]
    before: Mapping[str, Any]
    after: Mapping[str, Any]


def one_step(
    face: Any,
    z: float,
    d_weights: Any,
    d_bias: float,
    g_weights: Any,
    g_bias: Any,
    *,
    learning_rate: float = 0.01,
    loss: str = "non-saturating",
) -> tuple[MicroStep, MicroStep, MicroStep, MicroStep]:
    """One training step under the microscope: D on a face, z drawn, D on the fake, G through D.

    Args:
        face: A picture (4,).
        z: The draw, in [0, 1].
        d_weights: w (4,) before the step.
        d_bias: b before the step.
        g_weights: v (4,) before the step.
        g_bias: c (4,) before the step.
        learning_rate: Greater than 0.
        loss: As for `train`.

    Returns:
        The four parts in their order; ``[-1].after`` is the state after the step, as `train` makes it.

    Raises:
        InputError: An argument breaks one of the rules of `train`.
    """
    picture, draw = _finite("face", face), _scalar("z", _finite("z", z))
    if picture.shape != (PIXELS,):
        raise InputError(f"face must have shape ({PIXELS},); got {picture.shape}")
    _within("face", picture, 0, 1)
    _within("z", draw, 0, 1)
    rate = float(_scalar("learning_rate", _rates(learning_rate)))
    minimax = _is_minimax(loss)
    state = _given_init({"d_weights": d_weights, "d_bias": d_bias, "g_weights": g_weights, "g_bias": g_bias})

    real = _real(state, picture, rate)
    drawn = _drawn(_state_of(real.after), float(draw))
    fake = _fake(_state_of(drawn.after), float(draw), rate)
    return real, drawn, fake, _generator(_state_of(fake.after), float(draw), rate, minimax)


def _real(state: Array, face: Array, rate: float) -> MicroStep:
    logit = float(face @ state[D_WEIGHTS] + state[D_BIAS])
    p = float(sigmoid(np.array(logit)))
    gradients = {"d_weights": -(1 - p) * face, "d_bias": -(1 - p)}

    def loss_at(changed: Array) -> float:
        return float(softplus(-(face @ changed[D_WEIGHTS] + changed[D_BIAS])))

    return _micro_step("real", state, rate, loss_at, gradients, picture=face, logit=logit, probability=p, logit_gradient=-(1 - p))


def _drawn(state: Array, z: float) -> MicroStep:
    logits = z * state[G_WEIGHTS] + state[G_BIAS]
    return _micro_step("draw", state, 0.0, None, {}, picture=sigmoid(logits), z=z, pixel_logits=logits)


def _fake(state: Array, z: float, rate: float) -> MicroStep:
    logits = z * state[G_WEIGHTS] + state[G_BIAS]
    x = sigmoid(logits)
    logit = float(x @ state[D_WEIGHTS] + state[D_BIAS])
    q = float(sigmoid(np.array(logit)))
    gradients = {"d_weights": q * x, "d_bias": q}

    def loss_at(changed: Array) -> float:
        return float(softplus(x @ changed[D_WEIGHTS] + changed[D_BIAS]))

    return _micro_step(
        "fake", state, rate, loss_at, gradients, picture=x, z=z, pixel_logits=logits, logit=logit, probability=q, logit_gradient=q
    )


def _generator(state: Array, z: float, rate: float, minimax: bool) -> MicroStep:
    w, b = state[D_WEIGHTS], state[D_BIAS]
    logits = z * state[G_WEIGHTS] + state[G_BIAS]
    x = sigmoid(logits)
    logit = float(x @ w + b)
    y = float(sigmoid(np.array(logit)))
    logit_gradient = -y if minimax else -(1 - y)
    picture_gradient = logit_gradient * w
    pixel_gradient = picture_gradient * x * (1 - x)
    gradients = {"g_weights": pixel_gradient * z, "g_bias": pixel_gradient}

    def loss_at(changed: Array) -> float:
        judged = sigmoid(z * changed[G_WEIGHTS] + changed[G_BIAS]) @ w + b
        return float(-softplus(judged) if minimax else softplus(-judged))

    return _micro_step(
        "generator",
        state,
        rate,
        loss_at,
        gradients,
        picture=x,
        z=z,
        pixel_logits=logits,
        logit=logit,
        probability=y,
        logit_gradient=logit_gradient,
        picture_gradient=picture_gradient,
        pixel_gradient=pixel_gradient,
    )


def _micro_step(
    name: str, state: Array, rate: float, loss_at: Callable[[Array], float] | None, gradients: Mapping[str, Any], **numbers: Any
) -> MicroStep:
    """A part of a step: the loss at `state`, its gradients by differences too, and the state after descending along them."""
    after = state.copy()
    differences = {}
    for parameter, gradient in gradients.items():
        part = _PARTS[parameter]
        after[part] -= rate * gradient
        differences[parameter] = _finite_difference(loss_at, state, part) if loss_at else None
    nothing = dict.fromkeys(("z", "pixel_logits", "logit", "probability", "logit_gradient", "picture_gradient", "pixel_gradient"))
    return MicroStep(
        name=name,
        loss=loss_at(state) if loss_at else None,
        gradients=gradients,
        finite_differences=differences,
        before=_named(state),
        after=_named(after),
        **{**nothing, **numbers},
    )


def _finite_difference(loss_at: Callable[[Array], float], state: Array, part: slice | int) -> Any:
    """Central differences of a loss to one part of the state, of that part's shape."""
    h = 1e-5  # near the cube root of float64's precision, where rounding and curvature err alike
    found = []
    for index in np.atleast_1d(np.arange(len(state))[part]):
        step = np.zeros(len(state))
        step[index] = h
        found.append((loss_at(state + step) - loss_at(state - step)) / (2 * h))
    return found[0] if isinstance(part, int) else np.array(found)


# --- many runs -------------------------------------------------------------------------------------------------------------------


def train_many(
    faces: Any = FACES,
    *,
    runs: int,
    epochs: int = 1000,
    learning_rate: Any = 0.01,
    loss: str = "non-saturating",
    init_scale: Any = 1.0,
    seed: Any = 0,
    backend: str = "native",
    on_progress: Callable[[int, int], None] | None = None,
) -> Runs:
    """Train many toy GANs at once, in float32.

    A run depends on its own seed, learning rate and initial scale alone: ``train(seed=seeds[r], ...)`` is the same run in float64, and
    ``train_many(runs=1, seed=seeds[r], ...)`` the same to the last bit, whatever the number of threads.

    Args:
        faces: Pictures (F, 4) of any number of faces.
        runs: How many.
        epochs: Times that every face is seen; ``epochs · F`` steps in all.
        learning_rate: Greater than 0: one for all runs, or (runs,).
        loss: As for `train`.
        init_scale: The standard deviation of the weights at the start: one for all runs, or (runs,).
        seed: One number, from which the runs take seed, seed + 1, seed + 2, …; or the seeds of all runs, (runs,).
        backend: As for `train`.
        on_progress: Called with the steps done and the steps in all, some 100 times.

    Raises:
        InputError: An argument breaks one of the rules above.
        BackendError: ``"native"`` was asked for and is not available.
    """
    count = _count("runs", runs, 1)
    pictures = _faces(faces)
    steps = _steps(epochs, pictures)
    seeds = _seeds(seed, count)
    stops = _stops(steps, 100) if on_progress else [steps]
    states = _states(pictures, seeds, _rates(learning_rate), _scales(init_scale), _is_minimax(loss), stops, _variant(backend))
    for done, state in states:  # noqa: B007
        if on_progress:
            on_progress(done, steps)
    return Runs(**_named(state.T), seeds=seeds)


def _states(
    faces: Array, seeds: Array, rates: Array, scales: Array, minimax: bool, stops: Sequence[int], variant: str
) -> Iterator[tuple[int, Array]]:
    """Steps done and the state (13, runs) of all runs, at each of `stops`."""
    advance = ensemble.ADVANCE[variant]
    keys = ensemble.keys_of(seeds)
    state = _draw_init(keys, _per_run("init_scale", scales, len(seeds))).astype(np.float32)
    rate = _per_run("learning_rate", rates, len(seeds)).astype(np.float32)
    done = 0
    for stop in stops:
        state = advance(state, keys, faces, rate, minimax, done, stop - done)
        done = stop
        yield done, state


def _stops(steps: int, pieces: int) -> list[int]:
    """Where to stop so that `steps` steps are done in `pieces` nearly equal pieces, or one by one if there are fewer."""
    pieces = min(pieces, steps)
    return [steps * (piece + 1) // pieces for piece in range(pieces)]


# --- the phase diagram -----------------------------------------------------------------------------------------------------------

# Largest distance, in any pixel, of what counts as a face from one of the faces.
FACE_TOLERANCE = 0.25
# Least range of a pixel over all z of a generator that does not ignore z: a quarter of the 0.2 by which the lecture's faces differ.
LEAST_SPREAD = 0.05


def spread(g_weights: Any, g_bias: Any) -> Array:
    """How far z moves the picture: the largest, over pixels, of |G(1) − G(0)|.

    A pixel σ(z·v + c) rises or falls with z all the way, so that its ends are its extremes.

    Args:
        g_weights: v (..., 4).
        g_bias: c (..., 4).

    Returns:
        Ranges (...).
    """
    v, c = _pixels("g_weights", g_weights), _pixels("g_bias", g_bias)
    return _spread(np.moveaxis(v, -1, 0), np.moveaxis(c, -1, 0))


def _spread(v: Array, c: Array) -> Array:
    """`spread` of weights (4, ...)."""
    return np.asarray(np.abs(sigmoid(v + c) - sigmoid(c)).max(axis=0))


def draws_faces(g_weights: Any, g_bias: Any, faces: Any = FACES) -> Array:
    """Whether generators have learnt to draw faces.

    One has if each of its pictures for z = 0, 1/2 and 1 lies within `FACE_TOLERANCE` (0.25) of one of the faces in every pixel.

    Args:
        g_weights: v (..., 4).
        g_bias: c (..., 4).
        faces: Pictures (F, 4).

    Returns:
        Booleans (...).
    """
    v, c = _pixels("g_weights", g_weights), _pixels("g_bias", g_bias)
    return _draws_faces(np.moveaxis(v, -1, 0), np.moveaxis(c, -1, 0), _faces(faces))


def _draws_faces(v: Array, c: Array, faces: Array) -> Array:
    """`draws_faces` of weights (4, ...): pixel by pixel, since NumPy is slow along short axes."""
    good = np.ones(v.shape[1:], np.bool_)
    for z in (0.0, 0.5, 1.0):
        picture = sigmoid(v.dtype.type(z) * v + c)
        near_one = np.zeros(good.shape, np.bool_)
        for face in faces.astype(v.dtype):
            near = good
            for pixel, wanted in zip(picture, face, strict=True):
                near = near & (np.abs(pixel - wanted) <= FACE_TOLERANCE)
            near_one |= near
        good = near_one
    return good


def ignores_z(g_weights: Any, g_bias: Any) -> Array:
    """Whether generators have collapsed: they draw one picture whatever z is, since `spread` is below `LEAST_SPREAD` (0.05).

    Args:
        g_weights: v (..., 4).
        g_bias: c (..., 4).

    Returns:
        Booleans (...).
    """
    return np.asarray(spread(g_weights, g_bias) < LEAST_SPREAD)


@dataclass(frozen=True)
class PhaseDiagram:
    """What became of the runs of each cell so far. Rows are initial scales, columns learning rates.

    Attributes:
        learning_rates: (columns,).
        init_scales: (rows,).
        runs: Runs in a cell.
        steps_done: Steps that every run has made.
        steps: Steps that it will have made in the end.
        draws_faces: Share of a cell's runs for which `draws_faces` holds, (rows, columns).
        ignores_z: Share for which `ignores_z` holds, (rows, columns).
        varied_faces: Share that draws faces and does not ignore z, (rows, columns).
        seeds: Seeds of the runs, uint64 (rows, columns, runs): `train` with the cell's rate and scale replays one.
    """

    learning_rates: Array
    init_scales: Array
    runs: int
    steps_done: int
    steps: int
    draws_faces: Array
    ignores_z: Array
    varied_faces: Array
    seeds: Array

    @property
    def done(self) -> float:
        """The share of the work that is done, from 0 to 1."""
        return self.steps_done / self.steps


def phase_diagram(
    learning_rates: Any,
    init_scales: Any,
    faces: Any = FACES,
    *,
    runs: int = 16,
    epochs: int = 1000,
    loss: str = "non-saturating",
    seed: int = 0,
    frames: int = 20,
    backend: str = "native",
) -> Iterator[PhaseDiagram]:
    """Train every pair of a learning rate and an initial scale, and show all cells as they develop.

    Every frame is the whole diagram after so many steps. With one initial scale, the frames laid on each other are the diagram of
    learning rate against number of steps.

    Args:
        learning_rates: The columns, (columns,), each greater than 0.
        init_scales: The rows, (rows,), each at least 0.
        faces: Pictures (F, 4) of any number of faces.
        runs: Runs in a cell, each with a seed of its own.
        epochs: Times that every face is seen.
        loss: As for `train`.
        seed: The seed of the first run of the first cell; they are numbered through row by row.
        frames: How many diagrams to yield, evenly over the steps; the last one is the result.
        backend: As for `train`.

    Yields:
        The diagram so far.

    Raises:
        InputError: An argument breaks one of the rules above.
        BackendError: ``"native"`` was asked for and is not available.
    """
    rates, scales = np.atleast_1d(_rates(learning_rates)), np.atleast_1d(_scales(init_scales))
    for name, values in (("learning_rates", rates), ("init_scales", scales)):
        if values.ndim != 1 or not values.size:
            raise InputError(f"{name} must have shape (n,) with at least one value; got {values.shape}")
    shape = (len(scales), len(rates), _count("runs", runs, 1))
    pictures = _faces(faces)
    steps = _steps(epochs, pictures)
    stops = _stops(steps, _count("frames", frames, 1))
    seeds = _seeds(seed, math.prod(shape))
    all_rates = np.broadcast_to(rates[None, :, None], shape).reshape(-1)
    all_scales = np.broadcast_to(scales[:, None, None], shape).reshape(-1)
    states = _states(pictures, seeds, all_rates, all_scales, _is_minimax(loss), stops, _variant(backend))

    def show() -> Iterator[PhaseDiagram]:
        for done, state in states:
            v, c = state[G_WEIGHTS], state[G_BIAS]
            good, same = _draws_faces(v, c, pictures).reshape(shape), (_spread(v, c) < LEAST_SPREAD).reshape(shape)
            shares = {"draws_faces": good, "ignores_z": same, "varied_faces": good & ~same}
            means = {name: held.mean(axis=2) for name, held in shares.items()}
            yield PhaseDiagram(
                rates,
                scales,
                shape[2],
                done,
                steps,
                **means,
                seeds=seeds.reshape(shape),
            )

    return show()


# --- states and checks -----------------------------------------------------------------------------------------------------------


def _named(states: Array) -> dict[str, Any]:
    """The four arrays of weights in states (..., 13), copied."""
    parts = {name: states[..., part].copy() for name, part in _PARTS.items()}
    return {**parts, "d_bias": float(parts["d_bias"])} if states.ndim == 1 else parts


def _state_of(named: Mapping[str, Any]) -> Array:
    """The state (13,) of four arrays of weights."""
    return np.concatenate([np.atleast_1d(named[name]) for name in _PARTS])


def _draw_init(keys: Array, scales: Array) -> Array:
    return ensemble.normals(keys) * scales


def _given_init(init: Mapping[str, Any]) -> Array:
    if not isinstance(init, Mapping) or set(init) != set(_PARTS):
        got = sorted(map(str, init)) if isinstance(init, Mapping) else type(init).__name__
        raise InputError(f"init must hold {', '.join(_PARTS)}; got {got}")
    state = np.empty(kernel.STATE)
    for name, part in _PARTS.items():
        value, shape = _finite(name, init[name]), state[part].shape
        if value.shape != shape:
            raise InputError(f"{name} must have shape {shape}; got {value.shape}")
        _within(name, value, -_LARGEST, _LARGEST)
        state[part] = value
    return state


def _variant(backend: str) -> str:
    resolved = resolve_backend(backend, allowed=BACKENDS)
    return _VARIANT.get(resolved, resolved)


def _is_minimax(loss: Any) -> bool:
    if loss not in LOSSES:
        raise unknown_name("loss", loss, LOSSES)
    return bool(loss == "minimax")


def _count(name: str, value: Any, least: int) -> int:
    if not isinstance(value, Integral) or int(value) < least:
        raise InputError(f"{name} must be a whole number of at least {least}; got {value!r}")
    return int(value)


def _steps(epochs: Any, faces: Array) -> int:
    steps = _count("epochs", epochs, 1) * len(faces)
    if steps > _MOST_STEPS:
        raise InputError(f"epochs times the number of faces must be at most {_MOST_STEPS}; got {steps}")
    return steps


def _finite(name: str, value: Any) -> Array:
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


def _pixels(name: str, value: Any) -> Array:
    array = _finite(name, value)
    if array.ndim < 1 or array.shape[-1] != PIXELS:
        raise InputError(f"{name} must have a last axis of {PIXELS} pixels; got shape {array.shape}")
    return array


def _go_together(**arrays: Array) -> None:
    """Refuse arrays whose leading axes do not broadcast."""
    shapes = [array.shape for array in arrays.values()]
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        *names, last = arrays
        raise InputError(f"{', '.join(names)} and {last} must have shapes that go together; got leading axes {shapes}") from None


def _faces(faces: Any) -> Array:
    array = _finite("faces", faces)
    if array.ndim != 2 or array.shape[1] != PIXELS or not len(array):
        raise InputError(f"faces must have shape (F, {PIXELS}) with at least one face; got {array.shape}")
    _within("faces", array, 0, 1)
    return np.ascontiguousarray(array)


def _draws(z: Any, steps: int) -> Array:
    array = _finite("z", z)
    if array.shape != (steps,):
        raise InputError(f"z must hold the draws of all steps, shape ({steps},); got {array.shape}")
    _within("z", array, 0, 1)
    return np.ascontiguousarray(array)


def _within(name: str, array: Array, least: float, most: float) -> None:
    wrong = array[(array < least) | (array > most)]
    if wrong.size:
        raise InputError(f"{name} must lie between {least:g} and {most:g}; got {wrong.flat[0]:g}")


def _rates(value: Any) -> Array:
    rates = _finite("learning_rate", value)
    wrong = rates[(rates <= 0) | (rates > _LARGEST)]
    if wrong.size:
        raise InputError(f"learning_rate must be greater than 0 and at most {_LARGEST:g}; got {wrong.flat[0]:g}")
    return rates


def _scales(value: Any) -> Array:
    scales = _finite("init_scale", value)
    _within("init_scale", scales, 0, _LARGEST)
    return scales


def _scalar(name: str, array: Array) -> Array:
    if array.ndim:
        raise InputError(f"{name} must be one number; got shape {array.shape}")
    return array


def _per_run(name: str, values: Array, runs: int) -> Array:
    if values.shape not in ((), (runs,)):
        raise InputError(f"{name} must be one number or have shape ({runs},), one for each run; got {values.shape}")
    return np.broadcast_to(values, (runs,))


def _seeds(seed: Any, runs: int) -> Array:
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
