"""Prior, encoder and decoder at one image, with the bound on log p(x) as a bar that splits into its parts; all computed in the browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlab.dashboard.components import base64, component
from genlab.dashboard.components.decoder import Decoder
from genlab.dashboard.components.walk import name_of

_mount = component("elbo", scripts=["decoder.js"])


@dataclass(frozen=True, eq=False)
class Scene:
    """What is known of one image.

    Attributes:
        image: Levels ``(C, H, W)``.
        mean: Of q(z | x), ``(latents,)``.
        std: Likewise.
        axes: The two latents that are shown and can be set by hand.
        nodes: Standard normal codes ``(n, latents)`` that stand for all of them in an expectation.
        weights: Of those, ``(n,)``, adding up to 1.
        window: From where to where the magnified plane goes in each of the two.
        posterior: p(z | x) over that window from its upper left, ``(side, side)``, 1 at its highest; None where nobody can compute it.
        evidence: log p(x) and its error, in nats; likewise.
    """

    image: NDArray[np.uint8]
    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    axes: tuple[int, int]
    nodes: NDArray[np.float32]
    weights: NDArray[np.float32]
    window: tuple[tuple[float, float], tuple[float, float]]
    posterior: NDArray[np.float32] | None
    evidence: tuple[float, float] | None


def elbo(decoder: Decoder, scene: Scene, *, identity: str, usual: float) -> None:
    """Show it.

    Args:
        decoder: p(x | z).
        scene: The image and q(z | x).
        identity: Another one begins anew.
        usual: What images cost on average, in nats: the bar is made for it.
    """
    data: dict[str, Any] = {
        "id": identity,
        "decoder": decoder.as_data(),
        "ink": base64(scene.image.transpose(1, 2, 0)),
        "mean": scene.mean.tolist(),
        "std": scene.std.tolist(),
        "axes": scene.axes,
        "names": [name_of(axis) for axis in scene.axes],
        "nodes": base64(scene.nodes.astype("<f4")),
        "weights": base64(scene.weights.astype("<f4")),
        "window": scene.window,
        "posterior": None if scene.posterior is None else {"count": len(scene.posterior), "values": base64(scene.posterior.astype("<f4"))},
        "exact": None if scene.evidence is None else {"value": scene.evidence[0], "error": scene.evidence[1]},
        "usual": usual,
    }
    _mount(data=data, key="elbo")
