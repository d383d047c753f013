"""``genlab bench``: native code against Python."""

from __future__ import annotations

import argparse
from pathlib import Path

from genlab.cli.parser import Commands


def add(commands: Commands) -> None:
    """The verb's options."""
    bench = commands.add_parser("bench", help="time the native code against Python, after checking that they agree")
    bench.add_argument(
        "which",
        nargs="?",
        choices=("roofline", "kernels", "training", "memory", "precision", "sampling", "growth", "toy-gan", "all"),
        default="all",
        help="(default: all)",
    )
    bench.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    bench.add_argument("--quick", action="store_true", help="smaller cases, fewer repeats")
    bench.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    from genlab import benchmark

    return int(benchmark.main(arguments.which, arguments.quick, arguments.json))
