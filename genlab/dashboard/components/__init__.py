"""Moving pictures, played in the browser from records that were sent once.

A component is a family with one stem: ``walk.py``, ``.html``, ``.css`` and ``.js``. What works without a server too stands in
`genlab.browser`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from genlab.browser import FOLDER as SHARED
from genlab.browser import Encoded, base64
from genlab.dashboard.long_lived import load_once

if TYPE_CHECKING:
    from streamlit.components.v2.bidi_component.state import ComponentResult

__all__ = ["base64", "component"]

_HERE = Path(__file__).parent
_MOUNTING_LOADS = ("pandas",)  # Streamlit does, at the first component


def component(stem: str, *, family: str = "", scripts: Sequence[str] = (), styles: Sequence[str] = ()) -> Callable[..., ComponentResult]:
    """The component made of the files of that stem.

    What all scripts share, `ink.js`, goes before its own, and so do other `scripts` and `styles` that it asks for; a `family` of
    components shares a style and a script of that stem besides.
    """

    def read(*names: str) -> str:
        return "\n".join(_file(name).read_text(encoding="utf-8") for name in names)

    css, script = ([f"{family}.{kind}"] if family else [] for kind in ("css", "js"))
    style, code = read(*css, *styles, f"{stem}.css"), read("ink.js", *scripts, *script, f"{stem}.js")
    mount = st.components.v2.component(f"genlab_{stem}", html=read(f"{stem}.html"), css=style, js=code)

    def mount_once_loaded(**arguments: Any) -> ComponentResult:
        load_once(_MOUNTING_LOADS)
        if isinstance(data := arguments.get("data"), dict) and (kinds := dict(_kinds_of_arrays(data))):
            arguments["data"] = {**data, "kinds_of_arrays": kinds}
        return mount(**arguments)

    return mount_once_loaded


def _file(name: str) -> Path:
    """A component's own file, or one that is shared with those who show it without a server."""
    own = _HERE / name
    return own if own.exists() else SHARED / name


def _kinds_of_arrays(data: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Where in the data arrays are, and of what kind and shape, so that they can be saved as a table."""
    for name, value in data.items():
        if isinstance(value, Encoded):
            yield f"{within}{name}", {"kind": value.kind, "shape": list(value.shape)}
        elif isinstance(value, Mapping):
            yield from _kinds_of_arrays(value, f"{within}{name}.")
