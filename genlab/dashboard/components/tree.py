"""A tree of ideas whose leaves are doors to pages."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from genlab.dashboard.components import component

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
    """

    title: str
    words: str
    formula: str = ""
    pages: tuple[str, ...] = ()
    branches: tuple[Branch, ...] = field(default=())


def tree(root: Branch, titles: Mapping[str, str]) -> str | None:
    """Show the tree.

    Args:
        root: Where it begins.
        titles: The pages that there are, by name; others are left out.

    Returns:
        The page whose door was opened just now, or None.
    """
    state = _mount(data=_as_data(root, titles), key="tree", on_open_change=lambda: None)
    opened = state.open
    return opened if isinstance(opened, str) and opened in titles else None


def _as_data(branch: Branch, titles: Mapping[str, str]) -> dict[str, Any]:
    return {
        "title": branch.title,
        "words": branch.words,
        "formula": branch.formula,
        "doors": [{"page": page, "title": titles[page]} for page in branch.pages if page in titles],
        "branches": [_as_data(each, titles) for each in branch.branches],
    }


def pages_of(branch: Branch) -> Collection[str]:
    """Every page named anywhere in the tree."""
    return {*branch.pages, *(page for each in branch.branches for page in pages_of(each))}
