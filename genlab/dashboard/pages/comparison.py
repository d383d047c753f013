"""The lecture's families on the same data and budget: samples side by side, everything measured, and what is said of them held to it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import streamlit as st

from genlab.comparison import FIGURES, MEMBERS, REPORT, Row, comparison_of, read, rows
from genlab.comparison.findings import balances, findings
from genlab.comparison.outcome import columns, conditions, how_sure, leaders, real
from genlab.comparison.report import report
from genlab.dashboard import charts, study_panel
from genlab.dashboard.components.wall import wall
from genlab.dashboard.frame import caught, frame, say
from genlab.dashboard.plain import plain
from genlab.models import list_models

DATA: dict[str, list[str]] = {
    "digits 8×8, 17 levels": ["digits"],
    "MNIST 28×28, black or white, drawn anew each time": ["mnist5k", "binarize=dynamic"],
    "eight heaps of points on a ring": ["ring"],
}
SHOWN = 16
_USUAL = ("pixelcnn", "vae", "realnvp", "dcgan")
_ACROSS = 4


def page() -> None:
    """The page from top to bottom."""
    with frame(
        "Families side by side",
        "All four approaches have different pros and cons, says slide 19. Here they are trained on the same images for the same time, and "
        "everything that can be measured is: what is known of the likelihood, where samples lie, what drawing and training cost.",
    ):
        study = study_panel.choose("compare", "digits, comes with genlab")
        with caught():
            if study is None:
                show(shipped())
            else:
                study_panel.watch(study, show)
        st.header("Compare them yourself", anchor=False)
        with caught():
            form()


def show(document: Mapping[str, Any]) -> None:
    """What came of a comparison."""
    found, held_out = rows(document), real(document)
    for row in found:
        for failure in row.failures:
            say(st.warning, "**{}** failed: {}", row.name, failure)
    if not any(row.seeds for row in found):
        st.info("No training is finished yet; samples and figures appear here as they end.")
        return
    side_by_side(found, held_out)
    st.header("Everything measured", anchor=False)
    one_figure(found, held_out)
    pinned = {"figure": st.column_config.Column(pinned=True)}
    st.dataframe(cells(found, held_out), hide_index=True, width="stretch", height="content", column_config=pinned, key="table")
    lines = (
        "★: nobody is surely better in that line. Real: examples that no model was trained on, measured as if they were samples. "
        "An exact likelihood and a bound never share a line: a bound says only that the truth is no worse."
    )
    say(st.caption, "{} {}", lines, how_sure(document))
    st.header("Pros and cons, as measured", anchor=False)
    pros_and_cons(found)
    st.header("What is said of them", anchor=False)
    said(found)
    say(st.caption, "{}", " ".join(conditions(document)))
    with st.container(horizontal=True):
        st.download_button("Report (HTML)", partial(report, document), REPORT, "text/html", on_click="ignore")
        st.download_button(
            "All figures (JSON)", partial(json.dumps, document, indent=1), "comparison.json", "application/json", on_click="ignore"
        )


def side_by_side(found: Sequence[Row], held_out: Row | None) -> None:
    """Samples of each model, real ones first."""
    shown = [row for row in (held_out, *found) if row is not None and row.samples is not None]
    for start in range(0, len(shown), _ACROSS):
        for place, row in zip(st.columns(_ACROSS), shown[start : start + _ACROSS], strict=False):
            with place:
                assert row.samples is not None
                name, below = ("real", "never seen in training") if row is held_out else (row.name, _in_short(row))
                large = 44 if len(row.samples) > 1 else 200
                wall(
                    row.samples[:SHOWN],
                    row.levels,
                    key=f"wall {name}",
                    identity=f"{name} {row.seeds}",
                    alt="Real examples" if row is held_out else f"Drawn by {name}",
                    large=large,
                    narrowest=min(large, 32),
                )
                st.markdown(f"**{plain(name)}**  \n:small[{plain(below)}]")


def _in_short(row: Row) -> str:
    known = {"exact": f"exactly {row.text('exact')} nats", "bound": f"at most {row.text('bound')} nats", "none": "no likelihood"}[
        row.likelihood
    ]
    return f"{row.family}; {known}"


def one_figure(found: Sequence[Row], held_out: Row | None) -> None:
    """A chart of the figure that the visitor picks."""
    keys = columns(found)
    heads = {key: FIGURES[key].head for key in keys}
    chosen = st.selectbox("figure", keys, index=keys.index("precision") if "precision" in keys else 0, format_func=heads.__getitem__)
    measured = [row for row in found if chosen in row.figures]
    figure = FIGURES[chosen]
    yardstick = held_out.figures.get(chosen) if held_out else None
    alt = f"{figure.head}: " + "; ".join(f"{row.name} {row.text(chosen)}" for row in measured) + "."
    charts.show(charts.compared(measured, figure, yardstick.mean if yardstick else None), key=f"figure {chosen}", alt=alt)
    direction = f" {figure.better.capitalize()} is better." if figure.better else ""
    line = " The dotted line: real examples that nobody trained on." if yardstick else ""
    st.caption(f"{figure.words[0].upper()}{figure.words[1:]}.{direction}{line}")


def cells(found: Sequence[Row], held_out: Row | None) -> list[dict[str, str]]:
    """A line a figure, a column a model; a star for who is surely behind nobody."""
    lines = []
    for key in columns(found):
        ahead = leaders(found, key)
        yardstick = held_out.text(key) if held_out and key in held_out.figures else ""
        line = {"figure": FIGURES[key].head, "real": yardstick}
        lines.append(line | {row.name: f"★ {row.text(key)}" if row.name in ahead else row.text(key) for row in found})
    return lines


def pros_and_cons(found: Sequence[Row]) -> None:
    """A column a family."""
    balanced = balances(found)
    for place, balance in zip(st.columns(len(balanced)), balanced, strict=True):
        with place:
            lines = [f"+ {plain(each)}" for each in balance.pros] + [f"− {plain(each)}" for each in balance.cons]
            st.markdown(f"**{plain(balance.family)}**  \n" + "  \n".join(f":small[{line}]" for line in lines))
    st.caption("A family is spoken for by its best member; where 95% intervals touch, nothing is claimed.")


def said(found: Sequence[Row]) -> None:
    """What the lecture and others say, with what the figures say to it."""
    marks = {"borne out": "✓", "contradicted": "✗", "undecided": "?"}
    for each in findings(found):
        say(
            st.markdown,
            "{} **{}** {}: {} ({})  \n:small[{}]",
            marks[each.verdict],
            each.verdict,
            each.family,
            each.claim,
            each.source,
            each.evidence,
        )


def form() -> None:
    """Models of the visitor's choice."""
    able = [name for name in MEMBERS if name in list_models()]
    usual = [name for name in _USUAL if name in able]
    offer = study_panel.Offer("compare", "models", able, usual, DATA, seeds=1, seeds_at_most=3, button="Train and measure them")

    def plan(name: str, settings: dict[str, Any], chosen: list[str], seeds: int, minutes: float) -> None:
        from genlab.datasets import load_dataset

        comparison_of(load_dataset(name, **settings), models=chosen, seeds=seeds, training={"minutes": minutes})

    study_panel.form(offer, plan)


@cache
def shipped() -> dict[str, Any]:
    """The comparison that comes with genlab."""
    return read(Path(__file__).parents[2] / "comparison" / "shipped")


page()
