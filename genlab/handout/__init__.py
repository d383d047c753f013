"""A model as one HTML file: it opens from a disk, asks nobody on the web, and computes in the browser.

Weights lie in it as `numbers.FORMATS` has them, cases beside them that the native walk or torch has computed with those very weights; the
page computes them again when it opens, and says whether it agrees. `kinds.KINDS` is the table of what has a hand-out.
"""

from __future__ import annotations

import math
from pathlib import Path

from genlab.errors import InputError
from genlab.handout.kinds import KINDS, kind_of
from genlab.handout.numbers import FORMATS
from genlab.handout.page import page
from genlab.runs import Run, load_model, open_run

MB = 1_000_000
PREFERRED_MB = 1.0
"""The finest number format is taken with which the file stays below this, so that it can be mailed."""
LIMIT_MB = 4.0
"""No file is made that is larger, unless another limit is asked for."""

__all__ = ["KINDS", "LIMIT_MB", "PREFERRED_MB", "hand_out"]


def hand_out(model: Run | Path | str, *, limit_mb: float = LIMIT_MB) -> bytes:
    """The page of a trained model.

    Args:
        model: A run, its folder or name, or a packaged model's name.
        limit_mb: How large the page may be, in millions of bytes.

    Returns:
        HTML in UTF-8.

    Raises:
        InputError: The model has no hand-out (the sentence says which have), or it would be larger than the limit.
        RunError: There is no such run, or its files are torn.
    """
    if not 0 < limit_mb < float("inf"):
        raise InputError(f"limit must be a finite number of megabytes above 0; got {limit_mb}")
    run = open_run(model)
    network = load_model(run)
    kind = kind_of(network)
    described = kind.describe(network)
    if not FORMATS[0].holds(described.tensors):
        raise InputError(f"weights must be finite numbers to be handed out; those of model {network.name!r} are not")
    smallest = None
    for most in sorted({min(PREFERRED_MB, limit_mb), limit_mb}):
        for number_format in FORMATS:
            if not number_format.holds(described.tensors) or number_format.least_bytes(described.tensors) > most * MB:
                continue
            made = page(run, network, kind, described, number_format)
            smallest = len(made)
            if smallest <= most * MB:
                return made
    size = smallest or min(number_format.least_bytes(described.tensors) for number_format in FORMATS)
    raise InputError(
        f"limit must be at least {math.ceil(10 * size / MB) / 10} MB for the hand-out of model {network.name!r}; got {limit_mb:g}"
    )
