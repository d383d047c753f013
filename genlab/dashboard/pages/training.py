"""Training: choose the images and the network, press the button, watch it get better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import streamlit as st

from genlab import jobs
from genlab.dashboard import address
from genlab.dashboard.forms import FormError, Refusals, as_text, field, fields, refused
from genlab.dashboard.frame import caught, frame, say
from genlab.dashboard.run_in_address import choose_run, run_in_address
from genlab.dashboard.run_panel import watch
from genlab.dashboard.story import parameter_count, read_story
from genlab.dashboard.visitor import visitor
from genlab.errors import GenlabError, InputError
from genlab.runs import Run, runs_folder
from genlab.settings import FROM_DATA, DataSettings, TrainSettings, validate

DATA = {
    "digits 8×8, 17 levels": DataSettings(name="digits"),
    "digits 8×8, black or white": DataSettings(name="digits", binarize="threshold"),
    "MNIST 28×28, black or white, drawn anew each time": DataSettings(name="mnist5k", binarize="dynamic"),
    "MNIST 28×28, 4 levels": DataSettings(name="mnist5k", levels=4),
    "all of MNIST, black or white, drawn anew (fetched once from the web)": DataSettings(name="mnist", binarize="dynamic"),
    "photographs 32×32, colour, 8 levels": DataSettings(name="photos", levels=8),
    "sunspots, 264 months, 32 levels (a series)": DataSettings(name="sunspots", levels=32),
    "points: a ring of 8 modes": DataSettings(name="ring"),
    "points: a grid of 25 modes": DataSettings(name="grid25"),
    "points: two spirals": DataSettings(name="spirals"),
    "points: two moons": DataSettings(name="moons"),
}
SHAPES = {"digits": (1, 8, 8), "mnist5k": (1, 28, 28), "mnist": (1, 28, 28), "photos": (3, 32, 32), "sunspots": (1, 1, 264)}

# The form shows the budget at once, and leaves out what the page needs for itself.
_BUDGET = ("minutes", "epochs", "steps")
_HIDDEN = ("learning_rates", "log_seconds", "sample_seconds", "checkpoint_seconds", "valid_images")
# A page wants to see more, and sooner, than a terminal does.
_WATCHED = {"log_seconds": 0.5, "sample_seconds": 3, "checkpoint_seconds": 5}
# So that the first click does something within a minute.
_FIRST = {"minutes": 1.0, "patience": 20, "blocks": 5}
_LABELS = {"seed": "seed of the split"}
_REFUSED = "what was wrong with the training form"
_SENT = "how often the training form was sent"


def page() -> None:
    """The page from top to bottom."""
    with frame(
        "Training",
        "A model is shown real images, and at each step its parameters move a little in the direction that does better. One that predicts "
        "each pixel from those before it pays bits for every wrong guess; training makes the bill smaller.",
    ):
        job = run_in_address()
        training_form()
        if job is None:
            st.info("There is no run yet. **Train** starts one; the first samples appear within seconds.")
        else:
            watched_run(job)


def training_form() -> None:
    """Everything a training needs, filled in so that the first click does something."""
    from genlab.models import list_models, settings_class

    left, right = st.columns([2, 3])
    with left:
        model = st.selectbox("model", list_models(), index=list_models().index("pixelcnn"))
    with right:
        images = st.selectbox("images", list(DATA))
    kind, preset = settings_class(model), DATA.get(images, DataSettings())
    wrong: Refusals = st.session_state.get(_REFUSED, {})
    inside = [(owner, name) for owner, name in wrong if name and name not in _BUDGET]
    with st.form("train", border=True):
        shown, button = st.columns([4, 1], vertical_alignment="top")
        with shown:
            budget = fields(TrainSettings, _BUDGET, _FIRST, columns=3, refusals=wrong)
        with button:
            st.space("small")
            pressed = st.form_submit_button("Train", type="primary", width="stretch")
        for (_, name), sentence in wrong.items():
            if not name:
                say(st.error, "{}", sentence)
        # Another key is another expander: it opens where a field is wrong, and folds once a training has begun.
        with st.expander("model, optimiser and data", expanded=bool(inside), key=f"settings {st.session_state.get(_SENT, 0)}"):
            st.caption("The network")
            network = fields(kind, [name for name in kind.model_fields if name not in FROM_DATA], _FIRST, refusals=wrong)
            st.caption("The optimiser")
            names = [name for name in TrainSettings.model_fields if name not in (*_BUDGET, *_HIDDEN)]
            optimiser = fields(TrainSettings, names, _FIRST, refusals=wrong)
            st.caption("The data")
            names = [name for name in DataSettings.model_fields if name != "name"]
            data = fields(DataSettings, names, preset.model_dump(), labels=_LABELS, refusals=wrong)
    if pressed:
        send(model, {"name": preset.name, **data}, network, {**budget, **optimiser})


def send(model: str, data: Mapping[str, Any], network: Mapping[str, Any], training: Mapping[str, Any]) -> None:
    """Start the training, or show at its field what is wrong; either way from the top of the page."""
    st.session_state[_SENT] = st.session_state.get(_SENT, 0) + 1
    try:
        job = start(model, data, network, training)
    except FormError as error:
        st.session_state[_REFUSED] = error.refusals
    except GenlabError as error:
        # A limit names the field that it is on; what it says of anything else stands beside the button.
        name = next((name for name in _BUDGET if str(error).startswith(f"{name} ")), "")
        st.session_state[_REFUSED] = {(TrainSettings.__name__, name): str(error)}
    else:
        st.session_state[_REFUSED] = {}
        address.put(run=job.name)
    st.rerun()


def start(model: str, data: Mapping[str, Any], network: Mapping[str, Any], training: Mapping[str, Any]) -> jobs.Job:
    """Queue a training, or return the one that the first of two hurried clicks queued.

    Raises:
        GenlabError: A value breaks a rule or a limit; a `FormError` says which.
    """
    from genlab.models import settings_class

    kind = settings_class(model)
    asked_for = {**training, **_WATCHED}
    wrong = {**refused(TrainSettings, asked_for), **refused(DataSettings, data, _LABELS), **refused(kind, network)}
    if wrong:
        raise FormError(wrong)
    checked = validate(TrainSettings, asked_for)
    images = validate(DataSettings, data)
    if images.name not in {preset.name for preset in DATA.values()}:
        raise InputError(f"images must be one of the list; got {images.name!r}")
    settings = validate(kind, network)
    shape = {name: value for name, value in _of_images(images).items() if name in kind.model_fields}
    parameters = parameter_count({"model": {"name": model, "settings": {**settings.model_dump(mode="json"), **shape}}})
    # Without a budget of its own, a training ends with the visitor's.
    capped = {"minutes": checked.minutes or jobs.LIMITS.minutes, "steps": checked.steps or jobs.LIMITS.steps}
    demand = jobs.Demand(minutes=capped["minutes"], steps=checked.steps, parameters=parameters)
    asked = {
        "data": {name: value for name, value in images.model_dump(exclude_defaults=True).items() if name != "name"},
        "training": {**checked.model_dump(exclude_defaults=True), **capped},
        "model": settings.model_dump(exclude=set(FROM_DATA)),
    }
    options = ["--set", *(f"{part}.{name}={as_text(value)}" for part, values in asked.items() for name, value in values.items())]
    return _once(model, images.name, options, demand)


def _of_images(images: DataSettings) -> dict[str, Any]:
    """What a model of such images is told of them; nothing of points."""
    if images.name not in SHAPES:
        return {}
    channels, height, width = SHAPES[images.name]
    sides = (height, width) if images.size is None else (1 if height == 1 else images.size, images.size)  # a series stays one pixel high
    # Where the levels aren't given, they are 256 at most.
    return {"image_shape": (channels, *sides), "levels": 2 if images.binarize else images.levels or 256}


def _once(model: str, data: str, options: list[str], demand: jobs.Demand) -> jobs.Job:
    """The job of this request; a second request of the same kind is the same one for as long as it is active."""
    attempt = st.session_state.setdefault("attempt", uuid4().hex)
    key = f"{attempt} {model} {data} {' '.join(options)}"
    job = jobs.start(model, data, options, key=key, visitor=visitor(), demand=demand)
    if job.is_active:
        return job
    # That one is over, so this click asks for another.
    st.session_state["attempt"] = uuid4().hex
    return _once(model, data, options, demand)


def watched_run(job: jobs.Job) -> None:
    """Which run is watched, what it is compared with, and what can be changed while it trains."""
    chosen, compared, rate = st.columns([4, 4, 3], vertical_alignment="bottom")
    with chosen:
        choose_run(job)
    with compared:
        earlier = compare_with(job)
    with rate:
        learning_rate(job)
    watch(job, earlier=earlier)


def compare_with(job: jobs.Job) -> str | None:
    """Another run to draw beside this one."""
    others = [name for name in jobs.list_names() if name != job.name]
    chosen = st.selectbox(
        "compare with", others, index=None, placeholder="no other run", format_func=lambda name: Run(runs_folder() / name).label
    )
    return chosen if chosen in others else None


def learning_rate(job: jobs.Job) -> None:
    """Change the learning rate of a training under way, from its next step on."""
    if job.state != "running" or not job.is_open_to(visitor()):
        return
    with st.form("rate", border=False):
        left, right = st.columns([3, 2], vertical_alignment="bottom")
        with left:
            rate = field(TrainSettings, "learning_rate", read_story(job).learning_rate, label="learning rate now")
        with right:
            pressed = st.form_submit_button("Change", width="stretch")
    if pressed:
        with caught():
            jobs.change_learning_rate(job.name, rate, visitor=visitor())
            st.toast(f"Learning rate {rate:g} from the next step on.")


page()
