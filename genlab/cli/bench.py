"""``genlab bench``: native code against Python."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from genlab.cli.files import require_place
from genlab.cli.parser import Commands


class _Tables:
    """The names of the benchmark's tables, which are loaded when they are asked for."""

    def __iter__(self) -> Iterator[str]:
        from genlab.benchmark import TABLES

        return iter((*TABLES, "all"))

    def __contains__(self, name: object) -> bool:
        return name in list(self)


def add(commands: Commands) -> None:
    """The verb's options."""
    bench = commands.add_parser("bench", help="time the native code against Python, after checking that they agree")
    bench.closing = lambda: f"tables: {', '.join(_Tables())}"
    bench.add_argument("which", nargs="?", metavar="TABLE", choices=_Tables(), default="all", help="see below (default: all)")
    bench.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    bench.add_argument("--quick", action="store_true", help="smaller cases, fewer repeats")
    bench.add_argument("--only", nargs="+", default=(), metavar="WORD", help="only the cases whose name holds all of these words")
    bench.add_argument("--peers", nargs="+", default=(), metavar="WORD", help="of the peers only those whose name holds one of these words")
    bench.add_argument("--add", action="store_true", help="keep what FILE already holds of other cases")
    bench.add_argument("--wait", action="store_true", help="wait for Enter before a case is timed: time to make the machine quiet")
    bench.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    from genlab import benchmark
    from genlab.benchmark.pieces import Piece

    require_place("--json", arguments.json)
    piece = Piece(arguments.only, arguments.peers)
    return int(benchmark.main(arguments.which, arguments.quick, arguments.json, piece=piece, add=arguments.add, wait=arguments.wait))
