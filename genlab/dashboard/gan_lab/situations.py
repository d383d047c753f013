"""Prepared beginnings of the 2-D GAN lab, what there is to see in each, and the cure of those that need one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from genlab.dashboard.gan_lab.settings import Settings, complete


@dataclass(frozen=True)
class Cure:
    """What to change in mid-run.

    Attributes:
        words: On its button, behind "The cure:".
        settings: What is changed.
    """

    words: str
    settings: Settings


@dataclass(frozen=True)
class Situation:
    """A beginning.

    Attributes:
        name: In the address.
        title: On its button.
        words: What there is to see.
        chosen: The settings that differ from the defaults.
        cure: What helps, if anything is wrong.
    """

    name: str
    title: str
    words: str
    chosen: Settings = field(default_factory=dict)
    cure: Cure | None = None

    @property
    def settings(self) -> Settings:
        """All of them."""
        return complete(self.chosen)

    def as_data(self) -> dict[str, Any]:
        """For the browser."""
        cure = None if self.cure is None else {"words": self.cure.words, "settings": self.cure.settings}
        return {"name": self.name, "title": self.title, "words": self.words, "settings": self.settings, "cure": cure}


SITUATIONS = (
    Situation(
        "healthy",
        "Healthy",
        "D and G keep pace. The losses settle near the dashed lines, where D can only guess, the arrows shrink, and G’s grid is pulled "
        "through all the modes.",
    ),
    Situation(
        "strong",
        "D too strong",
        "By the minimax loss G minimises E ln(1 − D(G(z))), which is flat where D is sure. D moves far faster than G: it is soon right "
        "nearly always, the arrows vanish, and G stands still.",
        {"loss": "minimax", "lr_d": 0.01, "lr_g": 0.0001, "moves": 5, "penalty": 0.0},
        Cure(
            "a loss that is steep where D is sure, a penalty, equal rates",
            {"loss": "nonsaturating", "lr_d": 0.001, "lr_g": 0.001, "moves": 1, "penalty": 0.1},
        ),
    ),
    Situation(
        "collapse",
        "Collapse",
        "G moves so much faster than D that all of it runs to whatever D likes at the moment. D learns to dislike the place, and G runs "
        "on: a mode or two at a time, never all.",
        {"loss": "nonsaturating", "lr_d": 0.0002, "lr_g": 0.01, "penalty": 0.0},
        Cure("equal rates, and a penalty that keeps D’s field smooth", {"lr_d": 0.001, "lr_g": 0.001, "penalty": 0.1}),
    ),
    Situation(
        "oscillation",
        "Oscillation",
        "A Wasserstein critic without its penalty has no bound on its slope. Both chase each other in circles: the losses swing wider and "
        "wider, and nothing settles.",
        {"loss": "wasserstein", "lr_d": 0.003, "lr_g": 0.003, "penalty": 0.0},
        Cure("the gradient penalty, γ = 1", {"penalty": 1.0, "lr_d": 0.001, "lr_g": 0.001}),
    ),
    Situation(
        "line",
        "Too little z",
        "z is one number. G bends a line, not a plane: it can pass through every mode, and must leave a thread of bad points between them.",
        {"z": "line"},
        Cure("z with two numbers", {"z": "uniform"}),
    ),
    Situation(
        "grid",
        "25 modes",
        "More modes than a sheet unfolds to at once: it takes a few thousand steps and a wider network.",
        {"data": "grid25", "width": 64},
    ),
    Situation(
        "draw",
        "Your own data",
        "Draw the data into the plane. Each stroke begins a new training.",
        {"data": "drawn"},
    ),
)
BY_NAME = {situation.name: situation for situation in SITUATIONS}
