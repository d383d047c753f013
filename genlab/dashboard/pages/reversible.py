"""Reversible lab: noise bent into data one to one, there and back without loss, with the density from a change of variables."""

from __future__ import annotations

import math

import numpy as np
import streamlit as st

from genlab.dashboard import address
from genlab.dashboard.components.wall import wall
from genlab.dashboard.components.warp import warp
from genlab.dashboard.frame import frame
from genlab.dashboard.proof_button import proof_button
from genlab.dashboard.stage.flows import drawn_at, plane_of, round_trip
from genlab.dashboard.stage.sources import Source, choose_source, held_out, model_of
from genlab.dashboard.words import raised

PARTS = {"plane": "In the plane", "images": "On images"}
NEEDS = {"plane": frozenset({"invertible", "likelihood"}), "images": frozenset({"invertible", "bound"})}
TEMPERATURES = (0.5, 0.7, 0.85, 1.0, 1.2)
SHOWN = 10
STATIONS_SHOWN = 7  # and what came back: whole rows at every width
NARROWEST = 40  # pixels: so that ten stay beside each other on paper too


def page() -> None:
    """The page from top to bottom."""
    with frame(
        "Reversible lab",
        "A reversible architecture, or flow, is a bijection *z* = *f*(*x*) of data and noise, in layers that can each be undone. Where it "
        "presses space together, density grows, and by how much is a determinant: *p*(*x*) = N(*f*(*x*); 0, I) · |det ∂*f*/∂*x*|.",
    ):
        part = address.choice("part", tuple(PARTS))
        address.linked(
            st.segmented_control,
            "part",
            "part",
            part,
            tuple(PARTS),
            forget=("model", "image"),
            format_func=PARTS.__getitem__,
            label_visibility="collapsed",
            required=True,
        )
        source = choose_source(NEEDS[part])
        (in_the_plane if part == "plane" else on_images)(source)


def in_the_plane(source: Source) -> None:
    """The plane, temperature, and what can be proved there."""
    model = model_of(source)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        temperature = address.number("temperature", 1.0, least=0.2, most=2.0)
        address.linked(st.slider, "temperature", "temperature", temperature, 0.2, 2.0, step=0.1, width=320)
        seed = address.again("Draw others", "seed")
    plane = plane_of(source, round(temperature, 6), seed)
    warp(plane, identity=f"{source} {seed}", key="warp")
    st.caption(
        f"{plane.stations - 1} layers, each a norm, a rotation with shear, and a coupling that moves one coordinate by the other "
        f"({model.parameter_count():,} parameters in all). Each view has a scale of its own and is turned to lie like the next one. "
        "Temperature *T* draws noise from N(0, *T*² I): below 1 towards the middle, where the plane is densest."
    )
    st.markdown(
        "A bijection can stretch the plane and press it together, but never tear it: what was one piece of noise is one piece of data. "
        "Where the data lie in several pieces, thin threads of density stay between them."
    )
    proofs(
        source,
        {
            "integrates_to_one": "**It is a density.** ∫ *p*(*x*) d*x* = 1, added up over the plane.",
            "inverse_returns": "**Nothing is lost.** *f*⁻¹(*f*(*x*)) = *x*, for points that it draws.",
            "log_det_is_the_jacobians": "**The volume is right.** log |det ∂*z*/∂*x*| is that of a Jacobian by finite differences.",
        },
    )


def on_images(source: Source) -> None:
    """An image there and back, temperature, and what can be proved."""
    there_and_back(source)
    temperatures(source)
    proofs(
        source,
        {
            "inverse_returns": "**Nothing is lost.** *f*⁻¹(*f*(*x*)) = *x*, for images that it draws.",
            "log_det_is_the_jacobians": "**The volume is right.** log |det ∂*z*/∂*x*| is that of the whole Jacobian by finite differences, "
            "a square matrix with a row for each pixel; it takes its time.",
        },
    )


def there_and_back(source: Source) -> None:
    """One real image through the layers, and what came back."""
    st.header("To noise and back", anchor=False)
    images, words = held_out(source)
    number = address.whole("image", 0, least=0, most=len(images) - 1)
    st.button("Another image", on_click=address.put, kwargs={"image": (number + 1) % len(images)})
    with st.spinner("Going through the layers …"):
        trip = round_trip(source, number)
    model = model_of(source)
    chosen = np.unique(np.linspace(0, len(trip.stations) - 1, STATIONS_SHOWN).round().astype(int))
    back = (trip.back.astype(int) * 255 // (model.levels - 1)).astype(np.uint8)
    names = ["data", *(f"layer {each - 1}" if each > 1 else "logits" for each in chosen[1:-1]), "noise", "back"]
    wall(
        np.concatenate([trip.stations[chosen], back[None]]),
        256,
        key="trip",
        identity=f"{source} {number}",
        alt="On the way from a real image to noise and back",
        words=names,
        large=112,
        narrowest=64,
    )
    same = "every level is the one that went in" if np.array_equal(trip.back, images[number]) else "some levels are others"
    bent = "stretched" if trip.log_det > 0 else "pressed together"
    st.markdown(
        f"All {trip.back.size:,} values came back to within **{trip.off:.2g}** of a level; {same}. On the way there space was {bent} by a "
        f"factor of 10{raised(round(abs(trip.log_det) / math.log(10)))}. After the first scale half of the values have left as noise; they "
        "stand where their pixels stood."
    )
    st.caption(
        f"{words[0].upper()}{words[1:]}. This one costs at most {trip.bits_per_dim:.3f} bits a value: a flow has a density of real values, "
        f"and of {model.levels} levels it gives a bound, log *P*(*x*) ≥ E log *p*(*x* + *u*) − log *q*(*u*), here with 16 draws of *u* "
        f"({model.dequantisation} dequantisation)."
    )


def temperatures(source: Source) -> None:
    """The same noise, further from the middle in each row."""
    st.header("Temperature", anchor=False)
    st.markdown("Each row begins with the same noise, multiplied by *T*: one pass through the layers, whatever comes out.")
    seed = address.again("Draw others", "seed")
    levels = model_of(source).levels
    for temperature in TEMPERATURES:
        label, strip = st.columns([1, 7], vertical_alignment="center")
        label.markdown(f"**T = {temperature:g}**")
        with strip:
            wall(
                drawn_at(source, temperature, seed, SHOWN),
                levels,
                key=f"heat {temperature}",
                identity=f"{source} {temperature} {seed}",
                alt=f"Drawn at temperature {temperature:g}",
                large=72,
                narrowest=NARROWEST,
            )
    size = model_of(source).domain.size
    st.caption(
        f"A code has {size:,} numbers: at *T* = 1 nearly all lie {math.sqrt(size):.0f} from the middle, in a thin shell. A little below, "
        "digits become plainer and cleaner; far below, all become one."
    )


def proofs(source: Source, claims: dict[str, str]) -> None:
    """A button for each claim."""
    st.header("Is that so?", anchor=False)
    for name, claim in claims.items():
        proof_button(name, claim, source)


page()
