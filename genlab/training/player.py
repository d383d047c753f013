"""The tensors of training: weights, their average, the best average, and Adam's moments."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genlab.errors import TrainingError
from genlab.settings import TrainSettings
from genlab.training.schedule import ema_decay_at

if TYPE_CHECKING:
    from genlab.models.causal.model import CausalModel


class Weights:
    """The tensors of training by name: the model's own, their average, the best average, and Adam's moments."""

    def __init__(self, model: CausalModel, settings: TrainSettings) -> None:
        self._model = model
        self._settings = settings
        self._names = [name for name, _ in model.named_parameters()]
        self._parameters: list[Tensor] = list(model.parameters())
        for parameter in self._parameters:
            parameter.grad = torch.zeros_like(parameter)
        self._gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        self._optimiser = torch.optim.Adam(self._parameters, fused=True)
        for parameter in self._parameters:
            # Adam makes these at its first step; made here, they can be filled from a checkpoint and saved before any step.
            zeros = {moment: torch.zeros_like(parameter) for moment in ("exp_avg", "exp_avg_sq")}
            self._optimiser.state[parameter] = {"step": torch.zeros((), dtype=torch.float32, device=parameter.device), **zeros}
        self._average = [parameter.detach().clone() for parameter in self._parameters]
        self._best = [average.clone() for average in self._average]

    def step(self, batch: NDArray[np.uint8], step: int, learning_rate: float) -> tuple[float, float]:
        """One step of Adam; returns the loss in nats an image and the gradient's norm before clipping.

        Raises:
            TrainingError: The loss or the gradient is not finite. Nothing has been changed then.
        """
        settings = self._settings
        self._optimiser.zero_grad(set_to_none=False)
        loss = self._model.loss(batch, backend=settings.backend, dtype=settings.dtype)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.get_total_norm(self._gradients, foreach=True)
        if not (math.isfinite(loss.item()) and math.isfinite(norm.item())):
            raise TrainingError(f"{self._culprit()} is not finite any more at step {step + 1}; the checkpoint before is kept")
        if settings.clip_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(self._parameters, settings.clip_norm, norm, foreach=True)
        self._optimiser.param_groups[0]["lr"] = learning_rate
        self._optimiser.step()
        with torch.no_grad():
            torch._foreach_lerp_(self._average, self._parameters, 1 - ema_decay_at(step, settings.ema_decay))
        return loss.item(), norm.item()

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The model holds the averaged weights meanwhile."""
        own = [parameter.detach().clone() for parameter in self._parameters]
        self._put(self._average)
        self._model.eval()
        try:
            yield
        finally:
            self._put(own)
            self._model.train()

    def keep_as_best(self) -> None:
        """The averaged weights are the best so far."""
        torch._foreach_copy_(self._best, self._average)

    def put_best(self) -> None:
        """The model holds the best averaged weights from now on."""
        self._put(self._best)
        self._model.eval()

    def tensors(self) -> dict[str, Tensor]:
        """All tensors of a checkpoint by name. They are the live ones: what is copied into them is trained on."""
        moments = [self._optimiser.state[parameter] for parameter in self._parameters]
        groups = {"ema": self._average, "best": self._best}
        groups |= {f"adam/{moment}": [state[moment] for state in moments] for moment in ("exp_avg", "exp_avg_sq")}
        tensors = {f"model/{name}": tensor for name, tensor in self._model.state_dict().items()}
        return tensors | {
            f"{group}/{name}": tensor for group, values in groups.items() for name, tensor in zip(self._names, values, strict=True)
        }

    def load(self, tensors: Mapping[str, Tensor], step: int) -> None:
        """Take over the tensors of a checkpoint of that step."""
        with torch.no_grad():
            for name, tensor in self.tensors().items():
                tensor.copy_(tensors[name])
        for state in self._optimiser.state.values():
            state["step"].fill_(step)

    def check_finite(self, step: int) -> None:
        """Refuse to save weights that a later step could not go on from.

        Raises:
            TrainingError: One of them is not finite; the sentence names it.
        """
        for name, tensor in self.tensors().items():
            if not torch.isfinite(tensor).all():
                raise TrainingError(f"tensor {name!r} is not finite any more at step {step}; the checkpoint before is kept")

    def _put(self, values: list[Tensor]) -> None:
        with torch.no_grad():
            torch._foreach_copy_(self._parameters, values)

    def _culprit(self) -> str:
        """The first tensor that is not finite, in words; weights come before gradients, which suffer from them."""
        for what, tensors in (("weight", self._parameters), ("gradient of", self._gradients)):
            for name, tensor in zip(self._names, tensors, strict=True):
                if not torch.isfinite(tensor).all():
                    return f"{what} {name!r}"
        return "the loss"
