"""G learns although D is seldom fooled: how often D tells generated digits from real ones, beside how good they are, while both train.

    right      share of G's images that D calls generated, D(G(z)) < ½, over all images of the steps since the last look
    distance   the Fréchet distance in digit features between G's images and held-out ones (not FID)

Each run is a small GAN of perceptrons on digits of 8×8, whose D moves four times where G moves once, eight times as far each.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from genlab.datasets import Dataset

MODEL = "mlp_gan"
SETTINGS: dict[str, Any] = {
    **{"hidden": 128, "latent": 32, "spectral_norm": False},
    **{"discriminator_rate": 0.4, "discriminator_moves": 4, "generator_rate": 0.05},
}
RATE, BATCH = 4e-3, 64
SEEDS = range(8)
LOOKS = (0, 10, 20, 30, 40, 60, 80, 100, 125, 150, 175, 200, 225, 250, 275, 300, 330, 360, 400, 450, 500)
JUDGED = 360
SELDOM = 0.9
"""D is seldom fooled that is right about more of G's images than this."""
_STRIP = 8
_FILE = Path(__file__).parent / "learning.json"


@dataclass(frozen=True, eq=False)
class Course:
    """How one run went.

    Attributes:
        seed: Its seed.
        steps: When it was looked at, ``(L,)``; first before any step.
        right: Share of G's images that D called generated since the look before, ``(L,)``; first by an untrained D.
        distance: Of G's images from held-out ones, ``(L,)``.
        samples: What G drew then from the same z, levels ``(L, 8, 1, 8, 8)``; empty where they were not kept.
    """

    seed: int
    steps: NDArray[np.int64]
    right: NDArray[np.float64]
    distance: NDArray[np.float64]
    samples: NDArray[np.uint8]

    @property
    def is_seldom_fooled(self) -> NDArray[np.bool_]:
        """The looks at which D was right about more than `SELDOM` of G's images, the untrained beginning left out."""
        return (self.right > SELDOM) & (self.steps > 0)

    @property
    def correlation(self) -> float:
        """Spearman's rank correlation of the distance with the step, over those looks: −1 if it falls from each to the next."""
        chosen = self.is_seldom_fooled
        if chosen.sum() < 3:
            return float("nan")
        ranks = np.stack([np.argsort(np.argsort(values[chosen])) for values in (self.steps, self.distance)]).astype(np.float64)
        ranks -= ranks.mean(1, keepdims=True)
        return float(ranks[0] @ ranks[1] / np.linalg.norm(ranks, axis=1).prod())


def course(seed: int, *, data: Dataset | None = None, looks: Sequence[int] = LOOKS, settings: Mapping[str, Any] = SETTINGS) -> Course:
    """Train one GAN and look at it now and then.

    Args:
        seed: Decides all.
        data: Images of digits; None loads ``digits``.
        looks: Steps at which to look, rising.
        settings: Of the model.
    """
    import torch

    from genlab.datasets import load_dataset
    from genlab.domain import Batch
    from genlab.models import create_for
    from genlab.models.contract import Compute
    from genlab.sampling import sample

    data = load_dataset("digits") if data is None else data
    model: Any = create_for(data, MODEL, seed, dict(settings))
    movers = {
        player.name: torch.optim.Adam(
            [parameter for name, parameter in model.named_parameters() if name.startswith(player.prefixes)],
            lr=RATE * player.adam.scale,
            betas=(player.adam.beta1, player.adam.beta2),
        )
        for player in model.players
    }
    rng = np.random.default_rng(seed)
    held_out = Batch(np.concatenate([data.valid.images, data.test.images])[:JUDGED])
    found: dict[str, list[Any]] = {"right": [], "distance": [], "samples": []}
    verdicts: list[float] = []
    for step in range(looks[-1] + 1):
        model.train()
        with torch.no_grad():  # what D makes of new images, before it has learnt from them
            verdicts.append(float((model.logits(model.generate(model.latents(BATCH, rng))) < 0).float().mean()))
        if step in looks:
            found["right"].append(float(np.mean(verdicts)))
            found["distance"].append(float(model.validate(held_out, Compute("auto", "float32", (seed,)))[model.report.key]))
            found["samples"].append(sample(model, _STRIP, seed=seed))
            verdicts.clear()
        for turn, player in enumerate(model.players):
            for move in range(player.moves):
                batch = data.train.batch(rng, rng.integers(len(data.train), size=BATCH))
                movers[player.name].zero_grad()
                model.terms(player.name, batch, Compute("auto", "float32", (seed, 0, step, turn, move))).total.backward()
                movers[player.name].step()
    return Course(seed, np.array(looks), *(np.array(found[name]) for name in ("right", "distance", "samples")))


@cache
def shipped() -> tuple[Course, ...]:
    """The runs that come with genlab, made by ``python -m genlab.games.learning``."""
    document = json.loads(_FILE.read_text(encoding="utf-8"))
    return tuple(_read(each) for each in document)


def _read(stored: Mapping[str, Any]) -> Course:
    pixels = np.frombuffer(base64.b64decode(stored["samples"]), np.uint8)
    shape = (len(stored["steps"]), _STRIP, 1, 8, 8) if len(pixels) else (0, _STRIP, 1, 8, 8)
    steps, right, distance = (np.array(stored[name]) for name in ("steps", "right", "distance"))
    return Course(stored["seed"], steps, right, distance, pixels.reshape(shape))


def _stored(run: Course) -> dict[str, Any]:
    """A run as plain values; the pictures of the first seed alone."""
    return {
        "seed": run.seed,
        "steps": run.steps.tolist(),
        "right": run.right.round(4).tolist(),
        "distance": run.distance.round(3).tolist(),
        "samples": base64.b64encode(run.samples.tobytes()).decode() if run.seed == SEEDS[0] else "",
    }


def main() -> None:
    """Makes the runs anew."""
    made = []
    for seed in SEEDS:
        made.append(course(seed))
        print(seed, made[-1].right.round(2), made[-1].distance.round(), made[-1].correlation, flush=True)
    _FILE.write_text(json.dumps([_stored(run) for run in made]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
