"""Which run a page shows: the one its address names, so that a reload, a bookmark or a second browser finds it again."""

from __future__ import annotations

import streamlit as st

from genlab import jobs


def run_in_address() -> jobs.Job | None:
    """The run named in the address, else the newest; the address then names it, so that a reload finds it again."""
    names = jobs.list_names()
    asked = st.query_params.get("run")
    if asked is not None and asked not in names:
        st.warning("The run in the address is not here (any more).")
    if not names:
        return None
    name = asked if asked in names else names[0]
    st.query_params["run"] = name
    return jobs.get(name)
