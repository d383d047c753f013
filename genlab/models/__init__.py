"""The systems of the lecture: what a model promises (`contract`), which there are (`catalogue`), and a folder for each family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genlab.errors import InputError
from genlab.models.catalogue import Entry, entries, entry, module_of, register

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genlab.causal import Graph

__all__ = ["Entry", "build_graph", "create_for", "create_model", "entries", "entry", "list_models", "register", "settings_class"]


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
        InputError: As for `create_model`, or the model is none of a list.
    """
    from genlab.settings import validate

    module = module_of(name)
    if not hasattr(module, "build"):
        raise InputError(f"model must be a list of nodes; {name!r} has none")
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


def create_for(data: Any, name: str, seed: int, settings: Mapping[str, Any]) -> Any:
    """A new model for the images of a dataset, with weights that follow from a seed.

    Args:
        data: The dataset; it decides the image's shape and levels.
        name: One of `list_models`.
        seed: Decides the weights.
        settings: The model's other settings.

    Raises:
        InputError: As for `create_model`; images for a model of points, or the other way round.
    """
    import torch

    from genlab.settings import FROM_DATA

    fields = settings_class(name).model_fields
    if (data.levels is None and "levels" in fields and fields["levels"].annotation is int) or (data.levels and "levels" not in fields):
        kind, other = ("points", "images") if data.levels else ("images", "points")
        raise InputError(f"data must be {kind} for model {name!r}; dataset {data.name!r} has {other}: {data.domain}")
    of_the_data = {each: getattr(data, each) for each in FROM_DATA if each in fields}
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return create_model(name, **{**settings, **of_the_data})
