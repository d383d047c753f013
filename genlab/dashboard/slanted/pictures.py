"""The pictures that the parts share, and numbers as people write them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genlab import toy_gan
from genlab.dashboard import address
from genlab.lecture import worked

LECTURE_WEIGHTS = (*worked.D_WEIGHTS, worked.D_BIAS)
# One pixel away from a face.
ALMOST_FACE = (1.0, 0.0, 0.0, 0.0)

_NOISE = 5
_NOISE_SEED = 0


def noise() -> tuple[tuple[float, ...], ...]:
    """Pictures of nothing: four pixels each, every one uniform between white and black, to two digits."""
    drawn = np.random.default_rng(_NOISE_SEED).random((_NOISE, 4)).round(2)
    return tuple(tuple(map(float, picture)) for picture in drawn)


def picture(default: Sequence[float] = worked.FACE) -> tuple[float, ...]:
    """The picture that the visitor has drawn."""
    return address.numbers("picture", default, least=0, most=1)


def keep_picture(change: dict[str, object]) -> None:
    """Keep the picture that a component has sent."""
    address.keep("picture", change.get("picture"), count=4, least=0, most=1, settled=bool(change.get("settled")))


def verdict(score: float) -> str:
    """What a discriminator's output says; above ½ it is a face, below it is not."""
    return "a face" if score > 0.5 else "not a face" if score < 0.5 else "undecided"


def signed(value: float, digits: int = 2) -> str:
    """With a real minus sign."""
    text = f"{abs(value):.{digits}f}"
    return f"−{text}" if value < 0 and float(text) else text


def short(value: float) -> str:
    """Without zeros at the end."""
    return f"{value:.2f}".rstrip("0").rstrip(".").replace("-", "−")


def sum_in_words(pixels: Sequence[float], weights: Sequence[float], total: float, score: float) -> str:
    """The worked sum of slide 51, with the numbers of this picture and these weights."""
    terms = " + ".join(
        f"{short(pixel)}·{f'({short(weight)})' if weight < 0 else short(weight)}" for pixel, weight in zip(pixels, weights, strict=False)
    )
    bias = weights[4]
    return f"g = {terms} {'−' if bias < 0 else '+'} {short(abs(bias))} = {signed(total)},  σ(g) = {signed(score)}"


def logit(pixels: Sequence[float], weights: Sequence[float]) -> float:
    """The sum g = w·x + b that D's neuron makes of a picture, as the library computes it: a step's first number."""
    *own, bias = weights
    unused = np.zeros(4)
    return float(toy_gan.one_step(pixels, 0.0, own, bias, unused, unused)[0].logit or 0.0)
