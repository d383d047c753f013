"""A chain of causal lists, each given the image that those before it have drawn: its likelihood is the product of theirs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from genlab.causal import Condition, Graph
from genlab.causal.condition import scaled
from genlab.causal.drawing import draw_images
from genlab.domain import Batch, Domain
from genlab.errors import InputError, unknown_name
from genlab.models.causal.model import CausalModel
from genlab.models.causal.multiscale_pixelcnn import COARSE
from genlab.models.contract import MINIMISER, NATS, Compute, Player, Report, Terms

if TYPE_CHECKING:
    from genlab.models.causal.multiscale_pixelcnn import Settings

OPTIONS = ("backend", "condition", "dtype", "labels", "temperature")

Levels = NDArray[Any]


def split(images: Levels) -> tuple[Levels, Levels]:
    """Every second pixel of every second row ``(N, C, H/2, W/2)``, and the three others of each 2×2 ``(N, 3 · C, H/2, W/2)``."""
    others = [images[:, :, 0::2, 1::2], images[:, :, 1::2, 0::2], images[:, :, 1::2, 1::2]]
    return np.ascontiguousarray(images[:, :, 0::2, 0::2]), np.concatenate(others, axis=1)


def join(coarse: Levels, rest: Levels) -> Levels:
    """The images that `split` was given."""
    n, channels, height, width = coarse.shape
    images = np.empty((n, channels, 2 * height, 2 * width), coarse.dtype)
    parts = [coarse, *np.split(rest, 3, axis=1)]
    for part, (y, x) in zip(parts, [(0, 0), (0, 1), (1, 0), (1, 1)], strict=True):
        images[:, :, y::2, x::2] = part
    return images


class Chain(nn.Module):
    """p(x) = p(x⁰) ∏_k p(rᵏ⁺¹ | xᵏ): a small image, then what lies between its pixels, scale by scale.

    Attributes:
        name: The model's name in `genlab.list_models`.
        settings: Its validated settings.
        stages: A causal model for the small image, then one for each scale.
        domain: The images of the last scale.
        report: The negative log-likelihood, exact.
        players: One: the stages share no parameter, and minimising their sum minimises each.
    """

    def __init__(self, name: str, settings: Settings, graphs: Sequence[Graph]) -> None:
        super().__init__()
        self.name = name
        self.settings = settings
        self.domain = Domain(settings.image_shape, settings.levels)
        self.report: Report = NATS
        self.players: tuple[Player, ...] = MINIMISER
        self.stages = nn.ModuleList(CausalModel(name, settings, graph) for graph in graphs)

    @property
    def config(self) -> dict[str, Any]:
        """``{"name", "settings"}``: what `genlab.create_model` needs to build the same model again."""
        return {"name": self.name, "settings": self.settings.model_dump(mode="json")}

    @property
    def classes(self) -> int:
        """Number of classes that it tells apart; 0: it is not class-conditional."""
        return self.settings.classes

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """``(C, H, W)``."""
        return self.settings.image_shape

    @property
    def levels(self) -> int:
        """Number of levels of a pixel."""
        return self.settings.levels

    @property
    def shapes(self) -> list[tuple[int, int, int]]:
        """``(C, H, W)`` of the image at each scale, the small one first."""
        channels, height, width = self.image_shape
        return [(channels, height >> scale, width >> scale) for scale in range(self.settings.scales, -1, -1)]

    def parameter_count(self) -> int:
        """Number of live parameters: masked weights do not count."""
        return sum(stage.parameter_count() for stage in self._stages)

    def loss(
        self, batch: ArrayLike | torch.Tensor | Batch, backend: str = "auto", dtype: str = "float32", *, labels: ArrayLike | None = None
    ) -> torch.Tensor:
        """−(1/N) Σ_n log p(x_n), differentiable; arguments as of `genlab.models.causal.model.CausalModel.loss`."""
        batch = self._batch(batch, labels, "batch")
        return torch.stack([stage.loss(part, backend, dtype) for stage, part in self._parts(batch)]).sum()

    def log_prob(
        self, images: ArrayLike | torch.Tensor | Batch, backend: str = "auto", dtype: str = "float32", *, labels: ArrayLike | None = None
    ) -> torch.Tensor:
        """Log p(x) of each image in nats, float64 ``(N,)``: the sum over the scales."""
        return self.log_prob_by_scale(images, backend, dtype, labels=labels).sum(0)

    def log_prob_by_scale(
        self, images: ArrayLike | torch.Tensor | Batch, backend: str = "auto", dtype: str = "float32", *, labels: ArrayLike | None = None
    ) -> torch.Tensor:
        """What each scale adds, float64 ``(scales + 1, N)``: log p(x⁰), then log p(rᵏ⁺¹ | xᵏ)."""
        batch = self._batch(images, labels, "images")
        return torch.stack([stage.log_prob(part, backend, dtype).double() for stage, part in self._parts(batch)])

    def terms(self, player: str, batch: Batch, how: Compute) -> Terms:
        """−(1/N) Σ_n log p(x_n), with what each scale adds to it."""
        batch = self._batch(batch, None, "batch")
        losses = [stage.loss(part, how.backend, how.dtype) for stage, part in self._parts(batch)]
        total = torch.stack(losses).sum()
        return Terms(total, {"nats": total.detach(), **self._by_scale([loss.detach() for loss in losses])})

    def validate(self, batch: Batch, how: Compute) -> dict[str, np.ndarray]:
        """−log p(x) of each image, and what each scale adds to it."""
        nats = -self.log_prob_by_scale(batch, how.backend, how.dtype).numpy(force=True)
        return {"nats": nats.sum(0), **self._by_scale(nats)}

    def sample(self, n: int, seed: int, options: Mapping[str, Any]) -> NDArray[np.uint8]:
        """`n` images uint8 ``(n, C, H, W)``.

        Args:
            n: How many.
            seed: Decides the draws; those of image i depend on it and i alone.
            options: ``backend``, ``dtype``, ``temperature``, ``labels`` as of `genlab.sample`; ``condition``: an image of any smaller
                scale, or ``(n, c, h, w)``, to begin from: its pixels stay, those between them are drawn.
        """
        for name in options:
            if name not in OPTIONS:
                raise unknown_name(f"option of model {self.name!r}", name, OPTIONS)
        how = {name: value for name, value in options.items() if name != "condition"}
        images, drawn = self._beginning(options.get("condition"), n)
        for number, stage in enumerate(self._stages):
            if number < drawn:
                continue
            key = int(np.random.SeedSequence((seed, number)).generate_state(1, np.uint64)[0] >> np.uint64(1))
            given = {} if images is None else {"condition": {COARSE: self._as_map(images)}}
            part = draw_images(stage, n, key, {**how, **given})
            images = part if images is None else join(images, part)
        assert images is not None  # there is at least one stage
        return images

    def _beginning(self, condition: ArrayLike | None, n: int) -> tuple[NDArray[np.uint8] | None, int]:
        """The image to begin from, if one is given, and how many stages need not be drawn then."""
        if condition is None:
            return None, 0
        sizes = [shape[1:] for shape in self.shapes[:-1]]
        size = np.shape(condition)[-2:]
        scale = sizes.index(size) if size in sizes else 0
        made = Condition("small", self.image_shape, self.levels, 2 ** (len(sizes) - scale))
        return made.checked(condition, n), scale + 1

    def _by_scale(self, figures: Iterable[Any]) -> dict[str, Any]:
        """Figures of the scales, the small image's first, under the names that records have for them."""
        return {f"nats_{height}x{width}": figure for (_, height, width), figure in zip(self.shapes, figures, strict=True)}

    def _parts(self, batch: Batch) -> Iterator[tuple[CausalModel, Batch]]:
        """What each stage is a distribution over, with what it is given."""
        parts, images = [], batch.values
        for _ in self._stages[1:]:
            images, rest = split(images)
            parts.append(Batch(rest, batch.labels, {COARSE: self._as_map(images)}))
        parts.append(Batch(images, batch.labels))
        return zip(self._stages, reversed(parts), strict=True)

    def _batch(self, images: ArrayLike | torch.Tensor | Batch, labels: ArrayLike | None, argument: str) -> Batch:
        """Levels of the right shape with their labels; the stages check the rest."""
        if labels is not None and not self.classes:
            raise InputError(f"labels must be None: model {self.name!r} is not class-conditional; got {np.shape(labels)} labels")
        if isinstance(images, Batch):
            labels, images = images.labels if labels is None else labels, images.values
        values = images.numpy(force=True) if isinstance(images, torch.Tensor) else np.asarray(images)
        if values.ndim != 4 or values.shape[1:] != self.image_shape:
            channels, height, width = self.image_shape
            raise InputError(f"{argument} must have shape (N, {channels}, {height}, {width}), the model's image_shape; got {values.shape}")
        if isinstance(labels, torch.Tensor):
            labels = labels.numpy(force=True)
        return Batch(values, None if labels is None else np.broadcast_to(np.asarray(labels), len(values)))

    def _as_map(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Levels from −1 to 1."""
        if images.dtype.kind in "uib" and images.size and not 0 <= int(images.min()) <= int(images.max()) < self.levels:
            wrong = images.min() if images.min() < 0 else images.max()
            raise InputError(f"images must hold levels from 0 to {self.levels - 1}; got {wrong}")
        return scaled(images, self.levels)

    @property
    def _stages(self) -> list[CausalModel]:
        return list(self.stages)  # type: ignore[arg-type]
