"""Which run a page shows: the one its address names, so that a reload, a bookmark or a second browser finds it again."""

from __future__ import annotations

import streamlit as st

from genlab import jobs
from genlab.dashboard import address
from genlab.dashboard.visitor import visitor
from genlab.runs import Run, runs_folder


def run_in_address() -> jobs.Job | None:
    """The run named in the address, else the newest of one's own, else the newest; the address then names it."""
    names = jobs.list_names()
    asked = st.query_params.get("run")
    if asked is not None and asked not in names:
        st.warning("The run in the address is not here (any more).")
    if not names:
        if asked is not None:
            address.put(run=None)
        return None
    name = asked if asked in names else own_first()[0]
    if name != asked:
        address.put(run=name)
    return jobs.get(name)


def own_first() -> list[str]:
    """The names of all runs: those that this browser started, the newest first, then the others."""
    found, me = jobs.list_jobs(), visitor()
    return [job.name for job in sorted(found, key=lambda job: job.visitor != me)]


def choose_run(job: jobs.Job, label: str = "run") -> None:
    """A choice among all runs, kept in the address."""

    def put_into_address() -> None:
        address.put(run=st.session_state["chosen"])

    labels = {each: _label(each) for each in own_first()}
    st.session_state["chosen"] = job.name
    st.selectbox(label, list(labels), key="chosen", on_change=put_into_address, format_func=lambda name: labels.get(name, name))


def _label(name: str) -> str:
    label = Run(runs_folder() / name).label
    return name if label == name else f"{label} ({name})"
