"""What can be taken home from a run: its weights, its config, a script that does it again, and a page to mail that works by itself."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import streamlit as st

from genlab.export import script
from genlab.handout import KINDS, hand_out
from genlab.jobs import Job
from genlab.runs import Run, load_model, save_model


def downloads(job: Job) -> None:
    """A button for each; the weights are put together only when they are asked for."""
    code, config = script(job.run), (job.run.path / "config.json").read_bytes()
    with st.container(horizontal=True):
        if job.run.checkpoint_path.exists():
            name = f"{job.name}.safetensors"
            st.download_button("Weights (safetensors)", partial(weights, job.run), name, "application/octet-stream", on_click="ignore")
            if any(kind.fits(job.run.abilities, job.run.domain) for kind in KINDS):
                st.download_button(
                    "Page to mail (HTML)",
                    partial(hand_out, job.run),
                    f"{job.name}.html",
                    "text/html",
                    on_click="ignore",
                    help="One file with the weights inside: it draws in any browser, without a server or the web.",
                )
        st.download_button("Config (JSON)", config, f"{job.name}.json", "application/json", on_click="ignore")
        st.download_button("Export as a Python script", code, f"{job.name}.py", "text/x-python", on_click="ignore")
    with st.expander("the script"):
        st.code(code, language="python", wrap_lines=True)


def weights(run: Run) -> bytes:
    """The best weights as one file that `genlab.load_model` takes.

    Raises:
        RunError: The checkpoint is torn or fits another model.
    """
    with tempfile.TemporaryDirectory() as folder:
        save_model(load_model(run), file := Path(folder) / "model.safetensors")
        return file.read_bytes()
