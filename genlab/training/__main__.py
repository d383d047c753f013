"""``python -m genlab.training DEVICE SECONDS``: a child that helps its parent to train the model on the data that it tells of."""

import signal
import sys

from genlab.errors import GenlabError
from genlab.training.following import follow
from genlab.training.gathering import Place, check_device, gathered
from genlab.training.stopping import stop_signals


def main(device: str, seconds: str) -> int:
    """Follow the process that started this one; what is wrong it hears from us, so nothing is printed."""
    # Ctrl-C in a terminal reaches all of its processes; the first decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    place = Place.of_environment()
    if place is None:
        raise SystemExit("genlab: error: this process must be started by another, as genlab train --processes does")
    own = check_device(device, local=place.local, processes=place.neighbours)
    try:
        with stop_signals() as received, gathered(place.size, place, device=own, seconds=float(seconds), received=received) as ranks:
            follow(ranks)
    except GenlabError:
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
