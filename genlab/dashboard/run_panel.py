"""One run, live: its state in words, its numbers, its curve, its samples."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from statistics import median
from typing import Any

import streamlit as st

from genlab import jobs
from genlab.dashboard import charts
from genlab.dashboard.charts import Records, learning_curve, losses, scatter
from genlab.dashboard.components.filmstrip import filmstrip
from genlab.dashboard.doctor_panel import doctor_panel
from genlab.dashboard.frame import caught, say
from genlab.dashboard.navigation import PAGES
from genlab.dashboard.plain import plain
from genlab.dashboard.story import Story, parameters_in_words, read_story, read_values
from genlab.dashboard.visitor import visitor
from genlab.dashboard.words import duration
from genlab.settings import FROM_DATA

POLL_SECONDS = float(os.environ.get("GENLAB_POLL_SECONDS", "1"))
_SILENCE_SECONDS = 60.0
# Where a run can be looked at, the page that shows most of it first.
_LABS = {
    "theatre": "See it draw in the pixel theatre →",
    "vae_lab": "Walk among its codes in the VAE lab →",
    "autoencoder_lab": "See what comes back in the autoencoder lab →",
}


def watch(job: jobs.Job, *, earlier: str | None = None) -> None:
    """A run's panel, which alone runs again every second, and only while there is something to see."""
    st.fragment(run_panel, run_every=POLL_SECONDS if job.is_active else None)(job.name, state=job.state, earlier=earlier)


def run_panel(name: str, *, state: jobs.State, earlier: str | None = None) -> None:
    """Show a run. Runs as a fragment, again and again while the run is active.

    Args:
        name: The run.
        state: What the page found it to be; once that has changed, the whole page runs again.
        earlier: Another run to compare with.
    """
    with caught():
        job = jobs.get(name)
        if job.state != state:
            st.rerun()
        state_and_buttons(job)
        if (job.run.path / "config.json").exists():
            _results(job, earlier)


def state_and_buttons(job: jobs.Job) -> None:
    """What the run is doing, and the one thing that can be done about it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        _say_state(job)
        if not job.is_open_to(visitor()):
            st.caption("Started in another browser: only from there can it be stopped or changed.", width="content")
        elif job.is_active:
            if st.button("Leave the queue" if job.state == "queued" else "Stop training", disabled=job.state == "stopping"):
                jobs.stop(job.name, visitor=visitor())
                st.rerun()
        elif job.state in jobs.RESUMABLE and st.button("Resume training"):
            jobs.resume(job.name, visitor=visitor())
            st.rerun()


def _say_state(job: jobs.Job) -> None:
    message = plain(job.message)
    match job.state:
        case "queued":
            st.info(f"**Waiting**: {message}. It begins by itself; this page may be closed.")
        case "starting":
            st.info("**Starting.** The training process is loading.")
        case "running" if _silence(job) > _SILENCE_SECONDS:
            st.warning(f"**Silent** for {duration(_silence(job))}: process {job.pid} lives, but has recorded nothing since.")
        case "running":
            st.info(f"**Training** in a process of its own ({job.pid}): reload or close this page, it goes on.")
        case "stopping":
            st.info("**Stopping.** The step under way is finished and a checkpoint written.")
        case "stopped":
            st.info(f"**Stopped**{message.removeprefix('stopped')}. It can be resumed from there.")
        case "finished":
            st.success(f"**Finished**{message.removeprefix('finished')}.")
        case "failed":
            st.error(f"**Failed**: {message}")
        case "lost":
            st.warning(f"**Lost**: {message}. It can be resumed from the last checkpoint.")


def _silence(job: jobs.Job) -> float:
    return time.time() - (job.heartbeat or job.created)


def _results(job: jobs.Job, earlier: str | None) -> None:
    story = read_story(job)
    _numbers(job, story)
    curve, strip = st.columns([5, 4], gap="medium")
    with curve:
        _curve(story, earlier)
    with strip:
        _samples(job, story)
        page = next((page for page in _LABS if story.abilities >= PAGES[page].needs), None)
        if job.run.checkpoint_path.exists() and page:
            st.page_link(PAGES[page].file, label=_LABS[page], query_params={"model": job.name})
    doctor_panel(job, story)


def _samples(job: jobs.Job, story: Story) -> None:
    """What it draws as training goes on: grids of images, or where they are none, the newest points."""
    files = job.run.sample_files
    if all(file.suffix == ".png" for file in files):
        labels = {record["file"].rpartition("/")[2]: _when(record["step"], story.train) for record in story.sample}
        filmstrip(job.name, files, labels, story.domain.shape)
        return
    values = read_values(files[-1])
    alt = f"{len(values)} examples that the model draws, their first two values"
    charts.show(scatter(values), key="points", alt=alt)
    st.caption(f"Drawn at {_when(story.sample[-1]['step'], story.train)}." if story.sample else "Drawn by the model.")


def _curve(story: Story, earlier: str | None) -> None:
    other = None
    if earlier is not None:
        job = jobs.get(earlier)
        told = read_story(job)
        if (told.protocol, told.axis) == (story.protocol, story.axis):
            other = (f"earlier: {job.run.label}", told.valid)
        elif told.protocol == story.protocol:
            say(st.caption, "Not drawn: {} reports another figure ({}).", job.run.label, told.axis.words)
        else:
            say(st.caption, "Not drawn: {} was scored under another protocol ({}).", job.run.label, told.protocol)
    chart = learning_curve(
        story.train,
        story.valid,
        story.axis,
        earlier=other,
        references=story.references,
        dimensions=story.domain.size,
        changes=[record["step"] for record in story.event if record.get("event") == "learning_rate"],
    )
    charts.show(chart, key="curve", alt=_curve_in_words(story))
    game = losses(story.train)
    if game is not None:
        charts.show(game, key="losses", alt="What each player of the game loses, by step.")
    st.caption(_protocol(story))


def _numbers(job: jobs.Job, story: Story) -> None:
    train, newest, best = story.train, story.train[-1] if story.train else None, story.best
    shown = {
        "best validation": story.written(best) if best else "–",
        **({"an image costs": f"{best['nats']:.1f} nats"} if best and story.report.key == "nats" else {}),
        "step": f"{newest['step']:,}" if newest else "–",
        "speed": f"{median(record['images_per_second'] for record in train[-9:]):,.0f} images/s" if train else "–",
        "time spent": duration(newest["seconds"]) if newest else "–",
    }
    if job.is_active:
        shown["time left"] = _time_left(story, newest)
    with st.container(horizontal=True, gap="medium"):
        for label, value in shown.items():
            st.metric(label, value, width="content")


def _time_left(story: Story, newest: Mapping[str, Any] | None) -> str:
    """From the budget of minutes, or from the steps done so far."""
    if newest is None:
        return "–"
    images = story.config["data"].get("record", {}).get("images", {}).get("train", 0)
    left = story.settings.seconds_left(newest["step"], newest["seconds"], images)
    return "–" if left is None else f"about {duration(left)}"


def _when(step: int, train: Records) -> str:
    """A step in words, with the training time it took."""
    seconds = next((record["seconds"] for record in reversed(train) if record["step"] <= step), None)
    return f"step {step:,}" + (f", after {duration(seconds)}" if seconds is not None else ", before training")


def _curve_in_words(story: Story) -> str:
    key, words = story.axis
    train, valid, told = [record for record in story.train if key in record], story.valid, []
    if train:
        told.append(f"Training loss from {train[0][key]:.3f} to {train[-1][key]:.3f} {words} in {train[-1]['step']:,} steps")
    if valid:
        told.append(f"validation at {valid[-1][key]:.3f}" if train else f"Validation at {story.written(valid[-1])}")
    return f"{'; '.join(told) or 'No loss has been recorded yet'}."


def _protocol(story: Story) -> str:
    """Which data a likelihood speaks of, and by which network."""
    config = story.config
    settings = ", ".join(f"{name} {value}" for name, value in config["model"]["settings"].items() if name not in FROM_DATA)
    network = f"{config['model']['name']}, {parameters_in_words(config)} parameters ({settings})"
    words = f"{story.protocol}. {network}, learning rate {story.learning_rate:g}, seed {config['seed']}."
    if story.references:
        words += " Level lines: published figures of this protocol, on the test split."
    return plain(words)
