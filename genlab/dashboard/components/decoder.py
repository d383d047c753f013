"""A model's decoder, small enough to be sent to the browser and to decode there as often as a pointer moves.

Sent are the layers of a plain network (`genlab.browser.networks`), their weights as float16, and which distribution over levels its maps
stand for. `decoder.js` computes what they do.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlab.browser import base64
from genlab.browser.networks import Network, decoder_network


@dataclass(frozen=True, eq=False)
class Decoder:
    """A plain network from a code to a picture.

    Attributes:
        shape: Of a picture, ``(C, H, W)``.
        levels: Number of levels.
        likelihood: What the last layer's maps mean, a kind of `genlab.models.latent.observation.Observation`.
        network: The layers.
    """

    shape: tuple[int, int, int]
    levels: int
    likelihood: str
    network: Network

    @cached_property
    def weights(self) -> NDArray[np.float16]:
        """What is sent: of each layer the weight, then the bias."""
        return self.network.flat().astype(np.float16)

    def as_data(self) -> dict[str, Any]:
        """For the browser, which makes another decoder only where the name is another."""
        return {
            "id": sha256(self.weights.tobytes()).hexdigest()[:16],
            "shape": self.shape,
            "levels": self.levels,
            "likelihood": self.likelihood,
            "mapped": self.network.mapped,
            "steps": list(self.network.steps),
            "weights": base64(self.weights),
        }


def decoder_of(model: Any) -> Decoder:
    """The decoder of a model with the ability ``"latent"``.

    Raises:
        InputError: It is not made of such layers alone, or does more than they do.
    """
    network, likelihood = decoder_network(model)
    return Decoder(model.domain.shape, model.domain.levels, likelihood, network)
