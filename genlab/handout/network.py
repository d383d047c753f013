"""The hand-out of a plain network from a code to an example: a decoder, or a generator (`genlab.browser.networks`, run by `decoder.js`).

Cases are codes, and what torch makes of them with the weights that the page has, in float64: means as shares of ink, or points.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlab.browser.networks import Network, decoder_network, generator_network
from genlab.errors import InputError
from genlab.handout.described import Described, code_cases
from genlab.handout.numbers import Tensor
from genlab.models.contract import abilities


def describe(model: Any) -> Described:
    """The layers, and where codes come from.

    Raises:
        InputError: The network has layers of another kind, or does more than they do.
    """
    from genlab.handout.kinds import without

    try:
        if "judge" in abilities(model):
            network, likelihood = generator_network(model), "tanh" if model.domain.is_image else "point"
        else:
            network, likelihood = decoder_network(model)
    except InputError as error:
        raise without(model, f"has none: {error}") from None
    classes = getattr(model, "classes", 0)
    latents = network.steps[0]["inputs"] - classes
    mean, spread = _prior(model, latents)
    data: dict[str, Any] = {
        "latents": latents,
        "classes": classes,
        "shape": model.domain.shape,
        "levels": model.domain.levels,
        "likelihood": likelihood,
        "steps": network.steps,
        "mapped": network.mapped,
        "mean": mean,
        "spread": spread,
        "words": "the mean of what the decoder says of each value" if likelihood != "tanh" else "what the generator makes of a code",
    }
    if not model.domain.is_image:
        data |= {"scale": model.settings.spread, "middle": model.settings.middle, "centres": model.settings.centres}
    tensors = [part.reshape(len(part), -1) if part.ndim > 1 else part[None] for layer in network.parameters for part in layer]

    shapes = [part.shape for layer in network.parameters for part in layer]

    def cases(rounded: Sequence[Tensor]) -> list[dict[str, Any]]:
        parts = iter([values.reshape(shape) for values, shape in zip(rounded, shapes, strict=True)])
        own = network.with_parameters([tuple(next(parts) for _ in layer) for layer in network.parameters])
        return code_cases(data, lambda codes: _values(model, own, likelihood, codes))

    return Described(data, tensors, cases, "torch")


def _values(model: Any, network: Network, likelihood: str, codes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each code the example in the order of drawing: shares of ink, or the coordinates of a point."""
    import torch

    maps = network.maps(torch.from_numpy(codes))
    if likelihood == "point":
        points = maps.flatten(1) * model.settings.spread + torch.tensor(model.settings.middle, dtype=maps.dtype)
        return np.asarray(points.numpy(), np.float64)
    maps = maps[:, :, : model.domain.shape[1], : model.domain.shape[2]]
    if likelihood == "tanh":
        means = (maps + 1) / 2
    elif (observation := getattr(model, "observation", None)) is not None:
        means = observation.expected(maps)
    else:
        means = maps.sigmoid()
    return np.asarray(means.permute(0, 2, 3, 1).flatten(1).numpy(), np.float64)


def _prior(model: Any, latents: int) -> tuple[list[float], list[list[float]] | float]:
    """Codes are mean + ε · spread, ε standard normal: a matrix where an autoencoder has seen codes with a covariance."""
    if not hasattr(model, "code_square"):
        return [0.0] * latents, 1.0
    mean, square = (buffer.double().numpy() for buffer in (model.code_mean, model.code_square))
    variances, axes = np.linalg.eigh(square - np.outer(mean, mean))
    order = np.argsort(-variances)  # the widest first: what a map shows
    spread = (np.sqrt(np.maximum(variances, 0)) * axes)[:, order]
    return mean.round(6).tolist(), spread.T.round(6).tolist()
