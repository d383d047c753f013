"""Settings as frozen, validated values: what a run's config records is exactly what was asked for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """The base of all settings: frozen, and a key nobody knows is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DataSettings(Settings):
    """Which images, and how their intensities become levels.

    Attributes:
        name: A name of ``genlab.datasets.DATASETS`` or a path.
        levels: Quantise to this many levels; None keeps the native ones.
        binarize: ``"dynamic"`` draws every pixel anew from Bernoulli(intensity), ``"threshold"`` cuts at one half, None neither.
        size: Resize every image to `size` x `size` pixels; None keeps them as they are.
        seed: Decides the split into train, valid and test, and the fixed binary draw of ``.images``.
    """

    name: str = "digits"
    levels: Annotated[int, Field(ge=2, le=256)] | None = None
    binarize: Literal["dynamic", "threshold"] | None = None
    size: Annotated[int, Field(ge=1)] | None = None
    seed: Annotated[int, Field(ge=0)] = 0
