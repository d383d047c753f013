"""The causal engine: a network as a list of nodes, and the walks that score, train and sample it."""

from genlab.causal.condition import CONDITION, Condition
from genlab.causal.distributions import Categorical, Distribution
from genlab.causal.graph import LABELS, Graph, GraphBuilder
from genlab.causal.logistic_mixture import DiscretizedLogisticMixture
from genlab.causal.node import Node

__all__ = [
    "CONDITION",
    "LABELS",
    "Categorical",
    "Condition",
    "DiscretizedLogisticMixture",
    "Distribution",
    "Graph",
    "GraphBuilder",
    "Node",
]
