"""The front door: ``streamlit run app.py``."""

from pathlib import Path

import streamlit as st

st.set_page_config(page_title="genlab", page_icon=Path(__file__).parent / "genlab" / "dashboard" / "icon.svg", layout="wide")
page = st.navigation(
    [
        st.Page("genlab/dashboard/pages/pixelcnn.py", title="PixelCNN", default=True),
        st.Page("genlab/dashboard/pages/slanted_land.py", title="Slanted land"),
        st.Page("genlab/dashboard/pages/quiz.py", title="Quiz"),
        st.Page("genlab/dashboard/pages/bench.py", title="Bench"),
    ]
)
page.run()
