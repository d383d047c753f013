"""One's own list of nodes as a model, without an entry in the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genlab.settings import Settings

if TYPE_CHECKING:
    from genlab.causal import Graph
    from genlab.models.causal.model import CausalModel


def of_graph(graph: Graph, name: str = "own list") -> CausalModel:
    """A model of that list with random weights (torch's generator decides them); nothing but `genlab.create_model` is closed to it."""
    from genlab.models.causal.model import CausalModel

    return CausalModel(name, Settings(), graph)
