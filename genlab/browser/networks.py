"""A plain network as a browser runs it (`decoder.js`): dense layers, transposed convolutions and residual blocks.

    h ← a(W h + b)      or, strewn over a larger map,      h ← a(W ᵀ∗ h + b)      or      h ← h + W₂ ∗ silu(W₁ ∗ silu(h) + b₁) + b₂

A batch norm at rest is a scale and a shift for each channel, y = γ (x − m) / √(v + ε) + β, so it is folded into the layer before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genlab.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

Shape = tuple[int, int, int]
Parameters = tuple[NDArray[np.float32], ...]
_TRIED = 8  # codes on which a model and the layers found in it must agree
_AGREEMENT = 1e-4
_SLOPE = 0.2  # of a leaky ReLU below 0, the only one that is known here


@dataclass(frozen=True, eq=False)
class Network:
    """Layers, one after another.

    Attributes:
        steps: What each layer is: ``kind`` (``"dense"``, ``"transposed"`` or ``"residual"``), sizes, and the ``activation`` behind it.
        parameters: Of each layer the weight, as torch has it, and the bias; of a residual block those of both convolutions.
        mapped: Height and width of the last maps; what is more than the picture's is cut off.
    """

    steps: tuple[dict[str, Any], ...]
    parameters: tuple[Parameters, ...]
    mapped: tuple[int, int]

    def flat(self) -> NDArray[np.float32]:
        """All numbers, of each layer the weight, then the bias."""
        return np.concatenate([values.ravel() for layer in self.parameters for values in layer])

    def with_parameters(self, parameters: Sequence[Parameters]) -> Network:
        """The same layers with other numbers."""
        return replace(self, parameters=tuple(parameters))

    def maps(self, codes: Tensor) -> Tensor:
        """What comes out of codes ``(N, inputs)``, ``(N, outputs, height, width)``, as the browser computes it."""
        import torch
        from torch.nn import functional

        activations: dict[str, Any] = {
            "none": lambda values: values,
            "silu": functional.silu,
            "relu": torch.relu,
            "leaky_relu": lambda values: functional.leaky_relu(values, _SLOPE),
            "tanh": torch.tanh,
        }
        values = codes
        for step, layer in zip(self.steps, self.parameters, strict=True):
            weight, bias, *second = (torch.from_numpy(part).to(codes) for part in layer)
            if step["kind"] == "dense":
                values = functional.linear(values, weight, bias)
            elif step["kind"] == "residual":
                values = values.reshape(len(codes), step["inputs"], *step["size"])
                hidden = functional.silu(functional.conv2d(functional.silu(values), weight, bias, padding=step["kernel"] // 2))
                values = values + functional.conv2d(hidden, second[0], second[1], padding=step["kernel"] // 2)
            else:
                values = values.reshape(len(codes), step["inputs"], *step["from"])
                values = functional.conv_transpose2d(values, weight, bias, stride=step["stride"], padding=step["padding"])
            values = activations[step["activation"]](values)
        return values.reshape(len(codes), -1, *self.mapped)


def plain_network(module: object, shape: Shape) -> Network | None:
    """The layers of a network from rows of numbers to pictures of that shape; None where it has layers of another kind.

    Whether it does more than its layers say only its values can tell: compare them.
    """
    import torch

    if not isinstance(module, torch.nn.Module):
        return None
    leaves = list(_leaves(module))
    strides = [leaf.stride[0] for leaf in leaves if isinstance(leaf, torch.nn.ConvTranspose2d)]
    by = int(np.prod(strides)) if strides else 1
    size = (-(-shape[1] // by), -(-shape[2] // by))  # of the coarsest maps: the picture's, divided by all strides and rounded up
    steps: list[dict[str, Any]] = []
    parameters: list[Parameters] = []
    for leaf in leaves:
        if isinstance(leaf, torch.nn.Linear | torch.nn.ConvTranspose2d):
            step, size = _step(leaf, size)
            steps.append(step)
            parameters.append((_array(leaf.weight), _array(leaf.bias) if leaf.bias is not None else np.zeros(step["outputs"], np.float32)))
        elif _is_residual(leaf) and steps:
            block: Any = leaf
            first, second = block.first, block.second
            sizes = {"inputs": first.in_channels, "outputs": first.in_channels, "kernel": first.kernel_size[0], "size": size}
            steps.append({"kind": "residual", **sizes, "activation": "none"})
            parameters.append(tuple(_array(part) for layer in (first, second) for part in (layer.weight, layer.bias)))
        elif isinstance(leaf, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d) and steps and steps[-1]["activation"] == "none":
            parameters[-1] = _folded(leaf, steps[-1], parameters[-1])
        elif (activation := _activation(leaf)) and steps and steps[-1]["activation"] == "none":
            steps[-1]["activation"] = activation
        else:
            return None
    mapped = size if strides else shape[1:]
    return Network(tuple(steps), tuple(parameters), mapped) if steps else None


def _leaves(module: nn.Module) -> Iterator[nn.Module]:
    """Layers in their order; a residual block is one."""
    children = list(module.children())
    if not children or _is_residual(module):
        yield module
    else:
        for child in children:
            yield from _leaves(child)


def _is_residual(module: Any) -> bool:
    """Two convolutions that keep the channels, as in `genlab.models.latent.networks`; whether they are added up its values tell."""
    import torch

    layers = [getattr(module, name, None) for name in ("first", "second")]
    alike = all(isinstance(layer, torch.nn.Conv2d) and layer.in_channels == layer.out_channels for layer in layers)
    return alike and len(list(module.children())) == len(layers)


def decoder_network(model: Any) -> tuple[Network, str]:
    """The decoder of a model with the ability ``"latent"``, and what its maps mean: the kind of its `Observation`.

    Raises:
        InputError: It is not made of such layers alone, or does more than they do.
    """
    import torch

    network = plain_network(getattr(model, "decoder", None), model.domain.shape)
    if network is None:
        raise InputError(
            f"decoder must be made of dense layers and transposed convolutions to run in a browser; {model.name!r} has another"
        )
    observation = getattr(model, "observation", None)
    with torch.no_grad():
        codes = torch.randn(_TRIED, *model.latent_shape, generator=torch.Generator().manual_seed(0))
        maps = network.maps(codes)[:, :, : model.domain.shape[1], : model.domain.shape[2]]
        mean = maps.sigmoid() if observation is None else observation.expected(maps)
        expected = model.decode(codes)
    if mean.shape != expected.shape or not torch.allclose(mean, expected, atol=_AGREEMENT):
        raise InputError(f"decoder must do no more than its layers say to run in a browser; that of {model.name!r} does")
    return network, getattr(observation, "kind", "bernoulli")  # without one, the maps are logits of ink


def generator_network(model: Any) -> Network:
    """The generator of a model with the ability ``"judge"``.

    Raises:
        InputError: It is not made of such layers alone, or does more than they do.
    """
    import torch

    shape = model.domain.shape if model.domain.is_image else (model.domain.shape[0], 1, 1)
    network = plain_network(getattr(model, "generator", None), shape)
    if network is None:
        raise InputError(
            f"generator must be made of dense layers and transposed convolutions to run in a browser; {model.name!r} has another"
        )
    with torch.no_grad():
        noise = torch.randn(_TRIED, network.steps[0]["inputs"], generator=torch.Generator().manual_seed(0))
        expected = model.generator(noise).reshape(_TRIED, *shape)
        found = network.maps(noise)[:, :, : shape[1], : shape[2]]
    if not torch.allclose(found, expected, atol=_AGREEMENT):
        raise InputError(f"generator must do no more than its layers say to run in a browser; that of {model.name!r} does")
    return network


def _step(layer: nn.Linear | nn.ConvTranspose2d, size: tuple[int, int]) -> tuple[dict[str, Any], tuple[int, int]]:
    """What a layer is, and the size of its maps."""
    import torch

    if isinstance(layer, torch.nn.Linear):
        return {"kind": "dense", "inputs": layer.in_features, "outputs": layer.out_features, "activation": "none"}, size
    kernel, stride, padding = layer.kernel_size[0], layer.stride[0], int(layer.padding[0])
    larger = ((size[0] - 1) * stride - 2 * padding + kernel, (size[1] - 1) * stride - 2 * padding + kernel)
    step = {"kind": "transposed", "inputs": layer.in_channels, "outputs": layer.out_channels, "kernel": kernel, "stride": stride}
    return step | {"padding": padding, "from": size, "size": larger, "activation": "none"}, larger


def _activation(leaf: nn.Module) -> str | None:
    """The name by which the browser knows it."""
    import torch

    if isinstance(leaf, torch.nn.LeakyReLU):
        return "leaky_relu" if leaf.negative_slope == _SLOPE else None
    kinds = {torch.nn.SiLU: "silu", torch.nn.ReLU: "relu", torch.nn.Tanh: "tanh"}
    return next((name for kind, name in kinds.items() if isinstance(leaf, kind)), None)


def _folded(norm: nn.BatchNorm1d | nn.BatchNorm2d, step: dict[str, Any], parameters: Parameters) -> Parameters:
    """The layer before a batch norm, with what the norm does to each of its channels."""
    import torch

    assert norm.running_mean is not None
    assert norm.running_var is not None
    with torch.no_grad():
        scale = _array(norm.weight / (norm.running_var + norm.eps).sqrt())
        shift = _array(norm.bias) - _array(norm.running_mean) * scale
    weight, bias = parameters[:2]
    each = step["outputs"] // len(scale)  # pixels of a channel, where a dense layer makes maps
    scale, shift = scale.repeat(each), shift.repeat(each)
    across = (1, -1) + (1,) * (weight.ndim - 2) if step["kind"] == "transposed" else (-1, 1)
    return weight * scale.reshape(across), bias * scale + shift


def _array(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().float().numpy(force=True)
    return array
