"""Which tricks pay: variants of one network on equal budgets and seeds, and what each is worth."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from genlab.ablation import VARIANTS, Row, plan_of, read, rows
from genlab.ablation.outcome import how_sure
from genlab.dashboard import charts, study_panel
from genlab.dashboard.components.wall import wall
from genlab.dashboard.frame import caught, frame, say
from genlab.dashboard.plain import plain
from genlab.dashboard.words import duration

DATA: dict[str, list[str]] = {
    "digits 8×8, 17 levels": ["digits"],
    "digits 8×8, black or white": ["digits", "binarize=threshold"],
    "MNIST 28×28, black or white, drawn anew each time": ["mnist5k", "binarize=dynamic"],
}
SHOWN = 8
OF_LIKELIHOOD = ("bits_per_dim", "bits/dim", "test bits/dim: fewer are better")
OF_SAMPLES = ("frechet", "digit Fréchet", "Fréchet distance of digit features: less is better")


def page() -> None:
    """The page from top to bottom."""
    with frame(
        "Which tricks pay?",
        "The lecture lists what made autoregressive models better: gated layers, short-cuts, mixtures, dilation, averaged weights. Here "
        "each is a switch. Every variant is trained equally long, from several seeds, and pays its bits for the same unseen images. "
        "Whether a trick has paid is decided by the differences seed by seed, which vary less than the bits themselves.",
    ):
        study = study_panel.choose("ablate", "digits, comes with genlab")
        with caught():
            if study is None:
                show(shipped())
                st.caption("Its times were taken while others used the machine: they compare with nothing.")
            else:
                study_panel.watch(study, show)
        st.header("Try it yourself", anchor=False)
        with caught():
            form()


def show(document: Mapping[str, Any]) -> None:
    """What came of a study: the chart, what each trick is worth, samples, figures."""
    found = rows(document)
    measured = [row for row in found if row.figure]
    figure, unit, title = OF_SAMPLES if any(row.frechet for row in found) else OF_LIKELIHOOD
    for row in found:
        for failure in row.failures:
            say(st.warning, "**{}** failed: {}", row.name, failure)
    if not measured:
        st.info("No training is finished yet; what each variant is worth appears here as they end.")
        return
    alt = f"{unit} of each variant: " + "; ".join(f"{row.name} {row.figure.text(4)}" for row in measured if row.figure)
    charts.show(charts.intervals(measured, figure, title), key="intervals", alt=alt + ".")
    st.caption(f"{how_sure(document)} {plain(_protocol(document))}")
    st.markdown(_findings(found, unit))
    for row in measured:
        if row.samples is None:
            continue
        label, strip = st.columns([2, 5], vertical_alignment="center")
        with label:
            trick = f"*{plain(row.trick)}*: " if row.trick else ""
            st.markdown(f"**{plain(row.name)}**  \n:small[{trick}{plain(row.words)}]")
        with strip:
            wall(
                row.samples[:SHOWN],
                row.levels,
                key=f"wall {row.name}",
                identity=f"{row.name} {row.seeds}",
                alt=f"Drawn by {row.name}",
                large=64,
            )
    st.dataframe([_cells(row, unit) for row in found], hide_index=True, width="stretch", key="table")
    if left_out := document["plan"]["left_out"]:
        say(st.caption, "Not there when this was made: {}.", "; ".join(left_out))


def _findings(found: list[Row], unit: str) -> str:
    """Which tricks paid and which did not, in a sentence each."""
    first = plain(found[0].name)
    kinds = {
        "better": f"**Better** than {first}",
        "worse": f"**Worse** than {first}",
        "undecided": "**Undecided** by so few seeds or so short a training",
    }
    parts = []
    for verdict, words in kinds.items():
        named = [f"{plain(row.name)} ({row.worth.text(3, signed=True)} {unit})" for row in found if row.worth and row.verdict == verdict]
        if named:
            parts.append(f"{words}: {', '.join(named)}.")
    return "  \n".join(parts)


def _cells(row: Row, unit: str) -> dict[str, Any]:
    return {
        "variant": row.name,
        unit: row.figure.text(4) if row.figure else "–",
        "worth": row.worth.text(4, signed=True) if row.worth else "–",
        "verdict": row.verdict or "–",
        "seeds": row.seeds,
        "parameters": row.parameters,
        "steps": round(row.steps),
        "training": duration(row.seconds),
        "16 images": duration(row.drawing_seconds),
    }


def _protocol(document: Mapping[str, Any]) -> str:
    return next((f"Test images of {record['protocol']}." for record in document["runs"] if "protocol" in record), "")


def form() -> None:
    """Variants of the visitor's choice."""
    able = [variant.name for variant in VARIANTS if not variant.obstacle()]
    hint = "The first is what the others are held against."
    offer = study_panel.Offer("ablate", "variants", able, able[:3], DATA, seeds=2, seeds_at_most=5, button="Train them", hint=hint)

    def plan(name: str, settings: dict[str, Any], chosen: list[str], seeds: int, minutes: float) -> None:
        plan_of(variants=chosen, seeds=seeds, data={"name": name, **settings}, training={"minutes": minutes})

    study_panel.form(offer, plan)


@cache
def shipped() -> dict[str, Any]:
    """The study that comes with genlab."""
    return read(Path(__file__).parents[2] / "ablation" / "shipped")


page()
