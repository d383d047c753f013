"""NumPy archives. The keys that are read are in `IMAGES`, `LABELS` and ``levels``; other keys are left alone. No pickle.

``images`` alone is split here. The spellings are those of Keras (``x_train``) and MedMNIST (``train_images``), and plain ``train``.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from genlab.datasets.source import MAX_BYTES, SPLITS, Part, Source, as_images, as_labels
from genlab.errors import InputError

IMAGES = {
    "train": ("images", "train", "x_train", "train_images"),
    "valid": ("valid", "x_valid", "x_val", "valid_images", "val_images"),
    "test": ("test", "x_test", "test_images"),
}
LABELS = {
    "train": ("labels", "train_labels", "y_train"),
    "valid": ("valid_labels", "val_labels", "y_valid", "y_val"),
    "test": ("test_labels", "y_test"),
}


def read_npz(path: Path) -> Source:
    """Images, and labels where they are, of an ``.npz`` file.

    Images are (N, H, W), (N, C, H, W) or (N, H, W, C), of booleans or of integers from 0 to 255. The key
    ``levels``, if there is one, is the native number of levels.

    Raises:
        InputError: It is no ``.npz``, torn, pickled, without training images, or holds anything but images as above.
    """
    what = f"npz file {str(path)!r}"
    with path.open("rb") as file:
        try:
            archive = np.load(file, allow_pickle=False)
        except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
            raise InputError(f"{what} cannot be read: {error}") from error
        if not isinstance(archive, NpzFile):
            raise InputError(f"{what} must be a zip archive of arrays, as numpy.savez writes; got one array of shape {archive.shape}")
        return _read(archive, what, path.name)


def _read(archive: NpzFile, what: str, name: str) -> Source:
    """The source in an open archive."""
    images = {split: key for split in SPLITS if (key := _key(archive, IMAGES[split], what))}
    if "train" not in images:
        known = ", ".join(IMAGES["train"])
        raise InputError(f"{what} must have training images under one of {known}; it has {', '.join(archive.files) or 'nothing'}")
    parts, used = {}, []
    for split, key in images.items():
        labels = _key(archive, LABELS[split], what)
        used += [key, labels] if labels else [key]
        parts[split] = Part(
            as_images(_array(archive, key, what), f"{key!r} of {what}"),
            as_labels(_array(archive, labels, what), f"{labels!r} of {what}") if labels else None,
        )
    return Source(parts, _native_levels(archive, parts, what), f"npz file {name!r} ({', '.join(used)})")


def _key(archive: NpzFile, known: tuple[str, ...], what: str) -> str | None:
    """The one of the `known` keys that the archive has, if any."""
    found = [key for key in known if key in archive.files]
    if len(found) > 1:
        raise InputError(f"{what} must have at most one of {', '.join(known)}; it has {' and '.join(found)}")
    return found[0] if found else None


def _array(archive: NpzFile, key: str, what: str) -> NDArray[Any]:
    """One array of the archive."""
    try:
        size = archive.zip.getinfo(f"{key}.npy").file_size if archive.zip else 0
        if size > 8 * MAX_BYTES:  # MAX_BYTES values of the widest kind
            raise InputError(f"{key!r} of {what} must fit in the memory; it unpacks to {size / 2**30:.1f} GiB")
        array = archive[key]
    except InputError:
        raise
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{key!r} of {what} cannot be read: {error}") from error
    if not isinstance(array, np.ndarray):  # NumPy hands over the bytes of what does not begin as an array
        raise InputError(f"{key!r} of {what} must be an array, as numpy.savez writes; it is something else")
    return array


def _native_levels(archive: NpzFile, parts: dict[str, Part], what: str) -> int | None:
    """The key ``levels``, if there is one."""
    if "levels" not in archive.files:
        return None
    highest = max(int(part.images.max()) for part in parts.values())
    levels = _array(archive, "levels", what)
    if levels.shape != () or levels.dtype.kind not in "ui" or not max(2, highest + 1) <= levels <= 256:
        rule = f"'levels' of {what} must be one integer above every value and from 2 to 256"
        raise InputError(f"{rule}; got {levels.tolist()} with values up to {highest}")
    return int(levels)
