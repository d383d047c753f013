"""How numbers and names are written, the same on every page."""

from __future__ import annotations

from collections.abc import Iterable

from genlab.jobs import State

STATES: dict[State, str] = {
    "queued": "◷ waiting",
    "starting": "● starting",
    "running": "● training",
    "stopping": "● stopping",
    "stopped": "■ stopped",
    "finished": "✓ finished",
    "failed": "✗ failed",
    "lost": "? lost",
}


def duration(seconds: float) -> str:
    """About how long, as people say it: exactly enough for a drawing of milliseconds, no more than needed for hours."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def megabytes(count: int) -> str:
    """Bytes in MB."""
    return f"{count / 2**20:,.1f} MB"


def raised(number: int) -> str:
    """A whole number as an exponent: ``²⁰¹``."""
    return str(number).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def accuracies(readings: Iterable[tuple[int, str, float]]) -> str:
    """What a linear reader of codes, principal components and pixels gets right.

    Args:
        readings: Number of labels, features and share of images named rightly, as `genlab.measures.probe` finds them.
    """
    by_labels: dict[int, dict[str, float]] = {}
    for labels, features, accuracy in readings:
        by_labels.setdefault(labels, {})[features] = accuracy
    return "; ".join(
        f"with {labels:,} labels codes reach **{of['code']:.1%}**, principal components {of['pca']:.1%}, pixels {of['pixels']:.1%}"
        for labels, of in by_labels.items()
    )
