"""What somebody who watches may write into a run folder: a label, and a wish for another learning rate."""

from __future__ import annotations

import json
import os
from contextlib import suppress

from genlab.errors import InputError, RunError
from genlab.runs.files import write_aside
from genlab.runs.reader import LABEL_LENGTH, one_line, parse, read_bytes
from genlab.runs.run import Run
from genlab.settings import TrainSettings, validate


def write_label(run: Run, label: str) -> None:
    """Give a run a label for people to read; an empty one takes it away. The folder keeps its name.

    Raises:
        InputError: The label is too long.
        RunError: The disk is full or refuses.
    """
    label = one_line(label)
    if len(label) > LABEL_LENGTH:
        raise InputError(f"label must have at most {LABEL_LENGTH} characters; got {len(label)}")
    write_aside(run.path / "label.txt", (label + "\n").encode())


def request_learning_rate(run: Run, rate: float) -> None:
    """Ask the process that trains into the folder to go on with another learning rate from its next step on.

    Raises:
        InputError: The rate is out of the bounds of `TrainSettings.learning_rate`.
        RunError: The disk is full or refuses.
    """
    rate = validate(TrainSettings, {"learning_rate": rate}).learning_rate
    write_aside(run.path / "control.json", json.dumps({"learning_rate": rate}).encode())


def take_learning_rate(run: Run) -> float | None:
    """The rate that was asked for since the last call, or None. What is no valid request is dropped."""
    file = run.path / "control.json"
    if not os.path.lexists(file):
        return None
    try:
        wish = parse(file, read_bytes(file))
        return validate(TrainSettings, {"learning_rate": wish["learning_rate"]}).learning_rate
    except (RunError, InputError, KeyError, TypeError):
        return None
    finally:
        # What cannot be deleted, such as a folder, is looked at again at the next step and dropped again.
        with suppress(OSError):
            file.unlink()
