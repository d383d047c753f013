"""``genlab info``: what is installed."""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import version

from genlab import __version__
from genlab.cli.parser import Commands


def add(commands: Commands) -> None:
    """The verb's options."""
    info = commands.add_parser("info", help="what is installed, and what the native code runs on")
    info.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Do it."""
    from genlab.models import list_models
    from genlab.native import native_info

    lines = {"genlab": __version__, "python": sys.version.split()[0], "torch": version("torch"), "models": ", ".join(list_models())}
    for name, value in {**lines, **{f"native {name}": value for name, value in native_info().items()}}.items():
        print(f"{name:18} {value}")
    return 0
