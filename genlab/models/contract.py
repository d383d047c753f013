"""What a model promises, as small protocols: no room asks which family a model belongs to, a room asks what a model can do.

`Model` is what training, sampling and listing need. Each ability adds a few methods; `ABILITIES` names them all, and `require` says in a
sentence what a model without one can do instead. Loads no torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from genlab.domain import Batch, Domain
from genlab.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor
    from torch.distributions import Normal

    from genlab.causal import Graph

Draws = TypeVar("Draws", bound="NDArray[Any] | Tensor")


@dataclass(frozen=True)
class Report:
    """What "better" means for a model, and how it is written.

    Attributes:
        key: Name of the figure among what `Model.validate` returns, such as ``"nats"``.
        kind: ``"exact"`` and ``"bound"`` speak of log p, a ``"distance"`` does not: they are never compared with each other.
        words: The figure's name for a reader, with its unit, such as ``"nats an image"``.
        lower_is_better: Which way a validation is the best so far.
    """

    key: str
    kind: Literal["exact", "bound", "distance"]
    words: str
    lower_is_better: bool = True

    def is_better(self, value: float, than: float | None) -> bool:
        """Whether `value` improves on the best so far (None: there is none yet)."""
        return than is None or (value < than if self.lower_is_better else value > than)

    def figures(self, values: Mapping[str, float], domain: Domain) -> dict[str, float]:
        """The figures, with ``"bits_per_dim"`` beside a report that speaks of log p over levels: nats / (ln 2 · values of an example)."""
        if self.kind == "distance" or domain.levels is None or self.key not in values:
            return dict(values)
        nats = values[self.key] if self.lower_is_better else -values[self.key]
        return {**values, "bits_per_dim": nats / (math.log(2) * domain.size)}

    def headline(self, values: Mapping[str, float]) -> str:
        """The one number for a reader: ``0.9894 bits/dim``, or the report's own with its words, or the losses while there is no report."""
        if "bits_per_dim" in values:
            return f"{values['bits_per_dim']:.4f} bits/dim"
        if self.key in values:
            return f"{values[self.key]:.5g} {self.words}"
        losses = [f"{name.removesuffix('/loss')} {value:.4g}" for name, value in values.items() if name.split("/")[-1] == "loss"]
        return ", ".join(losses) or "no figure"

    def describe(self, values: Mapping[str, float]) -> str:
        """As the headline, and the report in its own words: ``0.9894 bits/dim (43.89 nats an image)``."""
        if "bits_per_dim" in values and self.key in values:
            return f"{values['bits_per_dim']:.4f} bits/dim ({values[self.key]:.2f} {self.words})"
        return self.headline(values)


NATS = Report("nats", "exact", "nats an image")
"""What a model with an exact likelihood over images reports."""

ELBO = Report("elbo", "bound", "nats an image (ELBO)", lower_is_better=False)
"""What a model with a lower bound on log p of images reports."""


@dataclass(frozen=True)
class AdamSettings:
    """A player's optimiser; `scale` multiplies the run's learning rate (Kingma and Ba 2015)."""

    scale: float = 1.0
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8


@dataclass(frozen=True)
class Player:
    """Whose parameters one optimiser moves; a likelihood has one player, a GAN two, a LAPGAN two a level.

    Attributes:
        name: Unique among the model's players, such as ``"discriminator"``.
        prefixes: Of the names of its parameters; ``("",)`` is all of them.
        adam: Its optimiser.
        moves: How often it moves in one step of the run.
    """

    name: str
    prefixes: tuple[str, ...] = ("",)
    adam: AdamSettings = AdamSettings()
    moves: int = 1

    def owns(self, parameter: str) -> bool:
        """Whether a parameter of that name is moved by this player."""
        return parameter.startswith(self.prefixes)


MINIMISER = (Player("model"),)
"""Minimising is a game of one."""


@dataclass(frozen=True)
class Compute:
    """How a loss is computed, and where its randomness comes from.

    Attributes:
        backend: ``"native"``, ``"torch"`` or ``"auto"``.
        dtype: Number format of the arithmetic, ``"float32"`` or ``"bfloat16"``.
        key: What every draw follows from, such as (seed, epoch, step, player, move); never the time, never a generator with a history.
        first: Where the batch begins in its step's whole batch, which several processes may share.
        whole: Examples of that whole batch; 0: the batch is all of it.
    """

    backend: str = "auto"
    dtype: str = "float32"
    key: tuple[int, ...] = ()
    first: int = 0
    whole: int = 0

    def generator(self) -> np.random.Generator:
        """NumPy's generator for this key: the same key gives the same draws."""
        return np.random.Generator(np.random.Philox(np.random.SeedSequence(self.key)))

    def seed(self) -> int:
        """A seed below 2⁶³ for torch's generator, from the same key."""
        return int(np.random.SeedSequence(self.key).generate_state(1, np.uint64)[0] >> np.uint64(1))

    def each(self, count: int, draw: Callable[[int], Draws]) -> Draws:
        """A draw for each of a batch's examples: the same for an example whoever has which share of the step's whole batch.

        Args:
            count: Examples of the batch.
            draw: From a number of examples to their draws, along the first axis.
        """
        drawn: Any = draw(self.whole or count)
        own: Draws = drawn[self.first : self.first + count]
        return own


@dataclass(frozen=True)
class Terms:
    """A player's loss: the total that it minimises, and named parts for the records.

    Attributes:
        total: A differentiable scalar, the mean over the batch.
        parts: Figures by name, such as ``{"nats": 81.2}``; detached scalars or plain numbers.
    """

    total: Tensor
    parts: Mapping[str, Tensor | float] = field(default_factory=dict)


@runtime_checkable
class Model(Protocol):
    """A torch module that can be trained, validated, drawn from and rebuilt (on torch's meta device too, where nothing takes memory).

    One that is drawn given a class has an attribute ``classes``, their number, and takes an option ``"labels"`` when sampled. One that is
    drawn given another image has a ``condition`` (`genlab.causal.Condition`), and takes an option of that name. One that not every batch
    serves has a method ``check_batches(batch_size, examples)``, an `InputError` before a training that could not go on. One whose loss is
    no mean over examples, so that several processes could not share a batch, says why in an attribute ``needs_whole_batch``.
    """

    name: str

    @property
    def config(self) -> dict[str, Any]:
        """``{"name", "settings"}``: what `genlab.create_model` needs to build the same model again."""
        ...

    @property
    def domain(self) -> Domain:
        """What it is a distribution over."""
        ...

    @property
    def report(self) -> Report:
        """The figure that says which of two validations is better."""
        ...

    @property
    def players(self) -> tuple[Player, ...]:
        """Whose turn it is in a step, in order."""
        ...

    def terms(self, player: str, batch: Batch, how: Compute) -> Terms:
        """The loss of one player on a batch. A second call with the same `how.key` draws the same numbers."""
        ...

    def validate(self, batch: Batch, how: Compute) -> Mapping[str, NDArray[np.float64]]:
        """Figures of each example by name, float64 ``(N,)``; `report.key` is among them.

        A model whose report is a ``"distance"`` gets all examples at once and may give single numbers ``()``.
        """
        ...

    def sample(self, n: int, seed: int, options: Mapping[str, Any]) -> NDArray[Any]:
        """`n` examples: uint8 ``(n, C, H, W)`` or float32 ``(n, D)``. An option it does not know is an `InputError`."""
        ...

    def named_parameters(self) -> Iterator[tuple[str, Any]]:
        """As of `torch.nn.Module`, like all that follow."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Parameters and buffers by name."""
        ...

    def train(self, mode: bool = True) -> Any:
        """Meanwhile a batch norm counts and a dropout drops."""
        ...

    def eval(self) -> Any:
        """Meanwhile neither."""
        ...


@runtime_checkable
class Likelihood(Protocol):
    """Log p(x), exactly."""

    def log_prob(self, images: Any, backend: str = "auto", dtype: str = "float32") -> Tensor:
        """Nats of each example, float64 ``(N,)``."""
        ...


@runtime_checkable
class Bound(Protocol):
    """A lower bound on log p(x)."""

    def elbo(self, batch: Batch, how: Compute) -> Mapping[str, Tensor]:
        """The evidence lower bound and its parts, each ``(N,)`` in nats."""
        ...

    def importance_bound(self, batch: Batch, draws: int, how: Compute) -> Tensor:
        """Log (1/K) Σ_k p(x, z_k) / q(z_k | x), float64 ``(N,)`` (Burda et al. 2016)."""
        ...


@runtime_checkable
class Latent(Protocol):
    """A code for each example, and the way back."""

    latent_shape: tuple[int, ...]

    def encode(self, images: Any) -> Tensor:
        """The code ``(N, *latent_shape)``."""
        ...

    def decode(self, codes: Any) -> Tensor:
        """What a code stands for."""
        ...


@runtime_checkable
class Posterior(Protocol):
    """An encoder q(z | x) that is a normal distribution for each latent, beside the prior N(0, I) and a decoder p(x | z)."""

    latent_shape: tuple[int, ...]

    def posterior(self, images: Any) -> Normal:
        """q(z | x): ``torch.distributions.Normal`` of batch shape ``(N, *latent_shape)``; differentiable."""
        ...

    def log_likelihood(self, images: Any, codes: Tensor) -> Tensor:
        """Log p(x | z) in nats of each image with its code, ``(N,)``."""
        ...


@runtime_checkable
class Invertible(Protocol):
    """A bijection with a tractable volume change."""

    def forward_and_log_det(self, values: Any) -> tuple[Tensor, Tensor]:
        """The latent of each example and log |det ∂z/∂x|, ``(N,)``."""
        ...

    def inverse(self, codes: Any) -> Tensor:
        """The example of each latent."""
        ...


@runtime_checkable
class Judge(Protocol):
    """An opinion on whether an example is real."""

    def judge(self, batch: Batch) -> Tensor:
        """Probability of "real" of each example, ``(N,)``."""
        ...


@runtime_checkable
class Causal(Protocol):
    """A list of nodes: its sampling options are `known`, `known_mask`, `temperature`, `on_row` and `backend`."""

    graph: Graph

    def logits(self, images: Any, backend: str = "auto", dtype: str = "float32") -> Tensor:
        """What it expects of each value, given those before it."""
        ...


@dataclass(frozen=True)
class PlainNetwork:
    """A part of a model that is a function of arrays alone, without draws and checks; what `genlab.export.onnx` writes.

    Attributes:
        function: Of tensors whose first axis is the batch.
        inputs: An example of each input by name, of two examples.
        output: What comes out is called.
    """

    function: Callable[..., Tensor]
    inputs: Mapping[str, Tensor]
    output: str


@runtime_checkable
class Exportable(Protocol):
    """Networks that other programs can run."""

    def networks(self) -> Mapping[str, PlainNetwork]:
        """Them by name; the last is the one that draws, if one does."""
        ...


ABILITIES: dict[str, tuple[type, str]] = {
    "likelihood": (Likelihood, "an exact likelihood"),
    "bound": (Bound, "a lower bound on the likelihood"),
    "latent": (Latent, "a code for each example"),
    "posterior": (Posterior, "a normal distribution of codes for each example"),
    "invertible": (Invertible, "an inverse"),
    "judge": (Judge, "an opinion on what is real"),
    "causal": (Causal, "one value after another, each given those before it"),
}
"""Each ability's protocol, and what it is in words."""


def abilities(model: object) -> frozenset[str]:
    """The names of what a model can do beyond being trained and drawn from."""
    return frozenset(name for name, (protocol, _) in ABILITIES.items() if isinstance(model, protocol))


def require(model: object, ability: str, purpose: str) -> None:
    """Refuse a model that lacks an ability, and say what it has instead.

    Args:
        model: The model.
        ability: A name in `ABILITIES`.
        purpose: What needs it, such as ``"log_prob"``.

    Raises:
        InputError: The model lacks it.
    """
    if ability in abilities(model):
        return
    has = [words for name, (_, words) in ABILITIES.items() if name in abilities(model)]
    name = getattr(model, "name", type(model).__name__)
    instead = f"it has {', '.join(has)}" if has else "it can only be trained and drawn from"
    raise InputError(f"{purpose} needs {ABILITIES[ability][1]}, which model {name!r} does not have; {instead}")


def check_fits(model: Model, domain: Domain, name: str) -> None:
    """Refuse data that the model is no distribution over.

    Args:
        model: The model.
        domain: The data's.
        name: What the data are called.

    Raises:
        InputError: Another shape or another number of levels.
    """
    shape = "image_shape" if model.domain.is_image else "shape"
    for what, ours, theirs in ((shape, domain.shape, model.domain.shape), ("levels", domain.levels, model.domain.levels)):
        if ours != theirs:
            raise InputError(f"data must have the model's {what}, {theirs}; dataset {name!r} has {ours}")


def check_labels(model: Model, labels: NDArray[np.int64] | None, name: str) -> None:
    """Refuse data whose labels do not say which of its classes each example has, if the model has classes.

    Args:
        model: The model.
        labels: Of all examples, or None.
        name: What the data are called.

    Raises:
        InputError: There are none, or one is no class.
    """
    classes = getattr(model, "classes", 0)
    if classes and labels is None:
        raise InputError(f"data must have labels for a model of {classes} classes; dataset {name!r} has none")
    if classes and labels is not None and labels.size and labels.max() >= classes:
        raise InputError(f"classes must be above every label of dataset {name!r}, which go up to {labels.max()}; got {classes}")
