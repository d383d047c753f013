"""The catalogue's systems made small, stated once: a system that lands is held to its family's tests by its line in the catalogue."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import genlab
from genlab.domain import Batch
from genlab.models import entries, settings_class

# What makes a system small, where it has such a setting.
SMALL: dict[str, Any] = {
    "image_shape": (1, 4, 4),
    "levels": 2,
    "channels": 4,
    "blocks": 1,
    "layers": 2,
    "first_kernel": 3,
    "mixtures": 2,
    "hidden": 8,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "binary": {},
    "colour": {"levels": 3},
    "classes": {"classes": 3},
    "small": {"given": "small", "factor": 2},
}
SIZES = {
    "listed": {"colour": (2, 1), "small": (2, 2), "usual": (2, 3)},
    "seen": {"colour": (3, 4), "small": (4, 4), "usual": (5, 4)},
}


@dataclass(frozen=True)
class Own:
    """What a system needs that others do not.

    Attributes:
        settings: On top of `SMALL`.
        sizes: Height and width in place of `SIZES`, by use and variant.
        variants: Names in `VARIANTS` that it can be.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    sizes: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    variants: tuple[str, ...] = tuple(VARIANTS)


OWN: dict[str, Own] = {
    "gated_pixelcnn": Own(settings={"channels": 6}),  # of 4 channels too few are alive before the last ReLU
    "wave_pixelcnn": Own(
        settings={"image_shape": (1, 1, 16)}, sizes={"listed": {"usual": (1, 6)}, "seen": {"usual": (1, 16)}}, variants=("binary",)
    ),
    "realnvp": Own(settings={"depth": 1, "bins": 4}),
    "lapgan": Own({"scales": 2}),
    # An image must not be smaller than the strides.
    "pixelcnn_pp": Own({"strides": 1, "dropout": 0.3}, {"listed": {"colour": (2, 2), "usual": (2, 3)}}),
}

CAUSAL = [entry.name for entry in entries() if "causal" in entry.abilities]
CASES = [
    (name, variant)
    for name in CAUSAL
    for variant in OWN.get(name, Own()).variants
    if VARIANTS[variant].keys() <= settings_class(name).model_fields.keys()
]


def small(name: str, *, seed: int = 0, **settings: Any) -> Any:
    """A system as small as can be, with weights that follow from the seed."""
    fields = settings_class(name).model_fields
    chosen = {setting: value for setting, value in SMALL.items() if setting in fields}
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return genlab.create_model(name, **{**chosen, **OWN.get(name, Own()).settings, **settings})


def causal(name: str, variant: str, use: str) -> Any:
    """A causal system whose predictions depend much on what is before them; its images are so few that they can be listed, or larger."""
    kind = variant if variant in SIZES[use] else "usual"
    height, width = OWN.get(name, Own()).sizes.get(use, {}).get(kind, SIZES[use][kind])
    colours = {"listed": 2, "seen": 3}[use] if variant == "colour" else 1
    model = small(name, image_shape=(colours, height, width), **VARIANTS[variant])
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter, tensor in model.named_parameters():
            if parameter.endswith("bias"):
                tensor.copy_(0.3 * torch.randn(tensor.shape, generator=generator))
        seen = batch(model.eval(), 8)
        logits = model.logits(seen, backend="torch")
        # Predictions that are neither all alike nor all certain.
        model.nodes[model.graph.output].weight.mul_((1 / (logits - logits.mean(-1, keepdim=True)).std()).clamp(1, 12))
    return model


def images(model: Any, n: int, seed: int = 0) -> NDArray[np.uint8]:
    """Random images."""
    return np.random.default_rng(seed).integers(0, model.levels, (n, *model.image_shape), dtype=np.uint8)


def known(model: Any, n: int) -> dict[str, Any]:
    """What the model must know before `n` images: classes, smaller images, and random maps of its other given nodes."""
    generator = np.random.default_rng(7)
    maps: dict[str, Any] = {}
    for node in model.graph.given:
        if node.condition is not None:
            maps[node.name] = generator.integers(0, model.levels, (n, *node.condition.shape), dtype=np.uint8)
        elif node.name != "labels":
            size = (1, 1) if node.everywhere else model.image_shape[1:]
            maps[node.name] = generator.standard_normal((n, node.channels, *size)).astype(np.float32)
    return {**({"labels": np.arange(n) % model.classes} if model.classes else {}), **({"given": maps} if maps else {})}


def to_draw(model: Any, n: int) -> dict[str, Any]:
    """The same as options of `genlab.sample`."""
    before = known(model, n)
    return {{"given": "condition"}.get(name, name): value for name, value in before.items()}


def batch(model: Any, n: int) -> Batch:
    """The same beside random images."""
    before = known(model, n)
    return Batch(images(model, n), before.get("labels"), before.get("given", {}))
