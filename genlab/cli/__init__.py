"""The command line: the library's verbs, a file each with its options and what it runs.

Long work shows a bar on a terminal and plain lines elsewhere. A known error is one line on stderr. Exit codes: 0 done (also after a
requested stop), 1 unexpected, 2 bad input, 3 training failed, 4 a run folder that is locked, torn or missing, 130 Ctrl-C. Whatever
loads torch is imported where it is used, so that ``--help`` and ``info`` answer at once.

- `genlab.cli.front`: `main`, the exit codes, the list of verbs. `parser`, `settings`, `progress`: what verbs share.
"""

from genlab.cli.front import main

__all__ = ["main"]
