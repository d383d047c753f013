"""WaveNet for a series: an image of height 1, whose levels are quantised values, by dilated and gated convolutions.

van den Oord et al. 2016c, "WaveNet: A Generative Model for Raw Audio", section 2 and figure 4, with p = `channels` and d = 1, 2, 4 …:

    x ← W ∗ series                                    (the step before: mask A)
    z = tanh(W_f ∗_d x) ⊙ σ(W_g ∗_d x)                (this step and the one d before)
    skips ← skips + 1×1(z);  x ← x + 1×1(z)
    ReLU of the skips, 1×1 → p;  ReLU, 1×1 → levels;  softmax

What is to come is drawn as a completion: `genlab.simulate(model, past, n)` draws n futures of one past.

NOTE: the paper repeats 1 … 512; here every layer doubles the distance, so `layers` of them see 2^layers steps back.
NOTE: levels are equally wide; the paper's μ-law companding suits sound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from genlab.causal import Categorical, Graph, GraphBuilder
from genlab.errors import InputError
from genlab.settings import Settings as _Settings

if TYPE_CHECKING:
    from genlab.models.causal.model import CausalModel


class Settings(_Settings):
    """What a model of a series is made of."""

    image_shape: tuple[int, int, int] = Field((1, 1, 264), description="Channels, height (1) and length of a stretch of the series.")
    levels: int = Field(64, ge=2, le=256, description="Number of values that a step can take.")
    channels: int = Field(32, ge=1, le=1024, description="Feature maps.")
    layers: int = Field(7, ge=1, le=16, description="Number of gated layers; each looks twice as far back as the one before.")


def build(settings: Settings) -> Graph:
    """The list of nodes.

    Raises:
        InputError: It is no series, or shorter than the context.
    """
    p, (channels, height, length) = settings.channels, settings.image_shape
    if channels != 1 or height != 1:
        raise InputError(f"image_shape must be (1, 1, length) for a series; got {settings.image_shape}")
    context = 2**settings.layers
    if length < context:
        rule = f"a series must be at least as long as the context of {settings.layers} layers, {context} steps"
        raise InputError(f"{rule}; got {length}: fewer layers see less far")
    builder = GraphBuilder(settings.image_shape, scale=2 / (settings.levels - 1), shift=-1)
    stream = builder.conv("input", builder.image, p, kernel_size=(1, 3), mask_type="A")
    skips = ""
    for layer in range(1, settings.layers + 1):
        name, distance = f"layer{layer}", 2 ** (layer - 1)
        taps = [(0, -distance), (0, 0)]
        sums = builder.conv(f"{name}_sums", stream, 2 * p, kernel_size=(1, 3), dilation=distance, taps=taps, parts=2)
        gated = builder.gate(f"{name}_gated", sums)
        skip = builder.conv(f"{name}_skip", gated, p)
        skips = builder.add(f"{name}_skips", skip, skips) if skips else skip
        if layer < settings.layers:  # nobody would read the last one
            stream = builder.add(name, builder.conv(f"{name}_mix", gated, p), stream)
    hidden = builder.conv("head", builder.relu("head_relu", skips), p)
    return builder.build(builder.conv("output", builder.relu("output_relu", hidden), settings.levels), Categorical(settings.levels))


def create(name: str, settings: Settings) -> CausalModel:
    """The model of these settings, with random weights."""
    from genlab.models.causal.model import CausalModel

    return CausalModel(name, settings, build(settings))
