"""The microscope's picture: both networks of the toy GAN in one micro-step of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from genlab.dashboard.components import component

_mount = component("microscope", family="slanted")


@dataclass(frozen=True)
class Scene:
    """What the picture shows.

    Attributes:
        direction: Which way numbers travel.
        at_work: The networks they travel through.
        source: The picture: a real face f or a fake x.
        picture: Its four pixels, or None before there is one.
        z: The draw, or None before it is made.
        state: The 13 weights after the micro-step: w (4), b, v (4), c (4).
        change: By how much the micro-step has moved each, or None.
        output: D's output by its name, or None.
        words: The scene in a sentence.
    """

    direction: Literal["forward", "backward"]
    at_work: Literal["D", "G", "both"]
    source: Literal["f", "x"]
    picture: tuple[float, ...] | None
    z: float | None
    state: tuple[float, ...]
    change: tuple[float, ...] | None
    output: tuple[str, float] | None
    words: str


def microscope(scene: Scene) -> None:
    """Show the scene."""
    name, out = scene.output or ("", None)
    data: dict[str, Any] = {
        "direction": scene.direction,
        "generator": scene.at_work in ("G", "both"),
        "discriminator": scene.at_work in ("D", "both"),
        "source": scene.source,
        "picture": None if scene.picture is None else list(scene.picture),
        "z": scene.z,
        **_weights(scene.state, ""),
        "out": out,
        "out_name": name,
        "words": scene.words,
    }
    if scene.change is not None:
        changed = _weights(scene.change, "_change")
        data |= {part: values for part, values in changed.items() if any(values if isinstance(values, list) else [values])}
    _mount(data=data, key="microscope")


def _weights(state: Sequence[float], suffix: str) -> dict[str, Any]:
    w, b, v, c = state[:4], state[4], state[5:9], state[9:]
    return {f"w{suffix}": list(w), f"b{suffix}": b, f"v{suffix}": list(v), f"c{suffix}": list(c)}
