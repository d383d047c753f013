"""The front door of the command line: the verbs, and what an error looks like."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from genlab import __version__
from genlab.cli import ablate, bench, compare, complete, doctor, evaluate, export, info, probe, quiz, runs, sample, serve, simulate, train
from genlab.cli.output import end_quietly, plain, print_what_can_be_printed
from genlab.cli.parser import INTERRUPTED, Parser
from genlab.cli.wording import of_the_command_line
from genlab.errors import BackendError, GenlabError, InputError, TrainingError

_EXIT_CODES: dict[type[GenlabError], int] = {InputError: 2, BackendError: 2, TrainingError: 3}
_FILES = 4
_VERBS = (train, sample, complete, simulate, evaluate, probe, doctor, ablate, compare, export, runs, bench, quiz, serve, info)


def run(argv: Sequence[str] | None) -> int:
    """Run one command; the exit code says how it went."""
    print_what_can_be_printed()
    try:
        code = _answer(argv)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return _say("interrupted", INTERRUPTED)
    except BrokenPipeError:
        end_quietly()
        return 0
    except OSError as error:  # of standard output itself, such as a disk that is full
        end_quietly()
        return _say(f"error: the output could not be written: {error.strerror or error}", _FILES)


def _answer(argv: Sequence[str] | None) -> int:
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as stop:
        # argparse has printed help (code 0) or what was wrong (code 2).
        return int(stop.code or 0)
    try:
        return int(arguments.run(arguments))
    except GenlabError as error:
        sentence = of_the_command_line(str(error), arguments.verb)
        return _say(f"error: {sentence}", next((code for kind, code in _EXIT_CODES.items() if isinstance(error, kind)), _FILES))
    except OSError as error:
        if error.filename is None:
            raise
        return _say(f"error: {error.filename} could not be used: {error.strerror}", _FILES)


def _say(sentence: str, code: int) -> int:
    """The sentence as one line on stderr, whoever still listens there."""
    try:
        print(f"genlab: {' '.join(plain(sentence).split())}", file=sys.stderr, flush=True)
    except OSError:
        end_quietly()
    return code


def _parser() -> Parser:
    parser = Parser(prog="genlab", description="A laboratory for generative models.")
    parser.add_argument("--version", action="version", version=f"genlab {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for verb in _VERBS:
        verb.add(commands)
    for each in commands.choices.values():
        each.set_defaults(verb=each)
    return parser
