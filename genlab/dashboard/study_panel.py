"""A study as a page shows it: which one, how far it is, the one thing that can be done about it, and the form that asks for a new one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import streamlit as st

from genlab import jobs
from genlab.ablation import read
from genlab.dashboard import address
from genlab.dashboard.frame import caught, say
from genlab.dashboard.plain import plain
from genlab.dashboard.run_panel import POLL_SECONDS
from genlab.dashboard.visitor import visitor
from genlab.errors import InputError
from genlab.jobs.studies import FILES

SHIPPED = "comes with genlab"
MINUTES_AT_MOST = 10.0
_ATTEMPT = "study that is asked for"

Show = Callable[[Mapping[str, Any]], None]
"""Shows a study's document."""


Plan = Callable[[str, dict[str, Any], list[str], int, float], object]
"""Makes a study's plan of the data's name and settings, what was chosen, seeds and minutes each; raises what is wrong with it."""


@dataclass(frozen=True)
class Offer:
    """What a page lets its visitors compare.

    Attributes:
        verb: Of the command line.
        what: What is chosen; the command line has an option of that name.
        names: All that can be chosen.
        usual: Those that are chosen unless the visitor chooses others.
        hint: What else there is to know of the choice.
        data: For each kind of data what the command line is told: the dataset's name, then settings ``name=value``.
        seeds: How many there are unless the visitor wants others.
        seeds_at_most: How many there can be.
        button: What the button says.
    """

    verb: str
    what: str
    names: Sequence[str]
    usual: Sequence[str]
    data: Mapping[str, Sequence[str]]
    seeds: int
    seeds_at_most: int
    button: str
    hint: str | None = None


def choose(verb: str, shipped: str) -> jobs.Study | None:
    """The study that the address names; None: the one that comes with genlab.

    Args:
        verb: Of the studies, in `genlab.jobs.studies.FILES`.
        shipped: What that one is called in the list.
    """
    found = {study.name: study for study in jobs.list_studies(verb)}
    asked = address.choice("study", [SHIPPED, *found])
    if found:
        words = {name: f"{name}{' (at work)' if study.is_active else ''}" for name, study in found.items()}
        address.linked(
            st.selectbox,
            FILES[verb].partition(".")[0],
            "study",
            asked,
            [SHIPPED, *found],
            format_func=lambda each: words.get(each, shipped),
        )
    return found.get(asked)


def watch(study: jobs.Study, show: Show) -> None:
    """How far it is and what came of it; runs again every second while it is at work."""
    st.fragment(_watched, run_every=POLL_SECONDS if study.is_active else None)(study.name, study.is_active, show)


def _watched(name: str, was_active: bool, show: Show) -> None:
    with caught():
        study = next(study for study in jobs.list_studies() if study.name == name)
        if study.is_active != was_active:
            st.rerun()
        file = FILES[study.verb]
        document = read(study.path, file) if (study.path / file).exists() else None
        _state(study, document)
        if document is not None:
            show(document)


def _state(study: jobs.Study, document: Mapping[str, Any] | None) -> None:
    """What it is doing, and the one thing that can be done about it."""
    done = len(document["runs"]) if document else 0
    total = len(document["plan"]["variants"]) * len(document["plan"]["seeds"]) if document else 0
    if study.is_active:
        at_work = "Waiting" if study.place else f"{done} of {total or '…'} trainings are finished"
        words = "Stopping" if study.is_stopping else at_work
        st.progress(done / total if total else 0.0, text=f"{words}. {plain(study.message)}")
    elif done < total or document is None:
        say(
            st.warning,
            "{} of {} trainings are finished; the process ended. It said last: {}",
            done,
            total or "…",
            study.message or "nothing",
        )
    if not study.is_open_to(visitor()):
        st.caption("Started in another browser: only from there can it be stopped.")
    elif study.is_active and st.button("Stop it", disabled=study.is_stopping):
        jobs.stop_study(study.name, visitor=visitor())
        st.rerun()
    elif not study.is_active and (done < total or document is None) and st.button("Go on with it"):
        jobs.go_on_with_study(study.name, visitor=visitor())
        st.rerun()


def form(offer: Offer, plan: Plan) -> None:
    """A study of the visitor's own: small enough for a coffee.

    Raises:
        GenlabError: A value breaks a rule or a limit.
    """
    with st.form(offer.verb):
        chosen = st.pills(offer.what, offer.names, default=list(offer.usual), selection_mode="multi", help=offer.hint)
        images, seeds, minutes = st.columns([3, 1, 1], vertical_alignment="bottom")
        with images:
            data = st.selectbox("data", list(offer.data))
        with seeds:
            count = st.number_input("seeds", min_value=1, max_value=offer.seeds_at_most, value=offer.seeds, step=1)
        with minutes:
            budget = st.number_input("minutes for each", min_value=0.05, max_value=MINUTES_AT_MOST, value=0.2, step=0.1, format="%.2f")
        pressed = st.form_submit_button(offer.button, type="primary")
    if pressed:
        _start(offer, plan, data, [name for name in offer.names if name in chosen], int(count), float(budget))


def _start(offer: Offer, plan: Plan, data: str, chosen: list[str], seeds: int, minutes: float) -> None:
    """Queue the study that was asked for, if it can be made."""
    if data not in offer.data:
        raise InputError(f"data must be one of the list; got {data!r}")
    if not chosen:
        raise InputError(f"{offer.what} must name at least one; got none")
    if not (1 <= seeds <= offer.seeds_at_most and 0 < minutes <= MINUTES_AT_MOST):
        raise InputError(
            f"seeds must be at most {offer.seeds_at_most} and minutes at most {MINUTES_AT_MOST:g}; got {seeds} and {minutes:g}"
        )
    name, *settings = offer.data[data]
    plan(name, dict(setting.split("=") for setting in settings), chosen, seeds, minutes)
    options = [f"--{offer.what}", *chosen, "--seeds", str(seeds), "--minutes", f"{minutes:g}", *(["--set", *settings] if settings else [])]
    _queue(offer.verb, name, options, minutes * seeds * len(chosen))


def _queue(verb: str, data: str, options: Sequence[str], minutes: float) -> None:
    """Queue a study and show it; two hurried clicks are one.

    Args:
        verb: Of the command line.
        data: A dataset's name.
        options: Further options of the command line.
        minutes: Of all its trainings together.

    Raises:
        JobError: A limit would be passed, or the database or the disk refuses.
    """
    attempt = st.session_state.setdefault(_ATTEMPT, uuid4().hex)
    demand = jobs.Demand(minutes=minutes)
    study = jobs.start_study(data, options, verb=verb, key=f"{attempt} {verb} {options}", visitor=visitor(), demand=demand)
    if not study.is_active:  # that one is over: this click asks for another
        st.session_state[_ATTEMPT] = uuid4().hex
        study = jobs.start_study(data, options, verb=verb, visitor=visitor(), demand=demand)
    address.put(study=study.name)
    st.rerun()
