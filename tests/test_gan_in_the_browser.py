"""The GAN that trains in the browser computes what torch computes: same start, same z, same real points, step after step.

`reference_game` is the same game in plain torch, gradients and second gradients from autograd, `torch.optim.Adam`; in float64, so that the
tolerance is rounding alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, relu, softplus

from tests.browser import PATIENCE_MS

pytestmark = pytest.mark.browser

SCRIPT = (Path(__file__).parents[1] / "genlab" / "dashboard" / "components" / "gan.js").read_text(encoding="utf-8")
STEPS, BATCH, WIDTH, MOVES_OF_D = 25, 8, 6, 2
TOLERANCE = 1e-9  # 75 moves of Adam, whose first divide by the gradient's own size, in float64

# Plays a game on injected draws, and tells each move's loss and the weights at its end.
PLAY = """({ settings, steps, movesOfD, width, D, G, batches }) => {
  const game = createGame({ width, seed: 1 });
  game.D.parameters.set(D);
  game.G.parameters.set(G);
  const arrays = batches.map((batch) => batch.map((values) => Float64Array.from(values)));
  const told = [];
  for (let step = 0, at = 0; step < steps; step += 1) {
    for (let move = 0; move < movesOfD; move += 1, at += 1) {
      const [real, z, mixing] = arrays[at];
      const { total, norm } = moveD(game, settings, { real, z, mixing });
      told.push([total, norm]);
    }
    const [real, z] = arrays[at++];
    const { total, norm, handed } = moveG(game, settings, { real, z });
    told.push([total, norm, ...handed]);
  }
  return { told, D: [...game.D.parameters], G: [...game.G.parameters] };
}"""


@pytest.mark.parametrize(
    ("loss", "penalty"),
    [
        ("nonsaturating", 0.0),
        ("nonsaturating", 0.3),
        ("minimax", 0.0),
        ("wasserstein", 10.0),
        ("hinge", 0.0),
        ("relativistic", 0.5),
    ],
)
def test_the_browser_trains_as_torch_does(browser: Browser, loss: str, penalty: float) -> None:
    settings = {"loss": loss, "penalty": penalty, "lr_d": 3e-3, "lr_g": 1e-3}
    discriminator, generator = network(1, seed=1), network(2, seed=2)
    batches = draws(np.random.default_rng(3))
    started = {"D": flat(discriminator), "G": flat(generator)}
    expected = reference_game(discriminator, generator, settings, batches)
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.add_script_tag(content=SCRIPT)
    found = page.evaluate(
        PLAY,
        {
            "settings": settings,
            "steps": STEPS,
            "movesOfD": MOVES_OF_D,
            "width": WIDTH,
            "batches": [[part.ravel().tolist() for part in batch] for batch in batches],
            **started,
        },
    )
    context.close()
    for move, (ours, theirs) in enumerate(zip(found["told"], expected, strict=True)):
        np.testing.assert_allclose(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE, err_msg=f"move {move}")
    np.testing.assert_allclose(found["D"], flat(discriminator), rtol=TOLERANCE, atol=TOLERANCE)
    np.testing.assert_allclose(found["G"], flat(generator), rtol=TOLERANCE, atol=TOLERANCE)
    assert np.abs(np.array(found["G"]) - started["G"]).max() > 0.01  # it moved


def reference_game(discriminator: nn.Module, generator: nn.Module, settings: dict[str, Any], batches: list[Any]) -> list[list[float]]:
    """What each move tells: its loss, the norm of its gradient, and of G's moves the gradient at each generated point."""
    optimisers = {
        module: torch.optim.Adam(module.parameters(), lr=settings[rate], betas=(0.5, 0.99))
        for module, rate in ((discriminator, "lr_d"), (generator, "lr_g"))
    }
    told = []
    for at, batch in enumerate(batches):
        real, z, mixing = (torch.from_numpy(part) for part in batch)
        is_g = at % (MOVES_OF_D + 1) == MOVES_OF_D
        mover = generator if is_g else discriminator
        fake = generator(z)
        handed: list[float] = []
        optimisers[mover].zero_grad()
        if is_g:
            fake.retain_grad()
            loss = loss_of_g(settings["loss"], discriminator(real), discriminator(fake))
        else:
            fake = fake.detach()
            loss = loss_of_d(settings["loss"], discriminator(real), discriminator(fake))
            loss = loss + penalty_of(discriminator, settings, real, fake, mixing[:, None])
        loss.backward()
        if is_g:
            assert fake.grad is not None
            handed = fake.grad.ravel().tolist()
        norm = torch.cat([p.grad.ravel() for p in mover.parameters() if p.grad is not None]).norm()
        told.append([loss.item(), norm.item(), *handed])
        optimisers[mover].step()
    return told


def loss_of_d(loss: str, real: Tensor, fake: Tensor) -> Tensor:
    match loss:
        case "wasserstein":
            return (fake - real).mean()
        case "hinge":
            return (relu(1 - real) + relu(1 + fake)).mean()
        case "relativistic":
            return softplus(fake - real).mean()
    return -(torch.sigmoid(real).log() + (1 - torch.sigmoid(fake)).log()).mean()


def loss_of_g(loss: str, real: Tensor, fake: Tensor) -> Tensor:
    match loss:
        case "wasserstein" | "hinge":
            return -fake.mean()
        case "relativistic":
            return softplus(real - fake).mean()
        case "minimax":
            return (1 - torch.sigmoid(fake)).log().mean()
    return -torch.sigmoid(fake).log().mean()


def penalty_of(discriminator: nn.Module, settings: dict[str, Any], real: Tensor, fake: Tensor, mixing: Tensor) -> Tensor:
    weight = settings["penalty"]
    if settings["loss"] == "wasserstein":
        gradient = gradient_at(discriminator, fake + mixing * (real - fake))
        return weight * ((gradient.norm(dim=1) - 1) ** 2).mean()
    return 0.5 * weight * sum((gradient_at(discriminator, points) ** 2).sum(1).mean() for points in (real, fake)) + torch.zeros(())


def gradient_at(discriminator: nn.Module, points: Tensor) -> Tensor:
    points = points.detach().requires_grad_()
    return torch.autograd.grad(discriminator(points).sum(), points, create_graph=True)[0]


class Leaky(nn.Module):
    def forward(self, values: Tensor) -> Tensor:
        return leaky_relu(values, 0.2)


def network(outputs: int, *, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(2, WIDTH), Leaky(), nn.Linear(WIDTH, WIDTH), Leaky(), nn.Linear(WIDTH, outputs)).double()


def draws(generator: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Real points, z and what the Wasserstein penalty mixes them by, of each move."""
    moves = STEPS * (MOVES_OF_D + 1)
    return [(generator.normal(size=(BATCH, 2)) + 1, generator.normal(size=(BATCH, 2)), generator.uniform(size=BATCH)) for _ in range(moves)]


def flat(module: nn.Module) -> list[float]:
    """Weight, bias, layer after layer."""
    return torch.cat([parameter.detach().ravel() for parameter in module.parameters()]).tolist()
