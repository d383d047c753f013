"""The command line: the library's verbs, a file each with its options and what it runs.

Long work shows a bar on a terminal and plain lines elsewhere. A known error is one line on stderr, in the words of the command line. Exit
codes: 0 done (also after a requested stop), 1 unexpected, 2 bad input, 3 training failed, 4 a run folder or another file that is locked,
torn, missing or refused, 130 Ctrl-C. Whatever loads torch is imported where it is used, so that ``--help`` and ``info`` answer at once.

- `genlab.cli.front`: the list of verbs, what becomes of errors. `output`: what may befall whatever is printed.
- `genlab.cli.parser`, `settings`, `wording`, `files`, `progress`: what verbs share.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: What follows ``genlab``; None takes it from the process.

    Returns:
        The exit code.
    """
    try:
        # Ctrl-C may come while the verbs are still being loaded.
        from genlab.cli.front import run
    except KeyboardInterrupt:
        return 130
    return run(argv)
