"""Which datasets there are, and the one door to them."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from genlab.datasets.arrays import Arrays, own_arrays
from genlab.datasets.bundled import digits, mnist5k, photos, slanted
from genlab.datasets.dataset import Dataset, build
from genlab.datasets.files import open_file, printable, reason
from genlab.datasets.idx import GZIP, idx_sets, read_idx_file, read_idx_folder
from genlab.datasets.image_folder import SUFFIXES, read_image_folder
from genlab.datasets.mnist import mnist
from genlab.datasets.npy import MAGIC
from genlab.datasets.npz import read_npy, read_npz
from genlab.datasets.points import grid25, moons, ring, spirals
from genlab.datasets.series import sunspots
from genlab.datasets.source import Source
from genlab.errors import InputError
from genlab.settings import DataSettings, validate

DATASETS: dict[str, Callable[[DataSettings], Source]] = {
    "digits": digits,
    "mnist5k": mnist5k,
    "mnist": mnist,
    "photos": photos,
    "slanted": slanted,
    "sunspots": sunspots,
    "ring": ring,
    "grid25": grid25,
    "spirals": spirals,
    "moons": moons,
}
OWN_ARRAYS = "own arrays"


def load_dataset(
    name_or_path: str | os.PathLike[str] | None = None,
    *,
    images: Arrays | None = None,
    labels: Arrays | None = None,
    points: Arrays | None = None,
    levels: int | None = None,
    binarize: Literal["dynamic", "threshold"] | None = None,
    size: int | None = None,
    seed: int = 0,
    source_levels: int | None = None,
) -> Dataset:
    """Loads images whose L0 native levels x become levels by ``floor(x * levels / L0)``, or bits by one of two rules.

    Either a name or path, or one's own `images` or `points`.

    Args:
        name_or_path: A name in `DATASETS`; or a folder of IDX files or images (torchvision's ``MNIST/raw`` is found in its root), an
            ``.npz``, ``.npy`` or IDX file; or, where a folder holds several sets, the folder and the set's name, such as
            ``"gzip/emnist-letters"``. A folder that is called like a dataset is written ``./digits``.
        images: (N, H, W), (N, C, H, W) or (N, H, W, C) with 1 or 3 channels (if the second axis is 1 or 3, it is the channels);
            booleans, integers from 0 to 255, or floats that are such integers: nothing is scaled. Or a mapping of such arrays by
            ``"train"``, and perhaps ``"valid"`` and ``"test"``.
        labels: Integers (N,) from 0, or a mapping as of `images`.
        points: Real numbers (N, D), kept as float32, or a mapping.
        levels: 2 to L0; None keeps L0.
        binarize: ``"threshold"``: 1 if x >= L0 / 2. ``"dynamic"``: 1 with probability x / (L0 - 1), anew at every
            ``Split.draw`` and once for ``.images``. None: neither.
        size: Crop every image to its central square and scale it to `size` x `size`; ``"photos"`` is cut into patches of it, and
            ``"sunspots"`` into stretches of so many months.
        seed: Decides what the source leaves open: the splits, and the one draw of ``.images``.
        source_levels: L0 where the source does not say it: 16 for values from 0 to 15. None takes 2 if every value is 0 or 1,
            else 256.

    Returns:
        The three splits, with a record of everything that was done.

    Raises:
        InputError: The name is unknown, the files are broken, or an argument breaks its rule.
    """
    own = any(array is not None for array in (images, labels, points))
    if own and name_or_path is not None:
        raise InputError(f"name_or_path must be None with images, labels or points; got {name_or_path!r}")
    if not own and not isinstance(name_or_path, str | os.PathLike):
        raise InputError(f"name_or_path must be a name or a path; got {name_or_path!r}")
    name = OWN_ARRAYS if name_or_path is None else os.fsdecode(name_or_path)
    values = {"name": name, "levels": levels, "binarize": binarize, "size": size, "seed": seed, "source_levels": source_levels}
    settings = validate(DataSettings, values)
    if own:
        return build(own_arrays(images, labels, points), settings, name)
    if name in DATASETS:
        return build(DATASETS[name](settings), settings, name)
    path = _existing(name)
    if path is None:
        return _of_set(name, settings)
    # The whole path, so that a run finds its data from any folder.
    settings = settings.model_copy(update={"name": str(path)})
    return build(_read_path(path, settings.size), settings, printable(path.stem if path.is_file() else path.name))


def _existing(name: str) -> Path | None:
    """The whole path of what is called `name`, or None if there is no such thing."""
    try:
        return Path(name).expanduser().resolve(strict=True) if name else None
    except PermissionError as error:  # it may well be there
        raise _unreadable(Path(name), error) from error
    except (OSError, RuntimeError, ValueError):  # not there, out of reach, a loop of links, or no possible name at all
        return None


def _of_set(name: str, settings: DataSettings) -> Dataset:
    """One set of IDX files among several in a folder, such as ``gzip/emnist-letters``."""
    folder = _existing(os.path.dirname(name))  # noqa: PTH120 - of what may be no path at all
    wanted = os.path.basename(name)  # noqa: PTH119
    if folder is None or not folder.is_dir() or not wanted or wanted.lower() not in _sets(folder):
        raise _unknown(name)
    settings = settings.model_copy(update={"name": str(folder / wanted)})
    return build(read_idx_folder(folder, wanted), settings, printable(wanted))


def _sets(folder: Path) -> frozenset[str]:
    """The names of the sets of IDX files in a folder."""
    try:
        return frozenset(idx_sets(folder))
    except OSError as error:
        raise _unreadable(folder, error) from error


def _unknown(name: str) -> InputError:
    """The error for what is neither a dataset nor a path."""
    if name == OWN_ARRAYS:
        return InputError(f"name_or_path {name!r} stands for arrays that were given in Python: give them again, as images= or points=")
    alike = difflib.get_close_matches(name[:40], DATASETS, n=1)
    hint = f": did you mean {alike[0]!r}?" if alike else ""
    return InputError(f"name_or_path must be one of {', '.join(sorted(DATASETS))}, or a path that exists; got {printable(name)!r}{hint}")


def _unreadable(path: Path, error: OSError) -> InputError:
    where = error.filename if isinstance(error.filename, str) else str(path)
    return InputError(f"name_or_path {printable(str(path))!r} cannot be read: {reason(error)} ({printable(where)!r})")


def _read_path(path: Path, size: int | None) -> Source:
    """What lies at an existing path."""
    try:
        return _read_folder(path, size) if path.is_dir() else _read_file(path)
    except OSError as error:
        raise _unreadable(path, error) from error


def _read_folder(folder: Path, size: int | None) -> Source:
    """IDX files in a folder or where torchvision puts them below it, else images."""
    if idx_sets(folder):
        return read_idx_folder(folder)
    below = [path for path in (folder / "raw", *sorted(folder.glob("*/raw"))) if path.is_dir() and idx_sets(path)]
    if len(below) > 1:
        names = ", ".join(repr(printable(str(path))) for path in below)
        raise InputError(f"name_or_path must be a folder of one dataset; {printable(str(folder))!r} holds several: choose one of {names}")
    if below:
        source = read_idx_folder(below[0])
        return replace(source, sentence=f"{source.sentence} of {printable(str(below[0].relative_to(folder.parent)))!r}")
    return read_image_folder(folder, size)


def _read_file(path: Path) -> Source:
    """An archive, an array or an IDX file, by its suffix or else by its first bytes."""
    with open_file(path) as file:
        start = file.read(len(MAGIC))
    suffix = path.suffix.lower()
    if suffix == ".npz" or start.startswith(b"PK\x03\x04"):
        return read_npz(path)
    if suffix == ".npy" or start == MAGIC:
        return read_npy(path)
    if start.startswith((b"\0\0", GZIP)) or path.name.lower().endswith(("-ubyte", "-ubyte.gz")):
        return read_idx_file(path)
    hint = ": give the folder that it lies in" if suffix in SUFFIXES else ""
    what = f"got the file {printable(str(path))!r}, which is no .npy and no IDX file either{hint}"
    raise InputError(f"name_or_path must be a name, a folder or an .npz file; {what}")
