"""What the networks of all latent models are made of; knows no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from genlab.settings import Settings as _Settings

Network = Literal["dense", "convolutional"]


class NetworkSettings(_Settings):
    """An encoder and a decoder."""

    image_shape: tuple[int, int, int] = Field((1, 28, 28), description="Channels, height and width of an image.")
    levels: int = Field(2, ge=2, le=256, description="Number of values a pixel can take.")
    encoder: Network = Field("dense", description="The encoder's network: fully connected (dense) or convolutional.")
    decoder: Network = Field("dense", description="The decoder's network: fully connected (dense) or convolutional.")
    hidden: int = Field(400, ge=1, le=8192, description="Units of each fully connected hidden layer.")
    layers: int = Field(2, ge=1, le=16, description="Fully connected hidden layers of a dense network.")
    channels: int = Field(
        16, ge=1, le=512, description="Maps of the finest layer of a convolutional network; the coarser one has twice as many."
    )
    blocks: int = Field(0, ge=0, le=16, description="Residual blocks of two 3×3 convolutions at each size of a convolutional network.")


Likelihood = Literal["bernoulli", "categorical", "logistic"]
