"""Does a list of nodes, or a model of any family, keep what its abilities promise? For whoever brings their own.

    from genlab.testing import check_graph, check_model

    check_graph(my_graph)           # a causal list: both walks, causality, Σ p = 1, samples, gradients
    check_model(my_model, batch)    # any model: what training needs, and then what each of its abilities promises

Both raise `ConformanceError` at the first promise that is not kept, in a sentence, and else return what each check found. `contract.py` has
the promises that every model makes, `abilities.py` those of each ability; a check is a function of a `Case`.
"""

from __future__ import annotations

from genlab.testing.case import Case, ConformanceError
from genlab.testing.suite import check_graph, check_model

__all__ = ["Case", "ConformanceError", "check_graph", "check_model"]
