"""The front door of a repository: ``streamlit run app.py``."""

from genlab.app import show_page

show_page()
