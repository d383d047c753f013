"""Training fills a run folder.

`start` is the verb `train`; `config` makes a run's folder and config, or takes them over; `session` takes the steps until there is a
reason to end; `player` holds the tensors; `schedule` is what follows from the step alone; `records` what is told; `stopping` the signals.
"""

from genlab.training.config import DEFAULT_EPOCHS
from genlab.training.records import Progress
from genlab.training.schedule import ema_decay_at, generator_at, learning_rate_at
from genlab.training.session import SAMPLES
from genlab.training.start import train

__all__ = ["DEFAULT_EPOCHS", "SAMPLES", "Progress", "ema_decay_at", "generator_at", "learning_rate_at", "train"]
