from __future__ import annotations

import gzip
import hashlib
import http.client
import http.server
import io
import json
import struct
import subprocess
import sys
import threading
import time
import urllib.request
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tqdm import tqdm

import genlab
from genlab.datasets import DATASETS, Dataset, Split
from genlab.datasets import mnist as mnist_room
from genlab.datasets.dataset import bernoulli
from genlab.datasets.source import fit_square, permutation
from genlab.errors import InputError
from genlab.lecture import worked


def splits(data: Dataset) -> tuple[Split, Split, Split]:
    return data.train, data.valid, data.test


def everything(data: Dataset) -> list[bytes]:
    """Every image of every split, in an order of its own."""
    return sorted(image.tobytes() for split in splits(data) for image in split.intensities)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return genlab.load_dataset("digits")


# --- names -------------------------------------------------------------------------------------------------------------------


def test_importing_the_room_is_cheap() -> None:
    heavy = "{'torch', 'sklearn', 'mlxtend', 'PIL', 'pandas', 'scipy', 'streamlit', 'tqdm'}"
    code = f"import sys, genlab.datasets; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_digits_are_all_there_once(digits: Dataset) -> None:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    assert digits.describe() == "digits: 1437/180/180 images 1x8x8, 17 levels"
    assert [len(split) for split in splits(digits)] == [1437, 180, 180]
    assert (digits.name, digits.levels, digits.image_shape) == ("digits", 17, (1, 8, 8))
    assert everything(digits) == sorted(image.astype(np.uint8).tobytes() for image in bunch.images)
    of_image = {image.astype(np.uint8).tobytes(): label for image, label in zip(bunch.images, bunch.target, strict=True)}
    for split in splits(digits):
        assert split.images.dtype == np.uint8
        assert split.labels is not None
        assert split.labels.dtype == np.int64
        assert [of_image[image.tobytes()] for image in split.images] == split.labels.tolist()


def test_the_splits_are_those_of_the_seed_for_good(digits: Dataset) -> None:
    # Pinned: published likelihoods belong to these very splits.
    assert permutation(10, 0).tolist() == [3, 2, 1, 8, 6, 0, 7, 4, 5, 9]
    assert digits.record["sha256"] == "55550cb92bea52eaf8ae1fabaf13a012d6683d55221a538af5e4a8af0513ee24"
    assert genlab.load_dataset("digits").record == digits.record
    other = genlab.load_dataset("digits", seed=1)
    assert other.record["sha256"] != digits.record["sha256"]
    assert everything(other) == everything(digits)


def test_mnist5k() -> None:
    data = genlab.load_dataset("mnist5k")
    assert data.describe() == "mnist5k: 4000/500/500 images 1x28x28, 256 levels"
    labels = np.concatenate([split.labels for split in splits(data)])
    assert np.bincount(labels).tolist() == [500] * 10
    assert max(split.images.max() for split in splits(data)) == 255


def test_slanted_faces_are_the_lectures() -> None:
    data = genlab.load_dataset("slanted")
    assert data.describe() == "slanted: 5/5/5 images 1x2x2, 256 levels"
    assert data.train.images[1].tolist() == [[[230, 26], [51, 204]]]
    np.testing.assert_allclose(data.train.images.reshape(5, 4) / 255, worked.FACES, atol=0.5 / 255)
    for split in splits(data):
        np.testing.assert_array_equal(split.images, data.train.images)
        assert split.labels is None
    assert "same five faces" in data.record["splits"]


def test_photos_are_patches_of_the_real_photos() -> None:
    from sklearn.datasets import load_sample_images

    data = genlab.load_dataset("photos")
    assert data.describe() == "photos: 416/52/52 images 3x32x32, 256 levels"
    photos = [photo[: 13 * 32].reshape(13, 32, 20, 32, 3) for photo in load_sample_images().images]
    patches = [photo[row, :, column].transpose(2, 0, 1) for photo in photos for row in range(13) for column in range(20)]
    assert everything(data) == sorted(patch.tobytes() for patch in patches)
    assert np.bincount(data.test.labels).tolist() == [26, 26]
    assert data.record["classes"] == ["china", "flower"]
    tests = [sorted(map(bytes, genlab.load_dataset("photos", seed=seed).test.images)) for seed in (0, 1)]
    assert tests[0] != tests[1]


@settings(deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 13))
def test_patches_of_different_splits_come_from_different_columns(seed: int, size: int) -> None:
    rows, columns = np.mgrid[:20, :40]
    photo = np.stack([rows, columns, 0 * rows], axis=2).astype(np.uint8)  # every pixel says where it is
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("sklearn.datasets.load_sample_images", lambda: SimpleNamespace(images=[photo, photo + 100]))
        data = genlab.load_dataset("photos", size=size, seed=seed)
    for photo_number in (0, 1):
        bands = [set(split.images[split.labels == photo_number, 1].ravel().tolist()) for split in splits(data)]
        assert all(bands)
        assert len(set.union(*bands)) == sum(map(len, bands))  # no column is in two splits
    pixels = np.concatenate([split.images[:, :2].transpose(0, 2, 3, 1).reshape(-1, 2) for split in splits(data)])
    assert len(np.unique(pixels, axis=0)) == len(pixels)  # no pixel is in two patches


# --- levels ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("levels", range(2, 18))
def test_levels_are_the_floor_formula(levels: int) -> None:
    data = genlab.load_dataset("digits", levels=levels)
    for split in splits(data):
        np.testing.assert_array_equal(split.images, np.floor(split.intensities * (levels / 17) + 1e-9))
    assert data.levels == levels == data.record["levels"]
    assert data.train.images.max() == levels - 1


def test_threshold(digits: Dataset) -> None:
    data = genlab.load_dataset("digits", binarize="threshold")
    np.testing.assert_array_equal(data.train.images, digits.train.images >= 8.5)
    np.testing.assert_array_equal(data.train.draw(np.random.default_rng(0), np.array([3, 1])), data.train.images[[3, 1]])
    assert data.describe().endswith("2 levels (threshold binarisation of 17)")
    assert genlab.load_dataset("digits", binarize="threshold", levels=2).levels == 2


def test_dynamic_binarisation_is_drawn_anew_but_images_stay(digits: Dataset) -> None:
    data = genlab.load_dataset("digits", binarize="dynamic")
    again = genlab.load_dataset("digits", binarize="dynamic")
    np.testing.assert_array_equal(data.test.images, again.test.images)
    np.testing.assert_array_equal(data.test.intensities, digits.test.images)
    assert set(np.unique(data.train.images)) == {0, 1}
    rng, indices = np.random.default_rng(5), np.array([4, 4, 7])
    first, second = data.train.draw(rng, indices), data.train.draw(rng, indices)
    assert (first != second).any()
    assert (first[0] != first[1]).any()
    np.testing.assert_array_equal(first, data.train.draw(np.random.default_rng(5), indices))
    assert first.dtype == np.uint8
    assert data.record["rule"].startswith("Bernoulli(x / 16)")
    other = genlab.load_dataset("digits", binarize="dynamic", seed=1)
    assert other.record["sha256"] != data.record["sha256"]


def test_every_split_and_seed_has_a_fixed_draw_of_its_own(tmp_path: Path) -> None:
    grey = np.full((5, 8, 8), 128, np.uint8)  # the same images in every split and for every seed
    path = npz(tmp_path, train=grey, valid=grey, test=grey)
    draws = [split.images.tobytes() for seed in (0, 1) for split in splits(genlab.load_dataset(path, binarize="dynamic", seed=seed))]
    assert len(set(draws)) == 6


@pytest.mark.parametrize("native", [2, 17, 256])
def test_bernoulli_has_the_probability_it_says(native: int) -> None:
    draws, x = 4000, np.arange(native, dtype=np.uint8)
    share = bernoulli(np.random.default_rng(0), np.tile(x, (draws, 1)), native).mean(axis=0)
    p = x / (native - 1)
    assert (np.abs(share - p) <= 5 * np.sqrt(p * (1 - p) / draws)).all()  # equal where p is 0 or 1


def test_the_settings_give_the_dataset_back_and_all_is_json() -> None:
    data = genlab.load_dataset("digits", levels=4, size=6, seed=3)
    asked = data.settings.model_dump()
    again = genlab.load_dataset(asked.pop("name"), **asked)
    assert json.loads(json.dumps(again.record)) == data.record
    expected = {"levels": 4, "native_levels": 17, "rule": "floor(x * 4 / 17)", "size": 6, "seed": 3, "binarize": None}
    assert expected.items() <= data.record.items()
    assert data.record["image_shape"] == [1, 6, 6]


# --- resizing ----------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    size=st.integers(1, 12),
    top=st.sampled_from([1, 16, 255]),
    seed=st.integers(0, 99),
)
def test_resizing_stays_in_range(height: int, width: int, size: int, top: int, seed: int) -> None:
    images = np.random.default_rng(seed).integers(0, top + 1, (2, 3, height, width), dtype=np.uint8)
    squares = fit_square(images, size)
    assert squares.shape == (2, 3, size, size)
    assert squares.min() >= images.min()
    assert squares.max() <= images.max()
    np.testing.assert_array_equal(fit_square(np.full_like(images, top), size), np.full_like(squares, top))


def test_resizing_takes_the_central_square() -> None:
    images = np.array([[[[9, 1, 2, 9], [9, 3, 4, 9]]]], np.uint8)
    np.testing.assert_array_equal(fit_square(images, 2), [[[[1, 2], [3, 4]]]])


# --- IDX files ---------------------------------------------------------------------------------------------------------------


def idx(array: np.ndarray) -> bytes:
    """The IDX bytes of an array, written down here a second time on purpose."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def some_images(count: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, *shape), dtype=np.uint8)


def write_mnist(folder: Path, train: int = 30, test: int = 5, ending: str = ".gz") -> tuple[np.ndarray, np.ndarray]:
    folder.mkdir(parents=True, exist_ok=True)
    pack = gzip.compress if ending == ".gz" else bytes
    for stem, count in (("train", train), ("t10k", test)):
        (folder / f"{stem}-images-idx3-ubyte{ending}").write_bytes(pack(idx(some_images(count, 28, 28))))
        (folder / f"{stem}-labels-idx1-ubyte{ending}").write_bytes(pack(idx(np.arange(count) % 10)))
    return some_images(train, 28, 28), some_images(test, 28, 28)


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("subfolder", [".", "mnist"])
def test_mnist_from_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, subfolder: str) -> None:
    train, test = write_mnist(tmp_path / subfolder, ending=ending)
    monkeypatch.setenv("GENLAB_DATA_DIR", str(tmp_path))
    data = genlab.load_dataset("mnist")
    assert data.describe() == "mnist: 25/5/5 images 1x28x28, 256 levels"
    np.testing.assert_array_equal(data.test.images[:, 0], test)  # the standard test set, in its order
    assert sorted(image.tobytes() for split in (data.train, data.valid) for image in split.images) == sorted(map(bytes, train))
    assert data.train.labels is not None
    for image, label in zip(data.train.images, data.train.labels, strict=True):
        assert np.flatnonzero((train == image).all(axis=(1, 2)))[0] % 10 == label


def test_valid_is_as_large_as_the_test_that_is_given(tmp_path: Path) -> None:
    write_mnist(tmp_path / "small-test", train=60, test=10)
    write_mnist(tmp_path / "large-test", train=60, test=50)
    assert len(genlab.load_dataset(tmp_path / "small-test").valid) == 10
    assert len(genlab.load_dataset(tmp_path / "large-test").valid) == 12


def test_an_idx_folder_by_its_path(tmp_path: Path) -> None:
    write_mnist(tmp_path, ending="")
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    (tmp_path / "t10k-images-idx3-ubyte").unlink()
    (tmp_path / "train-images-idx3-ubyte").rename(tmp_path / "train-images.idx3-ubyte")
    data = genlab.load_dataset(tmp_path, binarize="threshold", size=14)
    assert data.describe() == f"{tmp_path.name}: 24/3/3 images 1x14x14, 2 levels (threshold binarisation of 256)"
    assert data.train.labels is None
    assert Path(data.settings.name) == tmp_path.resolve()


def torn(folder: Path, name: str, content: bytes) -> Path:
    write_mnist(folder, ending="")
    (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("train-images-idx3-ubyte", b"", "must start with 00 00 08 03 .*; got nothing"),
        ("train-images-idx3-ubyte", b"\0\0\x0d\3" + bytes(99), "must start with 00 00 08 03 .*; got 00 00 0d 03"),
        ("train-images-idx3-ubyte", idx(np.arange(30)), "must start with 00 00 08 03 .*; got 00 00 08 01"),
        ("train-images-idx3-ubyte", idx(some_images(30, 28, 28))[:9], "is truncated: its header ends after 9 bytes"),
        ("train-images-idx3-ubyte", idx(some_images(30, 28, 28))[:-1], "must hold 23520 values.*; got only 23519"),
        ("train-images-idx3-ubyte", idx(some_images(30, 28, 28)) + b"!", "must hold 23520 values.*; got more"),
        ("train-images-idx3-ubyte", idx(some_images(0, 28, 28)), r"must hold at least one image .*; got shape \(0, 1, 28, 28\)"),
        ("train-images-idx3-ubyte", struct.pack(">4B3I", 0, 0, 8, 3, *[2**32 - 1] * 3), "must fit in 4 GiB"),
        ("train-labels-idx1-ubyte", idx(np.arange(7)), "train must have one label for each image; got 7 labels for 30 images"),
        ("t10k-images-idx3-ubyte", idx(some_images(5, 9, 8)), "all images must have one shape; train has 1x28x28, test 1x9x8"),
    ],
)
def test_torn_idx_files(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        genlab.load_dataset(torn(tmp_path, name, content))
    assert name in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"no gzip at all", gzip.compress(idx(some_images(30, 28, 28)))[:-30], gzip.compress(b"")[:10] + b"\xff" * 9],
    ids=["text", "cut", "garbled"],
)
def test_gz_that_is_no_gz(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"IDX file '.*train-images-idx3-ubyte\.gz' cannot be read: "):
        genlab.load_dataset(tmp_path)


def test_mnist_with_a_file_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    monkeypatch.setenv("GENLAB_DATA_DIR", str(tmp_path))
    with pytest.raises(InputError, match=r"'mnist' needs four IDX files in .*; t10k-labels-idx1-ubyte \(or \.gz\) cannot be found"):
        genlab.load_dataset("mnist")
    with pytest.raises(InputError, match="either all splits have labels or none; train and test differ"):
        genlab.load_dataset(tmp_path)
    (tmp_path / "train-images-idx3-ubyte.gz").unlink()
    with pytest.raises(InputError, match=r"must hold train-images-idx3-ubyte \(or \.gz\); it has only t10k"):
        genlab.load_dataset(tmp_path)


def test_a_data_folder_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENLAB_DATA_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"GENLAB_DATA_DIR must name a folder; got '.*nowhere'"):
        genlab.load_dataset("mnist")


# --- OpenML, by a stand-in on this machine -------------------------------------------------------------------------------------


class OpenML:
    """A small OpenML: answers scikit-learn's questions over a real socket, from 15 digits instead of 70,000."""

    def __init__(self) -> None:
        self.images = some_images(15, 28, 28)
        self.labels = np.arange(15) % 10
        self.asked: list[str] = []
        self.status = 200
        self.cut = 0
        pixels = "\n".join(f"@ATTRIBUTE pixel{number} REAL" for number in range(1, 785))
        rows = (",".join(map(str, [*image.ravel(), label])) for image, label in zip(self.images, self.labels, strict=True))
        header = f"@RELATION mnist_784\n{pixels}\n@ATTRIBUTE class {{0,1,2,3,4,5,6,7,8,9}}\n@DATA\n"
        self.arff = (header + "\n".join(rows) + "\n").encode()
        self.md5 = hashlib.md5(self.arff).hexdigest()

        stand_in = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stand_in.asked.append(self.path)
                body = stand_in.answer(self.path)
                self.send_response(stand_in.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) - stand_in.cut])

            def log_message(self, format: str, *args: Any) -> None:
                """A test needs no access log."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def answer(self, path: str) -> bytes:
        if path.endswith(".arff"):
            return self.arff
        if "data_name" in path:
            return json.dumps({"data": {"dataset": [{"did": 554, "version": 1}]}}).encode()
        if "features" in path:
            column = {"is_target": "false", "is_ignore": "false", "is_row_identifier": "false", "number_of_missing_values": "0"}
            columns = [column | {"index": str(i), "name": f"pixel{i + 1}", "data_type": "numeric"} for i in range(784)]
            columns.append(column | {"index": "784", "name": "class", "data_type": "nominal", "is_target": "true"})
            return json.dumps({"data_features": {"feature": columns}}).encode()
        if "qualities" in path:
            return json.dumps({"data_qualities": {"quality": [{"name": "NumberOfInstances", "value": "15.0"}]}}).encode()
        about = {"id": "554", "name": "mnist_784", "version": "1", "status": "active", "format": "ARFF", "description": "digits"}
        about |= {"url": "https://www.openml.org/data/v1/download/52667/mnist_784.arff", "md5_checksum": self.md5}
        return json.dumps({"data_set_description": about}).encode()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def openml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenML]:
    """Leads every https request of urllib to the stand-in."""
    stand_in = OpenML()
    build_opener = urllib.request.build_opener

    class ToStandIn(urllib.request.HTTPSHandler):
        def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
            assert request.host.endswith("openml.org")
            assert request.timeout == mnist_room.SILENCE
            address = f"127.0.0.1:{stand_in.server.server_port}"
            return self.do_open(lambda host, **options: http.client.HTTPConnection(address, **options), request)

    monkeypatch.setattr(urllib.request, "build_opener", lambda *handlers: build_opener(ToStandIn(), *handlers))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # scikit-learn's pause before it asks again
    monkeypatch.setattr(mnist_room, "COUNTS", {"train": 12, "test": 3})
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("GENLAB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("GENLAB_DATA_DIR", raising=False)
    yield stand_in
    stand_in.close()


def cached(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "cache" / "mnist").iterdir())


FOUR_FILES = [f"{name}.gz" for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")]
FOUR_FILES += [f"{name}.gz" for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")]


def test_openml_is_asked_once_with_a_bar(openml: OpenML, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opener = object()
    urllib.request.install_opener(opener)  # type: ignore[arg-type]
    try:
        data = genlab.load_dataset("mnist")
        assert urllib.request._opener is opener  # type: ignore[attr-defined]
    finally:
        urllib.request.install_opener(None)  # type: ignore[arg-type]
    assert data.describe() == "mnist: 10/2/3 images 1x28x28, 256 levels"
    assert data.record["source"] == "OpenML, mnist_784, version 1"
    np.testing.assert_array_equal(data.test.images[:, 0], openml.images[12:])
    assert data.test.labels is not None
    assert data.test.labels.tolist() == [2, 3, 4]
    total = sum(len(openml.answer(path)) for path in openml.asked)
    bar = capsys.readouterr().err
    assert "MNIST from OpenML: 100%" in bar
    size = tqdm.format_sizeof(total, divisor=1024)
    assert f"{size}/{size}" in bar
    assert cached(tmp_path) == FOUR_FILES

    openml.asked.clear()
    again = genlab.load_dataset("mnist")
    assert again.record == data.record
    assert openml.asked == []
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", FOUR_FILES)
def test_a_torn_cache_is_fetched_anew(openml: OpenML, tmp_path: Path, name: str) -> None:
    record = genlab.load_dataset("mnist").record
    path = tmp_path / "cache" / "mnist" / name
    whole = path.read_bytes()
    for torn_bytes in (whole[:-9], b""):
        path.write_bytes(torn_bytes)
        openml.asked.clear()
        assert genlab.load_dataset("mnist").record == record
        assert openml.asked
        assert path.read_bytes() == whole


def test_offline_is_one_sentence(openml: OpenML, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    openml.close()
    sentence = r"'mnist' could not be fetched from OpenML \(.*refused.*\); without a network, set GENLAB_DATA_DIR to a folder"
    with pytest.raises(InputError, match=sentence):
        genlab.load_dataset("mnist")
    assert cached(tmp_path) == []
    assert getattr(urllib.request, "_opener", None) is None


def test_a_server_in_trouble(openml: OpenML, tmp_path: Path) -> None:
    openml.status = 503
    with pytest.raises(InputError, match=r"could not be fetched from OpenML \(HTTP Error 503"):
        genlab.load_dataset("mnist")
    assert cached(tmp_path) == []


def test_a_download_that_breaks_off(openml: OpenML, tmp_path: Path) -> None:
    openml.cut = 50
    with pytest.raises(InputError, match="could not be fetched from OpenML"):
        genlab.load_dataset("mnist")
    assert cached(tmp_path) == []


def test_bytes_that_are_not_openmls(openml: OpenML, tmp_path: Path) -> None:
    openml.md5 = "0" * 32
    with pytest.raises(InputError, match=r"could not be fetched from OpenML \(The md5 checksum"):
        genlab.load_dataset("mnist")
    assert cached(tmp_path) == []


def test_a_table_of_another_size(openml: OpenML, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist_room, "COUNTS", {"train": 60_000, "test": 10_000})
    with pytest.raises(InputError, match=r"must be a table of shape \(70000, 784\); got \(15, 784\)"):
        genlab.load_dataset("mnist")
    assert cached(tmp_path) == []


def test_a_cache_that_cannot_be_written(openml: OpenML, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(InputError, match=r"'mnist' cannot be kept in '.*mnist' \(GENLAB_CACHE_DIR names another folder\): "):
        genlab.load_dataset("mnist")


def test_a_full_disk_leaves_no_half_file(openml: OpenML, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bytes = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        write_bytes(path, data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match=r"'mnist' cannot be kept in .*No space left on device"):
        genlab.load_dataset("mnist")
    assert cached(tmp_path) == []


def test_the_cache_follows_xdg(openml: OpenML, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GENLAB_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    genlab.load_dataset("mnist")
    assert sorted(path.name for path in (tmp_path / "xdg" / "genlab" / "mnist").iterdir()) == FOUR_FILES


# --- npz ---------------------------------------------------------------------------------------------------------------------


def npz(folder: Path, **arrays: Any) -> Path:
    path = folder / "faces.npz"
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("arrays", "described"),
    [
        ({"images": some_images(20, 5, 4)}, "16/2/2 images 1x5x4, 256 levels"),
        ({"images": some_images(20, 3, 5, 4)}, "16/2/2 images 3x5x4, 256 levels"),
        ({"images": some_images(20, 5, 4, 3)}, "16/2/2 images 3x5x4, 256 levels"),
        ({"images": some_images(20, 5, 4, 1)}, "16/2/2 images 1x5x4, 256 levels"),
        ({"images": some_images(20, 5, 4).astype(float)}, "16/2/2 images 1x5x4, 256 levels"),
        ({"images": some_images(20, 5, 4) > 99}, "16/2/2 images 1x5x4, 2 levels"),
        ({"images": some_images(20, 5, 4) % 2}, "16/2/2 images 1x5x4, 2 levels"),
        ({"images": some_images(20, 5, 4) % 8, "levels": 8}, "16/2/2 images 1x5x4, 8 levels"),
        ({"images": some_images(3, 5, 4)}, "1/1/1 images 1x5x4, 256 levels"),
        ({"x_train": some_images(20, 5, 4), "x_test": some_images(3, 5, 4)}, "17/3/3 images 1x5x4, 256 levels"),
        ({"train_images": some_images(20, 5, 4), "val_images": some_images(2, 5, 4)}, "18/2/2 images 1x5x4, 256 levels"),
        (
            {"train": some_images(9, 5, 4), "valid": some_images(2, 5, 4), "test": some_images(1, 5, 4)},
            "9/2/1 images 1x5x4, 256 levels",
        ),
    ],
)
def test_npz(tmp_path: Path, arrays: dict[str, Any], described: str) -> None:
    assert genlab.load_dataset(npz(tmp_path, **arrays)).describe() == f"faces: {described}"


def test_npz_keeps_pixels_and_labels_together(tmp_path: Path) -> None:
    images = np.arange(20, dtype=np.uint8)[:, None, None] * np.ones((2, 2), np.uint8)
    columns = {"x_train": images, "y_train": np.arange(20)[:, None], "x_test": images + 100, "y_test": np.arange(20.0) + 100}
    data = genlab.load_dataset(npz(tmp_path, **columns, unrelated=np.array(["text"])))
    for split in splits(data):
        assert split.labels is not None
        np.testing.assert_array_equal(split.images[:, 0, 0, 0], split.labels)
    assert data.record["source"] == "npz file 'faces.npz' (x_train, y_train, x_test, y_test)"
    channels_last = genlab.load_dataset(npz(tmp_path, images=np.arange(3 * 2 * 2 * 3).reshape(3, 2, 2, 3)))
    image = channels_last.train.images[0]
    assert image[1, 0, 0] == image[0, 0, 0] + 1  # G of a pixel comes right after R


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"pictures": some_images(5, 2, 2)}, "must have training images under one of images, train, .*; it has pictures"),
        ({}, "it has nothing"),
        ({"images": some_images(5, 2, 2), "x_train": some_images(5, 2, 2)}, "at most one of .*; it has images and x_train"),
        ({"images": some_images(5, 4)}, r"'images' of npz file .* must have shape .*; got \(5, 4\)"),
        ({"images": some_images(5, 2, 4, 4)}, r"1 or 3 channels; got \(5, 2, 4, 4\)"),
        ({"images": some_images(5, 1, 1, 4, 4)}, r"got \(5, 1, 1, 4, 4\)"),
        ({"images": -np.ones((5, 2, 2))}, r"must hold integers from 0 to 255; got -1\.0"),
        ({"images": np.full((5, 2, 2), 256)}, "must hold integers from 0 to 255; got 256"),
        ({"images": np.full((5, 2, 2), np.nan)}, "must hold integers from 0 to 255; got NaN or infinity"),
        ({"images": np.full((5, 2, 2), np.inf)}, "got NaN or infinity"),
        ({"images": np.full((5, 2, 2), 0.5)}, r"must hold integers from 0 to 255; got 0\.5: scale and round it first"),
        ({"images": np.full((5, 2, 2), 1j)}, "got dtype complex128"),
        ({"images": np.full((5, 2, 2), "a")}, "got dtype <U1"),
        ({"images": np.zeros((0, 2, 2), int)}, r"at least one image of at least one pixel; got shape \(0, 1, 2, 2\)"),
        ({"images": np.full((5, 2, 2), None)}, "'images' of npz file .* cannot be read: Object arrays cannot be loaded"),
        ({"images": some_images(5, 2, 2), "labels": np.arange(4)}, "got 4 labels for 5 images"),
        ({"images": some_images(5, 2, 2), "labels": np.ones((5, 2), int)}, r"must have shape \(N,\); got \(5, 2\)"),
        ({"images": some_images(5, 2, 2), "labels": np.full(5, 0.5)}, "'labels' of .* must hold integers; got dtype float64"),
        ({"images": some_images(5, 2, 2), "labels": np.full(5, np.nan)}, "must hold integers"),
        ({"images": some_images(5, 2, 2), "labels": np.full(5, "cat")}, "must hold integers; got dtype <U3"),
        ({"train": some_images(5, 2, 2), "test": some_images(5, 2, 3)}, "one shape; train has 1x2x2, test 1x2x3"),
        ({"train": some_images(5, 2, 2), "y_train": np.arange(5), "test": some_images(5, 2, 2)}, "either all splits have labels"),
        ({"images": np.full((5, 2, 2), 9), "levels": 9}, "above every value and from 2 to 256; got 9 with values up to 9"),
        ({"images": np.zeros((5, 2, 2), int), "levels": 1}, "got 1 with values up to 0"),
        ({"images": np.zeros((5, 2, 2), int), "levels": 8.5}, r"got 8\.5"),
        ({"images": np.zeros((5, 2, 2), int), "levels": [2, 3]}, r"got \[2, 3\]"),
        ({"images": some_images(2, 2, 2)}, "at least 3 images are needed to cut off valid and test; got 2"),
        ({"train": some_images(1, 2, 2), "test": some_images(1, 2, 2)}, "at least 2 images are needed to cut off valid; got 1"),
    ],
)
def test_npz_that_is_refused(tmp_path: Path, arrays: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        genlab.load_dataset(npz(tmp_path, **arrays))


def test_npz_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "faces.npz"
    whole = npz(tmp_path, images=some_images(99, 9, 9)).read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    single = io.BytesIO()
    np.save(single, np.zeros(3))
    text = io.BytesIO()
    with zipfile.ZipFile(text, "w") as archive:
        archive.writestr("images.npy", "no array")
    for content in (b"", b"some text", b"\x80\x04K\x01.", whole[:-30], bytes(flipped), text.getvalue(), single.getvalue()):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"npz file '.*faces\.npz' (cannot be read|must be a zip archive of arrays|must be an array)"):
            genlab.load_dataset(path)


def test_an_npz_bomb(tmp_path: Path) -> None:
    path = npz(tmp_path, images=some_images(5, 2, 2))
    with zipfile.ZipFile(path) as archive:
        size = struct.pack("<I", archive.getinfo("images.npy").file_size)
    content = path.read_bytes()
    directory = content.rindex(b"PK\x01\x02")
    offset = content.index(size, directory + 24)
    path.write_bytes(content[:offset] + struct.pack("<I", 2**32 - 2) + content[offset + 4 :])
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("genlab.datasets.npz.MAX_BYTES", 2**28)
        with pytest.raises(InputError, match=r"must fit in the memory; it unpacks to 4\.0 GiB"):
            genlab.load_dataset(path)


# --- folders of images ---------------------------------------------------------------------------------------------------------


def picture(path: Path, seed: int = 0, mode: str = "L", size: tuple[int, int] = (6, 4), **options: Any) -> Path:
    """Writes a random picture; `size` is (width, height), as Pillow has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colours = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(colours).convert(mode).save(path, **options)
    return path


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("1", 1), ("RGB", 3), ("P", 3)])
@pytest.mark.parametrize("suffix", ["png", "PNG", "bmp", "tiff"])
def test_a_folder_of_images(tmp_path: Path, mode: str, channels: int, suffix: str) -> None:
    paths = [picture(tmp_path / f"{seed}.{suffix}", seed, mode) for seed in range(10)]
    (tmp_path / ".hidden.png").write_text("left out")
    (tmp_path / "notes.txt").write_text("left out")
    data = genlab.load_dataset(tmp_path)
    assert data.describe() == f"{tmp_path.name}: 8/1/1 images {channels}x4x6, 256 levels"
    expected = [np.asarray(Image.open(path).convert("L" if channels == 1 else "RGB")) for path in paths]
    assert everything(data) == sorted(np.atleast_3d(image).transpose(2, 0, 1).tobytes() for image in expected)
    assert data.train.labels is None


def test_jpeg_and_webp(tmp_path: Path) -> None:
    for seed, suffix in enumerate(["jpg", "jpeg", "webp", "gif"]):
        picture(tmp_path / f"{seed}.{suffix}", seed, "RGB")
    assert genlab.load_dataset(tmp_path).describe() == f"{tmp_path.name}: 2/1/1 images 3x4x6, 256 levels"


def test_class_subfolders_are_labels(tmp_path: Path) -> None:
    for label, name in enumerate(["ant", "bee", "cat"]):
        for number in range(4):
            path = tmp_path / name / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(np.full((2, 2), label, np.uint8)).save(path)
    data = genlab.load_dataset(tmp_path)
    assert data.record["classes"] == ["ant", "bee", "cat"]
    labels = [split.labels for split in splits(data)]
    assert np.bincount(np.concatenate(labels)).tolist() == [4, 4, 4]
    for split in splits(data):
        np.testing.assert_array_equal(split.images[:, 0, 0, 0], split.labels)


def test_train_and_test_subfolders_are_splits(tmp_path: Path) -> None:
    for split, count in (("train", 5), ("test", 2)):
        for name in ("ant", "bee"):
            for number in range(count):
                picture(tmp_path / split / name / f"{number}.png", number)
    data = genlab.load_dataset(tmp_path)
    assert data.describe() == f"{tmp_path.name}: 8/2/4 images 1x4x6, 256 levels"
    assert data.test.labels is not None
    assert data.test.labels.tolist() == [0, 0, 1, 1]
    (tmp_path / "test" / "bee").rename(tmp_path / "test" / "cat")
    with pytest.raises(InputError, match="must have the same classes in every split; train and test differ"):
        genlab.load_dataset(tmp_path)


def test_other_sizes_only_on_request(tmp_path: Path) -> None:
    for number in range(9):
        picture(tmp_path / f"{number}.png", number)
    picture(tmp_path / "odd.png", size=(5, 7))
    sentence = r"all images must have one size unless `size` is given; '.*odd\.png' is 7x5, '.*0\.png' is 4x6 \(height x width\)"
    with pytest.raises(InputError, match=sentence):
        genlab.load_dataset(tmp_path)
    data = genlab.load_dataset(tmp_path, size=4)
    assert data.describe() == f"{tmp_path.name}: 8/1/1 images 1x4x4, 256 levels"
    first = np.asarray(Image.open(tmp_path / "0.png"))[:, 1:5]
    assert first.tobytes() in everything(data)
    assert data.record["size"] == 4


def test_grey_and_colour_do_not_mix(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", mode="L")
    picture(tmp_path / "b.png", mode="RGB")
    with pytest.raises(InputError, match=r"same number of channels; '.*b\.png' has 3, '.*a\.png' has 1"):
        genlab.load_dataset(tmp_path)


@pytest.mark.parametrize("mode", ["LA", "RGBA", "P", "L", "RGB"])
def test_alpha_goes_only_where_it_says_nothing(tmp_path: Path, mode: str) -> None:
    opaque = Image.fromarray(some_images(1, 4, 6, 3)[0]).convert("L" if mode in ("L", "LA") else "RGB")
    if mode in ("LA", "RGBA"):
        opaque.convert(mode).save(tmp_path / "a.png")
        clear = opaque.convert(mode)
        clear.putpixel((2, 1), (9, 7) if mode == "LA" else (9, 9, 9, 7))
        clear.save(tmp_path / "b.png")
    else:
        # A transparent colour that no pixel has, and one that a pixel has.
        indexed = opaque.convert(mode, palette=Image.Palette.ADAPTIVE, colors=8) if mode == "P" else opaque
        unused, used = {"P": (bytes([255] * 256), bytes(256)), "L": (1, opaque.getpixel((0, 0)))}.get(
            mode, ((1, 1, 1), opaque.getpixel((0, 0)))
        )
        indexed.save(tmp_path / "a.png", transparency=unused)
        indexed.save(tmp_path / "b.png", transparency=used)
        opaque = indexed.convert(opaque.mode)
    clear_bytes = (tmp_path / "b.png").read_bytes()
    for name in ("b.png", "c.png"):
        (tmp_path / name).write_bytes((tmp_path / "a.png").read_bytes())
    data = genlab.load_dataset(tmp_path)
    np.testing.assert_array_equal(data.train.images[0], np.atleast_3d(np.asarray(opaque)).transpose(2, 0, 1))
    (tmp_path / "b.png").write_bytes(clear_bytes)
    with pytest.raises(InputError, match=r"image '.*b\.png' must be opaque; it has pixels with alpha \d+"):
        genlab.load_dataset(tmp_path)


def png(width: int, height: int, *, bits: int = 8, colour: int = 0, rows: bytes = b"") -> bytes:
    """A PNG file by hand: Pillow writes neither bombs nor colour with 16 bits."""
    header = struct.pack(">2I5B", width, height, bits, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    packed = (struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def sixteen_bit_tiff() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((4, 6), 1000, np.uint16)).save(file, "TIFF")
    return file.getvalue()


def pillow_bytes(mode: str, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (6, 4)).save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("text.png", b"a text file with another name", "cannot be read: its content is no known image format"),
        ("empty.png", b"", "cannot be read: its content is no known image format"),
        ("cut.png", png(6, 4, rows=bytes(10)), "cannot be read: "),
        ("cut.jpg", pillow_bytes("L", "JPEG")[:-40], "cannot be read: "),
        ("bomb.png", png(20_000, 20_000), "(must have at most 89478485 pixels; its header says 20000 x 20000|decompression bomb)"),
        ("bomb.png", png(10_000, 10_000), "(must have at most 89478485 pixels; its header says 10000 x 10000|decompression bomb)"),
        ("grey.png", png(6, 4, bits=16, rows=bytes(4 * 13)), "must have 8 bits a channel; it has 16"),
        ("colour.png", png(6, 4, bits=16, colour=2, rows=bytes(4 * 37)), "must have 8 bits a channel; it has 16"),
        ("grey.tiff", sixteen_bit_tiff(), "must have 8 bits a channel; it has 16"),
        ("float.tiff", pillow_bytes("F", "TIFF"), "it has Pillow's mode 'F'"),
        ("print.jpg", pillow_bytes("CMYK", "JPEG"), "it has Pillow's mode 'CMYK'"),
        (
            "film.gif",
            pillow_bytes("L", "GIF", save_all=True, append_images=[Image.new("L", (6, 4), 9)]),
            "must be one picture; it is an animation or a stack of pages",
        ),
    ],
)
@pytest.mark.parametrize("warn", ["error", "ignore"])  # Pillow warns of some bombs; a user may have turned that off
def test_a_broken_image_among_good_ones(tmp_path: Path, name: str, content: bytes, sentence: str, warn: Any) -> None:
    for number in range(5):
        picture(tmp_path / f"{number}.png", number)
    (tmp_path / name).write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter(warn)
        with pytest.raises(InputError, match=rf"^image '.*{name}' .*{sentence}"):
            genlab.load_dataset(tmp_path)


def test_photos_of_a_phone(tmp_path: Path) -> None:
    upright = Image.fromarray(some_images(1, 4, 6, 3)[0])
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    for name in "abc":
        turned.save(tmp_path / f"{name}.png", exif=exif)
    preview = Image.new("RGB", (3, 2))
    np.testing.assert_array_equal(genlab.load_dataset(tmp_path).train.images[0], np.asarray(upright).transpose(2, 0, 1))
    for name in "abc":
        upright.save(tmp_path / f"{name}.jpg", "MPO", save_all=True, append_images=[preview])
        (tmp_path / f"{name}.png").unlink()
    assert genlab.load_dataset(tmp_path).describe() == f"{tmp_path.name}: 1/1/1 images 3x4x6, 256 levels"


def test_folders_that_are_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must hold IDX files or images .*; it has none"):
        genlab.load_dataset(tmp_path)
    (tmp_path / "ant").mkdir()
    with pytest.raises(InputError, match=r"folder '.*ant' must hold IDX files or images"):
        genlab.load_dataset(tmp_path)
    picture(tmp_path / "ant" / "deep" / "0.png")
    with pytest.raises(InputError, match=r"class folder '.*ant' must hold images only; it has the folder 'deep'"):
        genlab.load_dataset(tmp_path)
    picture(tmp_path / "0.png")
    with pytest.raises(InputError, match=r"must hold either images or class subfolders; it has '0\.png' and 'ant'"):
        genlab.load_dataset(tmp_path)


def test_images_that_would_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        picture(tmp_path / f"{number}.png", number)
    with pytest.raises(InputError, match="size must fit in 4 GiB; 1437 images of 1x100000x100000 are 13383"):
        genlab.load_dataset("digits", size=100_000)
    monkeypatch.setattr("genlab.datasets.source.MAX_BYTES", 5 * 24 - 1)
    with pytest.raises(InputError, match=r"images like '.*0\.png' must fit in .*5 images of 1x4x6 are .*`size` makes images smaller"):
        genlab.load_dataset(tmp_path)


# --- arguments -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"levels": 1}, "levels .*; got 1$"),
        ({"levels": 257}, "levels .*; got 257$"),
        ({"levels": 4.5}, r"levels .*; got 4\.5$"),
        ({"levels": 18}, "levels must be at most 17, the native levels of 'digits'; got 18"),
        ({"levels": 4, "binarize": "dynamic"}, "levels must be 2 or None with binarize='dynamic'; got 4"),
        ({"levels": 17, "binarize": "threshold"}, "levels must be 2 or None with binarize='threshold'; got 17"),
        ({"binarize": "static"}, "binarize .*; got 'static'$"),
        ({"size": 0}, "size .*; got 0$"),
        ({"size": -3}, "size .*; got -3$"),
        ({"seed": -1}, "seed .*; got -1$"),
        ({"seed": "one"}, "seed .*; got 'one'$"),
        ({"name_or_path": "photos", "size": 214}, "size must be at most 213 for 'photos', .*; got 214"),
        ({"name_or_path": "cifra"}, "must be one of digits, mnist, mnist5k, photos, slanted, or a path that exists; got 'cifra'"),
        ({"name_or_path": "no/such/folder"}, "or a path that exists; got 'no/such/folder'"),
        ({"name_or_path": ""}, "or a path that exists; got ''"),
        ({"name_or_path": "a" * 5000}, "or a path that exists; got 'aaa"),
        ({"name_or_path": "null\0byte"}, "or a path that exists; got 'null"),
        ({"name_or_path": "~nobody-of-that-name/images"}, "or a path that exists; got '~nobody"),
        ({"name_or_path": __file__}, r"must be a name, a folder or an \.npz file; got the file '.*test_datasets\.py'"),
        ({"name_or_path": 3}, "name_or_path must be a name or a path; got 3"),
        ({"name_or_path": None}, "name_or_path must be a name or a path; got None"),
    ],
)
def test_load_dataset_refuses(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        genlab.load_dataset(**({"name_or_path": "digits"} | arguments))


def test_every_name_is_documented() -> None:
    assert set(DATASETS) == {"digits", "mnist5k", "mnist", "photos", "slanted"}
    assert all(reader.__doc__ for reader in DATASETS.values())
