"""A series as images of height 1: stretches of it, one step later and later. It comes with the package; nothing is fetched."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genlab.datasets.source import SPLITS, Part, Source
from genlab.errors import InputError
from genlab.settings import DataSettings

STRETCH = 264  # months: two cycles of the sun
_HELD_OUT = 0.15  # of the months, for each of valid and test
APART = {"train": 2, "valid": 6, "test": 6}  # months between the beginnings of stretches


def sunspots(settings: DataSettings) -> Source:
    """Stretches of the monthly sunspot numbers from 1749 to 2013, 1x1x264 unless `size` says otherwise, 256 levels: the rounded number.

    Train, valid and test follow each other in time and share no month; the stretches of a split overlap.

    Raises:
        InputError: `size` is longer than the series of a split.
    """
    values = np.rint(monthly_sunspots()).astype(np.uint8)
    length, held_out = settings.size or STRETCH, int(len(values) * _HELD_OUT)
    if length > held_out:
        raise InputError(f"size must be at most {held_out} for 'sunspots', the months of a split that is held out; got {length}")
    pieces = np.split(values, [len(values) - 2 * held_out, len(values) - held_out])
    parts = {split: Part(_stretches(piece, length, APART[split])) for split, piece in zip(SPLITS, pieces, strict=True)}
    how = f"{len(pieces[0])}, {held_out} and {held_out} months, one after another; stretches of a split begin 2 (train) or 6 months apart"
    source = "monthly sunspot numbers, January 1749 to September 2013 (WDC-SILSO, Royal Observatory of Belgium, Brussels)"
    return Source(parts, 256, source, how, is_sized=True)


@functools.cache
def monthly_sunspots() -> NDArray[np.float64]:
    """The monthly mean relative sunspot number from January 1749 on."""
    lines = (Path(__file__).parent / "sunspots.txt").read_text(encoding="utf-8").splitlines()
    return np.array([float(word) for line in lines if not line.startswith("#") for word in line.split()])


def _stretches(values: NDArray[np.uint8], length: int, apart: int) -> NDArray[np.uint8]:
    """``(N, 1, 1, length)``; the last one ends with the series."""
    starts = range((len(values) - length) % apart, len(values) - length + 1, apart)
    return np.stack([values[start : start + length] for start in starts])[:, None, None]
