"""The challenge: a grid in which generated pictures are marked, or single pictures against the clock, which the browser measures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from genlab.dashboard.components import base64, component

_mount = component("captcha")
_KEY = "captcha"
_LONGEST_SECONDS = 24 * 3600.0
_LARGE = {"grid": 128, "one": 72}


@dataclass(frozen=True)
class Answer:
    """What the visitor said of a round.

    Attributes:
        called_generated: Of each picture.
        seconds: All of it took.
    """

    called_generated: tuple[bool, ...]
    seconds: float


def captcha(
    images: NDArray[np.uint8],
    levels: int,
    *,
    kind: str,
    columns: int,
    identity: str,
    task: str,
    limit: int,
    on_answer: Callable[[Answer], None],
    generated: Sequence[bool] | None = None,
    answer: Answer | None = None,
) -> None:
    """Show a round, or what came of it.

    Args:
        images: Levels ``(N, C, H, W)``.
        levels: Number of levels.
        kind: ``"grid"`` or ``"one"``.
        columns: Pictures beside each other.
        identity: Of the round; an answer to another one is not heard.
        task: What is to be done, in words.
        limit: A single picture is shown for so many seconds; 0: until it is called.
        on_answer: Called with the visitor's answer.
        generated: The truth, once it is answered; the browser is told no sooner.
        answer: What the visitor said.
    """

    def answered() -> None:
        said = read((st.session_state.get(_KEY) or {}).get("answer"), identity, len(images))
        if said is not None:
            on_answer(said)

    data: dict[str, Any] = {
        "id": identity,
        "kind": kind,
        "columns": columns,
        "task": task,
        "limit": limit,
        "large": _LARGE[kind],
        "shape": images.shape[1:],
        "levels": levels,
        "count": len(images),
        "values": base64(images.transpose(0, 2, 3, 1)),
        "truth": None if generated is None else [bool(each) for each in generated],
        "called": None if answer is None else list(answer.called_generated),
    }
    _mount(data=data, key=_KEY, on_answer_change=answered)


def read(said: Any, identity: str, count: int) -> Answer | None:
    """What the browser said of this round, if it makes sense: what comes from there can be anything."""
    if not isinstance(said, Mapping) or said.get("id") != identity:
        return None
    called, seconds = said.get("generated"), said.get("seconds")
    if not isinstance(called, list) or len(called) != count or not all(isinstance(each, bool) for each in called):
        return None
    if not isinstance(seconds, list) or len(seconds) not in {1, count} or not all(_is_duration(each) for each in seconds):
        return None
    return Answer(tuple(called), float(sum(seconds)))


def _is_duration(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= _LONGEST_SECONDS
