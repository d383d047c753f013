"""Errors in the terms of whoever called: the library speaks of its arguments, the command line of its options."""

from __future__ import annotations

import argparse
import re

# What the library calls what an option sets, where the names differ.
_ARGUMENTS = {
    "name_or_path": "data",
    "data.name": "data",
    "model.name": "model",
    "json_path": "json",
    "training.seed": "seed",
    "training.epochs": "epochs",
    "training.minutes": "minutes",
}


def of_the_command_line(sentence: str, verb: argparse.ArgumentParser) -> str:
    """The sentence with the argument that it begins with called by the verb's option, ``--data`` for `name_or_path`."""
    options = {action.dest: action.option_strings[-1] if action.option_strings else str(action.metavar) for action in verb._actions}

    def rename(found: re.Match[str]) -> str:
        return options.get(_ARGUMENTS.get(found[0], found[0]), found[0])

    sentence = re.sub(r"^data\.sha256 must be", "data must be the images with checksum", sentence)
    sentence = re.sub(r"^[a-z]\w*(\.\w+)?(?= (must|should)\b| '[^']*' cannot\b)", rename, sentence)
    return sentence.replace("resume=True", "--resume")
