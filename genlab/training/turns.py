"""What follows from a moment of a training: the batch, every draw, and a player's gradient, of which each process finds its share.

    ∇ (1/N) Σ_n l_n = Σ_r (N_r / N) ∇ (1/N_r) Σ_{n of r} l_n

with N_r of the batch's N examples for process r. One process has them all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genlab.domain import Batch
from genlab.models.contract import Compute, Model, Terms
from genlab.settings import TrainSettings
from genlab.training.ranks import Ranks
from genlab.training.schedule import generator_at

if TYPE_CHECKING:
    from genlab.datasets import Dataset


class Moment(NamedTuple):
    """A move of a player: the epoch, the step within it, whose turn it is and which of his moves, each from 0."""

    epoch: int
    step: int
    turn: int
    move: int


class Turns:
    """What every process of a training computes.

    Attributes:
        steps_per_epoch: Steps that pass over the training examples once.
    """

    def __init__(self, model: Model, data: Dataset, settings: TrainSettings, ranks: Ranks) -> None:
        self._model, self._examples, self._settings, self._ranks = model, data.train, settings, ranks
        self.steps_per_epoch = math.ceil(len(data.train) / settings.batch_size)
        self._players = model.players
        self._order: tuple[int, NDArray[np.int64]] | None = None
        self._step: tuple[tuple[int, int], Batch, int] | None = None
        self._weight = 1.0

    def take(self, at: Moment, parameters: Sequence[Tensor]) -> tuple[dict[str, float], int]:
        """Find the gradient of a player's loss over the whole batch; process 0 then has it in its parameters' ``grad``.

        Args:
            at: When.
            parameters: The player's.

        Returns:
            The loss and its parts over the whole batch, as process 0 knows them, and the batch's examples.
        """
        how = Compute(self._settings.backend, self._settings.dtype, (self._settings.seed, *at))
        whole, first_seed = self._batch(at)
        if at.move:
            whole = self._another_batch(how, len(whole))
        # The very first step is one process's: activation norms start from the batch that they see then.
        mine = self._ranks.share(len(whole)) if at[:2] != (0, 0) else self._ranks.all_or_nothing(len(whole))
        count = mine.stop - mine.start
        self._weight = count / len(whole)
        gradients = _zeroed(parameters)
        figures: dict[str, float] = {}
        if count:
            _seed(first_seed if at.turn == at.move == 0 else how.seed(), parameters[0].device)
            part = whole if count == len(whole) else whole[mine]
            how = how if count == len(whole) else Compute(how.backend, how.dtype, how.key, mine.start, len(whole))
            terms = self._model.terms(self._players[at.turn].name, part, how)
            torch.autograd.backward(terms.total if count == len(whole) else self._weight * terms.total, inputs=list(parameters))
            figures = _figures(terms)
        return self._ranks.add_up(gradients, figures, self._weight), len(whole)

    def is_last(self, at: Moment) -> bool:
        """Whether it is the last move of its step."""
        return at.turn == len(self._players) - 1 and at.move == self._players[at.turn].moves - 1

    def settle(self) -> None:
        """Once a step: the model's buffers are those of the whole batch, if they are linear in means over a batch."""
        if self._ranks.size > 1:
            self._ranks.average([buffer for buffer in _buffers(self._model) if buffer.is_floating_point()], self._weight)
            self._ranks.send(_buffers(self._model))

    def _batch(self, at: Moment) -> tuple[Batch, int]:
        """The step's batch, and the seed of the first move as format 1 had it."""
        if self._step is None or self._step[0] != at[:2]:
            if self._order is None or self._order[0] != at.epoch:
                self._order = at.epoch, generator_at(self._settings.seed, at.epoch, 0).permutation(len(self._examples))
            generator = generator_at(self._settings.seed, at.epoch, at.step + 1)
            size = self._settings.batch_size
            batch = self._examples.batch(generator, self._order[1][at.step * size : (at.step + 1) * size])
            # Whatever torch draws inside the model (dropout, a latent) follows from the step too.
            self._step = at[:2], batch, int(generator.integers(2**63))
        return self._step[1:]

    def _another_batch(self, how: Compute, size: int) -> Batch:
        """What a player sees who moves again within a step: examples drawn at random, as many as the step's."""
        generator = how.generator()
        return self._examples.batch(generator, generator.integers(len(self._examples), size=size))


def _zeroed(parameters: Sequence[Tensor]) -> list[Tensor]:
    """The parameters' gradients, all 0."""
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        else:
            parameter.grad.detach_().zero_()
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


def _seed(seed: int, device: torch.device) -> None:
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def _figures(terms: Terms) -> dict[str, float]:
    """A move's loss and its parts as plain numbers."""
    return {"loss": float(terms.total.item())} | {name: float(value) for name, value in terms.parts.items()}


def _buffers(model: Model) -> list[Tensor]:
    """Asked anew each time: a module may put a new tensor in a buffer's place."""
    weights = {name for name, _ in model.named_parameters()}
    return [tensor.detach() for name, tensor in model.state_dict().items() if name not in weights]
