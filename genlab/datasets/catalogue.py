"""Which datasets there are, and the one door to them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from genlab.datasets.bundled import digits, mnist5k, photos, slanted
from genlab.datasets.dataset import Dataset, build
from genlab.datasets.idx import idx_files, read_idx_folder
from genlab.datasets.image_folder import read_image_folder
from genlab.datasets.mnist import mnist
from genlab.datasets.npz import read_npz
from genlab.datasets.source import Source
from genlab.errors import InputError
from genlab.settings import DataSettings, validate

DATASETS: dict[str, Callable[[DataSettings], Source]] = {
    "digits": digits,
    "mnist5k": mnist5k,
    "mnist": mnist,
    "photos": photos,
    "slanted": slanted,
}


def load_dataset(
    name_or_path: str | os.PathLike[str],
    *,
    levels: int | None = None,
    binarize: Literal["dynamic", "threshold"] | None = None,
    size: int | None = None,
    seed: int = 0,
    source_levels: int | None = None,
) -> Dataset:
    """Loads images whose L0 native levels x become levels by ``floor(x * levels / L0)``, or bits by one of two rules.

    Args:
        name_or_path: A name in `DATASETS`; or a folder of IDX files or images, or an ``.npz`` file. A folder that is called
            like a dataset is written ``./digits``.
        levels: 2 to L0; None keeps L0.
        binarize: ``"threshold"``: 1 if x >= L0 / 2. ``"dynamic"``: 1 with probability x / (L0 - 1), anew at every
            ``Split.draw`` and once for ``.images``. None: neither.
        size: Crop every image to its central square and scale it to `size` x `size`; ``"photos"`` is cut into patches of it.
        seed: Decides what the source leaves open: the splits, and the one draw of ``.images``.
        source_levels: L0 where the source does not say it: 16 for values from 0 to 15. None takes 2 if every value is 0 or 1,
            else 256.

    Returns:
        The three splits, with a record of everything that was done.

    Raises:
        InputError: The name is unknown, the files are broken, or an argument breaks its rule.
    """
    if not isinstance(name_or_path, str | os.PathLike):
        raise InputError(f"name_or_path must be a name or a path; got {name_or_path!r}")
    values = {"levels": levels, "binarize": binarize, "size": size, "seed": seed, "source_levels": source_levels}
    settings = validate(DataSettings, {"name": os.fspath(name_or_path), **values})
    if settings.name in DATASETS:
        return build(DATASETS[settings.name](settings), settings, settings.name)
    path = _existing(settings.name)
    if path is None:
        names = ", ".join(sorted(DATASETS))
        raise InputError(f"name_or_path must be one of {names}, or a path that exists; got {settings.name!r}")
    # The whole path, so that a run finds its data from any folder.
    settings = settings.model_copy(update={"name": str(path)})
    return build(_read_path(path, settings.size), settings, path.stem if path.is_file() else path.name)


def _existing(name: str) -> Path | None:
    """The whole path of what is called `name`, or None if there is no such thing."""
    try:
        return Path(name).expanduser().resolve(strict=True) if name else None
    except (OSError, RuntimeError, ValueError):  # not there, out of reach, a loop of links, or no possible name at all
        return None


def _read_path(path: Path, size: int | None) -> Source:
    """What lies at an existing path."""
    try:
        if path.is_dir():
            return read_idx_folder(path) if idx_files(path) else read_image_folder(path, size)
        if path.suffix.lower() == ".npz":
            return read_npz(path)
    except OSError as error:
        raise InputError(f"name_or_path {str(path)!r} cannot be read: {error}") from error
    raise InputError(f"name_or_path must be a name, a folder or an .npz file; got the file {str(path)!r}")
