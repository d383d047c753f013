"""All that G learns comes through D: the gradient of G's loss, factor by factor, and what is left of it as D becomes perfect.

    ∂L/∂θ = Σ_i ∂L/∂s_i · ∂s_i/∂x_i · ∂x_i/∂θ            x_i = G(z_i; θ), s_i = D's logit of it, D = σ(s)
    minimax        L = mean ln(1 − D)        ∂L/∂s = −D          gone where D is sure that x is generated      slide 61
    nonsaturating  L = mean −ln D            ∂L/∂s = −(1 − D)    strongest there                               slide 57

Here G is frozen, and D alone trains until it tells all of G's points from the data (after Arjovsky and Bottou 2017, figure 2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genlab.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from genlab.models.adversarial.losses import Loss

LOSSES: tuple[Loss, ...] = ("minimax", "nonsaturating")
LOOKS = (0, 5, 10, 20, 40, 80, 160, 320)
POINTS = 128
_SETTINGS: dict[str, Any] = {
    **{"loss": "nonsaturating", "hidden": 32, "layers": 2, "activation": "tanh"},
    **{"discriminator_hidden": 64, "discriminator_layers": 2},
}
_RATE = 3e-3
_WIDTH = 1e-5  # of a finite difference
_GRID = 25
EXTENT = 1.5


@dataclass(frozen=True, eq=False)
class Look:
    """The game at one moment of D's training.

    Attributes:
        step: Steps that D has made.
        right: Share of real and generated points that D is right about.
        looks_real: Mean D(G(z)).
        gradient: By loss, the norm of the gradient at G's parameters.
        difference: By loss, the slope of G's loss along that gradient by central finite differences: the same number, if all is right.
        arrows: By loss, where each generated point is told to go, −∂L/∂x times their number, float64 ``(POINTS, 2)``.
        field: D on a grid over the square of ± `EXTENT`, row by row from below, ``(25, 25)``.
    """

    step: int
    right: float
    looks_real: float
    gradient: Mapping[str, float]
    difference: Mapping[str, float]
    arrows: Mapping[str, NDArray[np.float64]]
    field: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Handed:
    """What D handed to G over its training.

    Attributes:
        real: Real points, ``(POINTS, 2)``.
        generated: G's, which stay.
        looks: From an untrained D to one that is sure.
        without: Norm of the gradient at G's parameters where D says the same of every point.
    """

    real: NDArray[np.float64]
    generated: NDArray[np.float64]
    looks: tuple[Look, ...]
    without: float


def handed_by(seed: int = 0, *, looks: Sequence[int] = LOOKS) -> Handed:
    """Train D alone against a frozen G on the ring of 8, and measure at some of its steps what it hands to G.

    Args:
        seed: Decides weights and points.
        looks: Steps of D at which to look, rising.

    Raises:
        InputError: No step to look at, or they do not rise.
    """
    import torch

    from genlab.datasets import load_dataset
    from genlab.models import create_for
    from genlab.models.adversarial.losses import discriminator_loss

    if not looks or min(looks) < 0 or any(later <= earlier for earlier, later in pairwise(looks)):
        raise InputError(f"looks must be rising steps from 0 on; got {list(looks)}")
    data = load_dataset("ring")
    model: Any = create_for(data, "gan2d", seed, _SETTINGS).double()
    rng = np.random.default_rng(seed)
    noise = torch.from_numpy(rng.standard_normal((POINTS, model.settings.latent)))
    real = model.as_seen(data.train.images[rng.permutation(len(data.train))[:POINTS]]).double()
    with torch.no_grad():
        generated = model.generate(noise)
    adam = torch.optim.Adam(model.discriminator.parameters(), lr=_RATE)
    found = []
    for step in range(looks[-1] + 1):
        if step in looks:
            found.append(_look(model, step, noise, real, generated))
        adam.zero_grad()
        parts = discriminator_loss("nonsaturating", model.logits(real), model.logits(generated))
        torch.autograd.backward(torch.stack(list(parts.values())).sum())
        adam.step()
    constant = 0 * model.logits(model.generate(noise)) + 0.3  # whatever x is
    return Handed(
        _as_drawn(model, real), _as_drawn(model, generated), tuple(found), float(_norm(_at_parameters(model, "minimax", constant)))
    )


def _look(model: Any, step: int, noise: Tensor, real: Tensor, generated: Tensor) -> Look:
    import torch

    from genlab.models.adversarial.losses import generator_loss

    side = torch.linspace(-EXTENT, EXTENT, _GRID, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(side, side, indexing="xy"), -1).reshape(-1, 2)
    with torch.no_grad():
        on_real, on_fake = model.logits(real), model.logits(generated)
        field = model.logits(model.as_seen(grid.numpy()).double()).sigmoid().reshape(_GRID, _GRID).numpy()
    gradient: dict[str, float] = {}
    difference: dict[str, float] = {}
    arrows: dict[str, NDArray[np.float64]] = {}
    for loss in LOSSES:
        fake = generated.clone().requires_grad_()
        (slope,) = torch.autograd.grad(len(fake) * generator_loss(loss, model.logits(fake)), fake)
        arrows[loss] = -slope.numpy()
        found = _at_parameters(model, loss, model.logits(model.generate(noise)))
        gradient[loss] = float(_norm(found))
        difference[loss] = _by_differences(model, loss, noise, found)
    right = float(((on_real > 0).double().mean() + (on_fake < 0).double().mean()) / 2)
    return Look(step, right, float(on_fake.sigmoid().mean()), gradient, difference, arrows, field)


def _at_parameters(model: Any, loss: Loss, logits: Tensor) -> list[Tensor]:
    """The gradient of G's loss at each of its parameters."""
    import torch

    from genlab.models.adversarial.losses import generator_loss

    return list(torch.autograd.grad(generator_loss(loss, logits), list(model.generator.parameters())))


def _by_differences(model: Any, loss: Loss, noise: Tensor, along: list[Tensor]) -> float:
    """The slope of G's loss in the direction of a gradient, from two passes without any."""
    import torch

    from genlab.models.adversarial.losses import generator_loss

    length = _norm(along)
    values = []
    with torch.no_grad():
        for side in (1, -1):
            _moved(model, along, side * _WIDTH / length)
            values.append(generator_loss(loss, model.logits(model.generate(noise))))
            _moved(model, along, -side * _WIDTH / length)
    return float((values[0] - values[1]) / (2 * _WIDTH))


def _moved(model: Any, along: list[Tensor], how_far: Tensor) -> None:
    for parameter, direction in zip(model.generator.parameters(), along, strict=True):
        parameter.add_(how_far * direction)


def _norm(parts: list[Tensor]) -> Tensor:
    import torch

    return torch.stack([part.square().sum() for part in parts]).sum().sqrt()


def _as_drawn(model: Any, seen: Tensor) -> NDArray[np.float64]:
    drawn: NDArray[np.float64] = model.as_drawn(seen).astype(np.float64)
    return drawn
