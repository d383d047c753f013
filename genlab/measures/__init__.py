"""What can be measured of a model, each figure with its uncertainty and its protocol.

`figures` is whatever a model reports of a split; `likelihood` is log p in nats and bits/dim, for models that have one, `bound` the least
that is known of it otherwise; `collapse` says what a code is used for, `probe` what a linear reader makes of it; `calibration` whether
probabilities mean what they say, `typicality` whether a model's own samples are as likely as real images, `resampling` how sure; `modes`
which modes of a known mixture points have found; `neighbours` precision, recall, density, coverage and a Fréchet distance, from samples
alone; `fooling` how often those pass for real; `memorisation` whether those are copies; `parzen` why nobody should compare by Parzen
windows; `features` in what space.
"""

from genlab.measures.figures import Figure, measure
from genlab.measures.modes import Modes, modes

__all__ = ["Figure", "Modes", "measure", "modes"]
