"""The front door: ``streamlit run app.py``."""

import streamlit as st

st.set_page_config(page_title="genlab", page_icon="genlab/dashboard/icon.svg", layout="wide")
page = st.navigation([st.Page("genlab/dashboard/pages/pixelcnn.py", title="PixelCNN", default=True)])
page.run()
