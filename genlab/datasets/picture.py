"""One picture from a stranger, as levels: checked before it is decoded, and nothing of the file is kept but its pixels.

PNG and JPEG alone are taken, by their content and not by their name. 16 bits a channel, palettes, alpha (put on white) and EXIF's note on
which way is up are understood. Ink is what differs from the paper at the picture's edge.
"""

from __future__ import annotations

import io
import math
import warnings
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from genlab.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

BYTES_AT_MOST = 4 << 20
PHOTOGRAPH_BYTES_AT_MOST = 12 << 20
PIXELS_AT_MOST = 25_000_000  # a phone's photograph; unpacked 75 MB
_SIGNATURES = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG"}


def read_picture(content: bytes, *, size: tuple[int, int], levels: int) -> NDArray[np.uint8]:
    """The picture's ink in `levels` levels, paper 0, scaled into `size` with its shape kept.

    Args:
        content: The file.
        size: Height and width that come back.
        levels: 2 to 256.

    Returns:
        uint8 ``(height, width)``.

    Raises:
        InputError: It is no PNG or JPEG, too large, an animation, torn, or has no ink.
    """
    ink = _ink(grey(decode(content, BYTES_AT_MOST)))
    fitted = _fit(ink, size)
    if fitted.max() < 0.5 / (levels - 1):
        raise InputError("picture must have ink that differs from its edge; it is blank")
    result: NDArray[np.uint8] = np.rint(np.minimum(fitted / fitted.max(), 1) * (levels - 1)).astype(np.uint8)
    return result


def decode(content: bytes, bytes_at_most: int, *, at_least: int | None = None) -> Image:
    """The decoded picture, upright; everything that can be refused by its header is.

    Args:
        content: The file.
        bytes_at_most: What a larger file is refused for.
        at_least: A JPEG may come back smaller, if its longer side keeps so many pixels: that takes less time and memory.

    Raises:
        InputError: It is no PNG or JPEG, too large, an animation, or torn.
    """
    from PIL import Image, ImageOps

    if len(content) > bytes_at_most:
        raise InputError(f"picture must have at most {bytes_at_most >> 20} MB; it has {len(content) / (1 << 20):.1f} MB")
    kind = next((kind for signature, kind in _SIGNATURES.items() if content.startswith(signature)), None)
    if kind is None:
        raise InputError(f"picture must be a PNG or a JPEG; its content is {_guess(content)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=[kind]) as file:
                if file.width * file.height > PIXELS_AT_MOST:
                    raise InputError(f"picture must have at most {PIXELS_AT_MOST:,} pixels; its header says {file.width} × {file.height}")
                # A phone's MPO is a JPEG with a preview behind it.
                if file.format != "MPO" and getattr(file, "n_frames", 1) > 1:
                    raise InputError("picture must be one picture; it is an animation")
                if at_least is not None:
                    scale = at_least / max(file.size)
                    file.draft(None, (math.ceil(file.width * scale), math.ceil(file.height * scale)))
                file.load()
                return ImageOps.exif_transpose(file)
    except InputError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise InputError(f"picture must have at most {PIXELS_AT_MOST:,} pixels; its header says far more") from None
    except Exception as error:  # decoders meet broken bytes with whatever they stumble over: struct.error, SyntaxError, OSError, ...
        raise InputError(f"picture cannot be read: {error}; the file is torn") from error


def _guess(content: bytes) -> str:
    head = content[:512].lstrip().lower()
    for start, words in ((b"<svg", "an SVG drawing"), (b"<!doctype html", "a web page"), (b"<html", "a web page"), (b"<?xml", "XML")):
        if head.startswith(start):
            return words
    return "neither" if content else "empty"


def grey(picture: Image) -> NDArray[np.float64]:
    """Brightness from 0 to 1, transparent parts as white."""
    from PIL import Image

    if picture.mode.startswith(("I", "F")):  # 16 bits of grey: Pillow's own conversion would clip them
        values = np.asarray(picture, dtype=np.float64)
        return np.clip(values / 65535, 0, 1)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    brightness: NDArray[np.float64] = np.asarray(picture.convert("L"), dtype=np.float64) / 255
    return brightness


def _ink(brightness: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each pixel is from the paper, 0 to 1; the paper is what most of the edge looks like."""
    edge = np.concatenate([brightness[0], brightness[-1], brightness[:, 0], brightness[:, -1]])
    ink: NDArray[np.float64] = np.abs(brightness - np.median(edge))
    return ink


def _fit(ink: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """Scaled by area into `size`, centred, with paper where the shape leaves room."""
    from PIL import Image

    height, width = size
    scale = min(height / ink.shape[0], width / ink.shape[1])
    inner = (max(1, round(ink.shape[1] * scale)), max(1, round(ink.shape[0] * scale)))
    small = np.asarray(Image.fromarray(ink.astype(np.float32)).resize(inner, Image.Resampling.BOX), dtype=np.float64)
    fitted = np.zeros(size)
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    fitted[top : top + small.shape[0], left : left + small.shape[1]] = small
    return fitted


def read_colours(content: bytes, *, size: tuple[int, int], levels: int) -> NDArray[np.uint8]:
    """The picture in three colours of `levels` levels: its centre in the shape of `size`, scaled by area, transparent parts white.

    Args:
        content: The file.
        size: Height and width that come back.
        levels: 2 to 256.

    Returns:
        uint8 ``(3, height, width)``: ``floor(x * levels / 256)``.

    Raises:
        InputError: It is no PNG or JPEG, too large, an animation, or torn.
    """
    from PIL import Image, ImageOps

    picture = decode(content, PHOTOGRAPH_BYTES_AT_MOST).convert("RGBA")
    picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    height, width = size
    values = np.asarray(ImageOps.fit(picture, (width, height), Image.Resampling.BOX), dtype=np.int64)
    result: NDArray[np.uint8] = (values * levels // 256).astype(np.uint8).transpose(2, 0, 1)
    return result
