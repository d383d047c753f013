"""Bench: the native code against Python on this very machine, with the machine's own roof."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import streamlit as st

from genlab import jobs
from genlab.benchmark import TABLES, background
from genlab.dashboard import bench_charts, charts
from genlab.dashboard.frame import caught, frame
from genlab.dashboard.plain import plain

WHAT = {
    "roofline": "what the machine can do at most",
    "kernels": "one masked convolution",
    "training": "a whole training step",
    "memory": "the memory of a training step",
    "precision": "what bfloat16 costs in likelihood",
    "sampling": "drawing images",
    "growth": "how both grow with the image, the network and the batch",
    "systems": "each causal system, trained and drawn from",
    "toy-gan": "training the toy GAN, once and many times",
}
FIRST = ["roofline", "kernels"]


def page() -> None:
    """The page from top to bottom."""
    with frame(
        "Native against Python",
        "The same computation by genlab's C++ and by everything that Python offers, each in a process of its own with the same number "
        "of threads. All sides first have to **agree** with a reference; only then they are timed, in turns, so that a disturbance "
        "hits all alike.",
    ):
        is_active = False
        # Each part says its own faults, so that a torn file of one leaves the others in use.
        with caught():
            progress = background.progress()
            is_active = progress is not None and progress.is_active
            st.fragment(state, run_every=1.0 if is_active else None)(is_active)
        if not is_active:
            with caught():
                form()
        with caught():
            show(background.results(), is_active)


def form() -> None:
    """What to measure."""
    with st.form("bench"):
        asked = st.pills("measure", list(TABLES), default=FIRST, selection_mode="multi", format_func=described)
        full = st.checkbox("all sizes, every compiled peer and many rounds: takes long, and is what a claim needs")
        pressed = st.form_submit_button("Measure on this machine", type="primary")
    busy = [job.name for job in jobs.list_jobs() if job.is_active]
    if busy:
        st.warning(f"A training is at work ({', '.join(busy)}) and would disturb what is measured. Better wait, or stop it first.")
    if pressed:
        background.start([name for name in TABLES if name in asked], quick=not full)
        st.rerun()


def described(name: str) -> str:
    """A table with what it measures."""
    return f"{name}: {WHAT[name]}" if name in WHAT else name


def state(was_active: bool) -> None:
    """How far the benchmark is; runs again every second while one is at work."""
    progress = background.progress()
    if progress is None:
        return
    if progress.is_active != was_active:
        st.rerun()
    if progress.is_active:
        total = len(progress.cases)
        doing = progress.cases[progress.done] if progress.done < total else "getting ready"
        words = f"{progress.done} of {total or '…'} cases, {time.time() - progress.started:.0f} s so far. Now: {doing}"
        st.progress(progress.done / total if total else 0.0, text=words)
        if st.button("Stop measuring"):
            background.stop()
            st.rerun()
    elif not progress.is_complete:
        st.warning(
            f"The last benchmark ended after {progress.done} of {len(progress.cases) or 'its'} cases: it was stopped, or something went "
            "wrong. Tables that were complete keep their results."
        )
    with st.expander("what it prints", expanded=not progress.is_active and not progress.is_complete):
        st.code(progress.output[-20_000:] or "nothing yet", language=None, height=320)


def show(documents: Mapping[str, Mapping[str, Any]], is_active: bool) -> None:
    """The last results, table by table."""
    tables = {table["name"]: (document, table) for document in documents.values() for table in document["tables"]}
    if not tables:
        if not is_active:
            st.info("Nothing has been measured on this machine yet. **Measure on this machine** does it now; the results stay here.")
        return
    if {"kernels", "roofline"} <= set(tables):
        roofline(tables["kernels"][1], tables["roofline"][1])
    for name, (document, table) in tables.items():
        st.header(described(name), anchor=False)
        st.caption(origin(document))
        results(table)


def roofline(kernels: Mapping[str, Any], roofs: Mapping[str, Any]) -> None:
    """The kernels below the machine's roof."""
    peak, bandwidth = bench_charts.roof(roofs)
    points = list(bench_charts.kernel_points(kernels, peak))
    if not points:
        return
    best = max(points, key=lambda point: point["share"])
    st.header("The roof", anchor=False)
    st.markdown(
        f"Measured here: at most **{peak:,.0f} billion** float32 operations a second, and **{bandwidth:,.1f} GB** a second out of memory. "
        f"No code can be above the line. The best native kernel reaches **{best['share']:.0%}** of the peak ({best['case']})."
    )
    in_words = "; ".join(f"{point['case']}: {point['gigaflops']:.3g} billion operations a second" for point in points)
    charts.show(bench_charts.roofline(kernels, roofs), key="roofline", alt=f"Below the roof: {in_words}.")


def results(table: Mapping[str, Any]) -> None:
    """One table: native against all peers at a glance, one case in detail, and all figures."""
    name, cases = table["name"], {case["name"]: case for case in table["cases"]}
    for case in cases.values():
        if case["refusal"]:
            st.error(plain(f"{case['name']}: {case['refusal']}"))
    figures = [{"figure": figure["meaning"], "value": in_figures(figure["value"])} for figure in table["figures"]]
    if has_peers(table):
        charts.show(bench_charts.leads(table, ink=charts.ink()), key=f"leads {name}", alt=in_words(table))
        ahead_or_behind(table)
        with st.expander("one case in detail"):
            case = cases[st.selectbox("case", list(cases), key=f"case {name}")]
            words = f"Medians of {case['name']}, also in the table below."
            charts.show(bench_charts.times(table, case, ink=charts.ink()), key=f"times {name}", alt=words)
            if any(side["role"] == "context" and side["median"] for side in case["sides"]):
                st.markdown("**For comparison:** these compute something else; do not hold them against those above.")
                chart = bench_charts.times(table, case, ink=charts.ink(), context=True)
                charts.show(chart, key=f"context {name}", alt=f"What else was measured in {case['name']}.")
            st.dataframe([agreement(table, side) for side in case["sides"]], hide_index=True, width="stretch", key=f"sides {name}")
    else:
        st.dataframe(figures, hide_index=True, width="stretch", key=f"figures {name}")
    with st.expander("all figures, and why this is fair" if has_peers(table) else "how this was measured"):
        st.markdown(plain(table["about"]))
        for note in table.get("notes", ()):
            st.caption(plain(note))
        if has_peers(table):
            st.dataframe(figures, hide_index=True, width="stretch", key=f"figures {name}")


def ahead_or_behind(table: Mapping[str, Any]) -> None:
    """The honest summary."""
    behind = [
        f"behind {side['side']} ({side['ratio']:.2f}×) in {case['name']}"
        for case in table["cases"]
        for side in case["sides"]
        if side["role"] == "peer" and side["ratio"] and side["ratio"] <= 1
    ]
    disturbed = [case["name"] for case in table["cases"] if case.get("disturbed")]
    if behind:
        st.warning(plain(f"Native is {'; '.join(behind)}."))
    if disturbed:
        st.warning(plain(f"Something else was using the cores, so that these hold neither in time nor in ratio: {'; '.join(disturbed)}."))
    elif table["ahead"] and not behind:
        st.success("Native is ahead of every peer that ran, in every case.")


def in_figures(value: float | None) -> str:
    """A figure of the table; one that does not exist is a dash."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def has_peers(table: Mapping[str, Any]) -> bool:
    """Whether anything was timed that computes the same as native."""
    return any(side["role"] == "peer" and side["ratio"] for case in table["cases"] for side in case["sides"])


def in_words(table: Mapping[str, Any]) -> str:
    """The chart of leads as a sentence a case."""
    sentences = []
    for case in table["cases"]:
        ratios = [side["ratio"] for side in case["sides"] if side["role"] == "peer" and side["ratio"]]
        if ratios:
            sentences.append(f"{case['name']}: native is {min(ratios):.3g} to {max(ratios):.3g} times faster.")
    return " ".join(sentences)


def agreement(table: Mapping[str, Any], side: Mapping[str, Any]) -> dict[str, Any]:
    """A side as a row: what it took, and how near it came to the truth."""
    worst = max(side["agreements"], key=lambda each: (each["deviation"] or 0) / each["tolerance"], default=None)
    return {
        "side": side["side"],
        "median": bench_charts.measured(table, side) if not side["failure"] else f"could not run: {side['failure']}",
        "times native": round(side["ratio"], 3) if side["ratio"] else None,
        "deviation": f"{worst['deviation']:.1e} of {worst['tolerance']:.0e} allowed" if worst and worst["deviation"] is not None else "",
    }


def origin(document: Mapping[str, Any]) -> str:
    """When and on what it was measured."""
    machine, quick = document["machine"], document["settings"]["quick"]
    when = datetime.fromisoformat(machine["date"]).astimezone()
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    busy = (machine["load"] or 0) > 0.5
    load = f" The machine was busy before the start (load {machine['load']}); what was disturbed says so." if busy else ""
    return (
        f"{when:%Y-%m-%d %H:%M}, {'quick' if quick else 'full'}: {machine['cpu']}, {machine['threads']} threads, kernels for "
        f"{machine['isa']} by {machine['compiler']}; {versions}.{load}"
    )


page()
