"""The classroom: how everybody in the room gets here, what each may use, and who waits for what."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from genlab import classroom, jobs
from genlab.dashboard.frame import caught, frame, say

QUIET, LARGE = 4, 12  # squares of white around the code, which scanners need; pixels of a square's side
CODE_WIDTH = 460
POLL_SECONDS = 5.0
_SHOWN = 12


def page() -> None:
    """The page from top to bottom."""
    with frame("Classroom", "One computer serves everybody in the room: scan the code or type the address. Nothing has to be installed."):
        if classroom.is_on():
            door(classroom.address())
        else:
            st.info("This server is for the person at this computer. This command opens one for a class, with a code to scan:")
            st.code("genlab serve --classroom", language=None)
        left, right = st.columns(2, gap="large")
        with left:
            bounds()
        with right:
            st.header("Who trains, who waits", anchor=False)
            st.fragment(queue, run_every=POLL_SECONDS)()


def door(url: str) -> None:
    """The address, for cameras and for eyes."""
    code, words = st.columns([2, 3], gap="large", vertical_alignment="center")
    with code:
        st.image(picture(url), width=CODE_WIDTH, output_format="PNG")
    with words:
        st.markdown(f"## <{url}>")  # as whoever started the server wrote it
        st.caption(
            "Your browser is your name here: it alone stops, changes and deletes what it began. Guest networks may keep guests apart."
        )


def picture(url: str) -> NDArray[np.uint8]:
    """The QR code, black on white whatever the theme: uint8 ``(side, side)``."""
    dark = np.pad(np.array(classroom.code_as_squares(url)), QUIET)
    code: NDArray[np.uint8] = np.where(dark, 0, 255).astype(np.uint8).repeat(LARGE, 0).repeat(LARGE, 1)
    return code


def bounds() -> None:
    """What this server lets a visitor use."""
    limits = jobs.LIMITS
    rows = {
        "trainings at work or waiting": (limits.jobs, limits.jobs_in_all),
        "minutes of a training": (f"{limits.minutes:g}", ""),
        "steps of a training": (f"{limits.steps:,}", ""),
        "parameters of a model": (f"{limits.parameters:,}", ""),
        "runs on the disk, MB": (f"{limits.disk / 2**20:,.0f}", f"{limits.disk_in_all / 2**20:,.0f}"),
    }
    st.header("What a visitor may use", anchor=False)
    table = "\n".join(f"| {what} | {each} | {together} |" for what, (each, together) in rows.items())
    st.markdown(f"| what | each | together |\n| --- | ---: | ---: |\n{table}")


def queue() -> None:
    """Trainings at work and in the queue, the next one first. Runs as a fragment, again and again."""
    with caught():
        active = sorted((job for job in jobs.list_jobs() if job.is_active), key=lambda job: (job.place, job.created))
        if not active:
            st.markdown("Nobody trains and nobody waits: a training would begin at once.")
        for job in active[:_SHOWN]:
            if job.place:
                say(st.markdown, "{}. {}: {}", job.place, job.run.label, job.message)
            else:
                say(st.markdown, "**{}** {}", job.run.label, f"is {job.state}")
        if len(active) > _SHOWN:
            st.caption(f"and {len(active) - _SHOWN} more")


page()
