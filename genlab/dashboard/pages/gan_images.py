"""GANs on images: what G draws and how it came there, what D thinks of it and of yours, and what the switches of slide 65 are worth."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from genlab.ablation import read, rows
from genlab.ablation.outcome import how_sure
from genlab.dashboard import address, charts, gan_charts
from genlab.dashboard.components.filmstrip import filmstrip
from genlab.dashboard.components.pad import Drawing, from_text, pad
from genlab.dashboard.components.wall import wall
from genlab.dashboard.frame import caught, frame
from genlab.dashboard.navigation import PAGES
from genlab.dashboard.stage.gans import DRAWN, can_be_asked, draws, history, judged, verdicts, way
from genlab.dashboard.stage.sources import Source, choose_source, model_of
from genlab.dashboard.words import duration
from genlab.runs import open_run

TRAIN = "genlab train dcgan --data digits --minutes 1"
SHOWN = 8
FIGURES = {
    "frechet": "Fréchet distance of digit features: less is better",
    "precision": "precision: share of samples among the data",
    "recall": "recall: share of the data among samples",
}


def page() -> None:
    """The page from top to bottom."""
    with frame(
        "GANs on images",
        "G turns a *z* of a few dozen normal numbers into an image, in one pass. No likelihood tells how good it is: only D’s opinion, "
        "figures on its samples, and your eyes.",
    ):
        source = choose_source(PAGES["gan_images"].needs, of_images=True)
        if not source.path:
            st.info(f"No GAN of images is here yet. Train one on the page Training, or by `{TRAIN}`.")
        else:
            for part in (fresh, over_training, between, opinions):
                with caught():
                    part(source)
            st.page_link(PAGES["memorisation"].file, label="Does it only remember? The nearest training images →")
        with caught():
            switches()


def fresh(source: Source) -> None:
    """What it draws."""
    seed = address.again("Draw others", "seed")
    images, seconds = draws(source, seed)
    model = model_of(source)
    wall(images, model.domain.levels, key="fresh", identity=f"{source} {seed}", alt="Drawn by G", large=72, narrowest=40)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    st.caption(f"{DRAWN} images took {duration(seconds)}; G and D have {parameters:,} parameters. {figure(source)}")


def figure(source: Source) -> str:
    """What its run says of it."""
    run = open_run(source.path)
    best = run.best()
    return f"Best validation: {run.report.describe(best['values'])}." if best else ""


def over_training(source: Source) -> None:
    """The same z over training."""
    st.header("The same z, while G learns", anchor=False)
    files = history(source)
    if len(files) < 2:
        st.markdown(f"This model came without its history. A run keeps it: choose digits-gan above, or train one by `{TRAIN}`.")
        return
    labels = {file.name: f"step {int(re.sub('[^0-9]', '', file.stem) or 0):,}" for file in files}
    filmstrip(source.name, files, labels, model_of(source).domain.shape)
    st.caption("Drawn with averaged weights from the same z each time, so an image can be followed from noise to what it became.")


def between(source: Source) -> None:
    """From one z to another."""
    st.header("From one z to another", anchor=False)
    if not can_be_asked(source):
        st.markdown("This model does not draw from a z that one chooses.")
        return
    seed = address.again("Other ends", "ends")
    found = way(source, seed)
    for words, images in found.images.items():
        st.markdown(f"**{words}**" + (": G is not asked, two images lie upon each other" if words == "in pixels" else ""))
        lengths = found.lengths.get(words)
        wall(
            images,
            model_of(source).domain.levels,
            key=f"way {words}",
            identity=f"{source} {seed} {words}",
            alt=f"Between two z, {words}",
            words=[] if lengths is None else [f"|z| {length:.1f}" for length in lengths],
            large=72,
            narrowest=32,
        )
    dimension = model_of(source).settings.latent
    st.caption(
        f"Normal z of {dimension} numbers have a length near √{dimension} = {dimension**0.5:.1f}; halfway along the straight line it is "
        f"shorter than any G was trained on. {found.milliseconds:.1f} ms an image."
    )


def opinions(source: Source) -> None:
    """What D makes of real images, of G's, and of one's own."""
    st.header("What D thinks", anchor=False)
    model = model_of(source)
    found = verdicts(source, 0)
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.markdown("**Fool it yourself:** draw, and see what D says.")
        kept = from_text(address.text("drawing"), model.domain.shape, model.domain.levels)
        drawing = kept or Drawing(np.zeros(model.domain.shape, np.uint8), model.domain.shape[1])
        if model.domain.shape[0] == 1:
            pad(drawing, model.domain.levels, on_draw=lambda drawn: address.put(drawing=drawn.as_text()), whole=True)
    own = None if kept is None else float(judged(source, kept.levels[None])[0])
    with right:
        sentence = "; ".join(f"{name} {values.mean():.0%} on average" for name, values in found.probabilities.items())
        alt = f"How probable D finds it that images are real: {sentence}."
        charts.show(gan_charts.verdicts(found.probabilities, own, ink=charts.ink()), key="verdicts", alt=alt)
        count = len(found.images["real"])
        st.caption(f"{count} real images ({found.words}) and {count} by G. D says: {sentence}; 50% is not knowing.")
        if own is not None:
            below = {name: float((values < own).mean()) for name, values in found.probabilities.items()}
            st.markdown(
                f"Yours looks real with probability **{own:.1%}**: more than {below['real']:.0%} of the real images and "
                f"{below['generated']:.0%} of G’s."
            )
    for name, values in found.images.items():
        order = np.argsort(found.probabilities[name])
        picked = order[np.linspace(0, len(order) - 1, SHOWN).round().astype(int)]
        st.markdown(f"**{name}**, from what D doubts most to what it believes")
        wall(
            values[picked],
            model.domain.levels,
            key=f"judged {name}",
            identity=f"{source} {name}",
            alt=f"{name} images, judged",
            words=[f"{found.probabilities[name][at]:.0%}" for at in picked],
            large=80,
            narrowest=44,
        )
    st.caption(
        "D was trained against one G at one moment; it is no judge of images in general. Real images that D never saw may get lower "
        "marks than those it was trained on: then D has learnt them by heart."
    )


def switches() -> None:
    """The switches of slide 65 on equal budgets."""
    st.header("What are the tricks worth?", anchor=False)
    found = rows(shipped())
    measured = [row for row in found if row.frechet]
    steps = int(measured[0].steps)
    st.markdown(
        f"Slide 65’s switches, each alone, on a GAN of two perceptrons that learns digits of 8×8 for {steps} steps. "
        f"**{measured[0].name}** is {measured[0].words}."
    )
    for column, (name, title) in zip(st.columns(len(FIGURES), gap="medium"), FIGURES.items(), strict=True):
        with column:
            values = {row.name: getattr(row, name) for row in measured}
            alt = f"{title}: " + "; ".join(f"{variant} {value.text(2)}" for variant, value in values.items())
            charts.show(charts.intervals(measured, name, title), key=f"switches {name}", alt=alt + ".")
    columns = st.columns(2, gap="large")
    for number, row in enumerate(measured):
        with columns[number % 2]:
            worth = f", {row.worth.text(0, signed=True)}: {row.verdict}" if row.worth else ""
            st.markdown(f"**{row.name}**{worth}  \n:small[{row.words}]")
            if row.samples is not None:
                wall(
                    row.samples[:SHOWN],
                    row.levels,
                    key=f"switch {row.name}",
                    identity=row.name,
                    alt=f"Drawn by {row.name}",
                    large=48,
                    narrowest=28,
                )
    protocol = next(record["protocol"] for record in shipped()["runs"] if "protocol" in record)
    st.caption(
        f"{how_sure(shipped())} {protocol}. Fréchet distances of digit features, not FID; verdicts and "
        "colours are by them in all three charts. Other budgets decide otherwise; to make it anew: "
        f"`genlab ablate --variants switches --data digits --steps {steps} --seeds {measured[0].seeds}`."
    )


@cache
def shipped() -> dict[str, Any]:
    """The study that comes with genlab."""
    return read(Path(__file__).parents[2] / "ablation" / "shipped" / "switches")


page()
