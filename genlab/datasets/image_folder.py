"""A folder of image files, whose direct subfolders, if there are any, are the classes.

Files are taken by their suffix (`SUFFIXES`) in the order of their names; hidden entries are left out. A folder may also hold
``train`` and perhaps ``valid`` and ``test``, each such a folder itself.

The rule for pixels is that nothing is lost in silence:

* black and white and grey give one channel, RGB and palettes three; a folder has either the one or the other;
* an alpha channel goes if every pixel is opaque; with any transparent pixel the image is refused;
* 16-bit, floating-point, CMYK and other modes and animations are refused;
* a camera's note on which way is up (EXIF) is followed, as every viewer does;
* all images have one size, or `size` says to what square they are cropped and scaled.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genlab.datasets.source import SPLITS, Bytes, Labels, Part, Source, check_memory, fit_square, times
from genlab.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

SUFFIXES = frozenset((".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"))
MAX_PIXELS = 89_478_485  # a quarter of a gigabyte as RGB: where Pillow begins to warn of decompression bombs
_MODES = frozenset(("1", "L", "LA", "P", "PA", "RGB", "RGBA"))


def read_image_folder(folder: Path, size: int | None = None) -> Source:
    """All images of a folder.

    Args:
        folder: Images, or class subfolders of images, or ``train`` (``valid``, ``test``) subfolders of either.
        size: Crop to the central square and scale to `size` x `size`; None demands that all have one size.

    Raises:
        InputError: There are no images, an image is broken or breaks the rules above, or sizes or channels differ.
    """
    splits = {split: folder / split for split in SPLITS if (folder / split).is_dir()}
    if "train" not in splits:
        splits = {"train": folder}
    listings = {split: _list_images(path) for split, path in splits.items()}
    classes = listings["train"][2]
    for split, (_, _, others) in listings.items():
        if others != classes:
            raise InputError(f"image folder {str(folder)!r} must have the same classes in every split; train and {split} differ")
    paths = [path for files, _, _ in listings.values() for path in files]
    images = _read_images(paths, size)
    parts, start = {}, 0
    for split, (files, labels, _) in listings.items():
        parts[split] = Part(images[start : start + len(files)], labels)
        start += len(files)
    return Source(parts, None, f"{len(paths)} image files of folder {folder.resolve().name!r}", classes=classes)


def _list_images(folder: Path) -> tuple[list[Path], Labels | None, tuple[str, ...] | None]:
    """The image files of a folder in order, their labels, and the names of the classes."""
    files, folders = _entries(folder)
    if files and folders:
        rule = "must hold either images or class subfolders"
        raise InputError(f"image folder {str(folder)!r} {rule}; it has {files[0].name!r} and {folders[0].name!r}")
    if not folders:
        return _some(files, folder), None, None
    groups = []
    for path in folders:
        inside, deeper = _entries(path)
        if deeper:
            raise InputError(f"class folder {str(path)!r} must hold images only; it has the folder {deeper[0].name!r}")
        groups.append(_some(inside, path))
    labels = np.repeat(np.arange(len(groups), dtype=np.int64), [len(group) for group in groups])
    return [path for group in groups for path in group], labels, tuple(path.name for path in folders)


def _entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """The image files and the subfolders of a folder, each in the order of their names."""
    entries = sorted((path for path in folder.iterdir() if not path.name.startswith(".")), key=lambda path: path.name)
    files = [path for path in entries if path.suffix.lower() in SUFFIXES and path.is_file()]
    return files, [path for path in entries if path.is_dir()]


def _some(files: list[Path], folder: Path) -> list[Path]:
    """The same files, if there are any."""
    if not files:
        raise InputError(f"folder {str(folder)!r} must hold IDX files or images ({', '.join(sorted(SUFFIXES))}); it has none")
    return files


def _read_images(paths: list[Path], size: int | None) -> Bytes:
    """All images as uint8 (N, C, H, W)."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    first = _read_image(paths[0], size)
    check_memory(len(paths), first.shape, f"images like {str(paths[0])!r}")
    images = np.empty((len(paths), *first.shape), np.uint8)
    for index, path in enumerate(tqdm(paths, desc="reading images", unit="image", leave=False, disable=None)):
        image = _read_image(path, size)
        if image.shape[0] != first.shape[0]:
            differ = f"{str(path)!r} has {image.shape[0]}, {str(paths[0])!r} has {first.shape[0]}"
            raise InputError(f"all images must have the same number of channels; {differ}")
        if image.shape != first.shape:
            differ = f"{str(path)!r} is {times(image.shape[1:])}, {str(paths[0])!r} is {times(first.shape[1:])} (height x width)"
            raise InputError(f"all images must have one size unless `size` is given; {differ}")
        images[index] = image
    return images


def _read_image(path: Path, size: int | None) -> Bytes:
    """One image as uint8 (C, H, W)."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as file:
            _check_header(file, path)
            upright = ImageOps.exif_transpose(file)
            pixels = _pixels(upright, path)
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError(f"image {str(path)!r} cannot be read: its content is no known image format") from error
    except Exception as error:  # decoders meet broken bytes with whatever they stumble over: struct.error, SyntaxError, IndexError, ...
        raise InputError(f"image {str(path)!r} cannot be read: {error}") from error
    return pixels if size is None else fit_square(pixels[None], size)[0]


def _check_header(file: ImageFile, path: Path) -> None:
    """Refuses by the header, before a pixel is unpacked."""
    what = f"image {str(path)!r}"
    if file.width * file.height > MAX_PIXELS:
        raise InputError(f"{what} must have at most {MAX_PIXELS} pixels; its header says {file.width} x {file.height}")
    if any(";16" in str(tile) for tile in file.tile):  # Pillow would drop the lower half of every value
        raise InputError(f"{what} must have 8 bits a channel; it has 16: convert it first")
    if file.mode not in _MODES:
        raise InputError(f"{what} must be black and white, grey, RGB or a palette; it has Pillow's mode {file.mode!r}")
    if file.format != "MPO" and getattr(file, "n_frames", 1) > 1:  # a phone's MPO is a JPEG with a preview behind it
        raise InputError(f"{what} must be one picture; it is an animation or a stack of pages")


def _pixels(image: Image, path: Path) -> Bytes:
    """The pixels of a checked image, (C, H, W), with one channel for grey and three for colour."""
    grey = image.mode in ("1", "L", "LA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        opacity = image.getchannel("A").getextrema()[0]
        if opacity != 255:
            raise InputError(f"image {str(path)!r} must be opaque; it has pixels with alpha {opacity}: put it on a background first")
    return np.atleast_3d(np.asarray(image.convert("L" if grey else "RGB"))).transpose(2, 0, 1)
