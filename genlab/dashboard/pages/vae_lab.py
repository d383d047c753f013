"""The VAE lab: what lies behind an image, and how close to its probability does one come without looking everywhere?"""

from __future__ import annotations

import math

import numpy as np
import streamlit as st

from genlab.dashboard import address, charts, latent_charts
from genlab.dashboard.components.decoder import Decoder
from genlab.dashboard.components.elbo import elbo
from genlab.dashboard.components.pad import Drawing, from_text, pad
from genlab.dashboard.components.walk import Own, Plane, name_of, walk
from genlab.dashboard.components.wall import wall
from genlab.dashboard.frame import caught, frame
from genlab.dashboard.navigation import PAGES
from genlab.dashboard.proof_button import proof_button
from genlab.dashboard.stage.latent import (
    SHELF,
    bounds,
    crowd,
    decoder,
    evidence,
    far_apart,
    own,
    plane,
    scene,
    uses,
    usual_cost,
)
from genlab.dashboard.stage.sources import Source, choose_source, model_of
from genlab.dashboard.words import duration, raised

YEAR = 365.25 * 24 * 3600
MORE = (2, 3, 4, 8, 16, 32)  # latents that the integral is thought of for
TRAIN = "genlab train vae --data mnist5k --minutes 3 --set data.binarize=dynamic latents=2"


def page() -> None:
    """The page from top to bottom."""
    with frame(
        "VAE lab",
        "Behind each image, so this model says, stands a short code *z* that nobody sees. A **prior** says which codes there are, a "
        "**decoder** makes images of them, and an **encoder** says where the code of an image may lie. Walk among the codes:",
    ):
        source = choose_source(PAGES["vae_lab"].needs)
        if not source.path:
            st.info(f"No model for this is here yet. Train one on the page Training, or by `{TRAIN}`.")
            return
        browser = decoder(source)
        mine = drawn(source)
        with caught():
            codes(source, browser, mine)
        with caught():
            your_own(source, mine)
        number = address.whole("image", 1, least=1, most=SHELF) - 1
        with caught():
            prior_encoder_decoder(source, browser, number)
        with caught():
            three_terms(source, number)
        with caught():
            how_close(source, number)
        with caught():
            proofs(source)
        with caught():
            which_latents(source)


def codes(source: Source, browser: Decoder | None, mine: Own | None) -> None:
    """The plane of codes, walked in."""
    model, shown = model_of(source), plane(source)
    if browser is None:
        st.info("The map needs a decoder of plain layers, which the browser runs by itself; this model has another.")
        return
    if model.latent_shape[0] < 2:
        st.info("The map needs two numbers in a code; this model has one.")
        return
    walk(browser, crowd(source), shown, identity=source.name, ends=far_apart(source), own=mine)
    st.caption(f"Test images: {crowd(source).words}. {in_the_browser(browser)}{beside(shown)}")


def in_the_browser(browser: Decoder) -> str:
    """Where the pictures come from."""
    return f"Every picture is decoded by your browser while you move, by {browser.weights.size:,} weights that were sent once."


def beside(shown: Plane) -> str:
    """What the plane leaves out."""
    others = len(shown.base) - 2
    if not others:
        return ""
    names = " and ".join(name_of(axis) for axis in shown.axes)
    return (
        f" The plane is that of {names}, which vary most from image to image; the other {others} stay at 0, except on the line from A to B."
    )


def drawn(source: Source) -> Own | None:
    """What the visitor has drawn, with its code."""
    model = model_of(source)
    kept = from_text(address.text("drawing"), model.domain.shape, model.domain.levels)
    return None if kept is None else own(source, kept.levels.tobytes())


def your_own(source: Source, mine: Own | None) -> None:
    """A pad, and what the model makes of what is on it."""
    st.header("Your own digit", anchor=False)
    model = model_of(source)
    left, right = st.columns([2, 3], gap="large")
    with left:
        blank = np.zeros(model.domain.shape, np.uint8)
        on_pad = Drawing(blank if mine is None else mine.image, model.domain.shape[1])
        pad(on_pad, model.domain.levels, on_draw=lambda drawing: address.put(drawing=drawing.as_text()), whole=True)
    with right:
        if mine is None:
            st.markdown("Draw one. It is encoded, end A of the line goes where it lies, and you can walk away from it on the map above.")
            return
        import torch

        with torch.no_grad():
            back = model.decode(torch.from_numpy(mine.code)[None]).numpy()
        greys = np.rint(255 * back).astype(np.uint8)
        wall(greys, 256, key="own back", identity=f"{source} {mine.image.tobytes().hex()}", alt="What the code gives back", large=196)
        where = ", ".join(f"{name_of(axis)} = {mine.code[axis]:.2f} ± {mine.spread[axis]:.2f}" for axis in plane(source).axes)
        st.markdown(
            f"The encoder puts it at {where}, and this is what the decoder makes of that. End A stands there now: "
            "drag B or the slider, and walk away from it."
        )


def prior_encoder_decoder(source: Source, browser: Decoder | None, number: int) -> None:
    """One picture of the three, with live numbers, and the bound as a bar."""
    st.header("Prior, encoder, decoder", anchor=False)
    if browser is None or model_of(source).latent_shape[0] < 2:
        st.info("This picture needs a code of two numbers or more, and a decoder of plain layers.")
        return
    words, button = st.columns([4, 1], vertical_alignment="bottom")
    words.markdown(
        "log *p*(*x*) ≥ ELBO = E log *p*(*x* | *z*) − KL(*q*(*z* | *x*) ‖ *p*(*z*)), with *z* from *q*. How well the image comes back, "
        "less what its code tells beyond the prior. Set *q* by hand: can you do better than the encoder?"
    )
    button.button("Another image", on_click=address.put, kwargs={"image": (number + 1) % SHELF + 1}, width="stretch")
    with st.spinner("Integrating over all codes …"):
        shown = scene(source, number)
    elbo(browser, shown, identity=f"{source} {number}", usual=usual_cost(source))
    if shown.evidence is None:
        count = len(shown.mean)
        st.caption(
            f"E log p(x | z) is an average over {len(shown.nodes)} codes that were drawn once. With {count} latents nobody can compute "
            "log p(x) or the true p(z | x), so how much the bound misses is not shown: it is not known."
        )


def three_terms(source: Source, number: int) -> None:
    """Slide 28: which terms can be computed, and where the trouble begins."""
    st.header("Why only a bound?", anchor=False)
    found, latents = evidence(source, number), model_of(source).latent_shape[0]
    st.markdown(
        "*p*(*x*) = ∫ *p*(*z*) *p*(*x* | *z*) d*z*. The prior ***p*(*z*)** is a formula. ***p*(*x* | *z*)** is one pass through the "
        "decoder. But the **integral** asks for all *z*, and with it goes the **posterior** *p*(*z* | *x*) = *p*(*x* | *z*) *p*(*z*) / "
        "*p*(*x*), which the encoder *q* stands in for."
    )
    if found is None:
        st.markdown(
            f"A grid of no more than ten codes a side has 10{raised(latents)} nodes over {latents} latents. Choose the model with a "
            "plane of codes to see what the integral is where it can still be had."
        )
        return
    st.markdown(
        f"With two latents it can be done: {found.passes:,} decodings, a fine grid where the code of this image may lie and a coarse one "
        f"around it, which took {duration(found.seconds)}. The same over more latents, at that speed:"
    )
    rows = []
    for count in MORE:
        passes, seconds = found.of_more(count)
        rows.append({"latents": count, "decodings": scientific(passes), "time": age(seconds)})
    st.dataframe(rows, hide_index=True, width="stretch", key="terms")


def scientific(value: float) -> str:
    """A large number as people write it."""
    return f"{value:,.0f}" if value < 1e9 else f"10{raised(round(math.log10(value)))}"


def age(seconds: float) -> str:
    """A duration of any length in words."""
    return duration(seconds) if seconds < YEAR else f"{scientific(seconds / YEAR)} years"


def minus(value: float) -> str:
    """Nats, which are mostly negative, with a real minus sign."""
    return f"{value:.2f}".replace("-", "−")


def how_close(source: Source, number: int) -> None:
    """The bound by more and more codes, beside log p(x)."""
    st.header("The gap closes", anchor=False)
    st.markdown(
        "Average *K* weights *p*(*x*, *z*) / *q*(*z* | *x*) before taking the logarithm, and the bound rises with *K* towards log "
        "*p*(*x*) (IWAE; K = 1 is the ELBO). Codes from the prior would do as well in the end, but few of them look like the image."
    )
    with st.spinner("Drawing codes …"):
        found, exact = bounds(source, number), evidence(source, number)
    line = found[next(iter(found))]
    first, last = line[0].nats, line[-1].nats
    sentence = f"ELBO {minus(first.value)} nats, by {line[-1].draws:,} codes {minus(last.value)}"
    charts.show(
        latent_charts.closing_gap(found, None if exact is None else exact.nats, ink=charts.ink()),
        key="gap",
        alt=f"Bounds on log p(x) of image {number + 1}: {sentence}.",
    )
    if exact is None:
        st.caption(f"Image {number + 1}: {sentence}. Shaded: 95% intervals of the mean. log p(x) itself cannot be computed here.")
        return
    nats = exact.nats
    st.caption(
        f"Image {number + 1}: {sentence}; log p(x) is {minus(nats)}, integrated on a grid, with an error below "
        f"{max(1e-4, exact.error):.1g}. So the ELBO misses {nats - first.value:.2f} nats and the last bound "
        f"{max(0.0, nats - last.value):.2f}. Shaded: 95% intervals of the mean."
    )


def proofs(source: Source) -> None:
    """What a bound promises, to be checked."""
    st.markdown("What a bound promises can be checked, on images that the model draws itself.")
    proof_button("bounds_rise", "The ELBO is below IWAE(K), which rises with K and stays below log *p*(*x*).", source)
    proof_button("kl_fits_draws", "The KL by its formula is the KL by drawing codes.", source)
    proof_button("gradient_is_slope", "The gradient through *z* = μ + σ ε is the slope of the bound.", source)


def which_latents(source: Source) -> None:
    """What each latent costs, and whether the posterior has collapsed."""
    st.header("Which latents say anything?", anchor=False)
    found = uses(source)
    charts.show(latent_charts.kl_by_latent(found), key="latents", alt=f"KL of each latent. {found.sentence}")
    st.markdown(found.sentence)
    st.caption("In training the KL rises first, while the decoder learns to listen to the code; that is no fault.")


page()
