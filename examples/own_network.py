"""A causal network of one's own: a list of nodes, entered in the catalogue, then checked, trained and drawn from like any other.

python examples/own_network.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from pydantic import Field

import genlab
from genlab.causal import Categorical, Graph, GraphBuilder
from genlab.models import Entry, register
from genlab.models.causal.model import CausalModel
from genlab.settings import Settings as BaseSettings
from genlab.testing import check_graph


# --8<-- [start:network]
class Settings(BaseSettings):
    """What the network is made of; each field is a `--set` of the command line and a widget of the dashboard."""

    image_shape: tuple[int, int, int] = Field(default=(1, 8, 8), description="Channels, height and width of an image.")
    levels: int = Field(default=2, ge=2, le=256, description="Number of values a pixel can take.")
    channels: int = Field(default=16, ge=1, le=256, description="Feature maps of a layer.")


def build(settings: Settings) -> Graph:
    """The first convolution does not see the pixel itself (mask A), the second does (mask B): p(x_i | x_1 … x_{i−1})."""
    nodes = GraphBuilder(settings.image_shape, scale=2 / (settings.levels - 1), shift=-1)
    first = nodes.conv("first", nodes.image, settings.channels, kernel_size=5, mask_type="A")
    second = nodes.conv("second", nodes.relu("first_relu", first), settings.channels, kernel_size=3)
    joined = nodes.add("joined", second, first)
    levels = Categorical(settings.levels)
    output = nodes.conv("output", nodes.relu("joined_relu", joined), levels.output_channels(settings.image_shape[0]))
    return nodes.build(output, levels)


def create(name: str, settings: Settings) -> CausalModel:
    """The model of these settings, with random weights."""
    return CausalModel(name, settings, build(settings))


register(Entry("two_layers", __name__, "autoregressive", frozenset({"likelihood", "causal"}), "you, today", "Two masked convolutions."))
# --8<-- [end:network]


def main() -> None:
    """Check the list, train it on real digits, draw, score."""
    for found in check_graph(build(Settings(image_shape=(1, 3, 3), channels=4))):
        print(found)
    data = genlab.load_dataset("digits", binarize="threshold")
    torch.manual_seed(0)
    model = genlab.create_model("two_layers", image_shape=data.image_shape, levels=data.levels)
    with tempfile.TemporaryDirectory() as folder:
        run = genlab.train(model, data, steps=200, out=Path(folder) / "run")
        print(f"{genlab.evaluate(run, data).nats:.2f} nats an image")
    images = genlab.sample(model, 16, seed=0)  # natively: one forward pass in all
    print(f"the model gives its own images {genlab.log_prob(model, images).mean():.2f} nats")


if __name__ == "__main__":
    main()
