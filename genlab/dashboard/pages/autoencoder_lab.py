"""The autoencoder lab: how few numbers does an image go through, and what are they good for once the decoder has done its job?"""

from __future__ import annotations

import streamlit as st

from genlab.dashboard import address, charts, latent_charts
from genlab.dashboard.components.walk import walk
from genlab.dashboard.components.wall import wall
from genlab.dashboard.frame import caught, frame
from genlab.dashboard.navigation import PAGES
from genlab.dashboard.stage.latent import (
    AUTOENCODERS,
    Returned,
    blot,
    crowd,
    decoder,
    far_apart,
    plane,
    readings,
    returned,
    returned_by_pca,
    shipped_autoencoders,
    shipped_denoiser,
)
from genlab.dashboard.stage.sources import Source, can, model_of, sources
from genlab.dashboard.words import accuracies

SHOWN = 12
NARROWEST = 52
BLOTTED = 0.5
FIRST = 8  # numbers in a code


def page() -> None:
    """The page from top to bottom."""
    with frame(
        "Autoencoder lab",
        "An **encoder** makes an image into a few numbers, a **decoder** makes an image of these, and both are trained on nothing but that "
        "it is the same image again. The fewer numbers, the more they have to say. Turn the bottleneck:",
    ):
        source = choose()
        if source is None:
            st.info(
                "No autoencoder is here yet. Train one on the page Training, or by `genlab train autoencoder --data digits --minutes 1`."
            )
            return
        with caught():
            there_and_back(source)
        with caught():
            holes(source)
        with caught():
            job_done(source)
        with caught():
            denoising(source)


def choose() -> Source | None:
    """One of those that come with genlab, by its bottleneck, or a run of one's own; None if there is none at all."""
    shipped = shipped_autoencoders()
    # A bijection's code is as long as its example: there is no bottleneck to look at.
    others = [source for source in sources(PAGES["autoencoder_lab"].needs) if source.path and not can(source, {"invertible"})]
    runs = {source.name: source for source in others if source.name not in AUTOENCODERS}
    if runs:
        words = {"": "those that come with genlab", **{name: source.words for name, source in runs.items()}}
        asked = address.choice("model", list(words) if shipped else list(runs))
        options = [name for name in words if shipped or name]
        address.linked(st.selectbox, "model", "model", asked, options, format_func=lambda name: words.get(name, name))
        if asked:
            return runs[asked]
    if not shipped:
        return None
    size = address.whole("size", FIRST, least=1, most=max(shipped))
    size = size if size in shipped else min(shipped)
    address.linked(st.segmented_control, "numbers in a code", "size", size, list(shipped), required=True)
    return shipped[size]


def there_and_back(source: Source) -> None:
    """Images, what comes back through the code, and what principal components of the same number would give."""
    model, found = model_of(source), crowd(source)
    size = model.latent_shape[0]
    back = returned(source)
    st.markdown("**Originals**, which the model never saw")
    wall(found.images[:SHOWN], model.domain.levels, key="originals", identity=str(source), alt="An original", narrowest=NARROWEST)
    st.markdown(f"**Through {numbers(size)} and back**")
    show(back, "back", source, "What came back")
    with st.spinner("Finding principal components …"):
        linear, seen = returned_by_pca(source, size)
    st.markdown(f"**Through {size} principal {'component' if size == 1 else 'components'}**, the best that straight lines can do")
    show(linear, "linear", source, "What principal components give")
    st.caption(
        f"Below each, its squared error Σ (*x* − *x̂*)². Over {len(found.images):,} test images on average {back.mean_error.text(1)}, by "
        f"principal components {linear.mean_error.text(1)}; these are of {seen:,} images. {found.words[0].upper()}{found.words[1:]}."
    )
    shipped = shipped_autoencoders()
    if source not in shipped.values():
        return
    errors = {
        "autoencoder": {each: returned(other).mean_error for each, other in shipped.items()},
        "principal components": {each: returned_by_pca(other, each)[0].mean_error for each, other in shipped.items()},
    }
    told = "; ".join(
        f"{each}: {error.value:.1f} against {errors['principal components'][each].value:.1f}"
        for each, error in errors["autoencoder"].items()
    )
    charts.show(
        latent_charts.by_size(errors, size),
        key="sizes",
        alt=f"Squared error by the numbers in a code, against principal components. {told}.",
    )
    st.caption(
        f"The code is not the only narrow place: these networks have a hidden layer of {model.settings.hidden} units on either side of it, "
        "so nearly as many numbers as that help no more."
    )


def numbers(size: int) -> str:
    """So many of them, in words."""
    return "one number" if size == 1 else f"{size} numbers"


def show(back: Returned, key: str, source: Source, alt: str) -> None:
    """Images that came back, each with its error."""
    words = [f"{error:.1f}" for error in back.errors[:SHOWN]]
    wall(back.greys(SHOWN), 256, key=key, identity=f"{source} {key}", alt=alt, words=words, narrowest=NARROWEST)


def holes(source: Source) -> None:
    """The plane of codes: nothing says where they should lie, so much of it means nothing."""
    st.header("A map with holes", anchor=False)
    browser = decoder(source)
    if browser is None or model_of(source).latent_shape[0] < 2:
        st.info("The map needs two numbers or more in a code, and a decoder of plain layers.")
        return
    st.markdown(
        "Nothing told the encoder where to put codes, nor the decoder what to make of those between. So between the classes lie blots, and "
        "nobody can say which code to draw for a new image. A prior would: that is the step to the VAE."
    )
    walk(browser, crowd(source), plane(source), identity=source.name, ends=far_apart(source))
    others = model_of(source).latent_shape[0] - 2
    if others:
        st.caption(
            f"The plane is that of the two numbers that vary most; the other {others} stay at their mean, except on the line from A to B."
        )
    st.page_link(PAGES["vae_lab"].file, label="On to the VAE lab →")


def job_done(source: Source) -> None:
    """Slide 25: the decoder is thrown away, and the code is read by a linear classifier."""
    st.header("The decoder has done its job", anchor=False)
    st.markdown(
        "Throw the decoder away and keep the encoder. Does a linear classifier need fewer labels when it reads codes, which were learned "
        "without any, than when it reads principal components or pixels?"
    )
    found = readings(source)
    if found is None:
        st.markdown("This model was not asked yet; a minute or two in a terminal, and the answer stands here:")
        st.code(f"genlab probe {source.name} --json runs/{source.name}/probe.json", language="bash")
        return
    told = accuracies((each.labels, each.features, each.accuracy.value) for each in found)
    charts.show(latent_charts.probe(found), key="probe", alt=f"Accuracy of a linear classifier: {told}.")
    st.markdown(f"{told[0].upper()}{told[1:]}.")
    st.caption(
        f"On {found[0].held_out:,} test images; upright strokes are 95% intervals over {found[0].draws} draws of the labelled images. "
        f"Logistic regression, every feature scaled to variance 1; `genlab probe {source.name}` does it again."
    )


def denoising(source: Source) -> None:
    """Images with blots: what is made of them by a model that never saw any, and by one that was trained on them."""
    st.header("Denoising", anchor=False)
    denoiser = shipped_denoiser()
    if denoiser is None:
        return
    st.markdown(
        "Blot out a share of the pixels before the image is encoded, and ask for the whole image in training: a copy will not do any "
        "more, the code has to say what belongs there."
    )
    share = address.number("blotted", BLOTTED, least=0.0, most=0.9)
    address.linked(st.slider, "share of pixels blotted out", "blotted", share, 0.0, 0.9, step=0.05)
    plain = shipped_autoencoders().get(model_of(denoiser).latent_shape[0])
    model, images = model_of(denoiser), crowd(denoiser).images
    wall(
        blot(images, share, 0)[:SHOWN], model.domain.levels, key="blotted", identity=f"{share}", alt="A blotted image", narrowest=NARROWEST
    )
    repaired = returned(denoiser, share)
    st.markdown(f"**Trained on blotted images**: squared error {repaired.mean_error.text(1)}")
    show(repaired, "repaired", denoiser, "What the denoiser makes of it")
    if plain is not None:
        untaught = returned(plain, share)
        st.markdown(f"**Trained on whole ones**, of the same size: {untaught.mean_error.text(1)}")
        show(untaught, "untaught", plain, "What the plain autoencoder makes of it")


page()
