"""The GAN doctor on a page: what it found, its evidence, and a button that trains anew with the cure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from genlab import jobs
from genlab.dashboard import address
from genlab.dashboard.forms import as_text
from genlab.dashboard.frame import caught
from genlab.dashboard.navigation import PAGES
from genlab.dashboard.plain import plain
from genlab.dashboard.story import Story
from genlab.dashboard.visitor import visitor
from genlab.doctor import Diagnosis, Finding, examine
from genlab.errors import InputError
from genlab.settings import FROM_DATA


def doctor_panel(job: jobs.Job, story: Story) -> None:
    """The doctor, for runs in which somebody judges; it looks at the samples too, so it comes when it is called."""
    if not any(name.endswith("/accuracy") for record in story.train[-1:] for name in record["values"]):
        return
    with st.container(border=True):
        words, button = st.columns([3, 1], vertical_alignment="center")
        words.markdown("**The GAN doctor** reads the records, draws samples, and says in plain words what is going on.")
        if button.button("Ask the doctor", key=f"ask the doctor about {job.name}", width="stretch"):
            with caught(), st.spinner("The doctor looks …"):
                st.session_state["doctor said"] = (job.name, examine(job.run))
        name, diagnosis = st.session_state.get("doctor said", ("", None))
        if name == job.name and diagnosis is not None:
            tell(diagnosis)
            for number, finding in enumerate(diagnosis.findings):
                if finding.cure:
                    _offer(job, story, finding, number)


def tell(diagnosis: Diagnosis) -> None:
    """All findings, each with its evidence."""
    for finding in diagnosis.findings:
        show = st.success if finding.kind == "healthy" else st.info if finding.kind == "too_early" else st.warning
        evidence = "".join(f"\n- {plain(line)}" for line in finding.evidence)
        show(f"{finding.words}\n{evidence}" + (f"\n\n**What helps:** {finding.advice}." if finding.advice else ""))


def _offer(job: jobs.Job, story: Story, finding: Finding, number: int) -> None:
    """A new training, as the run was but for the cure."""
    changed = ", ".join(f"{name} {as_text(value)}" for name, value in finding.cure.items())
    if not st.button(f"Train anew with {changed}", key=f"cure {job.name} {number}"):
        return
    with caught():
        started = train_anew(story.config, finding.cure)
        address.put(run=started.name)
        st.switch_page(PAGES["training"].file)


def train_anew(config: Mapping[str, Any], cure: Mapping[str, Any]) -> jobs.Job:
    """Queue a training with a run's settings, but for those of the cure.

    Raises:
        InputError: The run was trained on arrays or files of its own.
        JobError: A limit of the visitor's.
    """
    from genlab.datasets import DATASETS

    data = {name: value for name, value in config["data"].items() if name not in ("name", "record") and value is not None}
    name = config["data"]["name"]
    if name not in DATASETS:
        raise InputError(f"a training is begun here on data that come with genlab; this run's are {name!r}")
    training = {key: value for key, value in config["training"].items() if value not in (None, [], ())}
    model = {key: value for key, value in config["model"]["settings"].items() if key not in FROM_DATA and value is not None}
    parts = {"data": data, "training": {**training, "seed": config["seed"]}, "model": {**model, **cure}}
    options = ["--set", *(f"{part}.{key}={as_text(value)}" for part, values in parts.items() for key, value in values.items())]
    demand = jobs.Demand(minutes=training.get("minutes"), steps=training.get("steps"))
    return jobs.start(config["model"]["name"], name, options, visitor=visitor(), demand=demand)
