"""A handwritten digit out of a photograph: paper and shadows taken off, the stroke found, strengthened and centred as MNIST's digits are.

``read_photograph`` does what takes time, once; ``find_digit`` does the rest, as often as a threshold is slid:

1. decoded upright and made smaller, so that a telephone's twelve megapixels cost no more than a small picture;
2. divided by the light that falls on the paper: a median over a window wider than any stroke, which keeps the edges of shadows;
3. cut at a threshold, by Otsu's rule (1979) among all that stands out of the paper's grain;
4. what touches the edge or lies apart is left out, and a thin stroke is thickened to the width that MNIST's have;
5. fitted into 20 of 28 pixels and shifted so that its centre of mass is the middle, as LeCun et al. did.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlab.datasets.picture import PHOTOGRAPH_BYTES_AT_MOST, decode, grey
from genlab.errors import InputError

BOX = 20 / 28  # of the side, into which MNIST's digits are fitted
STROKE = 0.13  # of the box: the width of MNIST's strokes, by `_stroke_width`
THRESHOLDS = (0.02, 0.98)
_WORKING_SIDE = 1000  # pixels: a pen's stroke on a whole page is still one of them
_LIGHT_SIDE = 80  # light changes slowly: its median is taken of a smaller picture
_LIGHT_WINDOW = 27  # of those; a stroke may be half as wide
_CANVAS = 200  # pixels of the digit's longer side while its stroke is measured and thickened
_LEAST = 0.015  # of the picture's longer side: what is smaller is a speck, no digit
_GRAIN = 4.0  # standard deviations of the paper's grain that are no ink yet


@dataclass(frozen=True, eq=False)
class Photograph:
    """A photograph without its paper.

    Attributes:
        ink: float32 (height, width), upright: 0 where the paper is, towards 1 where a stroke is.
        threshold: Otsu's: above it is ink.
    """

    ink: NDArray[np.float32]
    threshold: float


@dataclass(frozen=True, eq=False)
class FoundDigit:
    """What was found in a photograph.

    Attributes:
        intensities: uint8 (height, width), 0 paper and 255 ink.
        threshold: The one that was used.
        page: uint8, the photograph upright with its paper made white and its ink dark, for a preview.
        stroke: bool, the shape of `page`: what was taken for the digit.
    """

    intensities: NDArray[np.uint8]
    threshold: float
    page: NDArray[np.uint8]
    stroke: NDArray[np.bool_]

    def levels(self, levels: int) -> NDArray[np.uint8]:
        """The digit in `levels` levels, 0 paper: uint8 (height, width)."""
        result: NDArray[np.uint8] = np.rint(self.intensities * ((levels - 1) / 255)).astype(np.uint8)
        return result


def read_photograph(content: bytes) -> Photograph:
    """Takes the paper off a photograph.

    Args:
        content: A PNG or JPEG file of at most `PHOTOGRAPH_BYTES_AT_MOST` bytes. Ink may be darker or lighter than the paper.

    Returns:
        The ink, at most 1,000 pixels wide and high, and Otsu's threshold.

    Raises:
        InputError: It is no PNG or JPEG, too large, an animation, torn, or nothing in it stands out.
    """
    picture = decode(content, PHOTOGRAPH_BYTES_AT_MOST, at_least=_WORKING_SIDE)
    ink = _ink(_shrunk(grey(picture).astype(np.float32), _WORKING_SIDE))
    grain = 1.4826 * float(np.median(np.abs(ink - np.median(ink))))
    standing_out = ink[ink > max(_GRAIN * grain, THRESHOLDS[0])]
    if len(standing_out) < 4:
        raise InputError("picture must have ink that differs from its paper; it is blank")
    return Photograph(ink, float(np.clip(_otsu(standing_out), *THRESHOLDS)))


def find_digit(photograph: Photograph, *, size: tuple[int, int] = (28, 28), threshold: float | None = None) -> FoundDigit:
    """The digit in a photograph, as MNIST would have it.

    Args:
        photograph: From `read_photograph`.
        size: Height and width that come back; the digit fills 20/28 of the smaller one.
        threshold: What counts as ink, above 0 and below 1; None is Otsu's. Lower finds fainter strokes, and more of the paper.

    Returns:
        The digit, and what a preview needs.

    Raises:
        InputError: The threshold is out of range, or nothing is above it.
    """
    used = photograph.threshold if threshold is None else threshold
    if min(size) < 1:
        raise InputError(f"size must be a height and a width of at least 1; got {size}")
    if not 0 < used < 1:
        raise InputError(f"threshold must be above 0 and below 1; got {used}")
    stroke = _digit_among(photograph.ink > used, photograph.ink)
    if stroke is None:
        raise InputError(
            f"picture must show a stroke above the threshold; at {used:.2f} there is none: slide it, or take one with more contrast"
        )
    # A ramp around the threshold instead of a step: a stroke of one pixel keeps its shape when it is enlarged.
    soft = np.clip(photograph.ink / used - 0.5, 0, 1) * _grown(stroke)
    digit = _centred(_strengthened(_enlarged(_cropped(soft))), size)
    intensities = np.rint(digit * (255 / digit.max())).astype(np.uint8)
    page = np.rint(255 * (1 - photograph.ink)).astype(np.uint8)
    return FoundDigit(intensities, used, page, stroke)


def _shrunk(picture: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Averaged over areas until neither side is longer than `side`."""
    scale = side / max(picture.shape)
    return picture if scale >= 1 else _resized(picture, (max(1, round(picture.shape[0] * scale)), max(1, round(picture.shape[1] * scale))))


def _resized(picture: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Scaled to a shape; Pillow's bilinear filter averages over areas where it shrinks."""
    from PIL import Image

    scaled = Image.fromarray(picture.astype(np.float32)).resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
    return np.asarray(scaled, dtype=np.float32)


def _ink(brightness: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far each pixel is from its paper, 0 to 1, relative to the light there; nothing on the far side of the paper counts."""
    from scipy.ndimage import gaussian_filter, median_filter

    small = _shrunk(brightness, _LIGHT_SIDE)
    window = max(3, round(_LIGHT_WINDOW * max(small.shape) / _LIGHT_SIDE)) | 1
    light = gaussian_filter(median_filter(small, window, mode="nearest"), 1, mode="nearest")
    paper = np.clip(_resized(light, brightness.shape), 0.02, 1)
    darker = gaussian_filter(paper - brightness, 0.7)
    if float(np.mean(darker * darker * darker, dtype=np.float64)) >= 0:  # ink is the side with the longer tail
        return _within(darker / paper)
    return _within(-darker / np.maximum(1 - paper, 0.1))


def _within(ink: NDArray[Any]) -> NDArray[np.float32]:
    within: NDArray[np.float32] = np.clip(ink, 0, 1).astype(np.float32)
    return within


def _otsu(values: NDArray[np.float32]) -> float:
    """The cut that parts values into two groups whose means lie furthest apart, weighted by their sizes (Otsu 1979)."""
    counts, edges = np.histogram(values, 256)
    middles = (edges[:-1] + edges[1:]) / 2
    below, sums = np.cumsum(counts), np.cumsum(counts * middles)
    above = below[-1] - below
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    best = np.flatnonzero(between == np.nanmax(between)) if len(values) and np.isfinite(between).any() else np.array([0])
    return float(edges[1:][best].mean())


def _digit_among(ink: NDArray[np.bool_], weight: NDArray[np.float32]) -> NDArray[np.bool_] | None:
    """The pixels of the piece with the most ink, and of pieces near it that are no specks; None if there is no piece."""
    from scipy.ndimage import find_objects, label

    pieces, count = label(ink, np.ones((3, 3)))
    if not count:
        return None
    sums = np.bincount(pieces.ravel(), weight.ravel(), minlength=count + 1)
    sums[0] = 0
    inner = sums.copy()
    inner[np.unique(np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]]))] = 0
    if inner.max() > 0:  # a table beside the paper touches the edge; a digit that fills the picture may, if there is nothing else
        sums = inner
    main = int(sums.argmax())
    boxes = find_objects(pieces)
    extent = max(side.stop - side.start for side in boxes[main - 1])
    if extent < max(3, _LEAST * max(ink.shape)):
        return None
    near = [number for number, box in enumerate(boxes, 1) if sums[number] >= sums[main] / 15 and _gap(box, boxes[main - 1]) <= extent / 4]
    kept: NDArray[np.bool_] = np.isin(pieces, near)
    return kept


def _gap(one: tuple[slice, slice], other: tuple[slice, slice]) -> int:
    """Pixels between two boxes along the axis in which they lie further apart."""
    return max(int(max(a.start - b.stop, b.start - a.stop, 0)) for a, b in zip(one, other, strict=True))


def _grown(stroke: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A stroke with the pixels around it, where its ink fades."""
    from scipy.ndimage import binary_dilation

    grown: NDArray[np.bool_] = binary_dilation(stroke, np.ones((3, 3)), iterations=2)
    return grown


def _cropped(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Without empty rows and columns at the edges."""
    rows, columns = np.flatnonzero(picture.max(axis=1) > 0.25), np.flatnonzero(picture.max(axis=0) > 0.25)
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _enlarged(digit: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The shape of a digit whose longer side is `_CANVAS`."""
    scale = _CANVAS / max(digit.shape)
    shape = (max(1, round(digit.shape[0] * scale)), max(1, round(digit.shape[1] * scale)))
    # With a margin, so that what touches the crop's edge has an outside.
    enlarged: NDArray[np.bool_] = np.pad(_resized(digit, shape), _CANVAS // 4) >= 0.5
    return enlarged


def _strengthened(shape: NDArray[np.bool_]) -> NDArray[np.float32]:
    """A stroke thinner than MNIST's grown to their width, as 0 and 1."""
    from scipy.ndimage import distance_transform_edt

    lacking = STROKE * _CANVAS - _stroke_width(shape)
    if lacking > 0:
        shape = distance_transform_edt(~shape) <= lacking / 2
    return _cropped(shape.astype(np.float32))


def _stroke_width(shape: NDArray[np.bool_]) -> float:
    """Pixels across a stroke: four times the mean distance of its points to its border, which is exact for a long bar."""
    from scipy.ndimage import distance_transform_edt

    distances: NDArray[np.float64] = distance_transform_edt(shape)[shape]
    return 4.0 * (float(distances.mean()) - 0.5)


def _centred(digit: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Fitted into 20/28 of `size` and shifted by whole pixels, so that its centre of mass is pixel (14, 14) of 28 if there is room."""
    box = max(1, round(min(size) * BOX))
    scale = box / max(digit.shape)
    small = _resized(digit, (max(1, round(digit.shape[0] * scale)), max(1, round(digit.shape[1] * scale))))
    result = np.zeros(size, np.float32)
    corner = []
    for axis in (0, 1):
        mass = small.sum(axis=1 - axis)
        centre = float((mass * np.arange(len(mass))).sum() / mass.sum())
        corner.append(int(np.clip(round(size[axis] / 2 - centre), 0, size[axis] - small.shape[axis])))
    result[corner[0] : corner[0] + small.shape[0], corner[1] : corner[1] + small.shape[1]] = small
    return result
