"""The dashboard's front door, from wherever it is opened: ``streamlit run app.py`` in the repository, or ``genlab serve``.

It stands above `pages/`, since a folder of that name beside a front door has a special meaning for Streamlit. What Streamlit is told of the
server and of colours lies beside it too, in `.streamlit/`.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from genlab.dashboard import address, instructor, present
from genlab.dashboard.components.manners import manners
from genlab.dashboard.long_lived import load_once, spare_modules
from genlab.dashboard.navigation import FIRST, PAGES, SECTIONS
from genlab.dashboard.sampling_slot import SAMPLING_SLOT
from genlab.dashboard.uploads import bound_uploads

DASHBOARD = Path(__file__).parent / "dashboard"
SIDEBAR = 232  # as wide as its longest entry


def show_page() -> None:
    """The page that was asked for, in the sidebar's company."""
    present.enter()
    st.set_page_config(page_icon=DASHBOARD / "icon.svg", layout="wide", initial_sidebar_state=SIDEBAR)
    st.logo(DASHBOARD / "wordmark.svg", size="large", icon_image=DASHBOARD / "icon.svg")
    st.html(DASHBOARD / "theme.css")
    page = st.navigation(
        {
            section: [st.Page(entry.file, title=entry.title, url_path=entry.name, default=entry.name == FIRST) for entry in entries]
            for section, entries in SECTIONS.items()
        },
        expanded=True,
        position="hidden" if present.is_on() else "sidebar",
    )
    st.set_page_config(page_title=f"{page.title} – genlab")
    instructor.lock()  # whose PIN the terminal shows from the start
    entry = PAGES[page.url_path or FIRST]
    address.enter(entry.name, entry.shares)
    present.keep()
    load_once(entry.loads)
    bound_uploads()
    SAMPLING_SLOT.new_page()
    page.run()
    present.stand(entry.name)
    manners(entry.name)
    spare_modules()


if __name__ == "__main__":
    show_page()
