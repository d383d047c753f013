"""What every verb's options are made with."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeAlias

INTERRUPTED = 130  # the exit code after Ctrl-C


class Parser(argparse.ArgumentParser):
    """A parser whose closing words are made, and what they need is loaded, only when help is asked for."""

    closing: Callable[[], str] | None = None

    def format_help(self) -> str:
        """Help, with the closing words."""
        if self.closing is not None:
            self.epilog = self.closing()
        return super().format_help()


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"
