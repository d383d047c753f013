"""Three reasons it is a miracle that GANs work (slide 60), each as a small experiment with numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from genlab.ablation.outcome import student
from genlab.dashboard import address, charts, gan_charts
from genlab.dashboard.components.wall import wall
from genlab.dashboard.frame import caught, frame
from genlab.games import equilibrium, learning
from genlab.games.gradient import LOOKS, LOSSES, Handed, handed_by
from genlab.lecture import worked

STEPS = 500
WAYS = ("both at once", "one after the other", "both at once, with R1")
PICTURES = 8
LEVELS = 17


def page() -> None:
    """The page from top to bottom."""
    with frame(
        "Three reasons it is a miracle",
        "A generator that never sees the data, a game that need not end, a teacher who is always right: each should keep a GAN from "
        "learning. Three experiments show how bad it is, and why it works all the same.",
    ):
        with caught():
            through_d()
        with caught():
            a_game_without_an_end()
        with caught():
            seldom_fooled()


def through_d() -> None:
    """What D hands to G as it becomes perfect."""
    st.header("1. All that G learns comes through D", anchor=False)
    slow, quick = (worked.error_of(worked.PREDICTIONS[0], real=real) for real in (False, True))
    st.markdown(
        "∂L/∂θ = Σ ∂L/∂D · ∂D/∂*x* · ∂*x*/∂θ: the middle factor is D’s alone. Here G stands still and D trains against it. Under the "
        "**minimax** loss, mean ln(1 − D), the first factor dies where D is sure. Under the **non-saturating** one, mean −ln D, it is "
        f"largest there: at D = {worked.PREDICTIONS[0]} the one loss is {-slow:.2f} and nearly flat, the other {quick:.2f} and steep."
    )
    with st.spinner("D trains …"):
        found = _handed(0)
    number = address.whole("d", 5, least=0, most=len(LOOKS) - 1)
    steps = address.linked(
        st.select_slider, "steps that D has trained", "d", number, range(len(LOOKS)), format_func=lambda at: f"{LOOKS[at]}"
    )
    look = found.looks[steps]
    most = max(float(np.hypot(*look.arrows[loss].T).max()) for look in found.looks for loss in LOSSES)
    for column, loss in zip(st.columns(2, gap="large"), LOSSES, strict=True):
        with column:
            st.markdown(f"**{'Minimax' if loss == 'minimax' else 'Non-saturating'}**: the gradient at G is **{look.gradient[loss]:.4f}**")
            alt = f"D's field and the arrows that it hands to generated points under {loss}, after {look.step} steps of D."
            charts.show(gan_charts.handed(found, look, loss, most=most), key=f"field {loss}", alt=alt)
            st.caption(f"By two passes without any gradient, (L(θ + ε) − L(θ − ε)) / 2ε: {look.difference[loss]:.4f}")
    first, last = found.looks[0], found.looks[-1]
    charts.show(
        gan_charts.fading(found.looks, look),
        key="fading",
        alt=f"G's gradient against D's steps: minimax falls to {last.gradient['minimax']:.4f}, non-saturating rises to "
        f"{last.gradient['nonsaturating']:.2f}.",
    )
    largest = max(each.gradient["minimax"] for each in found.looks)
    st.markdown(
        f"After {look.step} steps D is right about {look.right:.0%} of the points, and G’s look real with probability "
        f"{look.looks_real:.2g}. In the end minimax has **{last.gradient['minimax'] / largest:.1%}** of its largest gradient left, the "
        f"non-saturating loss {last.gradient['nonsaturating'] / first.gradient['nonsaturating']:.0f} times what it began with. "
        f"From a D that says the same of every point G gets a gradient of exactly {found.without:g}."
    )
    st.caption(
        "The arrows of both pictures, and at all steps, have one scale. G: 32 × 2 units, D: 64 × 2, the ring of 8, seed 0, float64. A "
        "gradient that vanishes is not the only trouble: one that is large need not point anywhere useful."
    )


def a_game_without_an_end() -> None:
    """The smallest game, played in three ways."""
    st.header("2. An equilibrium need not be found", anchor=False)
    st.markdown(
        "The smallest game: the data are the point 0, G draws the point θ, and D = σ(ψ *x*) has one weight. At (0, 0) nobody can do "
        "better. Near it a step is a linear map, and its largest eigenvalue |λ| is known: above 1 they spiral away, at 1 they circle "
        "for ever, below 1 they arrive."
    )
    left, middle, right = st.columns([2, 2, 2], gap="medium", vertical_alignment="bottom")
    with left:
        loss = address.linked(st.selectbox, "loss", "loss", address.choice("loss", equilibrium.LOSSES), equilibrium.LOSSES)
    with middle:
        asked = address.number("h", 0.2, least=0.02, most=1.0)
        rate = address.linked(st.slider, "step size *h*", "h", asked, 0.02, 1.0, step=0.02)
    with right:
        asked = address.number("gamma", 1.0, least=0.0, most=3.0)
        penalty = address.linked(st.slider, "γ of the penalty R1", "gamma", asked, 0.0, 3.0, step=0.1)
    ways: dict[str, dict[str, Any]] = dict(zip(WAYS, ({}, {"together": False}, {"penalty": penalty}), strict=True))
    paths = {way: equilibrium.dirac_gan(loss=loss, rate=rate, steps=STEPS, **settings) for way, settings in ways.items()}
    rows = []
    for way, path in paths.items():
        far = equilibrium.distances(path)
        end = float(far[-1]) if np.isfinite(far[-1]) else float("inf")
        exact = equilibrium.eigenvalue(loss=loss, rate=rate, **ways[way])
        rows.append(
            {
                "they step": way,
                "|λ|, exact": f"{exact:.4f}",
                "measured": f"{equilibrium.growth(path):.4f}",
                f"distance after {STEPS}": f"{end:.2g}",
                "found": "yes" if end < equilibrium.FOUND else "no",
            }
        )
    said = "; ".join(f"{row['they step']}: distance {row[f'distance after {STEPS}']}, found: {row['found']}" for row in rows)
    ink = charts.ink()
    plane, line = st.columns(2, gap="large")
    with plane:
        charts.show(gan_charts.orbits(paths, ink=ink), key="orbits", alt=f"The ways of θ and ψ. {said}.")
    with line:
        charts.show(gan_charts.approaches(paths, equilibrium.FOUND, ink=ink), key="approaches", alt=f"Distance by step. {said}.")
    st.dataframe(rows, hide_index=True, width="stretch", key="ways")
    st.caption(
        "|λ| holds near (0, 0); “measured” is the factor a step over the newer half of the way, which far out is another: the "
        "non-saturating game is drawn inwards there, and ends on a closed curve where |λ| > 1. After Mescheder et al. 2018."
    )


def seldom_fooled() -> None:
    """Runs in which D is nearly always right, and G learns all the same."""
    st.header("3. G learns although D is seldom fooled", anchor=False)
    runs = learning.shipped()
    right = np.mean([run.right[1:].mean() for run in runs])
    sure = [int(run.is_seldom_fooled.sum()) for run in runs]
    correlations = student([run.correlation for run in runs])
    st.markdown(
        f"{len(runs)} small GANs on digits of 8×8, whose D moves oftener and further than G. Over the whole training D calls "
        f"**{right:.0%}** of G’s images generated, yet their distance from held-out digits falls from "
        f"{np.mean([run.distance[0] for run in runs]):.0f} to **{np.mean([run.distance[-1] for run in runs]):.0f}**."
    )
    ink = charts.ink()
    for column, (what, title, level) in zip(
        st.columns(2, gap="large"),
        (("right", "share that D calls generated", learning.SELDOM), ("distance", "Fréchet distance of digit features", None)),
        strict=True,
    ):
        with column:
            alt = f"{title} of {len(runs)} runs against steps, from {getattr(runs[0], what)[1]:.2f} to {getattr(runs[0], what)[-1]:.2f}."
            charts.show(gan_charts.courses(runs, what, title, level=level, ink=ink), key=what, alt=alt)
    first = next(run for run in runs if len(run.samples))
    chosen = np.unique(np.linspace(0, len(first.steps) - 1, PICTURES).round().astype(int))
    wall(
        first.samples[chosen, 0],
        LEVELS,
        key="learning",
        identity="learning",
        alt="What one z becomes",
        words=[f"step {first.steps[at]}: {first.right[at]:.0%}, {first.distance[at]:.0f}" for at in chosen],
        large=96,
        narrowest=72,
    )
    st.caption("One z over the training of seed 0, with the share that D calls generated, and the distance.")
    st.markdown(
        f"Of the {len(first.steps) - 1} looks at each run, D was right about more than {learning.SELDOM:.0%} of the images at "
        f"{' to '.join(map(str, sorted({min(sure), max(sure)})))} of them. "
        f"Over just those the rank correlation of distance and step is **{correlations.text(2)}** "
        "(95% over runs): −1 would be better at each look than at the one before. What teaches G is not whether it fools D, but in "
        "which direction D would be a little less sure."
    )
    st.caption(
        "Made by `python -m genlab.games.learning`. The share is of the images of the steps since the last look, before D learns from "
        "them. The distance is biased by the few images that are compared, alike at all looks, and is not FID."
    )


@st.cache_data(max_entries=2, show_spinner=False)
def _handed(seed: int) -> Handed:
    return handed_by(seed)


page()
