"""The full MNIST: the user's own IDX files, else OpenML's copy, which is kept as IDX files in a cache."""

from __future__ import annotations

import http.client
import os
import tempfile
import urllib.request
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genlab.datasets.files import reason
from genlab.datasets.idx import STEMS, idx_sets, missing_of_mnist, read_idx_folder, write_idx
from genlab.datasets.source import Source, as_images, as_labels
from genlab.errors import InputError
from genlab.settings import DataSettings

if TYPE_CHECKING:
    from tqdm import tqdm  # type: ignore[import-untyped]

COUNTS = {"train": 60_000, "test": 10_000}  # OpenML has them in one table, in this order
SILENCE = 30.0  # seconds without a byte after which a download is given up


def mnist(_settings: DataSettings) -> Source:
    """70,000 handwritten digits, 1x28x28, 256 levels: 60,000 to train (10,000 of them become valid) and 10,000 to test.

    The four IDX files are looked for in the folder that ``GENLAB_DATA_DIR`` names, in its subfolder ``mnist`` and where torchvision
    puts them, ``MNIST/raw``. Without them
    MNIST comes from OpenML, once, into ``GENLAB_CACHE_DIR`` (or ``genlab`` in ``XDG_CACHE_HOME``, or ``~/.cache/genlab``).

    Raises:
        InputError: The files are torn or not all there, or OpenML cannot be reached.
    """
    own = _own_folder()
    if own is not None:
        return replace(_read_complete(own), levels=256)
    cache = _cache_folder()
    source = _cached(cache)
    if source is None:
        _download(cache)
        source = _read_complete(cache)
    return replace(source, levels=256, sentence="OpenML, mnist_784, version 1")


def is_at_hand() -> bool:
    """Whether MNIST is here, so that it need not be downloaded."""
    try:
        return _own_folder() is not None or not missing_of_mnist(_cache_folder())
    except (InputError, OSError):
        return False


def _own_folder() -> Path | None:
    """The folder of the user's own IDX files, if there is one."""
    named = os.environ.get("GENLAB_DATA_DIR")
    if not named:
        return None
    folder = Path(named)
    if not folder.is_dir():
        raise InputError(f"GENLAB_DATA_DIR must name a folder; got {named!r}")
    # Not every folder called raw: FashionMNIST's files have the same names.
    places = [folder, folder / "mnist", folder / "MNIST" / "raw"] + [folder / "raw"] * (folder.name == "MNIST")
    try:
        return next((path for path in places if path.is_dir() and "" in idx_sets(path)), None)
    except OSError as error:
        raise InputError(f"GENLAB_DATA_DIR must name a folder that can be read; {named!r} cannot: {reason(error)}") from error


def _cache_folder() -> Path:
    """Where the download is kept."""
    named = os.environ.get("GENLAB_CACHE_DIR")
    if named:
        return Path(named) / "mnist"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "genlab" / "mnist"


def _read_complete(folder: Path) -> Source:
    """The four files of a folder, all of them."""
    try:
        missing = missing_of_mnist(folder)
        if missing:
            raise InputError(f"'mnist' needs four IDX files in {str(folder)!r}; {', '.join(missing)} (or .gz) cannot be found")
        return read_idx_folder(folder, "")
    except OSError as error:
        raise InputError(f"'mnist' cannot be read from {str(folder)!r}: {reason(error)}") from error


def _cached(cache: Path) -> Source | None:
    """What an earlier download left, or None if there was none or a file is torn."""
    try:
        return _read_complete(cache)
    except InputError:
        return None


def _download(cache: Path) -> None:
    """Fetches MNIST from OpenML and writes it as IDX files."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".openml-") as scratch:
            table, target = _fetch(scratch)
        _write(cache, table, target)
    except OSError as error:
        raise InputError(f"'mnist' cannot be kept in {str(cache)!r} (GENLAB_CACHE_DIR names another folder): {error}") from error


def _fetch(scratch: str) -> tuple[Any, Any]:
    """OpenML's table of pixels, (70000, 784), and its column of labels, (70000,)."""
    from sklearn.datasets import fetch_openml

    try:
        with _download_bar("MNIST from OpenML"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-learn warns before each new attempt; the last one raises
            table = fetch_openml(
                "mnist_784",
                version=1,
                data_home=scratch,
                as_frame=False,
                n_retries=1,
                # One small type for all columns, labels too: scikit-learn 1.9 cannot read pandas 3.1's categories of integers.
                read_csv_kwargs={"dtype": np.float32},
            )
    except (OSError, EOFError, ValueError, TypeError, LookupError, http.client.HTTPException, zlib.error) as error:
        remedy = "without a network, set GENLAB_DATA_DIR to a folder with MNIST's four IDX files, or take 'mnist5k'"
        raise InputError(f"'mnist' could not be fetched from OpenML ({error}); {remedy}") from error
    return table.data, table.target


def _write(cache: Path, table: Any, target: Any) -> None:
    """Writes OpenML's table as the four IDX files."""
    shape = (sum(COUNTS.values()), 28 * 28)
    if table.shape != shape:
        raise InputError(f"'mnist' from OpenML must be a table of shape {shape}; got {table.shape}")
    images = as_images(np.asarray(table).reshape(-1, 28, 28), "'mnist' from OpenML")[:, 0]
    labels = as_labels(np.asarray(target).astype(np.int64), "'mnist' from OpenML").astype(np.uint8)
    start = 0
    for split, count in COUNTS.items():
        for stem, array in zip(STEMS[split], (images, labels), strict=True):
            write_idx(cache / f"{stem}.gz", array[start : start + count])
        start += count


@contextmanager
def _download_bar(description: str) -> Iterator[None]:
    """Shows on a progress bar what urllib reads meanwhile: scikit-learn has no hook of its own, urllib's opener is one."""
    from tqdm import tqdm

    before = getattr(urllib.request, "_opener", None)  # what install_opener was last given, to be given back
    with tqdm(desc=description, unit="B", unit_scale=True, unit_divisor=1024) as bar:
        urllib.request.install_opener(urllib.request.build_opener(_Count(bar)))
        try:
            yield
        finally:
            urllib.request.install_opener(before)


class _Count(urllib.request.BaseHandler):
    """Counts the bytes of every answer on a bar, and gives up on a server that falls silent."""

    def __init__(self, bar: tqdm) -> None:
        self.bar = bar

    def https_request(self, request: urllib.request.Request) -> urllib.request.Request:
        request.timeout = SILENCE
        return request

    def https_response(self, _request: urllib.request.Request, response: http.client.HTTPResponse) -> http.client.HTTPResponse:
        length = response.headers.get("Content-Length")
        if length is not None:
            self.bar.total = (self.bar.total or 0) + int(length)
        read = response.read

        def counted(amount: int | None = None) -> bytes:
            data = read(amount)
            self.bar.update(len(data))
            return data

        response.read = counted  # type: ignore[method-assign, assignment]
        return response

    http_request, http_response = https_request, https_response
