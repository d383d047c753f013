"""How far long work is: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from genlab.cli.output import end_quietly

if TYPE_CHECKING:
    from genlab.training import Progress


@contextmanager
def training_progress() -> Iterator[Callable[[Progress], None]]:
    """A bar on a terminal; elsewhere the lines that go to log.txt. Once nobody reads them any more, the training is asked to stop."""
    if not sys.stderr.isatty():
        yield _Lines().show
        return
    from tqdm import tqdm  # type: ignore[import-untyped]

    with tqdm(total=1.0, bar_format="{percentage:3.0f}%|{bar:24}| {desc}", leave=False) as bar:

        def show(progress: Progress) -> None:
            if progress.message and progress.message != str(progress):
                bar.write(progress.message, file=sys.stderr)
            if progress.seconds_left is not None:
                bar.n = progress.seconds / max(1e-9, progress.seconds + progress.seconds_left)
            bar.set_description_str(str(progress))

        yield show


class _Lines:
    """Lines on stderr for as long as somebody reads them."""

    def __init__(self) -> None:
        self._is_read = True

    def show(self, progress: Progress) -> None:
        """Print the message; a reader that has left ends the training as any program in a pipe ends, but with a checkpoint."""
        if not (progress.message and self._is_read):
            return
        try:
            print(progress.message, file=sys.stderr, flush=True)
        except OSError:
            self._is_read = False
            end_quietly()
            signal.raise_signal(signal.SIGTERM)


@contextmanager
def sampling_progress() -> Iterator[Callable[[int, int], None] | None]:
    """A bar on a terminal; elsewhere nothing."""
    if not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(unit="pixel", leave=False) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show
