"""PixelRNN with Diagonal BiLSTM: two states for each pixel, from above and from the left, from above and from the right.

van den Oord, Kalchbrenner and Kavukcuoglu 2016, "Pixel Recurrent Neural Networks", section 3.2; the layers around it stand in
`genlab.models.causal.recurrent`:

    a = K_is x + U₁ h(above) + U₂ h(before)                 K_is 1×1 mask B
    i, f, o = σ(a₁), σ(a₂), σ(a₃);   c = f ⊙ c(before) + i ⊙ tanh(a₄);   h = o ⊙ tanh(c)

where *before* is the pixel to the left in one half and to the right in the other, whose map is shifted down by a row so that no pixel sees
those to come; the two are added. Together they see every earlier pixel, in every layer. A diagonal of pixels waits for no other of its own.

NOTE: it is the half's input that is shifted here and not its output, which differs in the first row alone: there it sees zeros, and passes
on a state that follows from its biases.
NOTE: of the row above, what the first convolution shows at its last pixel does not include that pixel itself (mask A), and so the paper's
halves hide it from all pixels further to the left than that convolution reaches. Here the shifted half of the first layer also reads the
image above, which is known by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genlab.causal import Graph, GraphBuilder
from genlab.models.causal import recurrent
from genlab.models.causal.recurrent import Settings

if TYPE_CHECKING:
    from genlab.models.causal.model import CausalModel

__all__ = ["Settings", "build", "create"]


def build(settings: Settings) -> Graph:
    """The list of nodes."""
    return recurrent.build(settings, _state)


def create(name: str, settings: Settings) -> CausalModel:
    """The model of these settings, with random weights."""
    return recurrent.create(name, settings, build(settings))


def _state(builder: GraphBuilder, layer: int, source: str, channels: int) -> str:
    name = f"layer{layer}"
    right = builder.conv(f"{name}_right_gates", source, 4 * channels, parts=4)
    above = {"kernel_size": (3, 1), "taps": [(-1, 0)], "visit": "row", "parts": 4}
    left = builder.conv(f"{name}_left_gates", source, 4 * channels, **above)  # type: ignore[arg-type]
    if layer == 1:
        image = builder.conv(f"{name}_image_above", builder.image, 4 * channels, **above)  # type: ignore[arg-type]
        left = builder.add(f"{name}_left_sums", left, image)
    halves = (
        builder.lstm(f"{name}_right", right, taps=[(-1, 0), (0, -1)], cell_tap=(0, -1)),
        builder.lstm(f"{name}_left", left, taps=[(-1, 0), (0, 1)], cell_tap=(0, 1), scan="left"),
    )
    return builder.add(f"{name}_state", *halves)
