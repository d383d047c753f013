"""The smallest real thing to train: binary 8×8 digits and a PixelCNN of one block with four channels."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import torch

import genlab
from genlab.datasets import Dataset
from genlab.models.causal.model import CausalModel
from genlab.runs import Run

STEPS_PER_EPOCH = 23  # 1437 digits in batches of 64


@functools.cache
def digits(binarize: Any = "threshold") -> Dataset:
    return genlab.load_dataset("digits", binarize=binarize)


def tiny_model(seed: int = 0, **settings: Any) -> CausalModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return genlab.create_model("pixelcnn", **{"image_shape": (1, 8, 8), "levels": 2, "channels": 4, "blocks": 1, **settings})


def tiny_run(out: Path, *, epochs: int = 1, **settings: Any) -> Run:
    """A run that was trained to its end."""
    return genlab.train(tiny_model(), digits(), epochs=epochs, out=out, **settings)
