"""A flow as a model: of points with an exact density, of images with a bound on log P."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from genlab.domain import Batch, Domain
from genlab.errors import InputError, unknown_name
from genlab.models.contract import ELBO, MINIMISER, Compute, PlainNetwork, Player, Report, Terms
from genlab.models.flow.body import Body
from genlab.models.flow.dequantisation import Uniform, Variational, log_normal
from genlab.models.flow.realnvp import Settings
from genlab.native import resolve_backend

Values = ArrayLike | Tensor | Batch

# A pixel of intensity 0 is this far from the end of (0, 1): its logit is finite, and half of it within the reach of a spline.
_MARGIN = 1e-3
_REACH = 0.5
_OPTIONS = ("backend", "temperature")
_AT_ONCE = 256


class Flow(nn.Module):
    """Z = f(x), log p(x) = log N(z; 0, I) + log |det ∂z/∂x|. Made by `genlab.create_model`.

    Attributes:
        name: The model's name in `genlab.list_models`.
        settings: Its validated settings.
        domain: Points, or images of levels.
        latent_shape: That of an example: a code has as many numbers, each at the place of the value it belongs to.
        players: One: minimising is a game of one.
    """

    def __init__(self, name: str, settings: Settings, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.name = name
        self.settings = settings
        self.domain = Domain(settings.image_shape, settings.levels)
        self.latent_shape: tuple[int, ...] = settings.image_shape
        self.players: tuple[Player, ...] = MINIMISER
        self.body = Body(shape, settings)
        self._shape = shape

    @property
    def config(self) -> dict[str, Any]:
        """``{"name", "settings"}``: what `genlab.create_model` needs to build the same model again."""
        return {"name": self.name, "settings": self.settings.model_dump(mode="json")}

    def parameter_count(self) -> int:
        """Number of parameters."""
        return sum(parameter.numel() for parameter in self.parameters())

    def forward_and_log_det(self, values: Values) -> tuple[Tensor, Tensor]:
        """The code of each example and log |det ∂z/∂x|.

        Args:
            values: Real values ``(N, *shape)``: points, or levels plus noise, from 0 to the number of levels.

        Returns:
            Codes ``(N, *shape)`` and ``(N,)``, differentiable.

        Raises:
            InputError: Another shape, or values that are not finite or out of range.
        """
        return self._forward(self._real(values))

    def inverse(self, codes: Values) -> Tensor:
        """The real values of each code, x = f⁻¹(z), both ``(N, *shape)``; the way back of `forward_and_log_det`.

        Raises:
            InputError: Another shape, or codes that are not finite.
        """
        return self._from_body(self.body.inverse(self._codes(codes)))

    def networks(self) -> dict[str, PlainNetwork]:
        """Real values to codes, for other programs; the way back solves triangular systems, for which ONNX has no operator."""
        values = self._like.new_full((2, *self.domain.shape), 0.5)
        return {"forward": PlainNetwork(lambda x: self._forward(x)[0], {"values": values}, "codes")}

    def path(self, values: Values) -> Iterator[tuple[Tensor, Tensor]]:
        """Layer by layer from data to noise: what is there, ``(N, *shape)``, and log |det| so far, ``(N,)``.

        The first are the values themselves, of images then their logits, the last the codes.

        Raises:
            InputError: As for `forward_and_log_det`.
        """
        values = self._real(values)
        yield values, values.new_zeros(len(values))
        start, log_det = self._into_body(values)
        for number, (station, more) in enumerate(self.body.path(start)):
            if number or self.domain.is_image:
                yield station.reshape(len(station), *self.domain.shape), log_det + more

    def path_back(self, codes: Values) -> Iterator[Tensor]:
        """Layer by layer from noise to data, the same stations the other way: the codes first, the real values last.

        Raises:
            InputError: As for `inverse`.
        """
        station = self._codes(codes)
        for station in self.body.path_back(self._codes(codes)):
            yield station.reshape(len(station), *self.domain.shape)
        if self.domain.is_image:
            yield self._from_body(station)

    def log_density(self, values: Values) -> Tensor:
        """Log p(x) of real values ``(N, *shape)`` as in `forward_and_log_det`: nats, float64 ``(N,)``."""
        codes, log_det = self.forward_and_log_det(values)
        return log_normal(codes.double()) + log_det.double()

    def sample(self, n: int, seed: int, options: Mapping[str, Any]) -> NDArray[Any]:
        """`n` examples, f⁻¹(T ε) with ε ~ N(0, I); example i depends on the seed and i alone.

        Args:
            n: How many.
            seed: Decides ε.
            options: ``temperature`` T: how far from the middle codes lie. Below 1 the likely is favoured, 1 is the model's own
                distribution.

        Raises:
            InputError: An unknown option, or a temperature that is no finite number above 0 or too high for finite samples.
        """
        for name in options:
            if name not in _OPTIONS:
                raise unknown_name(f"option of model {self.name!r}", name, _OPTIONS)
        resolve_backend(options.get("backend", "auto"), allowed=("torch",))
        temperature = _temperature(options.get("temperature", 1.0))
        generator = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed)))
        noise = temperature * generator.standard_normal((n, *self.domain.shape))
        with torch.no_grad():
            parts = [self._drawn(torch.from_numpy(noise[i : i + _AT_ONCE]), temperature) for i in range(0, max(1, n), _AT_ONCE)]
        return np.concatenate(parts)

    def _check(self, how: Compute) -> None:
        """Refuse what is not torch in float32."""
        resolve_backend(how.backend, allowed=("torch",))
        if how.dtype != "float32":
            raise InputError(f"dtype must be 'float32' for model {self.name!r}, whose inverse would not be one in less; got {how.dtype!r}")

    def _drawn(self, codes: Tensor, temperature: float) -> NDArray[Any]:
        codes = codes.to(self._like)
        values = self._from_body(self.body.inverse(codes.reshape(len(codes), *self._shape))) if codes.isfinite().all() else codes
        if not values.isfinite().all():
            raise InputError(f"temperature must be so low that samples are finite; got {temperature:g}")
        return self._finished(values).numpy(force=True)

    def _codes(self, codes: Values) -> Tensor:
        checked = self._tensor(codes, "codes")
        return checked.reshape(len(checked), *self._shape)

    def _real(self, values: Values) -> Tensor:
        return self._tensor(values, "values")

    def _tensor(self, values: Values, argument: str) -> Tensor:
        """Finite numbers of an example's shape, in the format of the weights."""
        values = values.values if isinstance(values, Batch) else values
        try:
            tensor = values if isinstance(values, Tensor) else torch.from_numpy(np.ascontiguousarray(values))
        except (TypeError, ValueError):
            raise InputError(f"{argument} must be an array of numbers; got {type(values).__name__!r}") from None
        if tuple(tensor.shape[1:]) != self.domain.shape or tensor.ndim == 0:
            raise InputError(f"{argument} must have shape (N, {', '.join(map(str, self.domain.shape))}); got {tuple(tensor.shape)}")
        tensor = tensor.to(self._like)
        if not tensor.isfinite().all():
            raise InputError(f"{argument} must be finite; got {float(tensor[~tensor.isfinite()][0])}")
        return tensor

    @property
    def _like(self) -> Tensor:
        return next(self.parameters())

    def _forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        start, log_det = self._into_body(values)
        codes, more = self.body(start)
        return codes.reshape(values.shape), log_det + more

    def _into_body(self, values: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def _from_body(self, values: Tensor) -> Tensor:
        raise NotImplementedError

    def _finished(self, values: Tensor) -> Tensor:
        raise NotImplementedError


class PointFlow(Flow):
    """Points ``(N, D)``: the density is exact."""

    report = Report("nats", "exact", "nats a point")

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__(name, settings, (settings.image_shape[0], 1, 1))

    def log_prob(self, images: Values, backend: str = "auto", dtype: str = "float32") -> Tensor:
        """Log p(x) of each point, a density: nats, float64 ``(N,)``. May be above 0.

        Raises:
            InputError: Another shape than ``(N, D)``, or values that are not finite.
            BackendError: A backend other than ``"torch"`` and ``"auto"``.
        """
        self._check(Compute(backend, dtype))
        with torch.no_grad():
            return self.log_density(images)

    def encode(self, images: Values) -> Tensor:
        """The code of each point, as in `forward_and_log_det`."""
        return self.forward_and_log_det(images)[0]

    def decode(self, codes: Values) -> Tensor:
        """The point of each code, as in `inverse`."""
        return self.inverse(codes)

    def terms(self, player: str, batch: Batch, how: Compute) -> Terms:
        """The mean of −log p(x), in nats a point."""
        self._check(how)
        _at_least_one(batch)
        codes, log_det = self.forward_and_log_det(batch)
        total = -(log_normal(codes) + log_det).mean()
        return Terms(total, {"nats": total.detach()})

    def validate(self, batch: Batch, how: Compute) -> dict[str, NDArray[np.float64]]:
        """−log p(x) of each point: ``{"nats": float64 (N,)}``."""
        return {"nats": -self.log_prob(batch, how.backend, how.dtype).numpy(force=True)}

    def _into_body(self, values: Tensor) -> tuple[Tensor, Tensor]:
        return values[:, :, None, None], values.new_zeros(())

    def _from_body(self, values: Tensor) -> Tensor:
        return values[:, :, 0, 0]

    def _finished(self, values: Tensor) -> Tensor:
        return values.float()


class ImageFlow(Flow):
    """Images of levels: log P(x) ≥ E_q [log p(x + u) − log q(u | x)], u in [0, 1), p the exact density of real values.

    Attributes:
        image_shape: ``(C, H, W)``.
        levels: Number of levels of a value.
        dequantisation: What u is, a word for the protocol of a figure.
    """

    report = ELBO

    def __init__(self, name: str, settings: Settings) -> None:
        shape = (settings.image_shape[0], settings.image_shape[1], settings.image_shape[2])
        super().__init__(name, settings, shape)
        self.image_shape = shape
        self.levels = settings.levels or 2
        self.dequantisation = settings.dequantisation
        self.noise = (
            Uniform()
            if settings.dequantisation == "uniform"
            else Variational(shape, settings.hidden, settings.coupling, settings.bins, squeezed=settings.scales > 0)
        )

    def terms(self, player: str, batch: Batch, how: Compute) -> Terms:
        """The mean of minus the bound, with one draw of the noise that follows from the key, and the bound's parts."""
        self._check(how)
        _at_least_one(batch)
        parts = {name: part.mean() for name, part in self._bound(self._levels(batch), _generator(how), how).items()}
        return Terms(-parts["elbo"], {name: part.detach() for name, part in parts.items()})

    def validate(self, batch: Batch, how: Compute) -> dict[str, NDArray[np.float64]]:
        """The parts of `elbo`, each float64 ``(N,)``."""
        self._check(how)
        return {name: part.numpy(force=True) for name, part in self.elbo(batch, how).items()}

    @torch.no_grad()
    def elbo(self, batch: Batch, how: Compute) -> dict[str, Tensor]:
        """The bound with one draw of the noise, and its parts.

        Returns:
            ``{"elbo", "log_density", "dequantisation"}`` in nats, each float64 ``(N,)``: the first is the sum of log p(x + u) and
            −log q(u | x), which is 0 for uniform noise.
        """
        return {name: part.double() for name, part in self._bound(self._levels(batch), _generator(how), how).items()}

    @torch.no_grad()
    def importance_bound(self, batch: Batch, draws: int, how: Compute) -> Tensor:
        """Log (1/K) Σ_k p(x + u_k) / q(u_k | x), float64 ``(N,)`` (Burda et al. 2016; for flows Ho et al. 2019)."""
        generator, levels = _generator(how), self._levels(batch)
        total = torch.full((len(levels),), -math.inf, dtype=torch.float64, device=levels.device)
        for _ in range(draws):
            total = torch.logaddexp(total, self._bound(levels, generator, how)["elbo"].double())
        return total - math.log(draws)

    @torch.no_grad()
    def encode(self, images: Values) -> Tensor:
        """The code of each image, with every value in the middle of its level, u = ½."""
        return self._forward(self._levels(images) + 0.5)[0]

    @torch.no_grad()
    def decode(self, codes: Values) -> Tensor:
        """The image of each code: levels, uint8 ``(N, C, H, W)``."""
        return self._finished(self.inverse(codes))

    def _bound(self, levels: Tensor, generator: torch.Generator, how: Compute) -> dict[str, Tensor]:
        drawn = how.each(len(levels), lambda count: self.noise.draw((count, *levels.shape[1:]), generator, levels.dtype))
        noise, log_q = self.noise((levels + 0.5) / self.levels - 0.5, drawn.to(levels))
        codes, log_det = self._forward(levels + noise)
        log_density = log_normal(codes) + log_det
        return {"elbo": log_density - log_q, "log_density": log_density, "dequantisation": -log_q}

    def _into_body(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Half the logit of x / levels, drawn in a little from both ends (Dinh et al. 2017, section 4.1)."""
        share = (1 - 2 * _MARGIN) / self.levels
        inside = _MARGIN + share * values
        logits = inside.logit()
        # log |d logit(p) / dp| = −log p − log (1 − p), and p = m + share · x
        log_det = (F.softplus(logits) + F.softplus(-logits)).flatten(1).sum(1) + self.domain.size * math.log(_REACH * share)
        return _REACH * logits, log_det

    def _from_body(self, values: Tensor) -> Tensor:
        return ((values / _REACH).sigmoid() - _MARGIN) * (self.levels / (1 - 2 * _MARGIN))

    def _finished(self, values: Tensor) -> Tensor:
        return values.floor().clamp(0, self.levels - 1).to(torch.uint8)

    def _real(self, values: Values) -> Tensor:
        tensor = super()._real(values)
        if len(tensor) and not 0 <= float(tensor.detach().min()) <= float(tensor.detach().max()) <= self.levels:
            wrong = float(tensor.min()) if tensor.min() < 0 else float(tensor.max())
            raise InputError(f"values must lie from 0 to {self.levels}, the model's levels; got {wrong:g}")
        return tensor

    def _levels(self, images: Values) -> Tensor:
        """Integer levels as real values."""
        images = images.values if isinstance(images, Batch) else images
        levels = images if isinstance(images, Tensor) else np.asarray(images)
        if "float" in str(levels.dtype):
            raise InputError(f"images must hold integer levels; got {levels.dtype}: forward_and_log_det takes real values")
        tensor = self._tensor(images, "images")
        if len(tensor) and not 0 <= float(tensor.min()) <= float(tensor.max()) < self.levels:
            wrong = int(tensor.min()) if tensor.min() < 0 else int(tensor.max())
            raise InputError(f"images must hold levels from 0 to {self.levels - 1}; got {wrong}")
        return tensor


def _at_least_one(batch: Batch) -> None:
    if len(batch) == 0:
        raise InputError("batch must hold at least one example; got none")


def _generator(how: Compute) -> torch.Generator:
    return torch.Generator().manual_seed(how.seed())


def _temperature(value: Any) -> float:
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not is_number or not 0 < value < math.inf:
        raise InputError(f"temperature must be a finite number above 0; got {value!r}")
    return float(value)
