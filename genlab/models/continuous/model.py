"""A velocity field as a model: of points, with a density; of images, to be drawn from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from genlab.domain import Batch, Domain
from genlab.errors import InputError, unknown_name
from genlab.models.continuous.flow_matching import Settings
from genlab.models.continuous.networks import Dense, UNet
from genlab.models.continuous.solver import SOLVERS, solve
from genlab.models.contract import MINIMISER, Compute, Player, Report, Terms
from genlab.native import resolve_backend

_ALONE = Compute()  # whoever asks for no share of a batch has it all
_AT_ONCE = 256  # examples that go through the network together where nothing is learned
_TIMES = 4  # of each validated example
_STEPS_AT_MOST = 10_000


class FlowMatching(nn.Module):
    """Noise at t = 0 is carried to data at t = 1 by dx/dt = v(x, t). Made by `genlab.create_model`.

    Attributes:
        name: The model's name in `genlab.list_models`.
        settings: Its validated settings.
        domain: Points, or images of levels.
        classes: Number of classes; 0: none.
        report: The error of the velocity, the mean over an example's values; for a perfect field it is not 0.
        players: One: minimising is a game of one.
    """

    report = Report("velocity_error", "distance", "mean squared error of the velocity")

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__()
        self.name = name
        self.settings = settings
        self.domain = Domain(settings.image_shape, settings.levels)
        self.classes = settings.classes
        self.players: tuple[Player, ...] = MINIMISER

    # --- what a subclass says --------------------------------------------------------------------------------------------------------

    def velocity(self, seen: Tensor, time: Tensor, labels: Tensor | None = None) -> Tensor:
        """V(x, t) of examples as the network sees them, times ``(N,)`` and classes ``(N,)``; differentiable."""
        raise NotImplementedError

    def as_seen(self, values: NDArray[Any], rng: np.random.Generator, how: Compute = _ALONE) -> Tensor:
        """Examples of the domain as the network sees them; `rng` draws where in its level a value lies."""
        raise NotImplementedError

    def as_drawn(self, seen: Tensor) -> NDArray[Any]:
        """The way back: examples of the domain."""
        raise NotImplementedError

    # --- what all models promise -----------------------------------------------------------------------------------------------------

    @property
    def config(self) -> dict[str, Any]:
        """``{"name", "settings"}``: what `genlab.create_model` needs to build the same model again."""
        return {"name": self.name, "settings": self.settings.model_dump(mode="json")}

    def parameter_count(self) -> int:
        """Number of parameters."""
        return sum(parameter.numel() for parameter in self.parameters())

    def terms(self, player: str, batch: Batch, how: Compute) -> Terms:
        """The mean of |v(x_t, t) − (x₁ − x₀)|² over values, each example with a noise and a time of its own that follow from the key."""
        _check(how)
        if len(batch) == 0:
            raise InputError("batch must hold at least one example; got none")
        return Terms(self._errors(batch, how.generator(), how).mean())

    def validate(self, batch: Batch, how: Compute) -> dict[str, NDArray[np.float64]]:
        """The same of each example, a mean over four times: ``{"velocity_error": float64 (N,)}``."""
        _check(how)
        rng, found = how.generator(), []
        with torch.no_grad():
            for start in range(0, len(batch), _AT_ONCE):
                part = batch[start : start + _AT_ONCE]
                found.append(torch.stack([self._errors(part, rng, how) for _ in range(_TIMES)]).double().mean(0).numpy(force=True))
        return {self.report.key: np.concatenate(found) if found else np.zeros(0)}

    @torch.no_grad()
    def sample(self, n: int, seed: int, options: Mapping[str, Any]) -> NDArray[Any]:
        """`n` examples: noise, carried from t = 0 to t = 1; the noise of example i depends on the seed and i alone.

        Args:
            n: How many.
            seed: Decides the noise, and the classes where none are asked for.
            options: ``steps`` and ``solver`` in place of the settings'; ``labels``, one class or ``(n,)``, of a model with classes.

        Raises:
            InputError: An unknown option, or one out of range.
        """
        known = ("backend", "solver", "steps", *(("labels",) if self.classes else ()))
        for name in options:
            if name not in known:
                raise unknown_name(f"option of model {self.name!r}", name, known)
        resolve_backend(options.get("backend", "auto"), allowed=("torch",))
        steps, solver = _steps(options.get("steps", self.settings.steps)), _solver(options.get("solver", self.settings.solver))
        noise, labels = self.noise(n, seed), self._labels(options.get("labels"), n, seed)
        found = []
        for start in range(0, max(1, n), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            *_, seen = self.paths(noise[part], steps=steps, solver=solver, labels=None if labels is None else labels[part])
            found.append(self.as_drawn(seen))
        return np.concatenate(found)

    # --- the flow, for whoever looks at it -------------------------------------------------------------------------------------------

    def noise(self, n: int, seed: int) -> Tensor:
        """What is carried: x₀ ~ N(0, I), ``(n, *shape)``."""
        drawn = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed))).standard_normal((n, *self.domain.shape))
        return torch.from_numpy(drawn).to(self._like)

    def paths(self, noise: Tensor, *, steps: int, solver: str, labels: Tensor | None = None) -> Iterator[Tensor]:
        """Where noise is at t = 0, 1/steps, … 1, each ``(N, *shape)`` as the network sees it."""
        return solve(
            lambda seen, time: self.velocity(seen, _times(time, seen), labels), noise, start=0.0, end=1.0, steps=steps, solver=solver
        )

    def _errors(self, batch: Batch, rng: np.random.Generator, how: Compute) -> Tensor:
        """|v(x_t, t) − (x₁ − x₀)|² of each example, a mean over its values, ``(N,)``."""
        data, count = self.as_seen(batch.values, rng, how), len(batch)
        noise = torch.from_numpy(how.each(count, lambda n: rng.standard_normal((n, *data.shape[1:]), np.float32))).to(data)
        # Times that are spread evenly say more of the whole than as many independent ones; each by itself is uniform.
        spread = how.each(count, lambda n: (rng.permutation(n) + rng.random(n)) / max(1, n))
        time = torch.from_numpy(spread).to(data)
        share = time.reshape(-1, *[1] * (data.ndim - 1))
        velocity = self.velocity((1 - share) * noise + share * data, time, self._labels(batch.labels, count))
        return (velocity - (data - noise)).square().flatten(1).mean(1)

    def _labels(self, labels: Any, count: int, seed: int | None = None) -> Tensor | None:
        """Classes ``(count,)``: those given, or any by the seed; None of a model that has none."""
        if not self.classes:
            return None
        if labels is None:
            if seed is None:
                raise InputError(f"labels must be given to a model of {self.classes} classes; got none")
            labels = np.random.default_rng([seed, 1]).integers(0, self.classes, count)
        values = np.asarray(labels)
        if values.dtype.kind not in "iu" or values.shape not in ((), (count,)):
            raise InputError(f"labels must be one class or integers of shape ({count},); got {values.dtype} {values.shape}")
        if values.size and not 0 <= values.min() <= values.max() < self.classes:
            wrong = values.min() if values.min() < 0 else values.max()
            raise InputError(f"labels must be from 0 to {self.classes - 1}; got {wrong}")
        return torch.from_numpy(np.broadcast_to(values, (count,)).astype(np.int64)).to(self._like.device)

    @property
    def _like(self) -> Tensor:
        return next(self.parameters())


class ImageMatching(FlowMatching):
    """Images of levels. There is no log p: its change of variables would take a pass for each pixel.

    Attributes:
        image_shape: ``(C, H, W)``.
        levels: Number of levels of a value.
        dequantisation: Where in its level a value lies.
    """

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__(name, settings)
        self.image_shape = settings.image_shape
        self.levels = settings.levels or 2
        self.dequantisation = settings.dequantisation
        self.network: nn.Module = (
            UNet(settings.image_shape[0], settings.channels, settings.scales, settings.frequencies, settings.classes)
            if settings.network == "unet"
            else Dense(self.domain.size, settings.hidden, settings.layers, settings.frequencies, settings.classes)
        )

    def velocity(self, seen: Tensor, time: Tensor, labels: Tensor | None = None) -> Tensor:
        """V(x, t), or v(x, t, class)."""
        velocity: Tensor = self.network(seen, time, labels)
        return velocity

    def as_seen(self, values: NDArray[Any], rng: np.random.Generator, how: Compute = _ALONE) -> Tensor:
        """2 (x + u) / levels − 1, u in [0, 1), or ½ without dequantisation."""
        levels = np.asarray(values)
        drawn = how.each(len(levels), lambda n: rng.random((n, *levels.shape[1:]), np.float32)) if self.dequantisation == "uniform" else 0.5
        return torch.from_numpy(np.asarray(2 * (levels + drawn) / self.levels - 1, np.float32)).to(self._like)

    def as_drawn(self, seen: Tensor) -> NDArray[np.uint8]:
        """The level that each value lies in."""
        return ((seen + 1) * (self.levels / 2)).floor().clamp(0, self.levels - 1).to(torch.uint8).numpy(force=True)


class PointMatching(FlowMatching):
    """Points ``(N, D)``, with a density.

    The solver's steps from data to noise are a map f, and with it comes log p(x) = log N(f(x); 0, I) + log |det ∂f/∂x|. The derivative is
    carried along by the same steps, dJ/dt = (∂v/∂x) J, which is that of f itself and not of the path that f comes close to: so the density
    adds up to 1 however coarse the steps, as long as they are fine enough for f to be one to one. In the limit log |det| is
    −∫ tr(∂v/∂x) dt (Chen et al. 2018). What `sample` draws goes the other way and is off by both solvers' errors: see `solver_error`.
    """

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__(name, settings)
        self.network = Dense(settings.image_shape[0], settings.hidden, settings.layers, settings.frequencies)

    def velocity(self, seen: Tensor, time: Tensor, labels: Tensor | None = None) -> Tensor:
        """V(x, t)."""
        velocity: Tensor = self.network(seen, time)
        return velocity

    def as_seen(self, values: NDArray[Any], rng: np.random.Generator, how: Compute = _ALONE) -> Tensor:
        """Points with mean 0 and standard deviation 1."""
        return self._scaled(torch.from_numpy(np.asarray(values, np.float32)))

    def as_drawn(self, seen: Tensor) -> NDArray[np.float32]:
        """Points where the data are."""
        return (seen * self.settings.spread + self._middle(seen)).float().numpy(force=True)

    @torch.no_grad()
    def log_prob(self, images: ArrayLike | Tensor, backend: str = "auto", dtype: str = "float32") -> Tensor:
        """Log p(x) of each point, a density: nats, float64 ``(N,)``. May be above 0.

        Raises:
            InputError: Another shape than ``(N, D)``, or values that are not finite.
            BackendError: A backend other than ``"torch"`` and ``"auto"``.
        """
        _check(Compute(backend, dtype))
        noise, log_det = self.to_noise(images)
        noise = noise.double()
        return log_det.double() - 0.5 * (noise.square() + math.log(2 * math.pi)).sum(1)

    def to_noise(self, points: ArrayLike | Tensor, steps: int | None = None) -> tuple[Tensor, Tensor]:
        """The noise of each point, ``(N, D)``, and log |det| of the map, ``(N,)``; differentiable.

        Args:
            points: ``(N, D)``.
            steps: Of Kutta's method, in place of the setting ``density_steps``.

        Raises:
            InputError: Another shape, or values that are not finite.
        """
        seen = self._scaled(self._finite(points))
        count, size = seen.shape
        start = torch.cat((seen[:, None], torch.eye(size).to(seen).expand(count, size, size)), 1)

        def velocity(state: Tensor, time: float) -> Tensor:
            """Of the point, and of the tangents that are carried along with it."""
            slope, slopes = self.network.with_tangents(state[:, 0], state[:, 1:], _times(time, state))
            return torch.cat((slope[:, None], slopes), 1)

        *_, end = solve(velocity, start, start=1.0, end=0.0, steps=steps or self.settings.density_steps)
        return end[:, 0], torch.linalg.slogdet(end[:, 1:]).logabsdet - size * math.log(self.settings.spread)

    @torch.no_grad()
    def solver_error(self, points: ArrayLike | Tensor) -> Tensor:
        """By how much log p changes, in nats of each point, when the solver takes twice as many steps; float64 ``(N,)``."""
        finer = [self.to_noise(points, steps * self.settings.density_steps) for steps in (1, 2)]
        ours, theirs = (log_det.double() - 0.5 * noise.double().square().sum(1) for noise, log_det in finer)
        return (ours - theirs).abs()

    def _finite(self, points: ArrayLike | Tensor) -> Tensor:
        tensor = torch.as_tensor(np.ascontiguousarray(points) if not isinstance(points, Tensor) else points).to(self._like)
        if tensor.ndim != 2 or tuple(tensor.shape[1:]) != self.domain.shape:
            raise InputError(f"points must have shape (N, {self.domain.shape[0]}); got {tuple(tensor.shape)}")
        if not tensor.isfinite().all():
            raise InputError(f"points must be finite; got {float(tensor[~tensor.isfinite()][0])}")
        return tensor

    def _scaled(self, points: Tensor) -> Tensor:
        points = points.to(self._like)
        return (points - self._middle(points)) / self.settings.spread

    def _middle(self, like: Tensor) -> Tensor:
        return like.new_tensor(self.settings.middle or [0.0] * self.domain.size)


def _times(time: float, like: Tensor) -> Tensor:
    return torch.full((len(like),), time, dtype=like.dtype, device=like.device)


def _check(how: Compute) -> None:
    """Refuse what is not torch in float32."""
    resolve_backend(how.backend, allowed=("torch",))
    if how.dtype != "float32":
        raise InputError(f"dtype must be 'float32' for model 'flow_matching', whose small steps would get lost in less; got {how.dtype!r}")


def _steps(value: Any) -> int:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or not 1 <= value <= _STEPS_AT_MOST:
        raise InputError(f"steps must be a whole number from 1 to {_STEPS_AT_MOST:,}; got {value!r}")
    return int(value)


def _solver(value: Any) -> str:
    if value not in SOLVERS:
        raise unknown_name("solver", value, SOLVERS)
    return str(value)
