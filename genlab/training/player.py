"""One player of the game: whose parameters they are, and the Adam that moves them and nobody else's."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from genlab.errors import TrainingError
from genlab.models.contract import Player
from genlab.training.schedule import ema_decay_at


class Mover:
    """A player with its parameters, gradients, averages, optimiser and count of moves.

    Attributes:
        player: As the model describes it.
        names: Of its parameters.
        parameters: In the same order; their ``grad`` is there from the start.
        count: Moves made so far.
    """

    def __init__(self, player: Player, parameters: Mapping[str, Tensor], averages: Mapping[str, Tensor]) -> None:
        self.player = player
        self.names = list(parameters)
        self.count = 0
        self.parameters = list(parameters.values())
        self._averages = [averages[name] for name in self.names]
        for parameter in self.parameters:
            parameter.grad = torch.zeros_like(parameter)
        self._gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        adam = player.adam
        self._optimiser = torch.optim.Adam(self.parameters, betas=(adam.beta1, adam.beta2), eps=adam.epsilon, fused=True)
        for parameter in self.parameters:
            # Adam makes these at its first step; made here, they can be filled from a checkpoint and saved before any step.
            zeros = {moment: torch.zeros_like(parameter) for moment in ("exp_avg", "exp_avg_sq")}
            self._optimiser.state[parameter] = {"step": torch.zeros((), dtype=torch.float32, device=parameter.device), **zeros}

    def move(self, loss: float, learning_rate: float, clip_norm: float | None, *, when: str) -> float:
        """One step of Adam on the player's own parameters, by their ``grad``; returns its norm before clipping.

        Args:
            loss: What the gradient is of.
            learning_rate: The run's; the player's `scale` multiplies it.
            clip_norm: Largest norm of the player's whole gradient, or None.
            when: Words for the error.

        Raises:
            TrainingError: The loss or the gradient is not finite. Nothing has been changed then.
        """
        norm = torch.nn.utils.get_total_norm(self._gradients, foreach=True)
        if not (math.isfinite(loss) and math.isfinite(norm.item())):
            raise TrainingError(f"{self._culprit()} is not finite any more {when}; the checkpoint before is kept")
        if clip_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(self.parameters, clip_norm, norm, foreach=True)
        self._optimiser.param_groups[0]["lr"] = learning_rate * self.player.adam.scale
        self._optimiser.step()
        self.count += 1
        return norm.item()

    def average(self, decay: float) -> None:
        """Draw the averages towards the parameters; `decay` is the run's, reached as moves add up."""
        with torch.no_grad():
            torch._foreach_lerp_(self._averages, self.parameters, 1 - ema_decay_at(self.count - 1, decay))

    def moments(self) -> dict[str, Tensor]:
        """Adam's live tensors by name: ``exp_avg/<parameter>`` and ``exp_avg_sq/<parameter>``."""
        return {
            f"{moment}/{name}": self._optimiser.state[parameter][moment]
            for moment in ("exp_avg", "exp_avg_sq")
            for name, parameter in zip(self.names, self.parameters, strict=True)
        }

    def set_count(self, count: int) -> None:
        """Go on after so many moves."""
        self.count = count
        for state in self._optimiser.state.values():
            state["step"].fill_(count)

    def _culprit(self) -> str:
        """The first tensor that is not finite, in words; weights come before gradients, which suffer from them."""
        for what, tensors in (("weight", self.parameters), ("gradient of", self._gradients)):
            for name, tensor in zip(self.names, tensors, strict=True):
                if not torch.isfinite(tensor).all():
                    return f"{what} {name!r}"
        return "the loss" if self.player.name == "model" else f"the loss of player {self.player.name!r}"
