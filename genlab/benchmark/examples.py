"""Networks, images and randomness for the cases: functions of their settings alone, so that every process makes the same ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from genlab.benchmark.table import Array, Settings

if TYPE_CHECKING:
    from genlab.causal import Graph

# van den Oord et al. 2016 for binary MNIST: 101,570 parameters, 64 channels wide.
YARDSTICK = {"family": "pixelcnn", "image_shape": [1, 28, 28], "levels": 2, "channels": 32, "blocks": 7}
GATED = {**YARDSTICK, "family": "gated"}


def random_model(settings: Settings) -> Any:
    """A network whose weights and biases all matter, with a likelihood and a list of nodes; torch's own generator is left as it was.

    Args:
        settings: ``family``, ``"pixelcnn"`` or ``"gated"``, and the settings of a PixelCNN.
    """
    import torch

    from genlab.models import create_model

    sizes = {name: value for name, value in settings.items() if name != "family"}
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        model = create_model("pixelcnn", **sizes)
        if settings["family"] == "gated":
            model = type(model)("gated", model.settings, gated_list(**sizes))  # the same, around another list
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.1)
    return model


def gated_list(*, image_shape: list[int], levels: int, channels: int, blocks: int) -> Graph:
    """A list in the manner of the Gated PixelCNN (van den Oord et al. 2016b): two stacks, the vertical one computed by whole rows.

    v ← tanh(a) · σ(b),  a, b: 2×3 convs of v over the rows up to the one above
    h ← h + 1×1(tanh(c) · σ(d)),  c, d: 1×2 convs of h to the left, plus 1×1 convs of v
    """
    from genlab.causal import Categorical, GraphBuilder

    rows = [(dy, dx) for dy in (-3, -2, -1) for dx in range(-3, 4)]
    above = [(dy, dx) for dy in (-1, 0) for dx in (-1, 0, 1)]
    builder = GraphBuilder(image_shape, scale=2 / (levels - 1), shift=-1)
    vertical = builder.conv("vertical", builder.image, channels, kernel_size=7, taps=rows, visit="row")
    horizontal = builder.conv("horizontal", builder.image, channels, kernel_size=(1, 7), mask_type="A")
    for block in range(1, blocks + 1):
        name = f"block{block}"
        halves = [
            builder.conv(f"{name}_vertical_{half}", vertical, channels, kernel_size=3, taps=above, visit="row")
            for half in ("features", "gates")
        ]
        vertical = builder.gate(f"{name}_vertical", *halves)
        sums = []
        for half in ("features", "gates"):
            link = builder.conv(f"{name}_link_{half}", vertical, channels, visit="row")
            left = builder.conv(f"{name}_{half}", horizontal, channels, kernel_size=(1, 3))
            sums.append(builder.add(f"{name}_{half}_sum", left, link))
        mixed = builder.conv(f"{name}_mix", builder.gate(f"{name}_gated", *sums), channels)
        horizontal = builder.add(name, mixed, horizontal)
    hidden = builder.conv("head", builder.relu("head_relu", horizontal), channels)
    output = builder.conv("output", builder.relu("output_relu", hidden), image_shape[0] * levels)
    return builder.build(output, Categorical(levels))


def describe(settings: Settings) -> str:
    """The network in words: ``PixelCNN of 28×28, 64 channels wide, 7 blocks``."""
    _, height, width = settings["image_shape"]
    family, across = ("PixelCNN", 2 * settings["channels"]) if settings["family"] == "pixelcnn" else ("Gated-like", settings["channels"])
    return f"{family} of {height}×{width}, {across} channels wide, {settings['blocks']} blocks"


def random_levels(model_settings: Settings, images: int) -> Array:
    """Levels (N, C, H, W), each as likely as the others."""
    shape = (images, *model_settings["image_shape"])
    return np.random.default_rng(1).integers(0, model_settings["levels"], shape, dtype=np.uint8)


def random_uniforms(model_settings: Settings, images: int) -> Array:
    """The randomness of draws, float64 (N, H, W, C): that of ``genlab.sample(model, n=images, seed=0)``."""
    channels, height, width = model_settings["image_shape"]
    return np.random.Generator(np.random.Philox(key=0)).random((images, height, width, channels))


def parameter_names(model: Any) -> list[str]:
    """Names of the model's parameters in their order, without the name of the container that holds the layers."""
    return [name.split(".", 1)[1] for name, _ in model.named_parameters()]
