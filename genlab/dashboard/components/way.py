"""The lecture's way through the pages, slide by slide, with a mark at what this browser has been to.

Which pages those are, the browser alone knows: `manners.js` writes them into its own store, and nothing of it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from urllib.parse import urlencode

from genlab.dashboard.components import component
from genlab.dashboard.navigation import Entry

_mount = component("way")


@dataclass(frozen=True)
class Stop:
    """Some slides, and where they are shown.

    Attributes:
        first: The number of the first slide.
        last: Of the last.
        words: What they say.
        page: The name of the page.
        title: Its title.
        at: What its address says there.
    """

    first: int
    last: int
    words: str
    page: str
    title: str
    at: Mapping[str, str]


def stops(entries: Sequence[Entry]) -> list[Stop]:
    """Every page's slides, in the order of the slides."""
    found = [
        Stop(slides.first, slides.last, slides.words, entry.name, entry.title, slides.at) for entry in entries for slides in entry.slides
    ]
    return sorted(found, key=lambda stop: (stop.first, stop.last))


def way(shown: Sequence[Stop], *, answered: int, questions: int, trained: int) -> Stop | None:
    """Show it.

    Args:
        shown: The stops, in order.
        answered: How many of the quiz's questions the visitor has answered.
        questions: How many there are.
        trained: How many models the visitor has trained.

    Returns:
        The stop that was chosen just now, or None.
    """
    doors = [{**asdict(stop), "door": f"{stop.page}?{urlencode(stop.at)}" if stop.at else stop.page} for stop in shown]
    data = {"stops": doors, "answered": answered, "questions": questions, "trained": trained}
    state = _mount(data=data, key="way", on_open_change=lambda: None)
    opened = state.open
    return shown[opened] if isinstance(opened, int) and 0 <= opened < len(shown) else None
