"""Training fills a run folder.

`start` is the verb `train`; `config` makes a run's folder and config, or takes them over; `session` takes the steps until there is a
reason to end; `turns` finds a step's gradients; `state` holds all tensors and `player` moves one player's; `samples` is what is drawn
meanwhile; `schedule` is what follows from the step alone; `records` what is told; `endings` what is said at the end; `stopping` the
signals.

Several processes: `ranks` is what passes between them, `gathering` how they meet, `following` those that are not the first, `shares`
whether a model's batch can be shared.
"""

from genlab.training.config import DEFAULT_EPOCHS
from genlab.training.gathering import is_follower
from genlab.training.records import Progress
from genlab.training.samples import SAMPLES
from genlab.training.schedule import ema_decay_at, generator_at, learning_rate_at
from genlab.training.start import train

__all__ = ["DEFAULT_EPOCHS", "SAMPLES", "Progress", "ema_decay_at", "generator_at", "is_follower", "learning_rate_at", "train"]
