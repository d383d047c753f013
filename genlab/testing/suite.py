"""The two doors: a list of nodes, and a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from genlab.causal.graph import LABELS
from genlab.domain import Batch, Domain
from genlab.models.catalogue import entries
from genlab.models.causal.own import of_graph
from genlab.models.contract import abilities
from genlab.testing.abilities import BY_ABILITY
from genlab.testing.case import Case, demand
from genlab.testing.contract import CONTRACT

if TYPE_CHECKING:
    from genlab.causal import Graph

_EXAMPLES = 6


def check_graph(graph: Graph, *, seed: int = 0) -> Mapping[str, str]:
    """Check a causal list with random weights: native = torch in values, gradients and draws; causality; Σ p = 1; samples; slopes.

    Args:
        graph: The list. On small images all of them are enumerated.
        seed: Decides the weights and every draw.

    Returns:
        What each check found, or why it was not tried.

    Raises:
        ConformanceError: A promise is not kept.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = of_graph(graph)
        with torch.no_grad():
            for name, tensor in model.named_parameters():
                # Biases too, and a last layer that is not small: every node shall matter.
                tensor.normal_(0, 0.3) if name.endswith("bias") else tensor.mul_(3 if graph.output in name else 1)
    return check_model(model, seed=seed)


def check_model(model: Any, batch: Batch | None = None, *, seed: int = 0) -> Mapping[str, str]:
    """Check what training, saving and drawing ask of any model, and what each of its abilities promises.

    The model itself is left as it is.

    Args:
        model: A model of any family, from the catalogue or not; small is quick.
        batch: Examples to check it on; None draws random ones of its domain.
        seed: Decides every draw.

    Returns:
        What each check found, or why it was not tried.

    Raises:
        ConformanceError: A promise is not kept.
    """
    demand(isinstance(getattr(model, "domain", None), Domain), "a model has a Domain as its domain", type(model).__name__)
    case = Case(model, _examples(model, seed) if batch is None else batch, seed)
    found = {check.__name__: check(case) for check in CONTRACT}
    has = abilities(model)
    for line in entries():
        if line.name == model.name:
            named = line.abilities_over(model.domain)
            demand(named == has, "the catalogue's line names the model's abilities", f"{sorted(named)} for {sorted(has)}")
    for ability in sorted(has):
        found |= {name: check(case) for name, check in BY_ABILITY[ability].items()}
    return found


def _examples(model: Any, seed: int) -> Batch:
    """Random examples of the model's domain, with labels and given maps for one that takes them."""
    rng, domain = np.random.default_rng(seed), model.domain
    if domain.levels is None:
        values = rng.standard_normal((_EXAMPLES, *domain.shape)).astype(np.float32)
    else:
        values = rng.integers(0, domain.levels, (_EXAMPLES, *domain.shape)).astype(np.uint8)
    classes = getattr(model, "classes", 0)
    labels = rng.integers(0, classes, _EXAMPLES) if classes else None
    nodes = model.graph.given if "causal" in abilities(model) else ()
    sizes = {
        node.name: (node.channels, *((1, 1) if node.everywhere else domain.shape[1:]))
        for node in nodes
        if not (classes and node.name == LABELS) and node.condition is None
    }
    given = {name: rng.standard_normal((_EXAMPLES, *size)).astype(np.float32) for name, size in sizes.items()}
    return Batch(values, labels, given)
