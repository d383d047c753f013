"""Networks, images and randomness for the cases: functions of their settings alone, so that every process makes the same ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from genlab.benchmark.table import Array, Settings

if TYPE_CHECKING:
    from genlab.models.causal_model import CausalModel

# van den Oord et al. 2016 for binary MNIST: 101,570 parameters, 64 channels wide.
YARDSTICK = {"image_shape": [1, 28, 28], "levels": 2, "channels": 32, "blocks": 7}


def random_model(settings: Settings) -> CausalModel:
    """A PixelCNN whose weights and biases all matter; torch's own generator is left as it was."""
    import torch

    from genlab.models import create_model

    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        model = create_model("pixelcnn", **settings)
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.1)
    return model


def random_levels(model_settings: Settings, images: int) -> Array:
    """Levels (N, C, H, W), each as likely as the others."""
    shape = (images, *model_settings["image_shape"])
    return np.random.default_rng(1).integers(0, model_settings["levels"], shape, dtype=np.uint8)


def random_uniforms(model_settings: Settings, images: int) -> Array:
    """The randomness of draws, float64 (N, H, W, C)."""
    channels, height, width = model_settings["image_shape"]
    return np.random.default_rng(2).random((images, height, width, channels))


def parameter_names(model: Any) -> list[str]:
    """Names of the model's parameters in their order, without the name of the container that holds the layers."""
    return [name.split(".", 1)[1] for name, _ in model.named_parameters()]
