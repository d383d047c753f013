"""Whether a model's loss can be found in shares at all: asked before several processes begin, of the model and of its gradients."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from genlab.domain import Batch
from genlab.errors import InputError
from genlab.models.contract import Compute, Model, Player
from genlab.settings import TrainSettings
from genlab.training.ranks import Ranks
from genlab.training.schedule import generator_at

if TYPE_CHECKING:
    from genlab.datasets import Dataset

# Of a gradient's norm: sums in another order differ by 1e-6 of it, rounded operands by 1e-2; a batch norm's by a tenth and more.
_TOLERANCE = {"float32": 1e-3, "bfloat16": 5e-2}


def check_shares(model: Model, data: Dataset, settings: TrainSettings, processes: int) -> None:
    """Refuse a model whose gradient over a batch is not the weighted sum of those over its shares.

    A copy of the model finds both, of every player, on a few examples that do not divide evenly.

    Raises:
        InputError: They differ, or the model says itself why they would.
    """
    if processes == 1:
        return
    if reason := getattr(model, "needs_whole_batch", ""):
        raise InputError(f"processes must be 1 for model {model.name!r}: {reason}; got {processes}")
    copy: Any = deepcopy(model)
    copy.train()
    count = min(2 * processes + 1, settings.batch_size, len(data.train))
    batch = data.train.batch(generator_at(settings.seed, 0, 1), np.arange(count))
    whole, shares = [slice(0, count)], [Ranks(rank, processes).share(count) for rank in range(processes)]
    with torch.random.fork_rng(devices=[]):
        for turn, player in enumerate(model.players):
            how = Compute(settings.backend, settings.dtype, (settings.seed, 0, 0, turn, 0))
            copy.terms(player.name, batch, how)  # activation norms start here
            expected = _gradient(copy, player, batch, how, whole)
            try:
                found = _gradient(copy, player, batch, how, shares)
            except InputError as error:
                raise InputError(f"processes must be 1 for model {model.name!r}, whose loss asks more of a batch: {error}") from None
            difference = float((found - expected).norm() / expected.norm().clamp_min(1e-30))
            if not difference <= _TOLERANCE[settings.dtype]:
                raise InputError(
                    f"processes must be 1 for model {model.name!r}: the loss of player {player.name!r} is no mean over examples whose "
                    f"draws follow from their keys: shares' gradients differ from the whole batch's by {difference:.1%}; got {processes}"
                )


def _gradient(model: Any, player: Player, batch: Batch, how: Compute, shares: Sequence[slice]) -> Tensor:
    """The gradient of a player's loss by shares, in one row; the model's buffers are then what they were."""
    owned = [parameter for name, parameter in model.named_parameters() if player.owns(name) and parameter.requires_grad]
    total = torch.zeros(sum(parameter.numel() for parameter in owned), dtype=torch.float64, device=owned[0].device)
    before = [buffer.clone() for buffer in model.buffers()]
    for share in shares:
        torch.default_generator.manual_seed(how.seed())
        part = Compute(how.backend, how.dtype, how.key, share.start, len(batch))
        terms = model.terms(player.name, batch[share], part)
        found = torch.autograd.grad(terms.total, owned, allow_unused=True, materialize_grads=True)
        total += (share.stop - share.start) / len(batch) * torch.cat([gradient.reshape(-1) for gradient in found]).double()
        with torch.no_grad():
            for buffer, value in zip(model.buffers(), before, strict=True):
                buffer.copy_(value)
    return total
