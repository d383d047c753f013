"""A model's decoder, small enough to be sent to the browser and to decode there as often as a pointer moves.

Sent are the layers of a plain network, dense ones and transposed convolutions with a SiLU between two, their weights as float16, and which
distribution over levels its maps stand for. `decoder.js` computes what `maps_of` does here.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genlab.dashboard.components import base64
from genlab.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

_TRIED = 8  # codes on which the network and the layers found in it must agree
_AGREEMENT = 1e-4


@dataclass(frozen=True, eq=False)
class Decoder:
    """A plain network from a code to a picture.

    Attributes:
        shape: Of a picture, ``(C, H, W)``.
        levels: Number of levels.
        likelihood: What the last layer's maps mean, a kind of `genlab.models.latent.observation.Observation`.
        mapped: Height and width of those maps; what is more than the picture's is cut off.
        steps: What each layer is, with its weight and bias left out.
        weights: float16: of each layer the weight, then the bias.
    """

    shape: tuple[int, int, int]
    levels: int
    likelihood: str
    mapped: tuple[int, int]
    steps: tuple[dict[str, Any], ...]
    weights: NDArray[np.float16]

    def as_data(self) -> dict[str, Any]:
        """For the browser, which makes another decoder only where the name is another."""
        return {
            "id": sha256(self.weights.tobytes()).hexdigest()[:16],
            "shape": self.shape,
            "levels": self.levels,
            "likelihood": self.likelihood,
            "mapped": self.mapped,
            "steps": list(self.steps),
            "weights": base64(self.weights),
        }


def decoder_of(model: Any) -> Decoder:
    """The decoder of a model with the ability ``"latent"``.

    Raises:
        InputError: It is not made of such layers alone, or does more than they do.
    """
    import torch

    network = getattr(model, "decoder", None)
    layers = _layers(network) if isinstance(network, torch.nn.Module) else []
    if not layers:
        raise InputError(
            f"decoder must be made of dense layers and transposed convolutions to run in a browser; {model.name!r} has another"
        )
    observation = getattr(model, "observation", None)
    steps, mapped = _steps(layers, model.domain.shape)
    decoder = Decoder(
        shape=model.domain.shape,
        levels=model.domain.levels,
        likelihood=getattr(observation, "kind", "bernoulli"),  # without one, the maps are logits of ink
        mapped=mapped,
        steps=steps,
        weights=np.concatenate([_flat(each) for layer in layers for each in layer.parameters()]).astype(np.float16),
    )
    with torch.no_grad():
        codes = torch.randn(_TRIED, *model.latent_shape, generator=torch.Generator().manual_seed(0))
        maps = maps_of(layers, mapped, codes, model.domain.shape)
        mean = maps.sigmoid() if observation is None else observation.expected(maps)
        expected = model.decode(codes)
    if mean.shape != expected.shape or not torch.allclose(mean, expected, atol=_AGREEMENT):
        raise InputError(f"decoder must do no more than its layers say to run in a browser; that of {model.name!r} does")
    return decoder


def maps_of(layers: list[nn.Linear | nn.ConvTranspose2d], mapped: tuple[int, int], codes: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """The maps ``(N, C · parameters, H, W)`` of codes ``(N, latents)``, as the browser computes them."""
    import torch

    values = codes
    for number, layer in enumerate(layers):
        if isinstance(layer, torch.nn.ConvTranspose2d) and values.ndim == 2:
            values = values.reshape(len(codes), layer.in_channels, *_coarse(layers, shape))
        values = layer(values)
        if number < len(layers) - 1:
            values = torch.nn.functional.silu(values)
    return values.reshape(len(codes), -1, *mapped)[:, :, : shape[1], : shape[2]]


def _layers(network: nn.Module) -> list[nn.Linear | nn.ConvTranspose2d]:
    """The layers of a network in their order; none where it has others."""
    import torch

    leaves = [module for module in network.modules() if not list(module.children())]
    known = (torch.nn.Linear, torch.nn.ConvTranspose2d)
    if any(not isinstance(leaf, (*known, torch.nn.SiLU)) for leaf in leaves):
        return []
    return [leaf for leaf in leaves if isinstance(leaf, known)]


def _steps(layers: list[nn.Linear | nn.ConvTranspose2d], shape: tuple[int, int, int]) -> tuple[tuple[dict[str, Any], ...], tuple[int, int]]:
    """What each layer is, for the browser, and the size of the last one's maps."""
    import torch

    steps: list[dict[str, Any]] = []
    size = shape[1:]
    for number, layer in enumerate(layers):
        is_last = number == len(layers) - 1
        if isinstance(layer, torch.nn.Linear):
            steps.append({"kind": "dense", "inputs": layer.in_features, "outputs": layer.out_features, "isLast": is_last})
            continue
        before = size if steps and steps[-1]["kind"] == "transposed" else _coarse(layers, shape)
        kernel, stride, padding = layer.kernel_size[0], layer.stride[0], int(layer.padding[0])
        size = ((before[0] - 1) * stride - 2 * padding + kernel, (before[1] - 1) * stride - 2 * padding + kernel)
        steps.append(
            {
                "kind": "transposed",
                "inputs": layer.in_channels,
                "outputs": layer.out_channels,
                "kernel": kernel,
                "stride": stride,
                "padding": padding,
                "from": before,
                "size": size,
                "isLast": is_last,
            }
        )
    return tuple(steps), size


def _coarse(layers: list[nn.Linear | nn.ConvTranspose2d], shape: tuple[int, int, int]) -> tuple[int, int]:
    """Height and width of the coarsest maps: the picture's, divided by all strides and rounded up."""
    import torch

    by = 1
    for layer in layers:
        by *= layer.stride[0] if isinstance(layer, torch.nn.ConvTranspose2d) else 1
    return -(-shape[1] // by), -(-shape[2] // by)


def _flat(parameter: Tensor) -> NDArray[np.float32]:
    flat: NDArray[np.float32] = parameter.detach().float().numpy().ravel()
    return flat
