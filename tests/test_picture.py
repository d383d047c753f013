"""Pictures from strangers: understood if they are pictures, refused in a sentence if they are anything else."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageDraw

from genlab.datasets.picture import BYTES_AT_MOST, PIXELS_AT_MOST, read_picture
from genlab.errors import InputError

SIZE = (28, 28)


def seven(mode="L", *, ink=0, paper=255, size=(56, 56)):
    picture = Image.new("L", size, paper)
    ImageDraw.Draw(picture).line([(14, 12), (42, 12), (24, 46)], fill=ink, width=6)
    return picture.convert(mode)


def encoded(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def read(content, levels=17):
    return read_picture(content, size=SIZE, levels=levels)


def png(width, height, *chunks):
    """A PNG by hand: a header that says whatever it likes, and some chunks."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts)
    return b"\x89PNG\r\n\x1a\n" + body


EXPECTED = read(encoded(seven()))


def test_ink_is_level_high_and_paper_is_level_0():
    assert EXPECTED.shape == SIZE
    assert EXPECTED.dtype == np.uint8
    assert EXPECTED.max() == 16
    assert EXPECTED[6, 7:20].min() > 10
    assert EXPECTED[:4].max() == 0
    assert EXPECTED[-4:].max() == 0


def sixteen_bits():
    values = np.asarray(seven(), dtype=np.uint16) * 257
    return Image.fromarray(values)


def see_through():
    picture = Image.new("RGBA", (56, 56), (0, 0, 0, 0))
    ImageDraw.Draw(picture).line([(14, 12), (42, 12), (24, 46)], fill=(0, 0, 0, 255), width=6)
    return picture


def palette_with_transparency():
    picture = seven("P")
    picture.info["transparency"] = 255
    return picture


UNDERSTOOD = {
    "white on black": lambda: encoded(seven(ink=255, paper=0)),
    "black and white": lambda: encoded(seven("1")),
    "colour": lambda: encoded(seven("RGB")),
    "palette": lambda: encoded(seven("P")),
    "palette with transparency": lambda: encoded(palette_with_transparency()),
    "16 bits": lambda: encoded(sixteen_bits()),
    "transparent": lambda: encoded(see_through()),
    "grey with alpha": lambda: encoded(seven("LA")),
    "JPEG": lambda: encoded(seven("RGB"), "JPEG", quality=95),
    "JPEG in CMYK": lambda: encoded(seven("CMYK"), "JPEG", quality=95),
}


@pytest.mark.parametrize("kind", UNDERSTOOD)
def test_the_same_digit_comes_out_of_every_kind_of_picture(kind):
    assert np.abs(read(UNDERSTOOD[kind]()).astype(int) - EXPECTED).max() <= 1


def test_a_picture_of_two_levels_and_of_many():
    assert set(np.unique(read(encoded(seven()), levels=2))) == {0, 1}
    assert read(encoded(seven()), levels=256).max() == 255


def test_a_telephone_held_upright_is_turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(seven("RGB").transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif)
    assert np.abs(read(content).astype(int) - EXPECTED).max() <= 1


def test_a_wide_picture_keeps_its_shape():
    levels = read(encoded(seven(size=(112, 56))))
    assert levels[:7].max() == 0
    assert levels[-7:].max() == 0
    assert levels[10:13, 3:11].max() > 10


REFUSED = {
    "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "its content is an SVG drawing"),
    "HTML": (b"<!DOCTYPE html><script>alert(1)</script>", "its content is a web page"),
    "nothing": (b"", "its content is empty"),
    "GIF": (encoded(seven(), "GIF"), "its content is neither"),
    "20 MB": (encoded(seven()) + b"\0" * (20 << 20), "must have at most 4 MB; it has 20.0 MB"),
    "bomb": (png(50_000, 50_000, (b"IDAT", zlib.compress(b"\0" * 1000))), "its header says far more|its header says 50000"),
    "smaller bomb": (png(8000, 4000, (b"IDAT", zlib.compress(b"\0" * 1000))), "its header says 8000 × 4000"),
    "torn PNG": (encoded(seven())[:-80], "cannot be read: .*; the file is torn"),
    "torn JPEG": (encoded(seven("RGB"), "JPEG")[:-200], "cannot be read: .*; the file is torn"),
    "signature alone": (b"\x89PNG\r\n\x1a\n", "cannot be read"),
    "JPEG signature, then HTML": (b"\xff\xd8\xff<html>", "cannot be read"),
    "animation": (encoded(seven(), save_all=True, append_images=[seven(ink=50)]), "it is an animation"),
    "blank": (encoded(Image.new("L", (56, 56), 200)), "it is blank"),
    "text bomb": (png(2, 2, (b"zTXt", b"k\0\0" + zlib.compress(b"\0" * (80 << 20)))), "cannot be read|bomb|torn"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_anything_else_is_refused_in_a_sentence(kind):
    content, sentence = REFUSED[kind]
    with pytest.raises(InputError, match=sentence) as error:
        read(content)
    assert str(error.value).startswith("picture ")


def test_the_limits_leave_room_for_a_telephones_photograph():
    assert PIXELS_AT_MOST >= 4000 * 6000
    assert BYTES_AT_MOST == 4 * 1024 * 1024
