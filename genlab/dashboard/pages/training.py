"""Training: choose the images and the network, press the button, watch it get better."""

from __future__ import annotations

from uuid import uuid4

import streamlit as st

from genlab import jobs
from genlab.dashboard.forms import number_field
from genlab.dashboard.run_in_address import run_in_address
from genlab.dashboard.run_panel import run_panel
from genlab.errors import GenlabError
from genlab.settings import DataSettings, TrainSettings, validate

DATA = {
    "digits 8×8, 17 levels": DataSettings(name="digits"),
    "digits 8×8, black or white": DataSettings(name="digits", binarize="threshold"),
    "MNIST 28×28, black or white, drawn anew each time": DataSettings(name="mnist5k", binarize="dynamic"),
    "MNIST 28×28, 4 levels": DataSettings(name="mnist5k", levels=4),
}


def page() -> None:
    """The page from top to bottom."""
    with st.container(width=1120):
        st.title("Training", anchor=False)
        try:
            job = run_in_address()
            training_form()
            if job is None:
                st.info("There is no run yet. **Train** starts one; the first samples appear within seconds.")
            else:
                choose_run(job)
                watch(job)
        except GenlabError as error:
            st.error(str(error))


def training_form() -> None:
    """Everything a training needs, filled in so that the first click does something."""
    from genlab.models import settings_class

    model = settings_class("pixelcnn")
    with st.form("train", border=True):
        left, middle, right = st.columns([5, 2, 2], vertical_alignment="bottom")
        with left:
            data = DATA[st.selectbox("images", DATA)]
        with middle:
            minutes = number_field(TrainSettings, "minutes", value=1.0, step=0.5)
        with right:
            pressed = st.form_submit_button("Train", type="primary", width="stretch")
        with st.expander("model and optimiser"):
            first, second, third = st.columns(3)
            with first:
                channels = number_field(model, "channels", step=8)
                blocks = number_field(model, "blocks", value=5)
            with second:
                learning_rate = number_field(TrainSettings, "learning_rate", step=0.001)
                batch_size = number_field(TrainSettings, "batch_size", step=16)
            with third:
                patience = number_field(TrainSettings, "patience", value=20)
                seed = number_field(TrainSettings, "seed")
    if not pressed:
        return
    training = {"minutes": minutes, "learning_rate": learning_rate, "batch_size": batch_size, "patience": patience, "seed": seed}
    try:
        job = start(data, {"channels": channels, "blocks": blocks}, training)
    except GenlabError as error:
        st.error(str(error))
        return
    st.query_params["run"] = job.name
    st.rerun()


def start(data: DataSettings, model: dict[str, int], training: dict[str, float]) -> jobs.Job:
    """Start a training, or return the one that the first of two hurried clicks started.

    Raises:
        GenlabError: A value breaks a rule, or another training is active.
    """
    from genlab.models import settings_class

    validate(settings_class("pixelcnn"), model)
    # A page wants to see more, and sooner, than a terminal does.
    validate(TrainSettings, watched := {**training, "log_seconds": 0.5, "sample_seconds": 3, "checkpoint_seconds": 5})
    asked = {"data": data.model_dump(exclude={"name"}, exclude_defaults=True), "training": watched, "model": model}
    options = ["--set", *(f"{part}.{name}={value}" for part, settings in asked.items() for name, value in settings.items())]
    attempt = st.session_state.setdefault("attempt", uuid4().hex)
    job = jobs.start("pixelcnn", data.name, options, key=f"{attempt} {data.name} {' '.join(options)}")
    if job.is_active:
        return job
    # That one is over, so this click asks for another.
    st.session_state["attempt"] = uuid4().hex
    return start(data, model, training)


def choose_run(job: jobs.Job) -> None:
    """Which run is watched."""

    def put_into_address() -> None:
        st.query_params["run"] = st.session_state["chosen"]

    st.session_state["chosen"] = job.name
    st.selectbox("run", jobs.list_names(), key="chosen", on_change=put_into_address)


def watch(job: jobs.Job) -> None:
    """The live part: it alone runs again every second, and only while there is something to see."""
    st.fragment(run_panel, run_every=1.0 if job.is_active else None)(job.name, state=job.state)


page()
