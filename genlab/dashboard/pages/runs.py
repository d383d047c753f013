"""Runs: everything that was trained here, side by side."""

from __future__ import annotations

import streamlit as st

st.title("Runs", anchor=False)
