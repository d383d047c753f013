"""What can be measured of a model, each figure with its uncertainty and its protocol.

`figures` is whatever a model reports of a split; `likelihood` is log p in nats and bits/dim, for models that have one; `calibration` says
whether its probabilities mean what they say, `typicality` whether its own samples are as likely as real images, `resampling` how sure;
`modes` which modes of a known mixture points have found.
"""

from genlab.measures.figures import Figure, measure
from genlab.measures.modes import Modes, modes

__all__ = ["Figure", "Modes", "measure", "modes"]
