"""NumPy archives: the keys that are read, and what is refused."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import genlab
from genlab.errors import InputError
from tests.files import npz, some_images, splits


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
        monkeypatch.setattr("genlab.datasets.files.MAX_BYTES", 2**28)
        with pytest.raises(InputError, match=r"must fit in the memory; it unpacks to 4\.0 GiB"):
            genlab.load_dataset(path)
