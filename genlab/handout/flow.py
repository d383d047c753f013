"""The hand-out of a flow: x = f⁻¹(z), layer by layer back from noise (`flow.js`).

What a norm and a 1×1 convolution do backwards is a few numbers, kept in float32; the couplings' networks and the splines of each pixel are
rounded with all other weights. Cases are codes, and what torch makes of them in float64 with the weights that the page has.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genlab.handout.described import Described, code_cases
from genlab.handout.numbers import Tensor

if TYPE_CHECKING:
    import torch


def describe(model: Any) -> Described:
    """The layers in the order of the way to noise.

    Raises:
        InputError: It is a flow of another make, or of points that are not in a plane.
    """
    from genlab.handout.kinds import without

    body: Any = getattr(model, "body", None)
    if not hasattr(body, "squeezes"):
        raise without(model, "is no flow of couplings")
    if not model.domain.is_image and model.domain.shape != (2,):
        raise without(model, f"draws points of {model.domain.shape[0]} numbers")
    settings = model.settings
    data = {
        "latents": model.domain.size,
        "classes": 0,
        "shape": model.domain.shape,
        "levels": model.domain.levels,
        "mean": 0,
        "spread": 1,
        "words": "what the flow makes of each code",
        "squeezes": body.squeezes,
        "coupling": settings.coupling,
        "hidden": settings.hidden,
        "scales": [
            ["own" if hasattr(layer, "weight") else "mixed" if layer.mix is not None else "step" for layer in scale]
            for scale in body.scales
        ],
    }
    tensors = [tensor for layer in _layers(model) for tensor in _tensors(layer)]

    def cases(rounded: Sequence[Tensor]) -> list[dict[str, Any]]:
        own = _with_parameters(model, rounded)
        return code_cases(data, lambda codes: _values(own, codes))

    return Described(data, tensors, cases, "torch")


def _layers(model: Any) -> Iterator[Any]:
    for scale in model.body.scales:
        yield from scale


def _rounded_parameters(layer: Any) -> list[torch.Tensor]:
    """What the page has rounded, as torch holds it."""
    if hasattr(layer, "weight"):
        return [layer.weight]
    network = layer.coupling.network
    return [network.place, network.first.weight, network.middle.weight, network.last.weight]


def _tensors(layer: Any) -> list[Tensor]:
    """Of a layer first what is rounded, then vectors: biases, and how norm and 1×1 convolution lead back."""
    matrices = [_matrix(parameter.detach().float().numpy(force=True)) for parameter in _rounded_parameters(layer)]
    if hasattr(layer, "weight"):
        return matrices
    norm, network = layer.norm, layer.coupling.network
    vectors = [network.middle.bias, network.last.bias, norm.shift, norm.spread * (-norm.log_scale).exp(), norm.mean]
    told = [vector.detach().float().numpy(force=True).reshape(1, -1) for vector in vectors]
    if layer.mix is not None:
        lower, upper = (factor.detach().double().numpy(force=True) for factor in layer.mix._factors())
        back = np.linalg.inv(lower[layer.mix.order.numpy(force=True)] @ upper)
        told.append(back.astype(np.float32).reshape(1, -1))
    return matrices + told


def _matrix(array: NDArray[np.float32]) -> Tensor:
    """A row for each output of a convolution, for each number of a spline, for each feature of a place."""
    rows = array.shape[1] if array.shape[0] == 1 else array.shape[0]
    return array.reshape(rows, -1)


def _with_parameters(model: Any, tensors: Sequence[Tensor]) -> Any:
    """A copy of the model in float64 whose weights are those."""
    import torch

    model = copy.deepcopy(model).double()
    waiting = iter(tensors)
    with torch.no_grad():
        for layer in _layers(model):
            parameters = _rounded_parameters(layer)
            told = [next(waiting) for _ in _tensors(layer)]
            for parameter, tensor in zip(parameters, told, strict=False):
                parameter.copy_(torch.from_numpy(tensor).reshape(parameter.shape))
    return model


def _values(model: Any, codes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each code the example in the order of drawing: points, or shares of ink."""
    import torch

    with torch.no_grad():
        found = model.inverse(torch.from_numpy(codes).reshape(-1, *model.latent_shape)).numpy()
    if not model.domain.is_image:
        return np.asarray(found, np.float64)
    return np.asarray(found.transpose(0, 2, 3, 1).reshape(len(codes), -1) / model.domain.levels, np.float64)
