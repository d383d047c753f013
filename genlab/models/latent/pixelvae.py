"""PixelVAE: a VAE whose decoder is a causal list (Gulrajani et al. 2017; Chen et al. 2017, "Variational Lossy Autoencoder").

    p(x | z) = ∏_i p(x_i | x_1 … x_{i−1}, g(z))

A code z is decoded to a map g(z) of the image's size. The list of a Gated PixelCNN takes it as a given node: two convolutions see it on
all sides, and every gate adds what they found. So the latent says what the whole looks like, and texture is modelled exactly, pixel after
pixel, by the native walk: log p(x | z) and a draw are its own, and the gradient of the map goes on into the network that decoded it.

NOTE: a list that sees far needs no latent, and leaves it alone (the KL goes to 0). Two or three layers see some pixels around; the latent
then has something to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from genlab.models.causal import gated_pixelcnn
from genlab.models.latent.settings import Network
from genlab.models.latent.vae import VariationalSettings

if TYPE_CHECKING:
    from genlab.causal import Graph
    from genlab.models.latent.variational_pixels import PixelVAE

DECODED = "decoded"
"""The given node of the list: the map that a code is decoded to."""


class Settings(VariationalSettings):
    """What a PixelVAE is made of."""

    decoder: Network = Field("convolutional", description="The network from a code to its map: fully connected (dense) or convolutional.")
    maps: int = Field(8, ge=1, le=256, description="Channels of the map that a code is decoded to.")
    causal_channels: int = Field(16, ge=1, le=1024, description="Feature maps of each stack of the causal list, a Gated PixelCNN.")
    causal_layers: int = Field(3, ge=1, le=100, description="Gated layers of the causal list, the first included.")
    first_kernel: int = Field(5, ge=3, le=63, description="Side of the first gated layer's kernels, an odd number.")


def build(settings: Settings) -> Graph:
    """The list of nodes, which takes the decoded map as given."""
    causal = gated_pixelcnn.Settings(
        image_shape=settings.image_shape,
        levels=settings.levels,
        channels=settings.causal_channels,
        layers=settings.causal_layers,
        first_kernel=settings.first_kernel,
        dilations=(1,),
    )
    return gated_pixelcnn.build(causal, {DECODED: settings.maps})


def create(name: str, settings: Settings) -> PixelVAE:
    """The model of these settings, with random weights."""
    from genlab.models.latent.variational_pixels import PixelVAE

    return PixelVAE(name, settings)
