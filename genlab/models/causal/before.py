"""What an autoregressive model may know before it draws: a class, and a small or grey image of what it is to draw.

    W ∗ x + b  becomes  W ∗ x + b + V h + U c(h')          (van den Oord et al. 2016b, equations 4 and 5)

h is a class; c are features of the image h' that is known, two convolutions that see it on all sides, computed once an image. A model adds
them before a gate or a ReLU. All three uses (class-conditional drawing, super-resolution, colourisation) are this one mechanism.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, Protocol

from pydantic import BeforeValidator, Field

from genlab.causal import CONDITION, LABELS, Condition, GraphBuilder

_SIDE = 5  # of the kernels that look at the image that is known: nine of its pixels wide after two of them

Classes = Annotated[int, Field(ge=0, le=10_000, description="Number of classes that images are drawn and scored given; 0: none.")]
Given = Annotated[
    Literal["small", "grey"] | None,
    BeforeValidator(lambda value: None if value == "none" else value),  # the word for it, as people type it
    Field(description="What is known of an image beforehand: the image averaged down (small), its brightness (grey), or none."),
]
Factor = Annotated[int, Field(ge=1, le=64, description="How many times smaller the small image is that is known.")]


class ConditionalSettings(Protocol):
    """Settings of a model that may know something beforehand."""

    image_shape: tuple[int, int, int]
    levels: int
    channels: int
    classes: int
    given: Literal["small", "grey"] | None
    factor: int


class Before:
    """The given nodes of a model, and what they add to others.

    Args:
        builder: Of the model's list; the given nodes are put into it.
        settings: The model's.
        beside: Channels of other maps that are known, by name.
    """

    def __init__(self, builder: GraphBuilder, settings: ConditionalSettings, beside: Mapping[str, int] = MappingProxyType({})) -> None:
        self._builder = builder
        self._known: dict[str, str] = {}
        if settings.classes:
            self._known["class"] = builder.given(LABELS, settings.classes, everywhere=True)
        if settings.given is not None:
            factor = settings.factor if settings.given == "small" else 1
            condition = Condition(settings.given, settings.image_shape, settings.levels, factor)
            source = builder.given(CONDITION, condition.shape[0], condition=condition)
            self._known[CONDITION] = self._features(source, settings.channels)
        for name, channels in beside.items():
            self._known[name] = self._features(builder.given(name, channels), settings.channels)

    def added(self, name: str, source: str, channels: int, *, parts: int = 1, stride: int = 1) -> str:
        """Source + V h + U c, of which nothing is there where nothing is known; `parts` and `stride` are those of the source."""
        terms = [
            self._builder.conv(f"{name}_{word}", known, channels, visit="given", parts=parts, stride=stride)
            for word, known in self._known.items()
        ]
        if not terms:
            return source
        known = terms[0] if len(terms) == 1 else self._builder.add(f"{name}_known", *terms)
        return self._builder.add(f"{name}_given", source, known)

    def _features(self, known: str, channels: int) -> str:
        """Two convolutions with kernels that see a map all around, each before a ReLU."""
        source = known
        around = [(dy, dx) for dy in range(-(_SIDE // 2), _SIDE // 2 + 1) for dx in range(-(_SIDE // 2), _SIDE // 2 + 1)]
        for number in (1, 2):
            name = f"{known}{number}"
            seen = self._builder.conv(name, source, channels, kernel_size=_SIDE, taps=around, visit="given")
            source = self._builder.relu(f"{name}_relu", seen)
        return source
