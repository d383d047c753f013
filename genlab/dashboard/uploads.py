"""Pictures that visitors send: bounded over all of them, and read once.

Streamlit keeps an uploaded file in memory for as long as its session lasts, however many come; here the oldest give way to new ones.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.runtime.scriptrunner import get_script_run_ctx

from genlab.datasets.photograph import Photograph, read_photograph

if TYPE_CHECKING:
    from genlab.datasets.photograph import FoundDigit

FILES_AT_MOST = 12
BYTES_AT_MOST = 64 << 20
_PREVIEW = 280  # pixels of its longer side
_ACCENT = (194, 80, 15)

_bounding = Lock()


def bound_uploads() -> None:
    """Let the server keep so many uploaded files and no more, whoever sent them."""
    context = get_script_run_ctx()
    manager: Any = context.uploaded_file_mgr if context else None
    with _bounding:
        if not hasattr(manager, "remove_file") or hasattr(manager, "genlab_bound"):  # the tester's keeps nothing
            return
        manager.genlab_bound = True
        _bound(manager)


def _bound(manager: Any) -> None:
    add_file, kept, lock = manager.add_file, OrderedDict[tuple[str, str], int](), Lock()

    def add_within_bounds(session_id: str, file: Any) -> None:
        add_file(session_id, file)
        with lock:
            kept.pop((session_id, file.file_id), None)
            kept[session_id, file.file_id] = len(file.data)
            while len(kept) > FILES_AT_MOST or (sum(kept.values()) > BYTES_AT_MOST and len(kept) > 1):
                oldest, _ = kept.popitem(last=False)
                manager.remove_file(*oldest)

    manager.add_file = add_within_bounds


@st.cache_data(max_entries=8, show_spinner="Taking the paper off …")
def photograph_of(file_id: str, _content: bytes) -> Photograph:
    """A photograph without its paper, by the id of its upload.

    Raises:
        InputError: It is no picture, too large, or blank.
    """
    return read_photograph(_content)


def preview(found: FoundDigit) -> NDArray[np.uint8]:
    """The photograph, small, with what was taken for the digit in the accent colour: uint8 ``(height, width, 3)``."""
    from PIL import Image

    colours = np.repeat(found.page[..., None], 3, axis=-1)
    colours[found.stroke] = _ACCENT
    picture = Image.fromarray(colours)
    picture.thumbnail((_PREVIEW, _PREVIEW))
    return np.asarray(picture)
