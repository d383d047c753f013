"""What every verb's options are made with."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias

from genlab.errors import did_you_mean

INTERRUPTED = 130  # the exit code after Ctrl-C
RUN = "a run's folder or name, a packaged model's name, or a .safetensors file"


class _Help(argparse.HelpFormatter):
    """Help whose names are not broken at their hyphens: whoever copies ``toy-gan`` wants it whole."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return textwrap.fill(" ".join(text.split()), width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


class Parser(argparse.ArgumentParser):
    """A parser whose closing words are made, and what they need is loaded, only when help is asked for."""

    closing: Callable[[], str] | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"formatter_class": _Help, **options})

    def format_help(self) -> str:
        """Help, with the closing words."""
        if self.closing is not None:
            self.epilog = self.closing()
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        """The usage and what was wrong with it, with the likely word if a wrong one was typed."""
        found = re.fullmatch(r".*invalid choice: '(.*?)' \(choose from (.*)\)", message)
        super().error(message + (did_you_mean(found[1], re.findall(r"[\w-]+", found[2])) if found else ""))


def add_drawing(parser: argparse.ArgumentParser) -> None:
    """What every verb that draws can be told."""
    parser.add_argument("--seed", type=int, default=0, help="decides the draws (default: 0)")
    parser.add_argument("--temperature", type=float, default=1.0, help="below 1 favours the likely (default: 1)")
    parser.add_argument("--backend", default="auto", help="native, torch, naive, jacobi or auto (default: auto)")
    parser.add_argument("--weights", default="best", help="best, ema or raw (default: best)")


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"
