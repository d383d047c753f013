"""Three reasons why it is a miracle that GANs work (slide 60), each as a small experiment with numbers.

1. G is only told whether it does well, as in reinforcement learning; but the gradient through D tells each point where to go. `signal`
   trains the same G by that gradient, and by reward alone: of points x = G(z) + τ ε, with r = ln D(x) and b its mean over the batch,

       ∇ E r = E (r − b) ∇ ln N(x; G(z), τ² I)                    the score-function estimator (Williams 1992, REINFORCE)

2. No single loss is minimised, so nothing says that there is an end. `equilibrium` is the smallest GAN there is (Mescheder et al. 2018):
   real data at 0, G at θ, D(x) = σ(ψ x). Its equilibrium is θ = ψ = 0; the gradients of both only circle it, and a penalty γ/2 |∇D|²
   pulls them in.

3. D is seldom fooled, and G learns all the same: `seldom_fooled` tells how many of G's points pass for real while their distance to the
   data falls.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import logsigmoid

from genlab.errors import InputError
from genlab.models.adversarial.gan2d import sliced_wasserstein
from genlab.models.adversarial.losses import discriminator_loss, generator_loss, penalty
from genlab.models.adversarial.networks import mlp

STEPS, BATCH, WIDTH = 600, 128, 64
RATE, PENALTY = 1e-3, 0.1
NOISE = 0.1
"""τ: how far around G(z) a point is tried where there is reward alone."""
_LOOKS = 30
_TEST = 2_000


@dataclass(frozen=True)
class Course:
    """A training of points in the plane, looked at now and then.

    Attributes:
        steps: When it was looked at, ``(looks,)``.
        distance: Sliced Wasserstein distance of as many generated points as real ones, ``(looks,)``.
        fooled: Share of generated points that D takes for real, ``(looks,)``.
    """

    steps: NDArray[np.int64]
    distance: NDArray[np.float64]
    fooled: NDArray[np.float64]


@dataclass(frozen=True)
class Orbit:
    """The smallest GAN's way.

    Attributes:
        places: θ and ψ after each step, ``(steps + 1, 2)``.
    """

    places: NDArray[np.float64]

    @property
    def distances(self) -> NDArray[np.float64]:
        """From the equilibrium, ``(steps + 1,)``."""
        return np.linalg.norm(self.places, axis=1)


def signal(seed: int = 0, *, steps: int = STEPS) -> tuple[Course, Course]:
    """The same G and D trained as often: by the gradient through D, and by reward alone."""
    return _train(seed, steps, by_gradient=True), _train(seed, steps, by_gradient=False)


def seldom_fooled(seed: int = 0, *, steps: int = STEPS, moves: int = 5) -> Course:
    """A training in which D moves so often that it is seldom fooled."""
    return _train(seed, steps, by_gradient=True, moves=moves)


def equilibrium(*, penalty_weight: float = 0.0, rate: float = 0.1, steps: int = 400) -> Orbit:
    """The smallest GAN from θ = ψ = 1, D and G in turn by plain gradient steps, minimax loss.

    Args:
        penalty_weight: γ of D's penalty, γ/2 ψ².
        rate: Of both players.
        steps: How many.

    Raises:
        InputError: A rate or a penalty that is no positive, or negative, number.
    """
    if not (math.isfinite(rate) and rate > 0 and math.isfinite(penalty_weight) and penalty_weight >= 0):
        raise InputError(f"rate must be above 0 and penalty_weight at least 0; got {rate} and {penalty_weight}")
    theta, psi = 1.0, 1.0
    places = [(theta, psi)]
    for _ in range(steps):
        # D lowers softplus(ψ θ) (its loss at 0 does not depend on ψ), G lowers −softplus(ψ θ).
        psi -= rate * (_sigmoid(psi * theta) * theta + penalty_weight * psi)
        theta += rate * _sigmoid(psi * theta) * psi
        places.append((theta, psi))
    return Orbit(np.array(places))


def _train(seed: int, steps: int, *, by_gradient: bool, moves: int = 1) -> Course:
    if steps < 1:
        raise InputError(f"steps must be at least 1; got {steps}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator, discriminator = mlp(2, 2, hidden=WIDTH, layers=2), mlp(2, 1, hidden=WIDTH, layers=2)
        players = [torch.optim.Adam(each.parameters(), RATE, (0.5, 0.99)) for each in (generator, discriminator)]
        look_at = np.unique(np.linspace(0, steps, min(steps, _LOOKS) + 1).astype(int))
        looks = []
        for step in range(steps + 1):
            if step in look_at:
                looks.append(_look(generator, discriminator))
            if step == steps:
                break
            for _ in range(moves):
                _move_discriminator(generator, discriminator, players[1])
            _move_generator(generator, discriminator, players[0], by_gradient)
    distance, fooled = np.array(looks).T
    return Course(look_at, distance, fooled)


def _ring(count: int) -> Tensor:
    """Points around eight modes on the unit circle, a little wider than the dataset's, so that a distance tells more."""
    angles = 2 * math.pi * torch.randint(8, (count,)) / 8
    return torch.stack([angles.cos(), angles.sin()], 1) + 0.05 * torch.randn(count, 2)


def _move_discriminator(generator: torch.nn.Module, discriminator: torch.nn.Module, optimiser: torch.optim.Optimizer) -> None:
    real, fake = _ring(BATCH), generator(torch.randn(BATCH, 2)).detach()
    parts = discriminator_loss("nonsaturating", discriminator(real).flatten(), discriminator(fake).flatten())
    punished = penalty("nonsaturating", lambda seen: discriminator(seen).flatten(), real, fake, torch.rand(BATCH))
    optimiser.zero_grad()
    (parts["real"] + parts["fake"] + PENALTY * punished).backward()
    optimiser.step()


def _move_generator(
    generator: torch.nn.Module, discriminator: torch.nn.Module, optimiser: torch.optim.Optimizer, by_gradient: bool
) -> None:
    made = generator(torch.randn(BATCH, 2))
    if by_gradient:
        loss = generator_loss("nonsaturating", discriminator(made).flatten())
    else:
        tried = (made + NOISE * torch.randn_like(made)).detach()
        reward = logsigmoid(discriminator(tried)).detach().flatten()
        log_p = -((tried - made) ** 2).sum(1) / (2 * NOISE**2)
        loss = -((reward - reward.mean()) * log_p).mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def _look(generator: torch.nn.Module, discriminator: torch.nn.Module) -> tuple[float, float]:
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        drawn, real = generator(torch.randn(_TEST, 2)), _ring(_TEST)
        return sliced_wasserstein(drawn.numpy(), real.numpy()), float((discriminator(drawn) > 0).float().mean())


def _sigmoid(value: float) -> float:
    return 0.5 * (1 + math.tanh(value / 2))
