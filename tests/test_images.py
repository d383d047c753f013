from __future__ import annotations

import errno
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from genlab.errors import InputError, RunError
from genlab.images import PADDING_VALUE, grid, save_png, to_uint8


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_levels_span_black_to_white() -> None:
    np.testing.assert_array_equal(to_uint8(np.array([0, 1]), 2), [0, 255])
    np.testing.assert_array_equal(to_uint8(np.array([[0, 1, 2]]), 3), [[0, 128, 255]])
    np.testing.assert_array_equal(to_uint8(np.arange(256), 256), np.arange(256))
    np.testing.assert_array_equal(to_uint8(np.array([False, True]), 2), [0, 255])


@settings(deadline=None)
@given(levels=st.integers(2, 256))
def test_levels_can_be_read_back_from_the_picture(levels: int) -> None:
    values = to_uint8(np.arange(levels), levels)
    assert values.dtype == np.uint8
    np.testing.assert_array_equal(np.rint(values * ((levels - 1) / 255)), np.arange(levels))


@pytest.mark.parametrize(
    ("images", "levels", "sentence"),
    [
        (np.zeros(3, int), 1, "levels must be from 2 to 256; got 1"),
        (np.zeros(3, int), 257, "levels must be from 2 to 256; got 257"),
        (np.array([0, 4]), 4, "images must hold levels from 0 to 3; got 4"),
        (np.array([0, -1]), 4, "images must hold levels from 0 to 3; got -1"),
        (np.zeros(3), 4, "images must hold integer levels; got dtype float64"),
    ],
)
def test_to_uint8_refuses(images: np.ndarray, levels: int, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        to_uint8(images, levels)


def test_a_grid_pixel_by_pixel() -> None:
    images = np.array([[[[0, 1]]], [[[1, 0]]], [[[1, 1]]]])  # three images of 1 x 2 pixels
    line, black, white = PADDING_VALUE, 0, 255
    expected = [
        [line, line, line, line, line, line, line],
        [line, black, white, line, white, black, line],
        [line, line, line, line, line, line, line],
        [line, white, white, line, line, line, line],
        [line, line, line, line, line, line, line],
    ]
    np.testing.assert_array_equal(grid(images, 2), expected)


@settings(deadline=None)
@given(
    count=st.integers(1, 7),
    channels=st.sampled_from([1, 3]),
    columns=st.integers(1, 8),
    scale=st.integers(1, 3),
    padding=st.integers(0, 2),
    seed=st.integers(0, 99),
)
def test_every_image_is_found_in_its_cell(count: int, channels: int, columns: int, scale: int, padding: int, seed: int) -> None:
    images = np.random.default_rng(seed).integers(0, 5, (count, channels, 2, 3))
    picture = grid(images, 5, columns=columns, scale=scale, padding=padding)
    rows = -(-count // columns)
    assert picture.shape[:2] == (rows * (2 * scale + padding) + padding, columns * (3 * scale + padding) + padding)
    assert picture.shape[2:] == (() if channels == 1 else (3,))
    lines = np.ones(picture.shape[:2], bool)
    for index, image in enumerate(images):
        top = padding + (index // columns) * (2 * scale + padding)
        left = padding + (index % columns) * (3 * scale + padding)
        cell = np.s_[top : top + 2 * scale, left : left + 3 * scale]
        nearest = to_uint8(image, 5)[:, np.arange(2 * scale) // scale][:, :, np.arange(3 * scale) // scale]
        np.testing.assert_array_equal(picture[cell], nearest[0] if channels == 1 else nearest.transpose(1, 2, 0))
        lines[cell] = False
    assert (picture[lines] == PADDING_VALUE).all()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"images": np.zeros((2, 4, 4), int)}, r"images must have shape \(N, C, H, W\).*got \(2, 4, 4\)"),
        ({"images": np.zeros((2, 2, 4, 4), int)}, r"with C = 1 or 3.*got \(2, 2, 4, 4\)"),
        ({"images": np.zeros((0, 1, 4, 4), int)}, r"nothing empty; got \(0, 1, 4, 4\)"),
        ({"columns": 0}, "columns must be at least 1; got 0"),
        ({"scale": 0}, "scale must be at least 1; got 0"),
        ({"padding": -1}, "padding must be at least 0; got -1"),
        ({"scale": 1.5}, r"scale must be an integer; got 1\.5"),
        ({"levels": 2.5}, r"levels must be from 2 to 256; got 2\.5"),
        ({"images": [[1], [2, 3]]}, "images must be an array; "),
        ({"columns": 10**9}, r"must make a picture of at most 1073741824 values; got \(6, 5000000001, 1\)"),
        ({"scale": 10**5}, "must make a picture of at most 1073741824 values"),
    ],
)
def test_grid_refuses(change: dict, sentence: str) -> None:
    arguments = {"images": np.zeros((2, 1, 4, 4), int), "levels": 2} | change
    with pytest.raises(InputError, match=sentence):
        grid(**arguments)


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 3)])
def test_a_png_gives_back_its_pixels_and_text(tmp_path: Path, shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    path = tmp_path / "grid.png"
    save_png(path, picture, text={"genlab": '{"seed": 0}', "title": "Ziffern, σ = 1"})
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(image), picture)
        assert image.info == {"genlab": '{"seed": 0}', "title": "Ziffern, σ = 1"}
    assert struct.pack(">I", 18) + b'tEXtgenlab\0{"seed": 0}' in path.read_bytes()
    assert names(tmp_path) == ["grid.png"]


def test_who_reads_the_old_picture_goes_on_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "grid.png"
    save_png(path, np.zeros((2, 2), np.uint8))
    before = path.read_bytes()
    with path.open("rb") as reader:
        save_png(path, np.ones((9, 9), np.uint8))
        assert reader.read() == before
    assert path.read_bytes() != before


def test_a_full_disk_leaves_the_old_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "grid.png"
    save_png(path, np.zeros((2, 2), np.uint8))
    before = path.read_bytes()

    def half_a_picture(self: Image.Image, where: Path, **_: object) -> None:
        where.write_bytes(before[:20])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", half_a_picture)
    with pytest.raises(RunError, match=r"grid\.png could not be written: No space left on device; what was there before is kept"):
        save_png(path, np.ones((2, 2), np.uint8))
    assert path.read_bytes() == before
    assert names(tmp_path) == ["grid.png"]


def test_a_path_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.png").mkdir()
    for path in (tmp_path / "missing" / "grid.png", tmp_path / "file" / "grid.png", tmp_path / "folder.png"):
        with pytest.raises(RunError, match=r"\.png could not be written: "):
            save_png(path, np.zeros((2, 2), np.uint8))
    assert names(tmp_path) == ["file", "folder.png"]


@pytest.mark.parametrize(
    ("array", "text", "sentence"),
    [
        (np.zeros((2, 2)), None, r"array must be uint8 .*; got float64 \(2, 2\)"),
        (np.zeros((2, 2, 4), np.uint8), None, r"got uint8 \(2, 2, 4\)"),
        (np.zeros(2, np.uint8), None, r"got uint8 \(2,\)"),
        (np.zeros((0, 2), np.uint8), None, r"got uint8 \(0, 2\)"),
        (np.zeros((2, 2), np.uint8), {"k" * 80: "v"}, "text must have ASCII keywords of 1 to 79 characters"),
        (np.zeros((2, 2), np.uint8), {"": "v"}, "text must have ASCII keywords of 1 to 79 characters; got ''"),
    ],
)
def test_save_png_refuses(tmp_path: Path, array: np.ndarray, text: dict[str, str] | None, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        save_png(tmp_path / "grid.png", array, text=text)
    assert not names(tmp_path)
