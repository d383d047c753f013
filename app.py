"""The front door: ``streamlit run app.py``."""

from pathlib import Path

import streamlit as st

st.set_page_config(page_title="genlab", page_icon=Path(__file__).parent / "genlab" / "dashboard" / "icon.svg", layout="wide")
PAGES = "genlab/dashboard/pages"
page = st.navigation(
    [
        st.Page(f"{PAGES}/pixelcnn.py", title="PixelCNN", default=True),
        st.Page(f"{PAGES}/training.py", title="Training"),
        st.Page(f"{PAGES}/runs.py", title="Runs"),
    ]
)
page.run()
