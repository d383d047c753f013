"""Part 4: one step under the microscope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import streamlit as st

from genlab import toy_gan
from genlab.dashboard import address
from genlab.dashboard.components.microscope import Scene, microscope
from genlab.dashboard.slanted.pictures import signed
from genlab.dashboard.slanted.setting import Setting, current, trained

Array = npt.NDArray[Any]

SCENES = 8


@dataclass(frozen=True)
class Sight:
    """What is seen at one micro-step.

    Attributes:
        title: What happens.
        scene: The picture of it.
        formula: The formula, in LaTeX.
        numbers: The same with the numbers in it.
        part: The library's account of it.
        moves: Whether weights move.
    """

    title: str
    scene: Scene
    formula: str
    numbers: str
    part: toy_gan.MicroStep
    moves: bool


def step() -> None:
    """The question, and the microscope."""
    st.header("What happens in one step?", anchor=False)
    st.markdown(
        "Four small things: the discriminator sees a real face and learns; a z is drawn and becomes a picture; the discriminator sees the "
        "fake and learns; and what it thinks of the fake flows back *through* it into the generator. **Go through them one by one.**"
    )
    _microscope()


@st.fragment
def _microscope() -> None:
    setting = current()
    loss = address.choice("loss", toy_gan.LOSSES)
    number = address.whole("step", 1, least=1, most=setting.steps)
    micro = address.whole("micro", 1, least=1, most=SCENES)
    _controls(setting, number, micro, loss)
    sights = take_apart(setting, loss, number)
    sight = sights[micro - 1]
    st.subheader(f"{micro} of {SCENES}: {sight.title}", anchor=False)
    microscope(sight.scene)
    formula, numbers = st.columns([2, 3], vertical_alignment="center")
    formula.latex(sight.formula)
    numbers.latex(sight.numbers)
    if sight.moves:
        st.markdown(gradient_table(sight.part))
        st.caption(
            "∂L is the derivative by the formula; beside it the slope measured with no calculus at all, by moving that weight "
            "a little to both sides and computing the loss anew."
        )


def _controls(setting: Setting, number: int, micro: int, loss: str) -> None:
    def go(by: int) -> None:
        """Micro-steps run on from one step into the next."""
        at = max(0, min((number - 1) * SCENES + micro - 1 + by, setting.steps * SCENES - 1))
        address.put(step=at // SCENES + 1, micro=at % SCENES + 1)

    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.button("◀ Back", on_click=go, args=(-1,), disabled=number == 1 and micro == 1)
        st.button("Forward ▶", type="primary", on_click=go, args=(1,), disabled=number == setting.steps and micro == SCENES)
        address.linked(st.number_input, f"step, of {setting.steps:,}", "step", number, 1, setting.steps, width=150)
        address.linked(st.selectbox, "loss of G", "loss", loss, toy_gan.LOSSES, width=180)
    st.caption(f"Seed {setting.seed}, learning rate {setting.learning_rate:g}, initial scale {setting.init_scale:g}; part 5 changes them.")


def take_apart(setting: Setting, loss: str, number: int) -> list[Sight]:
    """The micro-steps of step `number` of that training, counted from 1."""
    run = trained(setting, loss)
    history = run.history
    assert history is not None
    before = number - 1
    real, draw, fake, generator = toy_gan.one_step(
        toy_gan.FACES[before % len(toy_gan.FACES)],
        float(run.z[before]),
        history.d_weights[before],
        float(history.d_bias[before]),
        history.g_weights[before],
        history.g_bias[before],
        learning_rate=setting.learning_rate,
        loss=loss,
    )
    rate = setting.learning_rate
    return [
        *_judgement(real, rate, "p", "f", r"-\ln p", "the discriminator looks at a real face", f"face {before % len(toy_gan.FACES) + 1}"),
        _drawing(draw),
        *_judgement(fake, rate, "q", "x", r"-\ln(1-q)", "the discriminator looks at the fake", "the fake"),
        *_way_back(generator, rate, loss),
    ]


def _judgement(part: toy_gan.MicroStep, rate: float, name: str, source: Literal["f", "x"], loss: str, title: str, seen: str) -> list[Sight]:
    """D looks at a picture, and learns from it."""
    w, b = part.before["d_weights"], part.before["d_bias"]
    probability, cost = _number(part.probability), _number(part.loss)
    terms = _dot(w, part.picture, b)
    looks = Sight(
        title,
        _scene(
            part,
            "forward",
            "D",
            source,
            (name, probability),
            f"D weighs the pixels of {seen} and says {probability:.3f}. Its error is {cost:.3f}.",
        ),
        rf"{name} = \sigma(w \cdot {source} + b) \qquad L = {loss}",
        _lines(rf"w \cdot {source} + b &= {terms}", rf"{name} &= \sigma({_tex(part.logit)}) = {probability:.4f}", f"L &= {cost:.4f}"),
        part,
        moves=False,
    )
    factor = rf"(1-{name})" if source == "f" else name
    sign, effect = ("+", "raises") if source == "f" else ("-", "lowers")
    share = 1 - probability if source == "f" else probability
    learns = Sight(
        "it learns from that",
        _scene(
            part,
            "backward",
            "D",
            source,
            (name, probability),
            f"The gradient flows back into w and b, which {effect} what D will say of this picture.",
            moved=True,
        ),
        rf"w \leftarrow w {sign} \eta\,{factor}\,{source} \qquad b \leftarrow b {sign} \eta\,{factor}",
        _lines(
            rf"w &= {_row(w)}",
            rf"&\quad {sign} {rate:g} \cdot {share:.4f} \cdot {_row(part.picture, 2)}",
            rf"&= {_row(part.after['d_weights'], 4)}",
            rf"b &= {b:.3f} {sign} {rate:g} \cdot {share:.4f} = {part.after['d_bias']:.4f}",
        ),
        part,
        moves=True,
    )
    return [looks, learns]


def _drawing(part: toy_gan.MicroStep) -> Sight:
    v, c, z = part.before["g_weights"], part.before["g_bias"], _number(part.z)
    return Sight(
        "a z is drawn and becomes a picture",
        _scene(
            part,
            "forward",
            "G",
            "x",
            None,
            f"z is drawn: {z:.3f}. G’s four neurons turn it into {', '.join(f'{pixel:.2f}' for pixel in part.picture)}.",
        ),
        r"x = G(z) = \sigma(z\,v + c)",
        _lines(
            rf"z\,v + c &= {z:.3f} \cdot {_row(v)}",
            rf"&\quad + {_row(c)}",
            rf"&= {_row(part.pixel_logits)}",
            rf"x &= {_row(part.picture)}",
        ),
        part,
        moves=False,
    )


def _way_back(part: toy_gan.MicroStep, rate: float, loss: str) -> list[Sight]:
    """D judges the fake anew, and its judgement goes back through it into G."""
    minimax = loss == "minimax"
    w, b, y, z = part.before["d_weights"], part.before["d_bias"], _number(part.probability), _number(part.z)
    formula = r"\ln(1-y)" if minimax else r"-\ln y"
    factor = "y" if minimax else "(1-y)"
    share = y if minimax else 1 - y
    output = ("y", y)
    v = part.before["g_weights"]
    to_picture, to_sums = (rf"\frac{{\partial L}}{{\partial {what}}}" for what in ("x", "(z v + c)"))
    return [
        Sight(
            "the wiser discriminator looks again",
            _scene(
                part,
                "forward",
                "both",
                "x",
                output,
                f"With its new weights D says {y:.3f} of the same fake. G’s error is {signed(_number(part.loss), 3)}.",
            ),
            rf"y = \sigma(w \cdot x + b) \qquad L = {formula}",
            _lines(
                rf"w \cdot x + b &= {_dot(w, part.picture, b)}",
                rf"y &= \sigma({_tex(part.logit)}) = {y:.4f}",
                f"L &= {_tex(part.loss, 4)}",
            ),
            part,
            moves=False,
        ),
        Sight(
            "the error goes back through D",
            _scene(
                part,
                "backward",
                "D",
                "x",
                output,
                "D tells G, pixel by pixel, what would have made the fake pass: G never sees a real face.",
            ),
            _lines(rf"{to_picture} &= -{factor}\,w", rf"g = {to_sums} &= -{factor}\,w \odot x \odot (1-x)"),
            _lines(
                rf"{to_picture} &= -{share:.4f} \cdot {_row(w)}",
                rf"&= {_row(part.picture_gradient)}",
                rf"x \odot (1-x) &= {_row(part.picture * (1 - part.picture))}",
                rf"g &= {_row(part.pixel_gradient, 4)}",
            ),
            part,
            moves=False,
        ),
        Sight(
            "the generator learns",
            _scene(
                part,
                "backward",
                "both",
                "x",
                output,
                "G moves v and c against the gradient: from this z it now makes a picture that D takes a little more for a face.",
                moved=True,
            ),
            r"v \leftarrow v - \eta\,g\,z \qquad c \leftarrow c - \eta\,g",
            _lines(
                rf"v &= {_row(v)}",
                rf"&\quad - {rate:g} \cdot {z:.3f} \cdot {_row(part.pixel_gradient, 4)}",
                rf"&= {_row(part.after['g_weights'], 4)}",
                rf"c &= {_row(part.before['g_bias'])}",
                rf"&\quad - {rate:g} \cdot {_row(part.pixel_gradient, 4)}",
                rf"&= {_row(part.after['g_bias'], 4)}",
            ),
            part,
            moves=True,
        ),
    ]


def gradient_table(part: toy_gan.MicroStep) -> str:
    """Each gradient by the formula beside its finite difference, a Markdown table."""
    symbols = {"d_weights": "w", "d_bias": "b", "g_weights": "v", "g_bias": "c"}
    rows = ["| | ∂L by the formula | finite difference | apart by |", "|---|--:|--:|--:|"]
    for parameter, gradient in part.gradients.items():
        exact, measured = np.atleast_1d(gradient), np.atleast_1d(part.finite_differences[parameter])
        for i, (one, other) in enumerate(zip(exact, measured, strict=True)):
            name = symbols[parameter] + ("₁₂₃₄"[i] if len(exact) > 1 else "")
            rows.append(f"| {name} | {signed(one, 8)} | {signed(other, 8)} | {abs(one - other):.0e} |")
    return "\n".join(rows)


def _scene(
    part: toy_gan.MicroStep,
    direction: Literal["forward", "backward"],
    at_work: Literal["D", "G", "both"],
    source: Literal["f", "x"],
    output: tuple[str, float] | None,
    words: str,
    *,
    moved: bool = False,
) -> Scene:
    before, after = _state(part.before), _state(part.after)
    return Scene(
        direction=direction,
        at_work=at_work,
        source=source,
        picture=tuple(map(float, part.picture)),
        z=part.z,
        state=after if moved else before,
        change=tuple(new - old for new, old in zip(after, before, strict=True)) if moved else None,
        output=output,
        words=words,
    )


def _state(named: Mapping[str, Any]) -> tuple[float, ...]:
    parts = (named[name] for name in ("d_weights", "d_bias", "g_weights", "g_bias"))
    return tuple(float(value) for part in parts for value in np.atleast_1d(part))


def _number(value: float | None) -> float:
    assert value is not None
    return value


def _tex(value: float | None, digits: int = 3) -> str:
    return f"{_number(value):.{digits}f}"


def _row(values: Sequence[float] | Array | None, digits: int = 3) -> str:
    assert values is not None
    separator = r",\,"
    return f"({separator.join(f'{value:.{digits}f}' for value in values)})"


def _lines(*lines: str) -> str:
    """Equations below each other, narrow enough for a telephone."""
    line_break = r" \\ "
    return rf"\small \begin{{aligned}} {line_break.join(lines)} \end{{aligned}}"


def _dot(w: Sequence[float] | Array, x: Sequence[float] | Array, b: float) -> str:
    """The sum of a neuron, over two lines."""
    first, second, third, last = (rf"{_bracketed(weight)} \cdot {pixel:.2f}" for weight, pixel in zip(w, x, strict=True))
    return rf"{first} + {second} \\ &\quad + {third} + {last} {'-' if b < 0 else '+'} {abs(b):.3f}"


def _bracketed(value: float) -> str:
    return f"({value:.3f})" if value < 0 else f"{value:.3f}"
