"""The causal engine: a network as a list of nodes, and the walks that score, train and sample it."""

from genlab.causal.distributions import Categorical, Distribution
from genlab.causal.graph import LABELS, Graph, GraphBuilder
from genlab.causal.node import Node

__all__ = ["LABELS", "Categorical", "Distribution", "Graph", "GraphBuilder", "Node"]
