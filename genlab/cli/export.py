"""``genlab export``: a run as a Python script that does it again."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from genlab.cli.files import require_place
from genlab.cli.parser import Commands
from genlab.runs import open_run, write_aside


def add(commands: Commands) -> None:
    """The verb's options."""
    export = commands.add_parser("export", help="write a run as a Python script that trains the same model again")
    export.add_argument("model", metavar="RUN", help="a run's folder or name")
    export.add_argument("--out", type=Path, metavar="FILE", help="the script, a .py (default: it is printed)")
    export.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    from genlab.export import script

    require_place("--out", arguments.out, ".py")
    text = script(open_run(arguments.model))
    if arguments.out is None:
        sys.stdout.write(text)
    else:
        write_aside(arguments.out, text.encode())
        print(arguments.out)
    return 0
