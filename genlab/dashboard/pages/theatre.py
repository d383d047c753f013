"""The pixel theatre: how does a model that only ever sees the past draw a picture?"""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from genlab.dashboard import address
from genlab.dashboard.components.field import Place, Sight, field, look
from genlab.dashboard.components.theatre import Drawn, middle, theatre
from genlab.dashboard.components.wall import wall
from genlab.dashboard.frame import frame, say
from genlab.dashboard.navigation import PAGES
from genlab.dashboard.proof_button import proof_button
from genlab.dashboard.stage.causal import cost, drawn, real
from genlab.dashboard.stage.sources import Source, choose_source, model_of
from genlab.errors import BackendError, InputError

SHOWS = {"drawn": "drawn by the model", "real": "real, held out"}
# Images that the receptive field is looked for in, the chosen one included.
WITNESSES = 8
REAL = 8


def page() -> None:
    """The page from top to bottom."""
    with frame(
        "The pixel theatre",
        "The model never sees a whole image. It is asked for one pixel at a time: *given the pixels so far, how likely is each level?* "
        "Drawing from its answers, row by row, makes an image that nobody has ever seen.",
    ):
        source = choose_source(PAGES["theatre"].needs)
        seen = play(source)
        masks(source, seen)
        likelihood(source)
        speed(source)


def play(source: Source) -> Sight | str:
    """The theatre itself; returns what the pixel that is looked at can see, or why that cannot be had."""
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    show = "drawn"
    if source.path:  # an untrained model has no data of which some could be held out
        with left:
            chosen = address.choice("digits", tuple(SHOWS))
            options: dict[str, Any] = {"format_func": SHOWS.get, "required": True, "label_visibility": "collapsed"}
            show = address.linked(st.segmented_control, "digits", "digits", chosen, list(SHOWS), forget=("image", "pixel"), **options)
    seed = address.whole("seed", 0, least=0, most=address.AGAIN_AT_MOST)
    if show == "drawn":
        with right:
            seed = address.again("Draw others", "seed", forget=("image",), width="stretch")
    with st.spinner("The model is drawing …"):
        records, words = (drawn(source, seed), "") if show == "drawn" else real(source)
    identity = f"{source} {show} {seed}"
    place, asked = looked_at(records)
    # What nobody asked for yet is computed once the images are on their way: it takes longer than to draw them.
    seen = sight(source, identity, place, records) if asked else None
    theatre(
        records,
        identity=identity,
        caption=f"{cost(records, source, words=words)} Click one to look closer.",
        place=place,
        sight=seen,
        on_look=lambda place: address.put(image=place.image + 1, pixel=f"{place.row + 1},{place.column + 1}"),
    )
    return seen or sight(source, identity, place, records)


def looked_at(records: Drawn) -> tuple[Place, bool]:
    """The pixel that the address names, counted from 1; else one in the middle. And whether it named one."""
    start, (_, height, width) = middle(records), records.image_shape
    image = address.whole("image", 1, least=1, most=len(records.values)) - 1
    row, column = (int(each) - 1 for each in address.numbers("pixel", (0, 0), least=1, most=max(height, width)))
    asked = 0 <= row < height and 0 <= column < width
    return (Place(image, row, column) if asked else Place(image, start.row, start.column)), asked


@st.cache_data(max_entries=32, show_spinner=False)
def sight(source: Source, identity: str, place: Place, _records: Drawn) -> Sight | str:
    """What the prediction of the chosen pixel depends on; `identity` says which records they are."""
    images = _images(_records)
    order = [place.image, *(i for i in range(len(images)) if i != place.image)]
    try:
        return look(model_of(source), images[order[:WITNESSES]], place, source.label)
    except BackendError as error:  # a network that no walk differentiates yet
        return str(error)


def masks(source: Source, seen: Sight | str) -> None:
    """What it sees, larger, and the masks that make it so."""
    st.header("What it sees of the past", anchor=False)
    st.markdown(
        "Click a pixel above. Orange is the gradient of its prediction, ∂ log *p*(*x*ᵢ | *x*₁ … *x*ᵢ₋₁) / ∂*x*ⱼ, through the real network."
    )
    if isinstance(seen, Sight):
        field(model_of(source), seen)
    else:
        say(st.info, "Its gradients cannot be had: {}", seen)
    proof_button("no_leak", "No prediction depends on its own pixel or a later one, not in one bit.", source)


def likelihood(source: Source) -> None:
    """The likelihood is exact: where real digits spend it, and what exact means, to be checked."""
    st.header("Where the bits go", anchor=False)
    st.markdown(
        "Multiply the predictions and you have *p*(*x*), the probability of the whole image: no bound, no estimate. A code made for this "
        "model would write the image in −log₂ *p*(*x*) bits, and spends them where the image could have gone on otherwise."
    )
    if source.path:
        bits_of_real_digits(source)
    st.markdown("On images so small that all of them can be listed, the probabilities can be checked.")
    proof_button("sums_to_one", "Σ *p*(*x*) over every possible image is 1.", source)
    proof_button("samples_fit", "Images are drawn as often as their probability says.", source)


def bits_of_real_digits(source: Source) -> None:
    """Some real digits the model never saw, and below each the bits it spent on every pixel."""
    try:
        records, words = real(source)
    except InputError as error:
        say(st.info, "There are no real images to show: {}", error)
        return
    images, dearest = _images(records)[:REAL], float(records.bits[:REAL].max())
    # The root shows small amounts too, as in the theatre.
    spent = np.sqrt(records.bits[:REAL].reshape(len(images), *records.image_shape[1:], -1).sum(-1)[:, None] / dearest)
    levels = np.minimum(np.rint(255 * spent), 255).astype(np.uint8)
    wall(images, model_of(source).levels, key="real", identity=f"{source}", alt="A real image", large=84)
    each = [f"{value:.0f} bits" for value in records.bits[:REAL].sum(1)]
    wall(levels, 256, key="real bits", identity=f"{source}", alt="Where its bits went", words=each, large=84, accent=True)
    say(st.caption, "Real images: {}. The dearest pixel took {} bits.", words, f"{dearest:.1f}")


def speed(source: Source) -> None:
    """That drawing need not take its time, and where to see it."""
    st.header("Slow? It need not be", anchor=False)
    st.markdown("Nothing in the past changes: whoever remembers it computes each pixel of each layer once.")
    st.page_link(
        PAGES["slow"].file, label="Race them: why was PixelRNN slow? →", query_params={"model": source.name} if source.path else None
    )
    proof_button("native_is_torch", "The native walk computes what torch computes: likelihoods, gradients and images.", source)


def _images(records: Drawn) -> NDArray[np.uint8]:
    """The records' images, ``(N, C, H, W)``."""
    channels, height, width = records.image_shape
    images: NDArray[np.uint8] = records.values.reshape(-1, height, width, channels).transpose(0, 3, 1, 2)
    return images


page()
