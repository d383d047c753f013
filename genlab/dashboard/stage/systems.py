"""The systems of the catalogue that can do what a page shows, as small lists of nodes to look at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from genlab.errors import InputError
from genlab.models import Entry, build_graph, entries, settings_class
from genlab.receptive_field import Waiting, scans, waiting_to_draw, waiting_to_score

if TYPE_CHECKING:
    from genlab.causal import Graph

SIDE = 8  # pixels at most: so few that each can bear its number


def systems(needs: Iterable[str]) -> list[Entry]:
    """Those that have these abilities, in the catalogue's order."""
    return [entry for entry in entries() if entry.abilities.issuperset(needs)]


class Orders(NamedTuple):
    """Which pixels wait for which: when an image is scored, in each recurrence for itself, and when an image is drawn."""

    to_score: Waiting
    scans: dict[str, Waiting]
    to_draw: Waiting


@st.cache_data(max_entries=32, show_spinner=False)
def waiting_of(name: str) -> Orders:
    """Which pixels of a small image wait for which in a system; of a larger one those in its corner, if it takes none so small.

    Raises:
        InputError: The system has no images of any size.
    """
    graph = _small_list(name)
    alone = {node: _corner(scan) for node, scan in scans(graph).items()}
    return Orders(_corner(waiting_to_score(graph)), alone, _corner(waiting_to_draw(graph)))


def _small_list(name: str) -> Graph:
    """The list of nodes for the smallest image that the system takes, `SIDE` pixels or twice, four times … as many."""
    fields = settings_class(name).model_fields
    if "image_shape" not in fields:
        raise InputError(f"model must have a setting image_shape to be looked at in small; {name!r} has none")
    channels, height, width = fields["image_shape"].default
    side = SIDE
    while True:
        try:
            return build_graph(name, image_shape=(channels, min(height, side), min(width, side)))
        except InputError:
            if side >= max(height, width):
                raise
            side *= 2


def _corner(waiting: Waiting) -> Waiting:
    """Of the pixels at the upper left."""
    return Waiting(waiting.steps[:SIDE, :SIDE], waiting.awaited[:SIDE, :SIDE, :SIDE, :SIDE])
