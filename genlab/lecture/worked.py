"""The lecture's worked numbers (slides 50–61): the pictures and weights it starts from as data, what it makes of them as code.

A picture is four pixels, top-left, top-right, bottom-left, bottom-right; white is 0, black is 1. Nothing that the lecture computes is
written down here: `judge` and `error_of` compute it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# Serrano, 'GANs in slanted land'.
FACES = ((1.0, 0.0, 0.0, 1.0), (0.9, 0.1, 0.2, 0.8), (0.9, 0.2, 0.1, 0.8), (0.8, 0.1, 0.2, 0.9), (0.8, 0.2, 0.1, 0.9))

D_WEIGHTS = (1.0, -1.0, -1.0, 1.0)
D_BIAS = -1.0

FACE = (1.0, 0.0, 0.0, 1.0)
NOISE = (0.25, 1.0, 0.5, 0.75)
# Slide 53, from left to right. On the first two this discriminator cannot make up its mind.
PICTURES = ((0.5, 0.0, 0.0, 0.5), (1.0, 0.5, 0.5, 1.0), FACE, (1.0, 0.5, 0.0, 1.0), NOISE)
# Predictions whose errors slides 57 to 61 work out.
PREDICTIONS = (0.1, 0.9)


@dataclass(frozen=True)
class Judgement:
    """What the lecture's discriminator makes of a picture.

    Attributes:
        picture: The four pixels.
        products: Pixel times weight, four numbers.
        logit: Their sum and the bias.
        probability: σ(logit).
        verdict: ``"face"`` above 0.5, ``"not a face"`` below, ``"undecided"`` exactly on it.
    """

    picture: tuple[float, ...]
    products: tuple[float, ...]
    logit: float
    probability: float
    verdict: str


def judge(picture: tuple[float, ...]) -> Judgement:
    """The sums of slides 51 to 53: g = w·x + b, σ(g) and the verdict."""
    # + 0.0: white times −1 is 0, not −0.
    products = tuple(pixel * weight + 0.0 for pixel, weight in zip(picture, D_WEIGHTS, strict=True))
    logit = sum(products) + D_BIAS
    verdict = "undecided" if logit == 0 else "face" if logit > 0 else "not a face"
    return Judgement(picture, products, logit, 1 / (1 + math.exp(-logit)), verdict)


def error_of(prediction: float, *, real: bool) -> float:
    """What a prediction costs D, in nats: −ln(p) for a face, −ln(1 − p) for a fake."""
    return -math.log(prediction if real else 1 - prediction)


def ideal_losses() -> tuple[float, float]:
    """D's and G's loss where D can only guess: both terms of D's are −ln ½, G's is one."""
    return error_of(0.5, real=True) + error_of(0.5, real=False), error_of(0.5, real=True)
