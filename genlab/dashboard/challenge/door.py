"""A challenge that protects a door, and models that were trained to pass it (slides 3–4): two goals in conflict, as two rates."""

from __future__ import annotations

import streamlit as st

from genlab.challenge import let_in, separation, threshold_for
from genlab.dashboard import address, charts
from genlab.dashboard.challenge.charts import two_rates
from genlab.dashboard.frame import say
from genlab.dashboard.stage.challenge import AT_THE_DOOR, keepers, queue

WELCOME = 90  # per cent of real pictures at first


def door() -> None:
    """The guard, the threshold, and who gets in."""
    st.markdown(
        "A challenge protects a door: real pictures should get in, generated ones should not. The guard gives each picture a score, and "
        "lets in what reaches a threshold. Who is kind to people is kind to generators too: **slide it.**"
    )
    found = {keeper.name: keeper for keeper in keepers()}
    words = {name: keeper.words for name, keeper in found.items()}
    if not found:
        st.info("No model that draws pictures is here: train one on the page “Training”.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = address.choice("guard", list(found))
        address.linked(st.selectbox, "guard", "guard", name, list(found), format_func=lambda each: words.get(each, each), width=520)
        welcome = address.whole("welcome", WELCOME, least=0, most=100)
        address.linked(st.slider, "real pictures that should get in, %", "welcome", welcome, 0, 100, width=320)
    keeper = found[name]
    with st.spinner("The generators are drawing, and the guard looks at it …"):
        waiting = queue(keeper)
    threshold = threshold_for(waiting.real, welcome / 100)
    shares = {"real": let_in(waiting.real, threshold)} | {each: let_in(scores, threshold) for each, scores in waiting.generated.items()}
    with st.container(horizontal=True, gap="large"):
        for each, share in shares.items():
            st.metric(f"{each}, let in", share.brief(), width="content")
    told = "; ".join(f"{each}: {share.text()}" for each, share in shares.items())
    charts.show(two_rates(waiting.real, waiting.generated, threshold), key="two rates", alt=f"Who is let in. {told}.")
    areas = "; ".join(f"{each} {separation(waiting.real, scores):.2f}" for each, scores in waiting.generated.items())
    say(
        st.markdown,
        "The guard’s goal is the upper left corner, the generator’s is the dotted line, where nobody can tell. How often a real picture "
        "scores above a generated one, ½ on that line: {}.",
        areas,
    )
    goal = (
        "This guard is one half of a game: its generator was trained to get past it, until both stopped. The others never met it. Where it "
        "asks for a class, it is told the digit that genlab’s classifier sees in the picture."
        if keeper.is_discriminator
        else "This guard learned from pictures of one finished generator, which did not learn from it. The others it has never seen."
    )
    say(st.markdown, "{}", goal)
    say(
        st.caption,
        "{} real pictures out of {}; {} of each generator, of the same size and levels; 95% Wilson intervals. None of them did "
        "the guard learn from.",
        len(waiting.real),
        waiting.words,
        AT_THE_DOOR,
    )
