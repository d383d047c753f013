"""What can be measured of a model, each figure with its uncertainty and its protocol.

`figures` is whatever a model reports of a split; `likelihood` is log p in nats and bits/dim, for models that have one.
"""

from genlab.measures.figures import Figure, measure

__all__ = ["Figure", "measure"]
