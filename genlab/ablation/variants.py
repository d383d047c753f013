"""Slides 18 and 65 as switches: a line a variant, each a difference of settings of a model of the catalogue. A new one is a new line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from genlab.models import entries, entry, list_models, settings_class
from genlab.settings import TrainSettings

# What makes the variants' networks alike, where a model has such a setting: small enough that minutes tell them apart.
ALIKE: dict[str, Any] = {"channels": 16, "blocks": 4, "layers": 4}

# A PixelCNN++ has two streams, a way down and a way up: with less of each it has about as many parameters as the others.
_NARROW: dict[str, Any] = {"channels": 5, "blocks": 1, "strides": 1}


@dataclass(frozen=True)
class Variant:
    """A way to build or train a network.

    Attributes:
        name: Of its line, and of its run folders.
        trick: What of slide 18 it turns on or off; empty for what others are held against.
        words: What differs, for the reader.
        model: A name of the catalogue.
        settings: Of the model, where they are not the usual ones.
        training: Of the training, likewise.
    """

    name: str
    trick: str
    words: str
    model: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    def obstacle(self) -> str:
        """Why this genlab cannot train it; empty if it can."""
        if self.model not in list_models():
            return f"model {self.model!r} is not in the catalogue"
        known = {**settings_class(self.model).model_fields, **TrainSettings.model_fields}
        unknown = [name for name in (*self.settings, *self.training) if name not in known]
        return f"model {self.model!r} has no setting {unknown[0]!r}" if unknown else ""


VARIANTS: tuple[Variant, ...] = (
    Variant("plain", "", "PixelCNN: short-cuts around its blocks, a softmax, averaged weights", "pixelcnn"),
    Variant("gated", "gated layers", "two stacks without a blind spot, each layer gated by tanh · σ", "gated_pixelcnn"),
    Variant("no-shortcuts", "short-cut connections", "plain without the sums around its blocks", "pixelcnn", {"shortcuts": False}),
    Variant("dilated", "dilation", "plain with taps 1, 2, 1, 2 … pixels apart", "pixelcnn", {"dilations": (1, 2)}),
    Variant("mixture", "discretised logistic mixture", "plain with a mixture of 5 logistics for its softmax", "pixelcnn", {"mixtures": 5}),
    Variant(
        "strided",
        "short-cuts over strides",
        "PixelCNN++ without dropout: strides, a mixture, concat-ELU",
        "pixelcnn_pp",
        {**_NARROW, "dropout": 0},
    ),
    Variant("dropout", "dropout", "PixelCNN++ with dropout of one half", "pixelcnn_pp", {**_NARROW, "dropout": 0.5}),
    Variant("multi-scale", "multi-scale", "a small image first, then the pixels between", "multiscale_pixelcnn", {"scales": 1}),
    Variant(
        "no-average",
        "averaged weights",
        "plain, evaluated with its last weights themselves",
        "pixelcnn",
        {},
        {"ema_decay": 0},
    ),
)

_PAIR: dict[str, Any] = {"batch_norm": True, "spectral_norm": False, "hidden": 128, "latent": 32}
_FREE: dict[str, Any] = {"clip_norm": None}

SWITCHES: tuple[Variant, ...] = (
    Variant("plain", "", "two perceptrons, batch norm in G, all other switches off", "mlp_gan", _PAIR, _FREE),
    Variant("no-batch-norm", "batch norm", "plain without it", "mlp_gan", {**_PAIR, "batch_norm": False}, _FREE),
    Variant("dropout", "dropout", "D leaves out 30% of its hidden units", "mlp_gan", {**_PAIR, "dropout": 0.3}, _FREE),
    Variant(
        "spectral-norm",
        "spectral norm",
        "D's weights over their largest singular value",
        "mlp_gan",
        {**_PAIR, "spectral_norm": True},
        _FREE,
    ),
    Variant("clipping", "gradient clipping", "each player's gradient no longer than 1", "mlp_gan", _PAIR, {"clip_norm": 1.0}),
    Variant("smoothing", "one-sided label smoothing", "a real image is worth 0.9 to D", "mlp_gan", {**_PAIR, "smoothing": 0.1}, _FREE),
    Variant("by-class", "class-conditional", "both players are told the class", "mlp_gan", {**_PAIR, "classes": 10}, _FREE),
    Variant(
        "all",
        "all of them",
        "plain with all the switches",
        "mlp_gan",
        {**_PAIR, "dropout": 0.3, "spectral_norm": True, "smoothing": 0.1, "classes": 10},
        {"clip_norm": 1.0},
    ),
)
"""Slide 65, of a GAN: what the others are held against first."""


def systems() -> tuple[Variant, ...]:
    """Every model of the catalogue that has a likelihood, with its own settings."""
    return tuple(of_model(each.name) for each in entries() if "likelihood" in each.abilities)


def of_model(name: str) -> Variant:
    """A model of the catalogue with its own settings.

    Raises:
        InputError: The name is unknown.
    """
    return Variant(name, "", entry(name).words, name)
