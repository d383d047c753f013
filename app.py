"""The front door: ``streamlit run app.py``."""

from pathlib import Path

import streamlit as st

from genlab.dashboard import address, instructor
from genlab.dashboard.components.manners import manners
from genlab.dashboard.long_lived import load_once, spare_modules
from genlab.dashboard.navigation import FIRST, PAGES, SECTIONS
from genlab.dashboard.uploads import bound_uploads

DASHBOARD = Path(__file__).parent / "genlab" / "dashboard"
SIDEBAR = 232  # as wide as its longest entry

st.set_page_config(page_icon=DASHBOARD / "icon.svg", layout="wide", initial_sidebar_state=SIDEBAR)
st.logo(DASHBOARD / "wordmark.svg", size="large", icon_image=DASHBOARD / "icon.svg")
st.html(DASHBOARD / "theme.css")
page = st.navigation(
    {
        section: [st.Page(entry.file, title=entry.title, url_path=entry.name, default=entry.name == FIRST) for entry in entries]
        for section, entries in SECTIONS.items()
    },
    expanded=True,
)
st.set_page_config(page_title=f"{page.title} – genlab")
instructor.lock()  # whose PIN the terminal shows from the start
entry = PAGES[page.url_path or FIRST]
address.enter(entry.name, entry.shares)
load_once(entry.loads)
bound_uploads()
page.run()
manners()
spare_modules()
