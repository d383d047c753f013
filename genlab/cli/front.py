"""The front door of the command line: the verbs, and what an error looks like."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from genlab import __version__
from genlab.cli import bench, evaluate, info, quiz, runs, sample, train
from genlab.cli.parser import INTERRUPTED, Parser
from genlab.errors import BackendError, GenlabError, InputError, RunError, TrainingError

_EXIT_CODES: dict[type[GenlabError], int] = {InputError: 2, BackendError: 2, TrainingError: 3, RunError: 4}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: What follows ``genlab``; None takes it from the process.

    Returns:
        The exit code.
    """
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as stop:
        # argparse has printed help (code 0) or what was wrong (code 2).
        return int(stop.code or 0)
    try:
        return int(arguments.run(arguments))
    except GenlabError as error:
        print(f"genlab: error: {' '.join(str(error).split())}", file=sys.stderr)
        return next((code for kind, code in _EXIT_CODES.items() if isinstance(error, kind)), 1)
    except KeyboardInterrupt:
        print("genlab: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader, such as `head`, has had enough. Python would complain again when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> Parser:
    parser = Parser(prog="genlab", description="A laboratory for generative models.")
    parser.add_argument("--version", action="version", version=f"genlab {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for verb in (train, sample, evaluate, runs, bench, quiz, info):
        verb.add(commands)
    return parser
