"""PixelRNN with Row LSTM: a state for each pixel from the three above it, a whole row at once.

van den Oord, Kalchbrenner and Kavukcuoglu 2016, "Pixel Recurrent Neural Networks", section 3.1; the layers around it stand in
`genlab.models.causal.recurrent`:

    a = K_is ∗ x + K_ss ∗ h(row above)              K_is 1×3 mask B, for the whole map at once;  K_ss 1×3, centred, unmasked
    i, f, o = σ(a₁), σ(a₂), σ(a₃);   c = f ⊙ c(row above) + i ⊙ tanh(a₄);   h = o ⊙ tanh(c)

Within a row no state waits for another. Row by row the context widens by a pixel to each side: a triangle, and beside it what the first
convolution and K_is see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genlab.causal import Graph, GraphBuilder
from genlab.models.causal import recurrent
from genlab.models.causal.recurrent import Settings

if TYPE_CHECKING:
    from genlab.models.causal.model import CausalModel

__all__ = ["Settings", "build", "create"]

ABOVE = [(-1, -1), (-1, 0), (-1, 1)]


def build(settings: Settings) -> Graph:
    """The list of nodes."""
    return recurrent.build(settings, _state)


def create(name: str, settings: Settings) -> CausalModel:
    """The model of these settings, with random weights."""
    return recurrent.create(name, settings, build(settings))


def _state(builder: GraphBuilder, layer: int, source: str, channels: int) -> str:
    name = f"layer{layer}"
    gates = builder.conv(f"{name}_gates", source, 4 * channels, kernel_size=(1, 3), parts=4)
    return builder.lstm(f"{name}_state", gates, taps=ABOVE, cell_tap=(-1, 0))
