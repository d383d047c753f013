"""Which pages there are, in the lecture's order: the one list that the sidebar and the map are made from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A page.

    Attributes:
        name: Of its file in ``pages/``, and its address.
        title: In the sidebar and on the map.
        shares: Names in its address that a visitor takes along to the other pages which share them.
        loads: What it draws with and takes long to load.
    """

    name: str
    title: str
    shares: tuple[str, ...] = ()
    loads: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """Its script, seen from `app.py`."""
        return f"genlab/dashboard/pages/{self.name}.py"


_MODEL = ("model",)
_RUN = ("run",)
_CHARTS = ("pandas", "altair")

SECTIONS: dict[str, list[Entry]] = {
    "": [Entry("map", "The map")],
    "One pixel after another": [
        Entry("theatre", "Pixel theatre", shares=_MODEL, loads=("pandas",)),
        Entry("completion", "Finish my digit", shares=_MODEL, loads=("pandas",)),
        Entry("temperature", "Temperature", shares=_MODEL, loads=_CHARTS),
        Entry("training", "Training", shares=_RUN, loads=_CHARTS),
        Entry("runs", "Runs", shares=_RUN, loads=_CHARTS),
    ],
    "Two adversaries": [Entry("slanted_land", "Slanted land", loads=_CHARTS)],
    "Looking back": [Entry("quiz", "Quiz", loads=_CHARTS), Entry("bench", "Bench", loads=_CHARTS)],
}

PAGES = {entry.name: entry for entries in SECTIONS.values() for entry in entries}
FIRST = "map"
