"""What the two players minimise, from D's logits s, with D = σ(s): the probability of "real".

    minimax         D: −E ln D(x) − E ln(1 − D(G(z)))          G: E ln(1 − D(G(z)))        Goodfellow et al. 2014; slide 61
    nonsaturating   D: the same                                G: −E ln D(G(z))            the same paper; slide 57
    wasserstein     D: −E s(x) + E s(G(z))                     G: −E s(G(z))               Arjovsky et al. 2017
    hinge           D: E max(0, 1 − s(x)) + E max(0, 1 + s(G(z)))   G: −E s(G(z))          Lim and Ye 2017
    relativistic    D: E softplus(−(s(x) − s(G(z))))           G: E softplus(−(s(G(z)) − s(x)))   Jolicoeur-Martineau 2019

Penalties of D's gradient, which is over all of an example's values: with wasserstein λ E (‖∇s‖ − 1)² between real and generated examples
(Gulrajani et al. 2017), with all others γ/2 (E ‖∇s(x)‖² + E ‖∇s(G(z))‖²), R1 + R2 (Mescheder et al. 2018; R3GAN, Huang et al. 2024).
All in nats where a probability is meant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

Loss = Literal["minimax", "nonsaturating", "wasserstein", "hinge", "relativistic"]
LOSSES: tuple[Loss, ...] = ("minimax", "nonsaturating", "wasserstein", "hinge", "relativistic")
USUAL_PENALTY: dict[str, float] = {"wasserstein": 10.0, "relativistic": 0.02}
"""The weight of the gradient penalty where nobody says otherwise; 0 with the other losses."""

Critic = Callable[[Tensor], Tensor]


def discriminator_loss(kind: Loss, real: Tensor, fake: Tensor, smoothing: float = 0.0) -> dict[str, Tensor]:
    """The parts of D's loss; their sum is what it minimises.

    Args:
        kind: Which game.
        real: Logits of real examples ``(N,)``.
        fake: Logits of generated ones ``(N,)``.
        smoothing: ε of one-sided label smoothing (Salimans et al. 2016): "real" is worth 1 − ε to minimax and nonsaturating.
    """
    if kind in ("minimax", "nonsaturating"):
        return {"real": ((1 - smoothing) * softplus(-real) + smoothing * softplus(real)).mean(), "fake": softplus(fake).mean()}
    if kind == "wasserstein":
        return {"real": -real.mean(), "fake": fake.mean()}
    if kind == "hinge":
        return {"real": relu(1 - real).mean(), "fake": relu(1 + fake).mean()}
    return {"pair": softplus(fake - real).mean()}


def generator_loss(kind: Loss, fake: Tensor, real: Tensor | None = None) -> Tensor:
    """What G minimises.

    Args:
        kind: Which game.
        fake: Logits of generated examples ``(N,)``.
        real: Logits of real ones ``(N,)``; relativistic alone looks at them.
    """
    if kind == "minimax":
        return -softplus(fake).mean()
    if kind == "nonsaturating":
        return softplus(-fake).mean()
    if kind == "relativistic":
        return softplus((0 if real is None else real) - fake).mean()
    return -fake.mean()


def penalty(kind: Loss, critic: Critic, real: Tensor, fake: Tensor, between: Tensor) -> Tensor:
    """The penalty of D's gradient, without its weight: E (‖∇s‖ − 1)² with wasserstein, ½ (R1 + R2) with any other loss.

    Args:
        kind: Which game.
        critic: From examples to logits.
        real: Real examples ``(N, …)``.
        fake: Generated ones, as many.
        between: Uniform numbers ``(N,)``: how far on the way from generated to real wasserstein looks.
    """
    if kind == "wasserstein":
        share = between.reshape(-1, *[1] * (real.ndim - 1))
        seen = (share * real + (1 - share) * fake).detach().requires_grad_()
        return ((squared_slopes(critic(seen), seen) + 1e-12).sqrt() - 1).square().mean()
    both = torch.cat([real, fake]).detach().requires_grad_()
    return squared_slopes(critic(both), both).mean()


def squared_slopes(logits: Tensor, examples: Tensor) -> Tensor:
    """‖∇s‖² of each example (of all its values), itself differentiable; each logit must depend on its own example alone."""
    (gradient,) = torch.autograd.grad(logits.sum(), examples, create_graph=True)
    return gradient.flatten(1).square().sum(1)
