"""``genlab quiz``: the lecture's questions in a terminal, and what others answered."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from genlab.cli.files import require_place
from genlab.cli.parser import Commands
from genlab.errors import InputError
from genlab.runs import write_aside


def add(commands: Commands) -> None:
    """The verb's options."""
    quiz = commands.add_parser("quiz", help="the lecture's questions, answered by typing letters")
    quiz.add_argument("--name", help="keep the answers under this name, as the dashboard does")
    quiz.add_argument("--csv", type=Path, metavar="FILE", help="ask nothing: write all answers that were kept, for the instructor")
    quiz.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    from shutil import get_terminal_size

    from genlab import kept, quiz_store
    from genlab.lecture import quiz, quiz_terminal

    if arguments.csv is not None:
        if arguments.name is not None:
            raise InputError(f"--csv asks nothing, so --name must not be given with it; got {arguments.name!r}")
        require_place("--csv", arguments.csv)
        write_aside(arguments.csv, quiz_store.export_csv().encode())
        print(arguments.csv)
        return 0
    questions = quiz.load()
    name = None if arguments.name is None else kept.clean_name(arguments.name)

    def remember(position: int, mark: quiz.Mark) -> None:
        if name is not None:
            quiz_store.remember(name, questions, position, mark)

    patient = sys.stdin.isatty()
    quiz_terminal.play(questions, ask=input, say=print, patient=patient, width=get_terminal_size().columns, remember=remember)
    return 0
