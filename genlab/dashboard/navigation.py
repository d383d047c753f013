"""Which pages there are, in the lecture's order: the one list that the sidebar and the map are made from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A page.

    Attributes:
        name: Of its file in ``pages/``, and its address.
        title: In the sidebar and on the map.
    """

    name: str
    title: str

    @property
    def file(self) -> str:
        """Its script, seen from `app.py`."""
        return f"genlab/dashboard/pages/{self.name}.py"


SECTIONS: dict[str, list[Entry]] = {
    "": [Entry("map", "The map")],
    "One pixel after another": [
        Entry("theatre", "Pixel theatre"),
        Entry("completion", "Finish my digit"),
        Entry("temperature", "Temperature"),
        Entry("training", "Training"),
        Entry("runs", "Runs"),
    ],
    "Two adversaries": [Entry("slanted_land", "Slanted land")],
    "Looking back": [Entry("quiz", "Quiz"), Entry("bench", "Bench")],
}

PAGES = {entry.name: entry for entries in SECTIONS.values() for entry in entries}
FIRST = "map"
