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


def read_bytes(option: str, path: Path) -> bytes:
    """A file's content, and no more of it than a picture may have.

    Raises:
        InputError: There is no such file.
        RunError: It cannot be read.
    """
    from genlab.datasets.picture import PHOTOGRAPH_BYTES_AT_MOST

    if not path.is_file():
        raise InputError(f"{option} must be a picture that exists; got {str(path)!r}")
    try:
        with path.open("rb") as file:
            return file.read(PHOTOGRAPH_BYTES_AT_MOST + 1)
    except OSError as error:
        raise RunError(f"{path} could not be read: {error.strerror}") from None


def fitted(content: bytes, domain: Any, is_photograph: bool = False) -> Any:
    """A picture as a model's images are: ink in levels, or three colours.

    Raises:
        InputError: It is no picture, or has no ink.
    """
    from genlab.datasets.photograph import find_digit, read_photograph
    from genlab.datasets.picture import read_colours, read_picture

    channels, height, width = domain.shape
    if is_photograph:
        if channels != 1:
            raise InputError(f"--photograph finds ink on paper, which a model of {channels} channels does not draw")
        return find_digit(read_photograph(content), size=(height, width)).levels(domain.levels)[None]
    if channels == 3:
        return read_colours(content, size=(height, width), levels=domain.levels)
    return read_picture(content, size=(height, width), levels=domain.levels)[None]


def read_array(path: Path) -> Any:
    """The array of an ``.npy``, whose header is believed as far as the file bears it out.

    Raises:
        InputError: It is none, or torn.
    """
    from genlab.datasets.files import check_unpacked, open_file, size_of
    from genlab.datasets.npy import read_header, read_values

    what = f"npy file {str(path)!r}"
    with open_file(path) as file:
        header = read_header(file, what)
        check_unpacked(header.size, size_of(file), what)
        return read_values(file, header, what)
