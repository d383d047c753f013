"""Photographs of handwritten digits: what comes out resembles what was written, and a nearest neighbour reads it right.

The photographs are made here: MNIST's digits thinned to a line and drawn with a thin pen on grey paper, in uneven light, with grain
and shadows.
"""

from __future__ import annotations

import functools
import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from genlab.datasets.bundled import mnist5k
from genlab.datasets.photograph import Photograph, find_digit, read_photograph
from genlab.datasets.picture import PHOTOGRAPH_BYTES_AT_MOST
from genlab.errors import InputError
from genlab.settings import DataSettings

LINE = 140  # pixels of the square in which a digit is thinned


@functools.cache
def mnist() -> tuple[np.ndarray, np.ndarray]:
    digits = mnist5k(DataSettings()).parts["train"]
    assert digits.labels is not None
    return digits.images[:, 0].astype(np.float32), digits.labels


def thinned(shape: np.ndarray) -> np.ndarray:
    """A shape worn down to a line of one pixel (Zhang and Suen 1984)."""
    shape = np.pad(shape, 1).astype(np.uint8)
    changed = True
    while changed:
        changed = False
        for step in (0, 1):
            around = [np.roll(shape, turn, (0, 1)) for turn in ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))]
            north, _, east, _, south, _, west, _ = around
            neighbours = sum(around)
            rises = sum((a == 0) & (b == 1) for a, b in zip(around, [*around[1:], around[0]], strict=True))
            pairs = (north * east * south, east * south * west) if step == 0 else (north * east * west, north * south * west)
            gone = (shape == 1) & (neighbours >= 2) & (neighbours <= 6) & (rises == 1) & (pairs[0] == 0) & (pairs[1] == 0)
            shape[gone] = 0
            changed |= bool(gone.any())
    return shape[1:-1].astype(bool)[:, 1:-1]


@functools.cache
def line_of(number: int) -> np.ndarray:
    """One of MNIST's digits as a line, (LINE, LINE)."""
    large = np.asarray(Image.fromarray(mnist()[0][number]).resize((LINE, LINE), Image.Resampling.BICUBIC))
    return thinned(large > 110).astype(np.float32)


def written(number: int, height: int, pen: int) -> np.ndarray:
    """A digit as a pen of some pixels would write it, (height, height) from 0 to 1."""
    line = np.asarray(Image.fromarray(line_of(number)).resize((height, height), Image.Resampling.BILINEAR))
    thick = gaussian_filter(line.astype(np.float32), pen / 2)
    return np.clip(4 * thick / thick.max() - 1, 0, 1)


def page(
    number: int,
    *,
    shape: tuple[int, int] = (1000, 750),
    height: float = 0.5,
    pen: float = 0.006,
    contrast: float = 0.55,
    shadow: float = 0.0,
    grain: float = 0.03,
    paper: float = 0.75,
    seed: int = 0,
) -> np.ndarray:
    """A photograph of a digit on paper, uint8 (H, W): light falls off towards a corner, and a shadow may lie across."""
    rows, columns = np.mgrid[: shape[0], : shape[1]] / max(shape)
    light = paper * (1.1 - 0.45 * rows - 0.25 * columns)
    light *= 1 - shadow / (1 + np.exp(-(rows * 0.8 + columns - 0.7) * 60))
    side = int(height * min(shape))
    ink = np.zeros(shape)
    top, left = int(0.3 * (shape[0] - side)), int(0.6 * (shape[1] - side))
    ink[top : top + side, left : left + side] = written(number, side, max(1, round(pen * max(shape))))
    noise = np.random.default_rng(seed).normal(0, grain, shape)
    return np.rint(255 * np.clip(light * (1 - contrast * ink) + noise, 0, 1)).astype(np.uint8)


def jpeg(picture: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).convert("RGB").save(file, "JPEG", quality=85, **options)
    return file.getvalue()


@functools.cache
def known() -> np.ndarray:
    """MNIST's digits slightly blurred, each of length 1, (N, 784)."""
    images, _ = mnist()
    vectors = gaussian_filter(images, (0, 1, 1)).reshape(len(images), -1)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def nearest_label(digit: np.ndarray, without: int) -> int:
    """The label of the most like of MNIST's digits, the one that was written left out."""
    _, labels = mnist()
    asked = gaussian_filter(digit.astype(np.float32), 1).ravel()
    alike = known() @ (asked / np.linalg.norm(asked))
    alike[without] = -1
    return int(labels[alike.argmax()])


WRITTEN = (12, 512, 1262, 1512, 2012, 2512, 3012, 3762, 4012, 4762)  # one of each class: where it stands among MNIST's digits
PAGES = {
    "grey paper": {},
    "half in the shadow": {"shadow": 0.45},
    "far away, a thin pen": {"shape": (1200, 900), "height": 0.15, "pen": 0.0015},
    "a pencil": {"height": 0.3, "pen": 0.003, "contrast": 0.3, "grain": 0.02},
    "a marker, near": {"height": 0.9, "pen": 0.03},
    "in the dark": {"paper": 0.4, "contrast": 0.7, "shadow": 0.4},
}


@pytest.mark.parametrize("kind", PAGES)
def test_digits_written_on_paper_are_found(kind: str) -> None:
    images, labels = mnist()
    right, alike = 0, []
    for number in WRITTEN[:: 1 if kind == "grey paper" else 3]:
        found = find_digit(read_photograph(jpeg(page(number, seed=number, **{"shape": (640, 480)} | PAGES[kind]))))
        right += nearest_label(found.intensities, number) == labels[number]
        blurred = [gaussian_filter(digit.astype(float), 1.5).ravel() for digit in (found.intensities, images[number])]
        alike.append(np.corrcoef(blurred)[0, 1])
    assert right >= len(alike) - 1
    assert min(alike) > 0.6
    assert np.median(alike) > 0.85


@pytest.mark.parametrize(("orientation", "turn"), [(1, 0), (6, 1), (3, 2), (8, 3)])
def test_a_telephone_held_any_way(orientation: int, turn: int) -> None:
    """The one that is turned as telephones turn it has their twelve megapixels and is over the four megabytes of other pictures."""
    _, labels = mnist()
    shape, grain = ((4032, 3024), 0.06) if orientation == 6 else ((800, 600), 0.03)
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = page(2512, shape=shape, pen=0.004, grain=grain, shadow=0.3)
    content = jpeg(np.rot90(upright, turn), exif=exif)
    assert len(content) < PHOTOGRAPH_BYTES_AT_MOST
    if orientation == 6:
        assert len(content) > 4 << 20
    found = find_digit(read_photograph(content))
    assert nearest_label(found.intensities, 2512) == labels[2512]
    assert found.page.shape == found.stroke.shape
    assert found.page.shape[0] > found.page.shape[1]
    assert max(found.page.shape) <= 1000


def seven(contrast: float = 0.55, **options: float) -> np.ndarray:
    return page(3762, shape=(800, 600), contrast=contrast, **options)


def is_a_seven(content: bytes) -> bool:
    return nearest_label(find_digit(read_photograph(content)).intensities, 3762) == 7


def test_ruled_paper_on_a_dark_table() -> None:
    picture = seven()
    for row in range(30, 800, 40):
        picture[row : row + 2] = (picture[row : row + 2] * 0.88).astype(np.uint8)
    picture[:, :50] //= 5
    assert is_a_seven(jpeg(picture))


def test_chalk_on_a_board() -> None:
    assert is_a_seven(jpeg(255 - seven()))


def test_mnists_own_pictures_come_back_nearly_as_they_are() -> None:
    images, _ = mnist()
    for number in (12, 512, 1262, 1512, 2012):
        file = io.BytesIO()
        Image.fromarray(np.pad(images[number], 4).astype(np.uint8)).resize((360, 360), Image.Resampling.BICUBIC).save(file, "PNG")
        digit = find_digit(read_photograph(file.getvalue())).intensities
        shifted = [np.roll(digit, (down, right), (0, 1)).ravel() for down in (-1, 0, 1) for right in (-1, 0, 1)]
        assert max(np.corrcoef(shift, images[number].ravel())[0, 1] for shift in shifted) > 0.9  # to a pixel


def test_what_comes_out_is_as_mnist_has_it() -> None:
    photograph = read_photograph(jpeg(seven()))
    found = find_digit(photograph)
    assert found.intensities.dtype == np.uint8
    assert found.intensities.max() == 255
    rows, columns = (np.flatnonzero(found.intensities.max(axis=axis) > 25) for axis in (1, 0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 in (19, 20)
    mass = found.intensities / found.intensities.sum()
    centre = [(mass.sum(axis=axis) * np.arange(28)).sum() for axis in (1, 0)]
    np.testing.assert_allclose(centre, 14, atol=0.6)
    assert 0.06 < (found.intensities > 127).mean() < 0.2  # a stroke of MNIST's width, not a pen's
    assert found.threshold == photograph.threshold
    small = find_digit(photograph, size=(8, 8))
    assert small.intensities.shape == (8, 8)
    assert small.levels(17).max() == 16
    assert set(np.unique(found.levels(2))) == {0, 1}


def test_the_threshold_slides_from_all_to_nothing() -> None:
    photograph = read_photograph(jpeg(seven()))
    strokes = [find_digit(photograph, threshold=threshold).stroke.sum() for threshold in (0.15, photograph.threshold, 0.45)]
    assert strokes == sorted(strokes, reverse=True)
    assert strokes[0] > strokes[-1]
    with pytest.raises(InputError, match=r"picture must show a stroke above the threshold; at 0\.97 there is none"):
        find_digit(photograph, threshold=0.97)
    with pytest.raises(InputError, match=r"size must be a height and a width of at least 1; got \(28, 0\)"):
        find_digit(photograph, size=(28, 0))
    assert find_digit(photograph, size=(1, 1)).intensities.tolist() == [[255]]
    for threshold in (0, 1, -3.0, float("nan")):
        with pytest.raises(InputError, match="threshold must be above 0 and below 1; got"):
            find_digit(photograph, threshold=threshold)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (jpeg(np.full((400, 300), 200, np.uint8)), "it is blank"),
        (jpeg(np.random.default_rng(0).normal(180, 8, (800, 600)).astype(np.uint8)), "there is none|it is blank"),
        (b"\xff\xd8\xff" + b"\0" * (12 << 20), "must have at most 12 MB; it has 12.0 MB"),
        (b"GIF89a", "picture must be a PNG or a JPEG"),
        (jpeg(np.zeros((50, 50), np.uint8))[:-60], "cannot be read: .*; the file is torn"),
        (jpeg(np.zeros((1, 1), np.uint8)), "it is blank"),
    ],
)
def test_no_digit_is_a_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as error:
        find_digit(read_photograph(content))
    assert str(error.value).startswith("picture ")


def test_a_photograph_with_a_preview_behind_it() -> None:
    """What many telephones write is an MPO: a JPEG with a smaller one after it, no animation."""
    file = io.BytesIO()
    upright = Image.fromarray(seven()).convert("RGB")
    upright.save(file, "MPO", save_all=True, append_images=[upright.resize((30, 40))])
    assert is_a_seven(file.getvalue())


def test_a_digit_that_fills_the_picture_may_touch_its_edge() -> None:
    ink = np.zeros((60, 40), np.float32)
    ink[:8], ink[:, -8:] = 0.8, 0.8
    found = find_digit(Photograph(ink, 0.4))
    assert found.stroke.sum() == (ink > 0).sum()
