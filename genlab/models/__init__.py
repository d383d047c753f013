"""The systems of the lecture. A model file only builds a list of nodes; it knows nothing of C++."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genlab.errors import unknown_name

if TYPE_CHECKING:
    from genlab.causal import Graph
    from genlab.models.causal_model import CausalModel

_HOME = {"pixelcnn": "genlab.models.pixelcnn"}


def list_models() -> list[str]:
    """The names that `create_model` knows."""
    return sorted(_HOME)


def settings_class(name: str) -> Any:
    """The pydantic settings of a model, the one source for options, forms and ``config.json``.

    Raises:
        InputError: The name is unknown; the answer lists the known ones.
    """
    return _module(name).Settings


def build_graph(name: str, **settings: Any) -> Graph:
    """The list of nodes of a model, without its parameters; loads no torch.

    Raises:
        InputError: As for `create_model`.
    """
    from genlab.settings import validate

    module = _module(name)
    graph: Graph = module.build(validate(module.Settings, settings))
    return graph


def create_model(name: str, **settings: Any) -> CausalModel:
    """A new model with random weights (torch's generator decides them).

    Args:
        name: One of `list_models`.
        **settings: The model's settings, such as ``image_shape=(1, 28, 28), levels=2, channels=32, blocks=7`` for ``"pixelcnn"``.

    Raises:
        InputError: An unknown name, or a setting that is unknown or out of range.
    """
    from genlab.models.causal_model import CausalModel
    from genlab.settings import validate

    module = _module(name)
    checked = validate(module.Settings, settings)
    return CausalModel(name, checked, module.build(checked))


def _module(name: str) -> Any:
    from importlib import import_module

    if name not in _HOME:
        raise unknown_name("model", name, _HOME)
    return import_module(_HOME[name])
