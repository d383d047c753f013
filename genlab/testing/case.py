"""What a check looks at: a model of which nothing is changed, a few examples, and one sentence for what is wrong."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np
import torch

from genlab.causal.condition import CONDITION
from genlab.domain import Batch
from genlab.errors import GenlabError
from genlab.models.contract import Compute, Player, Terms


class ConformanceError(GenlabError, AssertionError):
    """A promise that is not kept."""


@dataclass(frozen=True)
class Case:
    """A model and examples to check it on.

    Attributes:
        model: The model; checks change copies of it alone.
        batch: Some examples.
        seed: Decides every draw of a check.
    """

    model: Any
    batch: Batch
    seed: int = 0

    def copy(self) -> Any:
        """A copy of the model that may be changed."""
        return copy.deepcopy(self.model)

    def part(self, part: slice) -> Case:
        """The same with some of the examples."""
        return replace(self, batch=self.batch[part])

    def known(self) -> dict[str, Any]:
        """What the model is told beside the examples when it scores them: labels and given maps, if there are any."""
        return {
            name: value for name, value in (("labels", self.batch.labels), ("given", self.batch.given)) if value is not None and len(value)
        }

    def options(self, n: int) -> dict[str, Any]:
        """The same for `n` draws, as options of `sample`."""
        options: dict[str, Any] = {}
        if self.batch.labels is not None:
            options["labels"] = np.resize(self.batch.labels, n)
        if self.batch.given:
            options["condition"] = {name: np.resize(maps, (n, *maps.shape[1:])) for name, maps in self.batch.given.items()}
        elif condition := getattr(self.model, "condition", None):
            made = condition.of(np.resize(self.batch.values, (n, *self.batch.values.shape[1:])))
            options["condition"] = {CONDITION: condition.as_map(made)}
        return options

    def how(self, backend: str = "auto") -> Compute:
        """The same key at every call."""
        return Compute(backend=backend, key=(self.seed, 1, 2, 3))

    def terms(self, model: Any, player: Player, backend: str = "auto") -> Terms:
        """A player's loss, with torch's generator seeded as training seeds it."""
        how = self.how(backend)
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.default_generator.manual_seed(how.seed())
            terms: Terms = model.terms(player.name, self.batch, how)
        return terms

    def figures(self, model: Any) -> Mapping[str, Any]:
        """What validation finds, with torch's generator seeded as training seeds it."""
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.default_generator.manual_seed(self.how().seed())
            figures: Mapping[str, Any] = model.validate(self.batch, self.how())
        return figures


def demand(kept: bool, promise: str, found: Any) -> None:
    """Raise unless a promise is kept.

    Raises:
        ConformanceError: It is not; the sentence names the promise and what was found.
    """
    if not kept:
        broken(promise, found)


def broken(promise: str, found: Any) -> NoReturn:
    """Raise: a promise is not kept."""
    raise ConformanceError(f"{promise}; found {found}")


def array(value: Any) -> np.ndarray[Any, Any]:
    """A tensor or an array, as an array."""
    return value.detach().numpy(force=True) if isinstance(value, torch.Tensor) else np.asarray(value)


def same(ours: Any, theirs: Any) -> bool:
    """Whether two tensors or arrays have the same shape and bits (NaN is NaN)."""
    ours, theirs = array(ours), array(theirs)
    return ours.shape == theirs.shape and bool(np.array_equal(ours, theirs, equal_nan=ours.dtype.kind == "f"))


def apart(ours: Any, theirs: Any) -> float:
    """The largest difference, over the largest value."""
    ours, theirs = array(ours).astype(np.float64), array(theirs).astype(np.float64)
    if ours.shape != theirs.shape:
        return float("inf")
    return float(np.abs(ours - theirs).max(initial=0) / max(1e-12, np.abs(theirs).max(initial=0)))
