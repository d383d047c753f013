"""Autoencoder: x̂ = g(f(x)) through a bottleneck, min Σ (x − x̂)² (Rumelhart, Hinton and Williams 1986; Hinton and Salakhutdinov 2006).

f is an encoder, g a decoder whose outputs go through σ; x are intensities from 0 to 1. With `denoising`, that share of an image's pixels is
set to 0 before it is encoded, and the whole image is to come back (Vincent et al. 2008): what is learned must then say more than a copy.

NOTE: an autoencoder is no distribution over images: nothing says where codes lie. To draw from it all the same, codes come from the normal
distribution with the mean and the covariance of the codes seen in training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from genlab.models.latent.settings import NetworkSettings

if TYPE_CHECKING:
    from genlab.models.latent.reconstructing import Autoencoder


class Settings(NetworkSettings):
    """What an autoencoder is made of."""

    bottleneck: int = Field(16, ge=1, le=64, description="Numbers in a code.")
    denoising: float = Field(0.0, ge=0, lt=1, description="Share of an image's pixels that are blotted out before it is encoded; 0: none.")


def create(name: str, settings: Settings) -> Autoencoder:
    """The model of these settings, with random weights."""
    from genlab.models.latent.reconstructing import Autoencoder

    return Autoencoder(name, settings)
