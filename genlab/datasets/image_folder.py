"""A folder of image files, whose direct subfolders, if there are any, are the classes.

Files are taken by their suffix (`SUFFIXES`) in the order of their names, and must hold one of the formats that these suffixes stand for;
hidden entries are left out, and so, without a word, are the notes that go with images (`COMPANIONS`). Whatever else is left out
is counted and named. A folder may also hold ``train`` and perhaps ``valid`` and ``test``, or as people call them otherwise
(`genlab.datasets.split_names`), each such a folder itself, and then nothing else.

The rule for pixels is that nothing is lost in silence:

* black and white and grey give one channel, RGB and palettes three; a folder has either the one or the other;
* an alpha channel goes if every pixel is opaque; with any transparent pixel the image is refused;
* 16-bit, floating-point, CMYK and other modes and animations are refused;
* a camera's note on which way is up (EXIF) is followed, as every viewer does;
* all images have one size, or `size` says to what square they are cropped and scaled.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genlab.datasets.files import kind_of, open_file, printable, reason, size_of
from genlab.datasets.source import Bytes, Labels, Part, Source, check_memory, fit_square, times
from genlab.datasets.split_names import SPLIT_NAMES, split_of
from genlab.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

SUFFIXES = frozenset((".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"))
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # Pillow's names of what those suffixes stand for, and no other decoder
COMPANIONS = frozenset(
    (".csv", ".db", ".htm", ".html", ".ini", ".json", ".md", ".py", ".rst", ".toml", ".tsv", ".txt", ".xml", ".yaml", ".yml")
)
MAX_PIXELS = 89_478_485  # a quarter of a gigabyte as RGB: where Pillow begins to warn of decompression bombs
FEW_PIXELS = 2**24  # that any file may promise
PIXELS_A_BYTE = 1000  # and a larger picture, at most: blank paper, deflated, has that many
_MODES = frozenset(("1", "L", "LA", "P", "PA", "RGB", "RGBA"))
_NAMED_AT_MOST = 3


@dataclass(frozen=True)
class _Listing:
    """The image files of a folder in order, their labels, the names of the classes, and what was left out and why."""

    files: list[Path]
    labels: Labels | None
    classes: tuple[str, ...] | None
    left_out: list[str]


def read_image_folder(folder: Path, size: int | None = None) -> Source:
    """All images of a folder.

    Args:
        folder: Images, or class subfolders of images, or ``train`` (``valid``, ``test``) subfolders of either.
        size: Crop to the central square and scale to `size` x `size`; None demands that all have one size.

    Raises:
        InputError: There are no images, an image is broken or breaks the rules above, sizes or channels differ, or a folder beside
            those of the splits is none.
        OSError: A folder cannot be read.
    """
    splits = _split_folders(folder) or {"train": folder}
    listings = {split: _list_images(path) for split, path in splits.items()}
    classes = listings["train"].classes
    for split, listing in listings.items():
        if listing.classes != classes:
            raise InputError(f"image folder {shown(folder)} must have the same classes in every split; train and {split} differ")
    paths = [path for listing in listings.values() for path in listing.files]
    images = _read_images(paths, size)
    parts, start = {}, 0
    for split, listing in listings.items():
        parts[split] = Part(images[start : start + len(listing.files)], listing.labels)
        start += len(listing.files)
    left_out = [name for listing in listings.values() for name in listing.left_out]
    sentence = f"{len(paths)} image files of folder {printable(folder.resolve().name)!r}"
    return Source(parts, None, sentence, classes=classes, notes=_note(left_out))


def shown(path: Path) -> str:
    """A path as an error quotes it."""
    return repr(printable(str(path)))


def _split_folders(folder: Path) -> dict[str, Path]:
    """The folders of the splits; none if the folder's subfolders are no splits.

    Raises:
        InputError: Only some of the subfolders are splits, two are of the same, or train is missing: then nobody can know what is meant.
    """
    entries = _entries(folder)
    named = {path: split for path in entries.folders if (split := split_of(path.name))}
    if not named:
        return {}
    rule = f"image folder {shown(folder)} must hold the folders train, and perhaps valid and test, and nothing else, or classes"
    for path in [*entries.folders, *entries.files]:
        if path not in named:
            known = ", ".join(name for names in SPLIT_NAMES.values() for name in names)
            split = next(iter(named)).name
            raise InputError(f"{rule}; it has {printable(path.name)!r} beside {printable(split)!r} (splits are called {known})")
    splits: dict[str, Path] = {}
    for path, split in named.items():
        if split in splits:
            raise InputError(f"{rule}; it has {splits[split].name!r} and {path.name!r} for {split}")
        splits[split] = path
    if "train" not in splits:
        raise InputError(f"{rule}; it has only {', '.join(path.name for path in named)}")
    return {split: splits[split] for split in SPLIT_NAMES if split in splits}


def _list_images(folder: Path) -> _Listing:
    """The image files of a folder or of its class subfolders."""
    entries = _entries(folder)
    if entries.files and entries.folders:
        rule = "must hold either images or class subfolders"
        have = f"{printable(entries.files[0].name)!r} and {printable(entries.folders[0].name)!r}"
        raise InputError(f"image folder {shown(folder)} {rule}; it has {have}")
    if not entries.folders:
        return _Listing(_some(entries, folder), None, None, entries.left_out)
    groups, left_out = [], entries.left_out
    for path in entries.folders:
        inside = _entries(path)
        if inside.folders:
            deeper = printable(inside.folders[0].name)
            raise InputError(f"class folder {shown(path)} must hold images only; it has the folder {deeper!r}")
        groups.append(_some(inside, path))
        left_out = left_out + inside.left_out
    labels = np.repeat(np.arange(len(groups), dtype=np.int64), [len(group) for group in groups])
    classes = tuple(printable(path.name) for path in entries.folders)
    return _Listing([path for group in groups for path in group], labels, classes, left_out)


@dataclass(frozen=True)
class _Entries:
    """What a folder holds, each in the order of names: image files, subfolders, and what is neither, in words."""

    files: list[Path]
    folders: list[Path]
    left_out: list[str]


def _entries(folder: Path) -> _Entries:
    """What a folder holds; hidden entries, and what macOS packs beside them, are as if they were not there."""
    files, folders, left_out = [], [], []
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        suffix = path.suffix.lower()
        if path.name.startswith(".") or path.name == "__MACOSX":
            continue
        if path.is_dir():
            folders.append(path)
        elif path.is_file() and suffix in SUFFIXES:
            files.append(path)
        elif suffix not in COMPANIONS:
            left_out.append(f"{printable(path.name)} ({_why_left_out(path)})")
    return _Entries(files, folders, left_out)


def _why_left_out(path: Path) -> str:
    """Why an entry is not read."""
    if path.is_file():
        return "a kind that is not read"
    try:
        return kind_of(path.stat().st_mode)
    except OSError:
        return "a link to nothing" if path.is_symlink() else "out of reach"


def _note(left_out: list[str]) -> tuple[str, ...]:
    """One note on all that was left out."""
    if not left_out:
        return ()
    more = len(left_out) - _NAMED_AT_MOST
    rest = f" and {more} more" if more > 0 else ""
    return (f"{len(left_out)} left out: {', '.join(left_out[:_NAMED_AT_MOST])}{rest}",)


def _some(entries: _Entries, folder: Path) -> list[Path]:
    """The image files, if there are any."""
    if not entries.files:
        has = "; ".join(["it has none", *_note(entries.left_out)])
        raise InputError(f"folder {shown(folder)} must hold IDX files or images ({', '.join(sorted(SUFFIXES))}); {has}")
    return entries.files


def _read_images(paths: list[Path], size: int | None) -> Bytes:
    """All images as uint8 (N, C, H, W)."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    first = _read_image(paths[0], size)
    check_memory(len(paths), first.shape, f"images like {shown(paths[0])}")
    images = np.empty((len(paths), *first.shape), np.uint8)
    for index, path in enumerate(tqdm(paths, desc="reading images", unit="image", leave=False, disable=None)):
        image = _read_image(path, size)
        if image.shape[0] != first.shape[0]:
            differ = f"{shown(path)} has {image.shape[0]}, {shown(paths[0])} has {first.shape[0]}"
            raise InputError(f"all images must have the same number of channels; {differ}")
        if image.shape != first.shape:
            differ = f"{shown(path)} is {times(image.shape[1:])}, {shown(paths[0])} is {times(first.shape[1:])} (height x width)"
            raise InputError(f"all images must have one size unless `size` is given; {differ}")
        images[index] = image
    return images


def _read_image(path: Path, size: int | None) -> Bytes:
    """One image as uint8 (C, H, W)."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings(), open_file(path) as stream:
            warnings.simplefilter("ignore")  # of what Pillow puts up with; bombs are refused by their header below
            with Image.open(stream, formats=FORMATS) as file:
                _check_header(file, path, size_of(stream))
                upright = ImageOps.exif_transpose(file)
                pixels = _pixels(upright, path)
    except InputError:
        raise
    except UnidentifiedImageError as error:
        raise InputError(f"image {shown(path)} cannot be read: its content is no known image format ({', '.join(FORMATS)})") from error
    except Exception as error:  # decoders meet broken bytes with whatever they stumble over: struct.error, SyntaxError, IndexError, ...
        raise InputError(f"image {shown(path)} cannot be read: {printable(reason(error))}") from error
    return pixels if size is None else fit_square(pixels[None], size)[0]


def _check_header(file: ImageFile, path: Path, size: int) -> None:
    """Refuses by the header, before a pixel is unpacked."""
    what = f"image {shown(path)}"
    if FEW_PIXELS < file.width * file.height <= MAX_PIXELS and file.width * file.height > PIXELS_A_BYTE * size:
        rule = f"must have at most {FEW_PIXELS} pixels or {PIXELS_A_BYTE} a byte"
        raise InputError(f"{what} {rule}; the header of its {size} bytes says {file.width} x {file.height}")
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
            raise InputError(f"image {shown(path)} must be opaque; it has pixels with alpha {opacity}: put it on a background first")
    return np.atleast_3d(np.asarray(image.convert("L" if grey else "RGB"))).transpose(2, 0, 1)
