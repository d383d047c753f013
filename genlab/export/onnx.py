"""A model's networks in the format that onnxruntime and many others read (Open Neural Network Exchange).

What can be exported is what a model is made of as plain functions of arrays: `Exportable.networks` names them. What draws at random or goes
pixel by pixel is no such function; a causal model hands on its logits, by which anyone can draw.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from genlab.errors import InputError, unknown_name
from genlab.models.contract import Exportable, PlainNetwork
from genlab.runs import write_aside


def networks(model: object) -> Mapping[str, PlainNetwork]:
    """What can be exported of a model, by name.

    Raises:
        InputError: Nothing can.
    """
    if not isinstance(model, Exportable):
        name = getattr(model, "name", type(model).__name__)
        raise InputError(f"model {name!r} names no networks that ONNX could hold; it needs a method networks()")
    return model.networks()


def write_onnx(model: nn.Module, path: Path, network: str | None = None) -> str:
    """Write one of a model's networks as an ONNX file, for batches of any size.

    Args:
        model: The model; it is exported at rest, without dropout and with its batch norms' running moments.
        path: The file.
        network: Its name, as `networks` gives them; None: the last of them, which draws.

    Returns:
        The network's name.

    Raises:
        InputError: The model has no such network, it does not take batches of any size, or the libraries are not installed.
        RunError: The disk is full or refuses.
    """
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InputError("ONNX files need onnx and onnxscript: pip install 'genlab[onnx]'") from error
    found = networks(model)
    name = list(found)[-1] if network is None else network
    if name not in found:
        raise unknown_name("network", name, found)
    chosen = found[name]
    batch = torch.export.Dim("batch", min=1)
    with _at_rest(model), _quiet(), torch.no_grad():
        program = torch.onnx.export(
            _Function(model, chosen.function),
            tuple(chosen.inputs.values()),
            dynamo=True,
            verbose=False,
            input_names=list(chosen.inputs),
            output_names=[chosen.output],
            dynamic_shapes=(tuple({0: batch} for _ in chosen.inputs),),
        )
    assert program is not None
    # What asks for len() of a tensor is exported for the example's batch alone.
    fixed = [given.name for given in program.model.graph.inputs if given.shape is None or isinstance(given.shape[0], int)]
    if fixed:
        raise InputError(
            f"network {name!r} of model {getattr(model, 'name', '')!r} goes through batches of one size alone: {', '.join(map(str, fixed))}"
        )
    file = BytesIO()
    program.save(file)  # type: ignore[arg-type]
    write_aside(path, file.getvalue())
    return name


class _Function(nn.Module):
    """A function of a model's as a module, which is what torch exports."""

    def __init__(self, model: nn.Module, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.model, self.function = model, function

    def forward(self, *inputs: Any) -> Tensor:
        return self.function(*inputs)


@contextmanager
def _at_rest(model: nn.Module) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter's remarks on libraries that are not there, and on its own deprecations, concern nobody here."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
