"""Moving pictures, played in the browser from records that were sent once.

A component is a family with one stem: ``theatre.py``, ``.html``, ``.css`` and ``.js``.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from genlab.dashboard.long_lived import load_once

if TYPE_CHECKING:
    from streamlit.components.v2.bidi_component.state import ComponentResult

_HERE = Path(__file__).parent
_MOUNTING_LOADS = ("pandas",)  # Streamlit does, at the first component


def component(stem: str, *, family: str = "", scripts: Sequence[str] = ()) -> Callable[..., ComponentResult]:
    """The component made of the files of that stem.

    What all scripts share, `ink.js`, goes before its own, and so do other `scripts` that it asks for; a `family` of components shares a
    style and a script of that stem besides.
    """

    def read(*names: str) -> str:
        return "\n".join((_HERE / name).read_text(encoding="utf-8") for name in names)

    css, script = ([f"{family}.{kind}"] if family else [] for kind in ("css", "js"))
    mount = st.components.v2.component(
        f"genlab_{stem}", html=read(f"{stem}.html"), css=read(*css, f"{stem}.css"), js=read("ink.js", *scripts, *script, f"{stem}.js")
    )

    def mount_once_loaded(**arguments: Any) -> ComponentResult:
        load_once(_MOUNTING_LOADS)
        return mount(**arguments)

    return mount_once_loaded


def base64(array: NDArray[Any]) -> str:
    """The array's bytes, for one of JavaScript's typed arrays."""
    return b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
