"""Settings as frozen, validated values: what a run's config records is exactly what was asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from genlab.errors import InputError


class Settings(BaseModel):
    """The base of all settings: frozen, and a key nobody knows is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


FROM_DATA = ("image_shape", "levels", "centres", "sigma", "middle", "spread")
"""The settings of a model that follow from the images or points it is trained on."""

ItemsOfText = BeforeValidator(lambda value: tuple(value.split(",")) if isinstance(value, str) else value)
"""For settings that are tuples: a command line gives them as text, such as ``1,2,4``."""

SettingsType = TypeVar("SettingsType", bound=Settings)


def validate(kind: type[SettingsType], values: Mapping[str, Any]) -> SettingsType:
    """Settings of a kind from plain values.

    Raises:
        InputError: One sentence for each value that breaks a rule; an unknown key lists the known ones.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        raise InputError("; ".join(sentences(error, known=sorted(kind.model_fields)))) from None


def sentences(error: ValidationError, part: str = "", known: Sequence[str] = ()) -> list[str]:
    """What pydantic refused, a sentence a value.

    Args:
        error: Pydantic's.
        part: What stands before each name, such as ``"training."``.
        known: The names that a setting may have.
    """
    told = []
    for problem in error.errors(include_url=False):
        name = part + ".".join(str(step) for step in problem["loc"])
        if problem["type"] == "extra_forbidden":
            rule = f" be one of {', '.join(known)}" if known else " be known to this genlab"
            told.append(f"setting must{rule}; got {name!r}")
        elif problem["type"] == "missing":
            told.append(f"{name} is missing")
        else:
            rule = problem["msg"].removeprefix("Input ").removeprefix("Value error, ")
            got = repr(problem["input"])
            told.append(f"{name} {rule}; got {got if len(got) <= 200 else got[:200] + '…'}")
    return told


class DataSettings(Settings):
    """Which images, and how their intensities become levels.

    Attributes:
        name: A name of ``genlab.datasets.DATASETS`` or a path.
        levels: Quantise to this many levels; None keeps the native ones.
        source_levels: How many levels the source itself has, where it does not say so: 16 for values from 0 to 15. None takes 2 if
            every value is 0 or 1, else 256.
        binarize: ``"dynamic"`` draws every pixel anew from Bernoulli(intensity), ``"threshold"`` cuts at one half, None neither.
        size: Resize every image to `size` x `size` pixels; None keeps them as they are.
        seed: Decides the split into train, valid and test, and the fixed binary draw of ``.images``.
    """

    name: str = "digits"
    levels: Annotated[int, Field(ge=2, le=256)] | None = None
    binarize: Literal["dynamic", "threshold"] | None = None
    size: Annotated[int, Field(ge=1)] | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    source_levels: Annotated[int, Field(ge=2, le=256)] | None = None


def _rate_changes(value: Any) -> Any:
    """The pairs out of ``"120:1e-3,300:5e-4"``, as the command line gives them; in the order of their steps."""
    try:
        if isinstance(value, str):
            value = [part.split(":") for part in value.split(",")]
        pairs = [tuple(change) for change in value] if isinstance(value, list | tuple) else None
        return value if pairs is None else tuple(sorted(pairs, key=lambda change: int(change[0])))
    except (TypeError, LookupError, OverflowError):
        raise ValueError("must be pairs of a step and a rate") from None


RateChange = tuple[Annotated[int, Field(ge=0)], Annotated[float, Field(gt=0, le=10)]]


class TrainSettings(Settings):
    """How a model is trained. A field's description is also the help of the command line and of the dashboard's form."""

    epochs: int | None = Field(
        None, ge=1, le=1_000_000, description="passes over the training images; 10 if none of epochs, minutes and steps is given"
    )
    minutes: float | None = Field(
        None,
        gt=0,
        le=1e6,
        description="budget of training time over all sessions of the run; whichever ends first",
    )
    steps: int | None = Field(
        None, ge=1, le=1_000_000_000, description="ends after so many steps; unlike epochs it does not stretch the learning rate's schedule"
    )
    batch_size: int = Field(64, ge=1, le=1_000_000, description="images per step")
    learning_rate: float = Field(4e-3, gt=0, le=10, description="Adam's step size after the warm-up")
    learning_rates: Annotated[tuple[RateChange, ...], BeforeValidator(_rate_changes)] = Field(
        (), description="other learning rates from some step on, as step:rate,step:rate; what is changed in mid-run is recorded here"
    )
    warmup_steps: int = Field(
        50, ge=0, le=1_000_000, description="steps over which the learning rate rises linearly; a tenth of the known steps at most"
    )
    schedule: Literal["constant", "cosine"] = Field(
        "cosine", description="cosine falls to zero over the epochs; without a number of epochs the rate stays constant"
    )
    clip_norm: float | None = Field(1.0, gt=0, le=1e6, description="largest norm of the whole gradient; none = never clipped")
    ema_decay: float = Field(
        0.999, ge=0, lt=1, description="decay d of the averaged weights: min(d, (1 + step) / (10 + step)); 0 = no averaging"
    )
    patience: int | None = Field(None, ge=1, le=1_000_000, description="stops after so many epochs without a better validation; none = off")
    valid_images: int = Field(10_000, ge=1, le=100_000_000, description="at most so many images per validation")
    backend: Literal["auto", "native", "torch"] = Field("auto", description="what computes the loss and its gradients")
    dtype: Literal["float32", "bfloat16"] = Field("float32", description="number format of the loss's arithmetic")
    seed: int = Field(0, ge=0, lt=2**63, description="decides the first weights, the order of the images and every draw")
    checkpoint_seconds: float = Field(20.0, ge=0, le=1e6, description="seconds between checkpoints; 0 = after every step")
    sample_seconds: float = Field(
        10.0, ge=0, le=1e6, description="least seconds between sample grids; drawing takes a tenth of the time at most"
    )
    log_seconds: float = Field(0.5, ge=0, le=1e6, description="seconds between records of the loss; 0 = after every step")
    join_seconds: float = Field(120.0, gt=0, le=1e5, description="how long several processes of a training wait for one another to come")

    def seconds_left(self, step: int, seconds: float, images: int, *, since: tuple[int, float] = (0, 0.0)) -> float | None:
        """What the budget leaves of a training, whichever of its parts ends first; None while nobody can say.

        Args:
            step: Steps done.
            seconds: Training time so far.
            images: Training images, which say how many steps an epoch has.
            since: Steps and seconds from which on the pace is taken, such as those of the last resume.
        """
        totals = [self.steps, None if self.epochs is None else self.epochs * math.ceil(images / self.batch_size)]
        done, taken = step - since[0], seconds - since[1]
        left = [(total - step) * taken / done for total in totals if total is not None and done > 0]
        if self.minutes is not None:
            left.append(60 * self.minutes - seconds)
        return max(0.0, min(left)) if left else None
