"""How the classifier was made: ``python -m genlab.digit_features.made`` trains it on MNIST, half of it made 8×8, and writes its weights.

Two epochs are enough: what matters is that digits lie together, not the last tenth of a percent.
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from genlab.datasets import load_dataset
from genlab.digit_features.network import BOX, SIDE, WEIGHTS, Classifier

_EPOCHS, _BATCH, _RATE = 3, 100, 2e-3


def main() -> None:
    """Train, score and write."""
    data = load_dataset("mnist")
    torch.manual_seed(0)
    network = Classifier()
    optimiser = torch.optim.Adam(network.parameters(), _RATE)
    steps = _EPOCHS * (len(data.train) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, steps)
    rng = np.random.default_rng(0)
    for _ in range(_EPOCHS):
        order = rng.permutation(len(data.train))
        for start in range(0, len(order) - _BATCH + 1, _BATCH):
            chosen = order[start : start + _BATCH]
            ink = _ink(data.train.images[chosen])
            half = _BATCH // 2
            logits = torch.cat([network(_coarse(ink[:half]))[1], network(ink[half:])[1]])
            loss = nn.functional.cross_entropy(logits, torch.from_numpy(data.train.labels[chosen]))  # type: ignore[index]
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    network.eval()
    with torch.no_grad():
        for what, images in (("28×28", _ink(data.test.images)), ("8×8", _coarse(_ink(data.test.images)))):
            right = (network(images)[1].argmax(1).numpy() == data.test.labels).mean()
            print(f"{what}: {right:.4f} of MNIST's test images right", file=sys.stderr)
    save_file({name: tensor.half().contiguous() for name, tensor in network.state_dict().items()}, WEIGHTS)


def _ink(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images).float() / 255


def _coarse(ink: torch.Tensor) -> torch.Tensor:
    """A digit at 8×8 pixels, without its margin, as the digits that have that size are."""
    margin = (SIDE - BOX) // 2
    return nn.functional.interpolate(ink[:, :, margin:-margin, margin:-margin], (8, 8), mode="area")


if __name__ == "__main__":
    main()
