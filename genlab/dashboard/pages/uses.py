"""What it is good for: a digit of one's choice, a small picture made large, a grey one coloured, a series gone on with."""

from __future__ import annotations

import numpy as np
import streamlit as st

from genlab.dashboard import address, charts
from genlab.dashboard.charts import Fan, fan
from genlab.dashboard.components.wall import wall
from genlab.dashboard.frame import caught, frame
from genlab.dashboard.stage.sources import Source, model_of
from genlab.dashboard.stage.uses import ANSWERS, FUTURES, USES, Answers, Use, believed, of_class, of_condition, of_past, sources_of
from genlab.dashboard.words import duration

SHOWN_SECONDS = 1.2
DRAWN_BY = "Given {told}, the model draws from *p*(image | {told}), exactly. There is more than one right answer, so here are {count}."


def page() -> None:
    """The page from top to bottom."""
    with frame(
        "What it is good for",
        "Tell the model something beforehand, and it draws the rest: *p*(*x* | told) = ∏ *p*(*xᵢ* | *x*₁ … *xᵢ*₋₁, told). "
        "What is told is one more map that every layer reads, be it a class, a small image or a grey one; of a series it is the past.",
    ):
        options = {"format_func": lambda each: USES[each].title, "required": True, "label_visibility": "collapsed"}
        chosen = address.choice("use", list(USES))
        address.linked(st.segmented_control, "use", "use", chosen, list(USES), forget=("model", "image", "seed"), **options)
        with caught():
            show(chosen, USES[chosen])


def show(name: str, use: Use) -> None:
    """One use: what is told on the left, the answers on the right."""
    source = choose(use)
    if source is None:
        st.info(f"No model for this is here yet. Train one: `{trained_by(name)}`")
        return
    if name == "class":
        show_class(source)
    elif name == "series":
        show_series(source)
    else:
        show_condition(source)


def choose(use: Use) -> Source | None:
    """The visitor's choice among the models for a use; None if there is none."""
    found = {source.name: source for source in sources_of(use)}
    if not found:
        return None
    name = address.choice("model", list(found))
    if len(found) > 1:
        words = {each: source.words for each, source in found.items()}
        address.linked(st.selectbox, "model", "model", name, list(found), forget=("image",), format_func=lambda each: words.get(each, each))
    return found[name]


def show_class(source: Source) -> None:
    """A class, chosen by the visitor, and what the model draws of it."""
    model = model_of(source)
    picked, again = st.columns([3, 1], vertical_alignment="bottom")
    with picked:
        label = address.whole("label", 3, least=0, most=model.classes - 1)
        address.linked(st.segmented_control, "class", "label", label, list(range(model.classes)), required=True)
    with again:
        seed = address.again("Draw others", "seed", width="stretch")
    answers = of_class(source, label, seed)
    st.markdown(DRAWN_BY.format(told=f"class {label}", count=ANSWERS))
    show_answers(source, answers, f"class {label} {seed}", f"A {label}")
    shares = believed(source, label, seed)
    right = int((shares.argmax(1) == label).sum())
    st.caption(
        f"Scored under each of the {model.classes} classes in turn, {right} of the {ANSWERS} are likeliest as a {label}: a model of "
        "*p*(*x* | class) is a classifier too, by Bayes' rule."
    )
    command(f"genlab sample {source.name} --labels {label} -n {ANSWERS} --seed {seed} --out drawn.png")


def show_condition(source: Source) -> None:
    """A held-out image, of which the model sees a small or a grey one, and what it draws from that."""
    model = model_of(source)
    one, other, _ = st.columns([1, 1, 2])
    with one:
        number = address.again("Another image", "image", width="stretch")
    with other:
        seed = address.again("Draw others", "seed", width="stretch")
    true, shown, cost, answers = of_condition(source, number, seed)
    told, real = st.columns(2)
    kind, size = model.condition.words.split()[0], f"{shown.shape[1]}×{shown.shape[2]}"
    with told:
        st.markdown(f"**What the model is shown**: {kind}, {size}")
        wall(shown[None], model.levels, key="told", identity=f"{source} {number}", alt="What the model is shown", large=160)
    with real:
        st.markdown(f"**What it was made from**, {true.shape[1]}×{true.shape[2]}; the model never saw it")
        wall(true[None], model.levels, key="true", identity=f"{source} {number}", alt="The real image", words=[bits(cost)], large=160)
    st.markdown(DRAWN_BY.format(told="the first", count=ANSWERS))
    show_answers(source, answers, f"{number} {seed}", "An answer")
    agree = float((model.condition.of(answers.images) == shown).mean())
    st.caption(
        f"Made {kind} again, {agree:.0%} of the answers' values are what was shown: nothing forces them to be, the model has learnt it."
    )
    command(f"genlab sample {source.name} --condition picture.png -n {ANSWERS} --seed {seed} --out drawn.png")


def show_series(source: Source) -> None:
    """A held-out stretch of a series, and how it may go on."""
    one, other, _ = st.columns([1, 1, 2])
    with one:
        number = address.again("Another past", "image", width="stretch")
    with other:
        seed = address.again("Draw others", "seed", width="stretch")
    data, cost, seconds = of_past(source, number, seed)
    years = data.step * len(data.past)
    st.markdown(
        f"A series is an image one pixel high. Given {years:.0f} years of it, here are {FUTURES} futures: bands that hold 50, 80 and 95% "
        "of them, three of them one by one, and, dashed, what really came, which the model never saw."
    )
    charts.show(fan(data), key="fan", alt=described(data))
    st.caption(
        f"{FUTURES} futures of {data.futures.shape[1]} steps drawn in {duration(seconds)} by a network of "
        f"{model_of(source).parameter_count():,} parameters. What really came costs −log₂ *p*(future | past) = {bits(cost)}, "
        f"{cost / data.futures.shape[1]:.2f} a step. Sunspot numbers: WDC-SILSO, Royal Observatory of Belgium, Brussels."
    )
    command(f"genlab simulate {source.name} -n {FUTURES} --seed {seed} --out futures.npz")


def described(data: Fan) -> str:
    """The fan in words."""
    low, middle, high = np.quantile(data.futures[:, -1], [0.1, 0.5, 0.9])
    return f"{FUTURES} futures of {data.words}: at the end 80% lie between {low:.0f} and {high:.0f}, half of them below {middle:.0f}."


def show_answers(source: Source, answers: Answers, identity: str, alt: str) -> None:
    """The answers, drawn before the visitor's eyes, with their bits."""
    model = model_of(source)
    wall(
        answers.images,
        model.levels,
        key="answers",
        identity=f"{source} {identity}",
        alt=alt,
        words=[bits(value) for value in answers.bits],
        seconds=SHOWN_SECONDS,
        large=104,
    )
    network = f"a network of {model.parameter_count():,} parameters"
    st.caption(f"{ANSWERS} drawn in {duration(answers.seconds)} by {network}; below each, −log₂ *p*(image | told).")


def bits(value: float) -> str:
    """A cost in words."""
    return f"{value:,.0f} bits"


def command(line: str) -> None:
    """How to have the same in a terminal."""
    with st.expander("In a terminal"):
        st.code(line, language="bash")


def trained_by(name: str) -> str:
    """How such a model is trained."""
    return {
        "class": "genlab train pixelcnn --data mnist5k --set binarize=dynamic classes=10",
        "small": "genlab train pixelcnn --data mnist5k --set data.levels=4 given=small factor=4",
        "grey": "genlab train pixelcnn --data photos --set data.levels=16 given=grey",
        "series": "genlab train wave_pixelcnn --data sunspots --set data.levels=32 channels=8",
    }[name]


page()
