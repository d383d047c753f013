"""All tensors of a training: the model's own, their averages, the best averages, and every player's Adam.

The model's own are its parameters and its buffers (the statistics of a batch norm): averages of weights are evaluated with averages of
*their* buffers, never with the latest. Floating buffers are averaged as weights are; integers, such as counts, are copied.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from genlab.errors import InputError, TrainingError
from genlab.models.contract import Player
from genlab.training.player import Mover
from genlab.training.schedule import ema_decay_at


class State:
    """The tensors of training by name.

    Attributes:
        movers: The players, in the order of their turns.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        parameters = dict(model.named_parameters())
        self._parameters = list(parameters.values())
        self._average = {name: tensor.detach().clone() for name, tensor in self._own().items()}
        self._has_buffers = self._average.keys() > parameters.keys()
        self._best = {name: average.clone() for name, average in self._average.items()}
        owned = check_players(model)
        self.movers = [
            Mover(player, {name: parameters[name] for name in names}, self._average)
            for player, names in zip(model.players, owned, strict=True)
        ]

    def average_buffers(self, step: int, decay: float) -> None:
        """Draw the buffers' averages towards the buffers, once a step."""
        if not self._has_buffers:
            return
        weights = self._weight_names
        with torch.no_grad():
            for name, tensor in self._own().items():
                if name in weights:
                    continue
                if tensor.is_floating_point():
                    self._average[name].lerp_(tensor, 1 - ema_decay_at(step, decay))
                else:
                    self._average[name].copy_(tensor)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The model holds the averaged weights and buffers meanwhile."""
        own = {name: tensor.detach().clone() for name, tensor in self._own().items()}
        self._put(self._average)
        self._model.eval()
        try:
            yield
        finally:
            self._put(own)
            self._model.train()

    def shared(self) -> list[Tensor]:
        """What every process of a training has: the model's own tensors."""
        return list(self._own().values())

    def keep_as_best(self) -> None:
        """The averages are the best so far."""
        torch._foreach_copy_(list(self._best.values()), list(self._average.values()))

    def put_best(self) -> None:
        """The model holds the best averages from now on."""
        self._put(self._best)
        self._model.eval()

    def tensors(self, layout: int) -> dict[str, Tensor]:
        """All tensors of a checkpoint of that format by name. They are the live ones: what is copied into them is trained on.

        Format 1 knew one player, whose count is the step, and averaged no buffers.
        """
        if layout == 1:
            moments = {name: tensor for mover in self.movers for name, tensor in mover.moments().items()}
            averaged = self._weight_names
        else:
            moments = {f"{mover.player.name}/{name}": tensor for mover in self.movers for name, tensor in mover.moments().items()}
            averaged = set(self._average)
        groups = {"model": self._own(), "ema": self._average, "best": self._best}
        tensors = {
            f"{group}/{name}": tensor
            for group, values in groups.items()
            for name, tensor in values.items()
            if group == "model" or name in averaged
        }
        return tensors | {f"adam/{name}": tensor for name, tensor in moments.items()}

    def load(self, tensors: Mapping[str, Tensor], layout: int) -> None:
        """Take over the tensors of a checkpoint."""
        with torch.no_grad():
            for name, tensor in self.tensors(layout).items():
                tensor.copy_(tensors[name])
            if layout == 1:
                for name, tensor in self._own().items():
                    if name not in self._weight_names:
                        self._average[name].copy_(tensor)
                        self._best[name].copy_(tensor)

    def check_finite(self, step: int) -> None:
        """Refuse to save weights that a later step could not go on from.

        Raises:
            TrainingError: One of them is not finite; the sentence names it.
        """
        for name, tensor in self.tensors(2).items():
            if not torch.isfinite(tensor).all():
                raise TrainingError(f"tensor {name!r} is not finite any more at step {step}; the checkpoint before is kept")

    @property
    def _weight_names(self) -> set[str]:
        return {name for name, _ in self._model.named_parameters()}

    def _own(self) -> dict[str, Tensor]:
        """Asked anew each time: a module may put a new tensor in a buffer's place."""
        return {name: tensor.detach() for name, tensor in self._model.state_dict(keep_vars=True).items()}

    def _put(self, values: Mapping[str, Tensor]) -> None:
        own = self._own()
        with torch.no_grad():
            torch._foreach_copy_(list(own.values()), [values[name] for name in own])


def check_players(model: Any) -> list[list[str]]:
    """The names of the parameters that each player moves, all checked before a run is made that would end badly.

    Raises:
        InputError: The weights are of a format that Adam cannot add small steps to, or the model's players break a rule.
    """
    parameters = dict(model.named_parameters())
    for name, parameter in parameters.items():
        if parameter.dtype not in (torch.float32, torch.float64):
            raise InputError(
                f"model must hold its parameters in float32 or float64 to be trained, since smaller formats lose small steps; got {name!r} "
                f"in {parameter.dtype} (model.float() converts it, and dtype='bfloat16' computes in that format from float32 weights)"
            )
    return _shares(model.players, [name for name, parameter in parameters.items() if parameter.requires_grad])


def _shares(players: tuple[Player, ...], names: list[str]) -> list[list[str]]:
    """The names of each player's parameters: everybody has some, and none has two owners or, if it can be trained, none.

    Raises:
        InputError: The model's players break a rule.
    """
    if len({player.name for player in players}) != len(players) or not players:
        raise InputError(f"players must be there and have different names; got {[player.name for player in players]}")
    for player in players:
        if not re.fullmatch(r"[A-Za-z][\w-]*", player.name):
            raise InputError(f"a player's name must be a word of letters, digits, _ and -; got {player.name!r}")
        if player.moves < 1:
            raise InputError(f"moves of player {player.name!r} must be at least 1; got {player.moves}")
    for name in names:
        owners = [player.name for player in players if player.owns(name)]
        if len(owners) != 1:
            got = f"it has {', '.join(owners)}" if owners else "it has none (requires_grad=False says that nobody moves it)"
            raise InputError(f"parameter {name!r} must belong to one player; {got}")
    shares = [[name for name in names if player.owns(name)] for player in players]
    for player, share in zip(players, shares, strict=True):
        if not share:
            raise InputError(f"player {player.name!r} must own a parameter; none begins with {' or '.join(map(repr, player.prefixes))}")
    return shares
