"""IDX files, plain and gzipped: MNIST's four in a folder, and what is torn."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

import genlab
from genlab.errors import InputError
from tests.files import idx, some_images, write_mnist


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
