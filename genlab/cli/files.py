"""Files that a verb is asked to write: looked at before the work, written whole after it."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

from genlab.errors import InputError, RunError
from genlab.runs import write_aside


def require_place(option: str, path: Path | None, *endings: str) -> None:
    """Refuse a file that cannot be written, before any work is done for it.

    Raises:
        InputError: Its folder is missing, a folder is in its place, or its name has none of the endings.
        RunError: Nobody may write there.
    """
    if path is None:
        return
    if endings and path.suffix.lower() not in endings:
        raise InputError(f"{option} must end in {' or '.join(endings)}; got {str(path)!r}")
    if "\0" in str(path) or not path.absolute().parent.is_dir() or path.is_dir():
        raise InputError(f"{option} must name a file in a folder that exists; got {str(path)!r}")
    effective = os.access in os.supports_effective_ids
    if not os.access(path.absolute().parent, os.W_OK | os.X_OK, effective_ids=effective):
        raise RunError(f"{path} could not be written: its folder lets nobody write")


def write_picture(path: Path, picture: Any, description: str) -> None:
    """A PNG that says what it shows.

    Raises:
        RunError: The disk is full or refuses.
    """
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    content, text = io.BytesIO(), PngInfo()
    text.add_text("Description", description)
    Image.fromarray(picture).save(content, format="PNG", pnginfo=text)
    write_aside(path, content.getvalue())


def write_arrays(path: Path, **arrays: Any) -> None:
    """An ``.npz`` of these arrays, the same bytes for the same arrays.

    Raises:
        RunError: The disk is full or refuses.
    """
    import numpy as np

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            entry = io.BytesIO()
            np.lib.format.write_array(entry, np.asanyarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), entry.getvalue(), zipfile.ZIP_DEFLATED)
    write_aside(path, content.getvalue())
