"""A tree of ideas whose leaves are doors to pages."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlab.dashboard.components import base64, component

_mount = component("tree")


@dataclass(frozen=True)
class Branch:
    """A node of the tree.

    Attributes:
        title: What it is called.
        words: What it says.
        formula: One line of mathematics, if there is one.
        pages: Names of the pages that show it; of a leaf without any, the tree says that it is not here yet.
        branches: What it divides into.
        model: Whose samples are shown there, by the name of a model that comes with genlab.
    """

    title: str
    words: str
    formula: str = ""
    pages: tuple[str, ...] = ()
    branches: tuple[Branch, ...] = field(default=())
    model: str = ""


@dataclass(frozen=True, eq=False)
class Strip:
    """A few samples in a line.

    Attributes:
        images: Levels ``(N, C, H, W)``.
        levels: Their number.
        by_values: Whether each is drawn value after value; else it is there at once, one after another.
    """

    images: NDArray[np.uint8]
    levels: int
    by_values: bool


def tree(root: Branch, titles: Mapping[str, str], strips: Mapping[str, Strip]) -> str | None:
    """Show the tree.

    Args:
        root: Where it begins.
        titles: The pages that there are, by name; others are left out.
        strips: Samples, by the model's name.

    Returns:
        The page whose door was opened just now, or None.
    """
    state = _mount(data=_as_data(root, titles, strips), key="tree", on_open_change=lambda: None)
    opened = state.open
    return opened if isinstance(opened, str) and opened in titles else None


def _as_data(branch: Branch, titles: Mapping[str, str], strips: Mapping[str, Strip]) -> dict[str, Any]:
    strip = strips.get(branch.model)
    return {
        "title": branch.title,
        "words": branch.words,
        "formula": branch.formula,
        "doors": [{"page": page, "title": titles[page]} for page in branch.pages if page in titles],
        "branches": [_as_data(each, titles, strips) for each in branch.branches],
        "strip": None if strip is None else {"model": branch.model, **_strip_as_data(strip)},
    }


def _strip_as_data(strip: Strip) -> dict[str, Any]:
    return {
        "shape": strip.images.shape[1:],
        "count": len(strip.images),
        "levels": strip.levels,
        "by_values": strip.by_values,
        "values": base64(strip.images.transpose(0, 2, 3, 1)),
    }


def models_of(branch: Branch) -> Collection[str]:
    """Every model named anywhere in the tree."""
    return {branch.model, *(model for each in branch.branches for model in models_of(each))} - {""}
