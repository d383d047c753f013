"""The systems of the lecture: what a model promises (`contract`), which there are (`catalogue`), and a folder for each family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genlab.models.catalogue import Entry, entries, entry, module_of, register

if TYPE_CHECKING:
    from genlab.causal import Graph

__all__ = ["Entry", "build_graph", "create_model", "entries", "entry", "list_models", "register", "settings_class"]


def list_models() -> list[str]:
    """The names that `create_model` knows."""
    return sorted(line.name for line in entries())


def settings_class(name: str) -> Any:
    """The pydantic settings of a model, the one source for options, forms and ``config.json``.

    Raises:
        InputError: The name is unknown; the answer lists the known ones.
    """
    return module_of(name).Settings


def build_graph(name: str, **settings: Any) -> Graph:
    """The list of nodes of an autoregressive model, without its parameters; loads no torch.

    Raises:
        InputError: As for `create_model`.
    """
    from genlab.settings import validate

    module = module_of(name)
    graph: Graph = module.build(validate(module.Settings, settings))
    return graph


def create_model(name: str, **settings: Any) -> Any:
    """A new model with random weights (torch's generator decides them).

    Args:
        name: One of `list_models`.
        **settings: The model's settings, such as ``image_shape=(1, 28, 28), levels=2, channels=32, blocks=7`` for ``"pixelcnn"``.

    Raises:
        InputError: An unknown name, or a setting that is unknown or out of range.
    """
    from genlab.settings import validate

    module = module_of(name)
    return module.create(name, validate(module.Settings, settings))
