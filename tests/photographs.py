"""A photograph of a handwritten digit, as a telephone takes it."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw


def photograph() -> bytes:
    """A digit on grey paper with a shadow, as a telephone takes it: 3024×4032, thin stroke, turned by EXIF."""
    page = np.linspace(120, 200, 4032, dtype=np.float32)[:, None] * np.linspace(0.9, 1, 3024, dtype=np.float32)
    image = Image.fromarray(page.astype(np.uint8))
    pen = ImageDraw.Draw(image)
    pen.line([(1100, 1300), (1900, 1300), (1500, 2700)], fill=40, width=24, joint="curve")  # a seven
    file, tags = io.BytesIO(), Image.Exif()
    tags[0x0112] = 6  # shown turned by a quarter
    image.transpose(Image.Transpose.ROTATE_90).save(file, "JPEG", exif=tags, quality=95)
    return file.getvalue()
