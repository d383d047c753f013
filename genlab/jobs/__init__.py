"""Training in the background: queue, watch, stop, resume. Each training is a detached process of its own.

- `genlab.jobs.requests`: start, stop, resume, rename, another learning rate. `trash`: delete, and bring back for a day.
- `genlab.jobs.watching`: a run as seen from outside. Whether its process lives is asked of the kernel each time (its id plus the time
  it was born, so that a reused id deceives nobody), and how it ended is read from the run folder: a restarted server finds all as it is.
- `genlab.jobs.studies`: ``genlab ablate`` and ``genlab compare`` in the same queue: each has a slot for as long as its trainings take.
- `genlab.jobs.queue`: a job's process starts at once, waits for its turn itself and then becomes ``genlab train``, so a queue moves on
  with no server and no page open. `processes`: what the kernel says. `records`: the database. `limits`: what a visitor may ask for.

Knows nothing of any user interface. Leaves out trainings started in a terminal: they are watched, and take no slot.
"""

from genlab.jobs.limits import LIMITS, Demand, Limits
from genlab.jobs.queue import SLOTS
from genlab.jobs.records import JobError
from genlab.jobs.requests import STOP_GRACE_SECONDS, change_learning_rate, rename, resume, start, stop
from genlab.jobs.studies import Study, go_on_with_study, list_studies, start_study, stop_study
from genlab.jobs.trash import list_removed, remove, restore
from genlab.jobs.watching import ACTIVE, RESUMABLE, Job, State, get, list_jobs, list_names

__all__ = [
    "ACTIVE",
    "LIMITS",
    "RESUMABLE",
    "SLOTS",
    "STOP_GRACE_SECONDS",
    "Demand",
    "Job",
    "JobError",
    "Limits",
    "State",
    "Study",
    "change_learning_rate",
    "get",
    "go_on_with_study",
    "list_jobs",
    "list_names",
    "list_removed",
    "list_studies",
    "remove",
    "rename",
    "restore",
    "resume",
    "start",
    "start_study",
    "stop",
    "stop_study",
]
