"""One run, live: its state in words, its numbers, its curve, its samples."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import streamlit as st

from genlab import jobs
from genlab.dashboard.charts import learning_curve
from genlab.dashboard.components.filmstrip import filmstrip
from genlab.errors import GenlabError

Records = Sequence[Mapping[str, Any]]


def run_panel(name: str, *, state: jobs.State) -> None:
    """Show a run. Runs as a fragment, again and again while the run is active.

    Args:
        name: The run.
        state: What the page found it to be; once that has changed, the whole page runs again.
    """
    try:
        job = jobs.get(name)
        if job.state != state:
            st.rerun()
        _state_and_buttons(job)
        if (job.run.path / "config.json").exists():
            _results(job)
    except GenlabError as error:
        st.error(str(error))


def _state_and_buttons(job: jobs.Job) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        _say_state(job)
        if job.is_active:
            if st.button("Stop training", disabled=job.state == "stopping"):
                jobs.stop(job.name)
                st.rerun()
        elif job.state in jobs.RESUMABLE and st.button("Resume training"):
            jobs.resume(job.name)
            st.rerun()


def _say_state(job: jobs.Job) -> None:
    match job.state:
        case "starting":
            st.info("**Starting.** The training process is loading.")
        case "running":
            st.info(f"**Training** in a process of its own ({job.pid}): reload or close this page, it goes on.")
        case "stopping":
            st.info("**Stopping.** The step under way is finished and a checkpoint written.")
        case "stopped":
            st.info(f"**Stopped**{job.message.removeprefix('stopped')}. It can be resumed from there.")
        case "finished":
            st.success(f"**Finished**{job.message.removeprefix('finished')}.")
        case "failed":
            st.error(f"**Failed**: {job.message}")
        case "lost":
            st.warning(f"**Lost**: {job.message}. It can be resumed from the last checkpoint.")


def _results(job: jobs.Job) -> None:
    records = job.run.metrics()
    train, valid, samples = ([record for record in records if record["kind"] == kind] for kind in ("train", "valid", "sample"))
    config = job.run.config
    _numbers(job, config, train, valid)
    curve, strip = st.columns([5, 4], gap="medium")
    with curve:
        st.altair_chart(learning_curve(train, valid), width="stretch", key="curve", alt=_curve_in_words(train, valid))
        st.caption(_protocol(config))
    with strip:
        labels = {record["file"].rpartition("/")[2]: _when(record["step"], train) for record in samples}
        filmstrip(job.name, job.run.sample_files, labels, config["model"]["settings"]["image_shape"])


def _numbers(job: jobs.Job, config: Mapping[str, Any], train: Records, valid: Records) -> None:
    newest = train[-1] if train else None
    best = min(valid, key=lambda record: record["nats"], default=None)
    shown = {
        "best validation": f"{best['bits_per_dim']:.3f} bits/dim" if best else "–",
        "an image costs": f"{best['nats']:.1f} nats" if best else "–",
        "step": f"{newest['step']:,}" if newest else "–",
        "speed": f"{median(record['images_per_second'] for record in train[-9:]):,.0f} images/s" if train else "–",
        "time spent": _duration(newest["seconds"]) if newest else "–",
    }
    if job.is_active:
        shown["time left"] = _time_left(config, newest)
    with st.container(horizontal=True, gap="medium"):
        for label, value in shown.items():
            st.metric(label, value, width="content")


def _time_left(config: Mapping[str, Any], newest: Mapping[str, Any] | None) -> str:
    """From the budget of minutes, or from the epochs done so far."""
    if newest is None:
        return "–"
    training, seconds = config["training"], newest["seconds"]
    left = []
    if training["minutes"]:
        left.append(60 * training["minutes"] - seconds)
    if training["epochs"]:
        steps = training["epochs"] * -(-config["data"]["record"]["images"]["train"] // training["batch_size"])
        left.append(seconds * (steps / newest["step"] - 1))
    return f"about {_duration(max(0.0, min(left)))}" if left else "–"


def _when(step: int, train: Records) -> str:
    """A step in words, with the training time it took."""
    seconds = next((record["seconds"] for record in reversed(train) if record["step"] <= step), None)
    return f"step {step:,}" + (f", after {_duration(seconds)}" if seconds is not None else ", before training")


def _curve_in_words(train: Records, valid: Records) -> str:
    if not train:
        return "No loss has been recorded yet."
    words = f"Training loss from {train[0]['bits_per_dim']:.3f} to {train[-1]['bits_per_dim']:.3f} bits/dim in {train[-1]['step']:,} steps"
    return f"{words}; validation at {valid[-1]['bits_per_dim']:.3f}." if valid else f"{words}."


def _protocol(config: Mapping[str, Any]) -> str:
    """Which data a likelihood speaks of, and by which network."""
    record, settings = config["data"]["record"], config["model"]["settings"]
    _, height, width = record["image_shape"]
    rule = "" if record["rule"] == "x" else f" (from intensity x: {record['rule']})"
    images = f"{record['name']}, {height}×{width}, {record['levels']} levels{rule}, split of seed {record['seed']}"
    network = f"{_parameters(json.dumps(config['model']))} parameters in {settings['blocks']} blocks of {settings['channels']} channels"
    return f"{images}. {network}, learning rate {config['training']['learning_rate']:g}, seed {config['seed']}."


@st.cache_data(max_entries=64, show_spinner=False)
def _parameters(model: str) -> str:
    """The number of parameters of the model that a config, as JSON, describes."""
    from genlab.models import create_model

    described = json.loads(model)
    return f"{create_model(described['name'], **described['settings']).parameter_count():,}"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
