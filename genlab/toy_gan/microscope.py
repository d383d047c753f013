"""One step taken apart: every number in it, and each gradient beside its finite difference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from genlab.errors import InputError
from genlab.kernels.sigmoid_neuron import sigmoid, softplus
from genlab.kernels.toy_gan import D_BIAS, D_WEIGHTS, G_BIAS, G_WEIGHTS, PIXELS
from genlab.toy_gan.checks import (
    PARTS,
    Array,
    checked_rates,
    finite,
    given_init,
    is_minimax,
    named,
    scalar,
    state_of,
    within,
)


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
    picture, draw = finite("face", face), scalar("z", finite("z", z))
    if picture.shape != (PIXELS,):
        raise InputError(f"face must have shape ({PIXELS},); got {picture.shape}")
    within("face", picture, 0, 1)
    within("z", draw, 0, 1)
    rate = float(scalar("learning_rate", checked_rates(learning_rate)))
    minimax = is_minimax(loss)
    state = given_init({"d_weights": d_weights, "d_bias": d_bias, "g_weights": g_weights, "g_bias": g_bias})

    real = _real(state, picture, rate)
    drawn = _drawn(state_of(real.after), float(draw))
    fake = _fake(state_of(drawn.after), float(draw), rate)
    return real, drawn, fake, _generator(state_of(fake.after), float(draw), rate, minimax)


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
        part = PARTS[parameter]
        after[part] -= rate * gradient
        differences[parameter] = _finite_difference(loss_at, state, part) if loss_at else None
    nothing = dict.fromkeys(("z", "pixel_logits", "logit", "probability", "logit_gradient", "picture_gradient", "pixel_gradient"))
    return MicroStep(
        name=name,
        loss=loss_at(state) if loss_at else None,
        gradients=gradients,
        finite_differences=differences,
        before=named(state),
        after=named(after),
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
