"""Networks, images and randomness for the cases: functions of their settings alone, so that every process makes the same ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from genlab.benchmark.table import Array, Settings

# van den Oord et al. 2016 for binary MNIST: 101,570 parameters, 64 channels wide.
YARDSTICK = {"family": "pixelcnn", "image_shape": [1, 28, 28], "levels": 2, "channels": 32, "blocks": 7}


def random_model(settings: Settings) -> Any:
    """A network whose weights and biases all matter, with a likelihood and a list of nodes; torch's own generator is left as it was.

    Args:
        settings: ``family``, a name of the catalogue, and the model's settings.
    """
    import torch

    from genlab.models import create_model

    sizes = {name: value for name, value in settings.items() if name != "family"}
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        model = create_model(settings["family"], **sizes)
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.1)
    return model


def describe(settings: Settings) -> str:
    """The network in words: ``PixelCNN of 28×28, 64 channels wide, 7 blocks``."""
    channels, height, width = settings["image_shape"]
    image = f"{height}×{width}{' in colour' if channels == 3 else ''}"
    if settings["family"] == "pixelcnn":
        return f"PixelCNN of {image}, {2 * settings['channels']} channels wide, {settings['blocks']} blocks"
    depth = ", ".join(f"{settings[name]} {name}" for name in ("layers", "blocks", "mixtures") if name in settings)
    return f"{settings['family']} of {image}, {settings['channels']} channels, {depth}"


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
