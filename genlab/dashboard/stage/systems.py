"""The systems of the catalogue that can do what a page shows, as small lists of nodes to look at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import streamlit as st

from genlab.errors import InputError
from genlab.models import Entry, build_graph, entries, settings_class
from genlab.receptive_field import Waiting, scans, waiting_to_draw, waiting_to_score

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
    """Which pixels of a small image wait for which in a system.

    Raises:
        InputError: The system has no such image.
    """
    shape = settings_class(name).model_fields["image_shape"].default if "image_shape" in settings_class(name).model_fields else None
    if shape is None:
        raise InputError(f"model must have a setting image_shape to be looked at in small; {name!r} has none")
    channels, height, width = shape
    graph = build_graph(name, image_shape=(channels, min(height, SIDE), min(width, SIDE)))
    return Orders(waiting_to_score(graph), scans(graph), waiting_to_draw(graph))
