"""Runs: everything that was trained here, side by side; what differs, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import streamlit as st

from genlab import jobs
from genlab.dashboard import address, charts
from genlab.dashboard.charts import Axis, overlaid_curves
from genlab.dashboard.downloads import downloads
from genlab.dashboard.forms import as_text
from genlab.dashboard.frame import caught, frame, say
from genlab.dashboard.navigation import PAGES
from genlab.dashboard.plain import plain
from genlab.dashboard.run_in_address import choose_run, own_first, run_in_address
from genlab.dashboard.run_panel import state_and_buttons
from genlab.dashboard.story import BITS_PER_DIM, Story, parameters_in_words, read_story
from genlab.dashboard.visitor import visitor
from genlab.dashboard.words import STATES, duration, megabytes
from genlab.errors import GenlabError
from genlab.jobs.records import trash_folder
from genlab.runs import Run, is_run, runs_folder

_POLL_SECONDS = 2.0
_SPARK_POINTS = 60
_AT_ONCE = 6  # more curves than colours could not be told apart
_AT_FIRST = 3


def page() -> None:
    """The page from top to bottom."""
    with frame("Runs", "Everything that was trained here, whoever started it and wherever: on this page, in a terminal, from Python."):
        names = jobs.list_names()
        if not names:
            offer_undo()
            st.info("There is no run yet. The **Training** page starts one; so does `genlab train pixelcnn` in a terminal.")
            return
        for part in (overview, lambda: compare(own_first()), one_run):
            with caught():  # what is wrong with one part leaves the others
                part()


def offer_undo() -> None:
    """What was deleted can be brought back for a day."""
    removed = {name: Run(trash_folder() / name).label for name in jobs.list_removed(visitor())}
    if not removed:
        return
    newest = next(iter(removed))
    say(st.info, "Deleted: **{}**. It is kept for a day.", removed[newest])
    if st.button("Bring it back"):
        bring_back(newest)
    if len(removed) > 1:
        with st.expander(f"deleted before that: {len(removed) - 1}"):
            for name, label in [*removed.items()][1:]:
                if st.button(f"Bring back {plain(label)}", key=f"back {name}", type="tertiary"):
                    bring_back(name)


def bring_back(name: str) -> None:
    """Out of the trash, and into view."""
    address.put(run=jobs.restore(name, visitor=visitor()).name)
    st.rerun()


def overview() -> None:
    """The table of all runs. It alone runs again while a training is at work."""
    states = {job.name: job.state for job in jobs.list_jobs()}
    is_active = any(state in jobs.ACTIVE for state in states.values())
    st.fragment(table, run_every=_POLL_SECONDS if is_active else None)(states)


def table(states: Mapping[str, jobs.State]) -> None:
    """All runs, the newest first.

    Args:
        states: What the page found them to be; once that has changed, the whole page runs again.
    """
    with caught():
        found = jobs.list_jobs()
        if {job.name: job.state for job in found} != states:
            st.rerun()
        show_table(found)


def show_table(found: Sequence[jobs.Job]) -> None:
    """A line for each run."""
    rows = pd.DataFrame([_row(job) for job in found])
    # What has no bits/dim says in words what it reports; if all have them, there is nothing to say.
    unused = [name for name in ("reports",) if not rows[name].any()]
    st.dataframe(
        rows.drop(columns=unused),
        hide_index=True,
        column_config={
            "bits/dim": st.column_config.NumberColumn(format="%.4f", help="best validation; compares only under the same protocol"),
            "curve": st.column_config.LineChartColumn(help="validation, or training before the first validation", color="blue"),
            "step": st.column_config.NumberColumn(format="localized"),
            "started": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
        },
        alt=f"{len(found)} runs",
    )


def _row(job: jobs.Job) -> dict[str, Any]:
    state = STATES[job.state] + (f" ({job.place})" if job.place else "")
    row = {"state": state, "run": job.run.label, "started": datetime.fromtimestamp(job.created)}
    return row | _digest(str(job.run.path), _stamp(job.run))


def _stamp(run: Run) -> tuple[int, ...]:
    """Changes when the run's files do."""
    files = [run.path / name for name in ("config.json", "metrics.jsonl")]
    return tuple(number for file in files if file.exists() for number in (file.stat().st_mtime_ns, file.stat().st_size))


@st.cache_data(max_entries=512, show_spinner=False)
def _digest(path: str, stamp: tuple[int, ...]) -> dict[str, Any]:
    """What the table says of a run's files."""
    empty: dict[str, Any] = {"model": "", "data": "", "bits/dim": None, "reports": "", "step": None, "time": "", "curve": []}
    if not stamp:
        return empty
    try:
        story = read_story(jobs.get(Path(path).name))
    except GenlabError as error:
        return {**empty, "model": str(error)}
    newest = next(iter([*story.train[-1:], *story.valid[-1:]]), None)
    return {
        "model": story.config["model"]["name"],
        "data": Path(story.config["data"]["name"]).name,
        "bits/dim": story.best["bits_per_dim"] if story.best and story.axis == BITS_PER_DIM else None,
        "reports": story.written(story.best) if story.best and story.axis != BITS_PER_DIM else "",
        "step": newest["step"] if newest else None,
        "time": duration(newest["seconds"]) if newest else "",
        "curve": [record[story.axis.key] for record in story.curve[:: -(-len(story.curve) // _SPARK_POINTS) or 1]],
    }


def compare(names: Sequence[str]) -> None:
    """Curves overlaid and settings side by side."""
    st.header("Side by side", anchor=False)
    labels = {name: Run(runs_folder() / name).label for name in names}
    chosen = st.multiselect(
        "runs to compare",
        names,
        default=[name for name in names if is_run(runs_folder() / name)][:_AT_FIRST],
        max_selections=_AT_ONCE,
        format_func=lambda name: labels.get(name, name),
        placeholder="choose up to six",
    )
    stories = {}
    for name in chosen:
        try:
            stories[_unique(labels[name], name, labels)] = read_story(jobs.get(name))
        except GenlabError as error:
            say(st.caption, "Left out, {}: {}", labels[name], error)
    if not stories:
        st.caption("Choose a run to see its curve and its settings.")
        return
    comparable: dict[tuple[str, Axis], dict[str, Story]] = {}
    for label, story in stories.items():
        comparable.setdefault((story.protocol, story.axis), {})[label] = story
    if len(comparable) > 1:
        words = "; ".join(sorted({f"{protocol}: {axis.words}" for protocol, axis in comparable}))
        say(st.warning, "These runs were scored under different protocols, so their figures do not compare: {}", words)
    st.fragment(curves)(comparable)
    settings({label: _settings(story.config) for label, story in stories.items()})


def curves(comparable: Mapping[tuple[str, Axis], Mapping[str, Story]]) -> None:
    """The curves: those that compare overlaid, others below with an axis of their own. To choose another abscissa runs this alone again."""
    against: dict[str, Literal["step", "seconds"]] = {"by step": "step", "by time": "seconds"}
    picked = st.segmented_control("curves", list(against), default="by step", required=True, label_visibility="collapsed")
    for number, ((protocol, axis), stories) in enumerate(comparable.items()):
        if len(comparable) > 1:
            say(st.markdown, "**{}**", protocol)
        ends = "; ".join(f"{label} ends at {story.written(story.curve[-1])}" for label, story in stories.items() if story.curve)
        chart = overlaid_curves({label: story.curve for label, story in stories.items()}, axis, against=against.get(picked, "step"))
        charts.show(chart, alt=f"Curves {picked}. {ends}", key=f"curves {number}")
    st.caption("Validation; training where no epoch is done yet.")


def _unique(label: str, name: str, labels: Mapping[str, str]) -> str:
    return label if list(labels.values()).count(label) == 1 else f"{label} ({name})"


def _settings(config: Mapping[str, Any]) -> dict[str, str]:
    """A config as one level of names, in words."""
    data = {name: value for name, value in config["data"].items() if name != "record"}
    parts = {"model": {"name": config["model"]["name"], **config["model"]["settings"]}, "data": data, "training": config["training"]}
    flat = {f"{part}.{name}": value for part, values in parts.items() for name, value in values.items()}
    flat |= {"seed": config["seed"], "parameters": parameters_in_words(config)}
    flat |= {f"versions.{name}": value for name, value in (config.get("versions") or {}).items()}
    return {name: "none" if value is None or value == [] else as_text(value) for name, value in flat.items()}


def settings(columns: Mapping[str, Mapping[str, str]]) -> None:
    """What differs, marked, above what is the same in all."""
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    rows = {name: [column.get(name, "–") for column in columns.values()] for name in names}
    differing = {name: values for name, values in rows.items() if len(set(values)) > 1}
    same = {name: values[0] for name, values in rows.items() if name not in differing}
    if differing:
        frame = pd.DataFrame([["≠", name, *values] for name, values in differing.items()], columns=["", "setting", *columns])
        narrow = {"": st.column_config.TextColumn(width=30)}
        marked = frame.style.map(_marked, subset=list(columns))
        st.dataframe(marked, hide_index=True, column_config=narrow, alt="Settings that differ", key="differing")
    elif len(columns) > 1:
        st.caption("These runs have the same settings throughout.")
    with st.expander(f"the same in all: {len(same)} settings" if len(columns) > 1 else "its settings", expanded=not differing):
        st.dataframe(pd.DataFrame(same.items(), columns=["setting", "value"]), hide_index=True, alt="Settings that agree", key="same")


def _marked(_: str) -> str:
    # The table is drawn on a canvas, which knows neither the theme's variables nor mixed colours.
    return "font-weight: 600; background-color: rgba(226, 125, 38, 0.2)"


def one_run() -> None:
    """What can be done with one run."""
    st.header("One run", anchor=False)
    offer_undo()  # here, where a run is deleted
    job = run_in_address()
    if job is None:
        return
    choose_run(job)
    state_and_buttons(job)
    has_config, is_open = (job.run.path / "config.json").exists(), job.is_open_to(visitor())
    st.page_link(PAGES["training"].file, label="Watch it on the Training page →", query_params={"run": job.name})
    if is_open:
        rename(job)
    if has_config:
        downloads(job)
    if is_open and not job.is_active:
        size = sum(file.stat().st_size for file in job.run.path.rglob("*") if file.is_file())
        if st.button(f"Delete this run ({megabytes(size)})", key="delete"):
            jobs.remove(job.name, visitor=visitor())
            address.put(run=None)
            st.rerun()


def rename(job: jobs.Job) -> None:
    """A label for people to read."""
    with st.form(f"rename {job.name}", border=False):
        left, right = st.columns([4, 1], vertical_alignment="bottom")
        with left:
            label = st.text_input("label", "" if job.run.label == job.name else job.run.label, placeholder=job.name, max_chars=60)
        with right:
            pressed = st.form_submit_button("Rename", width="stretch")
    if pressed:
        jobs.rename(job.name, label, visitor=visitor())
        st.rerun()


page()
