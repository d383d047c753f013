"""A dataset as models see it: three splits of integer levels, and a record of how they came about."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlab.datasets.source import SPLITS, Bytes, Labels, Part, Source, fit_square, permutation, times
from genlab.domain import Batch, Domain
from genlab.errors import InputError
from genlab.settings import DataSettings


@dataclass(frozen=True, eq=False)
class Split:
    """Images of one split, or points.

    Attributes:
        images: uint8 (N, C, H, W), levels below the dataset's `levels`. With dynamic binarisation, one fixed draw. Points are
            float32 (N, D).
        labels: int64 (N,), or None.
        intensities: uint8 (N, C, H, W), as in the source: below `native_levels`; points again.
        native_levels: The source's number of levels; None for points.
        dynamic: Whether `draw` binarises anew.
    """

    images: Bytes
    labels: Labels | None
    intensities: Bytes
    native_levels: int | None
    dynamic: bool

    def __len__(self) -> int:
        return len(self.images)

    def draw(self, rng: np.random.Generator, indices: NDArray[np.int64]) -> Bytes:
        """The images at `indices`, binarised anew if the dataset is binarised dynamically.

        Args:
            rng: Where the randomness comes from; unused otherwise.
            indices: Integers (n,) below the length of the split.

        Returns:
            Levels, uint8 (n, C, H, W).
        """
        if self.dynamic and self.native_levels:
            return bernoulli(rng, self.intensities[indices], self.native_levels)
        return self.images[indices]

    def batch(self, rng: np.random.Generator, indices: NDArray[np.int64]) -> Batch:
        """The images at `indices` as `draw` gives them, with their labels."""
        return Batch(self.draw(rng, indices), None if self.labels is None else self.labels[indices])


@dataclass(frozen=True, eq=False)
class Dataset:
    """Three splits of images with `levels` integer levels, or of points with real values.

    Attributes:
        name: A short name: of the bundled set, or of the file or folder.
        train: What models are fitted to.
        valid: What decides between models.
        test: What is reported.
        levels: Every value of every split's `images` is below it; None for points.
        image_shape: (C, H, W) of an image, (D,) of a point.
        settings: What was asked for; ``load_dataset`` called with it gives the same dataset.
        record: What came of it, as JSON-able values: source, sizes, rules and a SHA-256 of everything in the splits.
        centres: float32 (modes, D), the means of the mixture that points were drawn from; None where there is no such thing.
        sigma: The standard deviation around each of them.
    """

    name: str
    train: Split
    valid: Split
    test: Split
    levels: int | None
    image_shape: tuple[int, ...]
    settings: DataSettings
    record: dict[str, Any]
    centres: NDArray[np.float32] | None = None
    sigma: float | None = None

    @property
    def domain(self) -> Domain:
        """What a model of these images is a distribution over."""
        return Domain(self.image_shape, self.levels)

    @property
    def middle(self) -> tuple[float, ...]:
        """The mean of the training points, ``(D,)``; of levels for images."""
        return tuple(float(value) for value in self.train.images.reshape(len(self.train), -1).mean(0, dtype=np.float64))

    @property
    def spread(self) -> float:
        """How far training points lie from their middle in one coordinate, root mean square; 1 if all are the same."""
        return float(self.train.images.reshape(len(self.train), -1).var(0, dtype=np.float64).mean() ** 0.5) or 1.0

    def describe(self) -> str:
        """One line, such as ``digits: 1437/180/180 images 1x8x8, 17 levels``."""
        sizes = "/".join(str(len(split)) for split in (self.train, self.valid, self.test))
        notes = "".join(f"; {note}" for note in self.record["notes"])
        if self.levels is None:
            return f"{self.name}: {sizes} points of {self.image_shape[0]} real values{notes}"
        line = f"{self.name}: {sizes} images {times(self.image_shape)}, {self.levels} levels"
        native = self.record["native_levels"]
        if self.settings.binarize:
            return f"{line} ({self.settings.binarize} binarisation of {native}){notes}"
        return f"{line}{notes}" if native == self.levels else f"{line} (quantised from {native}){notes}"


def build(source: Source, settings: DataSettings, name: str) -> Dataset:
    """The dataset `settings` ask for, out of a source.

    Raises:
        InputError: More levels than the source has, levels that contradict the binarisation, or too few images to split.
    """
    parts, how = _split(source, settings.seed)
    if source.is_points:
        return _of_points(source, parts, how, settings, name)
    native = _native_levels(source, settings)
    levels = _levels(native, settings)
    if settings.size is not None and not source.is_sized:
        parts = {split: Part(fit_square(part.images, settings.size), part.labels) for split, part in parts.items()}
    train, valid, test = (_finish(parts[split], native, levels, settings, index) for index, split in enumerate(SPLITS))
    _check_levels_left((train, valid, test), native, settings)
    channels, height, width = train.images.shape[1:]
    record = {
        "name": name,
        "source": source.sentence,
        "images": {split: len(parts[split].images) for split in SPLITS},
        "image_shape": [channels, height, width],
        "splits": how,
        "native_levels": native,
        "levels": levels,
        "binarize": settings.binarize,
        "rule": _rule(native, levels, settings),
        "size": settings.size,
        "seed": settings.seed,
        "classes": None if source.classes is None else list(source.classes),
        "notes": [*source.notes, *_dark((train, valid, test), native, levels)],
        "sha256": _sha256((train, valid, test)),
    }
    return Dataset(name, train, valid, test, levels, (channels, height, width), settings, record)


def _of_points(source: Source, parts: dict[str, Part], how: str, settings: DataSettings, name: str) -> Dataset:
    """The dataset of a source of points, which have neither levels nor a size."""
    for asked in ("levels", "binarize", "size", "source_levels"):
        if getattr(settings, asked) is not None:
            raise InputError(f"{asked} must be None for points, which have real values; got {getattr(settings, asked)!r}")
    train, valid, test = (Split(parts[split].images, parts[split].labels, parts[split].images, None, False) for split in SPLITS)
    shape = train.images.shape[1:]
    record: dict[str, Any] = {
        "name": name,
        "source": source.sentence,
        "points": {split: len(parts[split].images) for split in SPLITS},
        "shape": list(shape),
        "splits": how,
        "native_levels": None,
        "levels": None,
        "seed": settings.seed,
        "classes": None if source.classes is None else list(source.classes),
        "notes": list(source.notes),
        "sha256": _sha256((train, valid, test)),
    }
    if source.centres is not None:
        record |= {"centres": source.centres.tolist(), "sigma": source.sigma}
    return Dataset(name, train, valid, test, None, shape, settings, record, source.centres, source.sigma)


def bernoulli(rng: np.random.Generator, intensities: Bytes, native_levels: int) -> Bytes:
    """Draws 1 with probability x / (L0 - 1), exactly: an integer uniform below L0 - 1 is less than x.

    Args:
        rng: Where the randomness comes from.
        intensities: x, any shape, below `native_levels`.
        native_levels: L0.

    Returns:
        0 or 1, uint8, the shape of `intensities`.
    """
    thresholds = rng.integers(0, native_levels - 1, intensities.shape, dtype=np.uint8)
    return (thresholds < intensities).astype(np.uint8)


def _native_levels(source: Source, settings: DataSettings) -> int:
    """How many levels the source has: by its own word, else by the setting, else 2 if every value is 0 or 1, else 256."""
    asked = settings.source_levels
    if source.levels is not None:
        if asked not in (None, source.levels):
            raise InputError(f"source_levels must be None or {source.levels}, as {source.sentence} has; got {asked}")
        return source.levels
    highest = max(int(part.images.max()) for part in source.parts.values())
    if asked is not None and asked <= highest:
        raise InputError(f"source_levels must be above every value of {source.sentence}, which go up to {highest}; got {asked}")
    return asked or (2 if highest < 2 else 256)


def _check_levels_left(splits: tuple[Split, ...], native: int, settings: DataSettings) -> None:
    """Refuses what quantising or a threshold has left of one level alone, where the source has several.

    Raises:
        InputError: Every pixel of every split has one level now.
    """
    left = {int(level) for split in splits for level in (split.images.min(), split.images.max())}
    highest = max(int(split.intensities.max()) for split in splits)
    lowest = min(int(split.intensities.min()) for split in splits)
    if len(left) > 1 or lowest == highest:
        return
    asked = f"binarize={settings.binarize!r}" if settings.binarize else f"levels={settings.levels}"
    rule = f"{asked} of {native} native levels must leave more than one level of {settings.name!r}"
    raise InputError(f"{rule}; its values go from {lowest} to {highest}: if they have fewer levels, source_levels={highest + 1} says so")


def _dark(splits: tuple[Split, ...], native: int, levels: int) -> list[str]:
    """A note where fewer levels are made of images that use less than half of those that the source is taken to have."""
    highest = max(int(split.intensities.max()) for split in splits)
    if 2 * (highest + 1) > native or levels == native or highest == 0:
        return []
    return [f"no value is above {highest} of {native - 1}: if the source has fewer levels, source_levels says so"]


def _levels(native: int, settings: DataSettings) -> int:
    """The number of levels of the finished images."""
    asked = settings.levels
    if settings.binarize is not None:
        if asked not in (None, 2):
            raise InputError(f"levels must be 2 or None with binarize={settings.binarize!r}; got {asked}")
        return 2
    if asked is not None and asked > native:
        raise InputError(f"levels must be at most {native}, the native levels of {settings.name!r}; got {asked}")
    return asked or native


def _rule(native: int, levels: int, settings: DataSettings) -> str:
    """How an intensity x becomes a level, in words for the record."""
    if settings.binarize == "dynamic":
        return f"Bernoulli(x / {native - 1}), drawn anew in training; valid and test are one draw from the seed"
    if settings.binarize == "threshold":
        return f"x >= {native / 2:g}"
    return "x" if levels == native else f"floor(x * {levels} / {native})"


def _finish(part: Part, native: int, levels: int, settings: DataSettings, index: int) -> Split:
    """Turns intensities into levels; split number `index` has a random stream of its own."""
    dynamic = settings.binarize == "dynamic"
    if dynamic:
        images = bernoulli(np.random.default_rng([settings.seed, index]), part.images, native)
    elif levels == native:
        images = part.images
    else:
        # A threshold at L0 / 2 is this rule with two levels: floor(2x / L0) is 1 exactly if x >= L0 / 2.
        images = (np.arange(native) * levels // native).astype(np.uint8)[part.images]
    return Split(images, part.labels, part.images, native, dynamic)


def _split(source: Source, seed: int) -> tuple[dict[str, Part], str]:
    """Train, valid and test, and a sentence on how they were made.

    What the source does not split itself is cut from its training images in seeded order: a tenth for each of valid and test, or
    as many as the split that the source has, up to a fifth (so MNIST's 60,000 give 10,000 for valid).
    """
    missing = [split for split in SPLITS if split not in source.parts]
    if not missing:
        return source.parts, source.splits or "train, valid and test as the source has them"
    given = [len(part.images) for split, part in source.parts.items() if split != "train"]
    train = source.parts["train"]
    count = len(train.images)
    held_out = min(given[0], count // 5) if given else round(count / 10)
    held_out = max(held_out, 1)
    what = "points" if source.is_points else "images"
    if count <= len(missing) * held_out:
        needed = len(missing) + 1
        raise InputError(f"{source.sentence}: at least {needed} {what} are needed to cut off {' and '.join(missing)}; got {count}")
    order = permutation(count, seed)
    parts = dict(source.parts)
    for split in reversed(missing):
        order, chosen = order[:-held_out], order[-held_out:]
        parts[split] = _take(train, chosen)
    parts["train"] = _take(train, order)
    how = f"{' and '.join(missing)}: {held_out} {what} each, the last of the training {what} in the order of seed {seed}"
    return parts, how if not given else f"{how}; {'test' if 'test' in source.parts else 'valid'} as the source has it"


def _take(part: Part, indices: NDArray[np.int64]) -> Part:
    """The images and labels at `indices`."""
    return Part(part.images[indices], None if part.labels is None else part.labels[indices])


def _sha256(splits: tuple[Split, ...]) -> str:
    """A checksum of all that training and evaluation can see: intensities, levels and labels, with their shapes."""
    digest = hashlib.sha256()
    for split in splits:
        for array in (split.intensities, split.images, split.labels):
            if array is not None:
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                digest.update(array.tobytes())
    return digest.hexdigest()
