"""Folders of images: classes, splits, and every kind of picture that could lie in one."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import genlab
from genlab.errors import InputError
from tests.files import everything, picture, pillow_bytes, png, some_images, splits


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


def sixteen_bit_tiff() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((4, 6), 1000, np.uint16)).save(file, "TIFF")
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
