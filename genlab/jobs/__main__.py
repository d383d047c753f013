"""The two errands that a process of this room is sent on: to work on a job, and to end one that was asked to end."""

import sys

from genlab.jobs.processes import end
from genlab.jobs.queue import work


def main(verb: str, *arguments: str) -> None:
    """``work NAME NICENESS COMMAND...`` or ``end PID BORN GRACE``."""
    if verb == "work":
        work(arguments[0], int(arguments[1]), list(arguments[2:]))
    else:
        end(int(arguments[0]), arguments[1], float(arguments[2]))


if __name__ == "__main__":
    main(*sys.argv[1:])
