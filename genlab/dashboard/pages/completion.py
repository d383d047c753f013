"""The map."""

import streamlit as st

st.title("The map", anchor=False)
