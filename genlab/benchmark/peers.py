"""Which file holds the independent torch module of which system: a line each.

Such a file has ``peer_of(model, form, layout)``: the twin of a genlab model, with its weights, as a torch module with ``loss(images)``. If
its ``forward`` does not return logits (N, levels, H, W) of images of one channel, the file also has its own ``sample_naive``, which is
called like that of `genlab.benchmark.torch_peers`. A twin whose parameters are named as genlab's lets loss and gradients be compared.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

FILES = {
    "pixelcnn": "torch_peers",
    "gated_pixelcnn": "gated_peer",
    "row_lstm": "recurrent_peer",
    "diagonal_bilstm": "recurrent_peer",
    "pixelcnn_pp": "pixelcnn_pp_peer",
}


def module_of(system: str) -> ModuleType:
    """The file of a system; loads torch."""
    return import_module(f"genlab.benchmark.{FILES[system]}")


def peer_of(model: Any, form: str, layout: str) -> Any:
    """The twin of a model, in a form of its convolutions and a memory layout."""
    return module_of(model.name).peer_of(model, form, layout)


def sample_naive(model: Any, twin: Any, uniforms: Any, layout: str, pixels: int) -> Any:
    """The first `pixels` of images by one full forward pass of the twin for each, as its file or the common one does it."""
    from genlab.benchmark import torch_peers

    draw = getattr(module_of(model.name), "sample_naive", torch_peers.sample_naive)
    return draw(twin, uniforms, layout, pixels)
