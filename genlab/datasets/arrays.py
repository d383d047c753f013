"""Arrays by name, as archives and callers have them: which are the images and labels of which split.

The spellings are those of Keras (``x_train``), MedMNIST (``train_images``) and plain ``train``; case does not count. Images alone
(``images``, ``x``, ``data`` or a lone ``arr_0``) are split by `genlab.datasets.dataset`. An array that looks like one more split,
under a name that nobody knows, is refused by its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genlab.datasets.source import SPLITS, Part, Source, as_images, as_labels, as_points
from genlab.datasets.split_names import SPLIT_NAMES, split_of
from genlab.errors import InputError

IMAGE_WORDS = ("images", "image", "x", "data", "imgs")
LABEL_WORDS = ("labels", "label", "y", "targets", "target")
Arrays = ArrayLike | Mapping[str, ArrayLike]
KNOWN = "images, train, x_train, train_images"


@dataclass(frozen=True)
class Layout:
    """Which key holds what.

    Attributes:
        images: The key of each split's images.
        labels: The key of each split's labels, where there are some.
        others: Keys that say nothing.
    """

    images: dict[str, str]
    labels: dict[str, str]
    others: tuple[str, ...]


def layout_of(keys: Collection[str], what: str) -> Layout:
    """Sorts the keys of an archive.

    Raises:
        InputError: Two keys claim the same place, or none holds training images.
    """
    found: dict[tuple[str, str], str] = {}
    others = []
    for key in keys:
        place = ("images", "train") if len(keys) == 1 and key == "arr_0" else _place(key)
        if place is None:
            others.append(key)
        elif place in found:
            words = " and ".join(sorted((found[place], key)))
            raise InputError(f"{what} must have at most one of the arrays that may be {place[0]} of {place[1]}; it has {words}")
        else:
            found[place] = key
    images, labels = ({split: found[role, split] for split in SPLITS if (role, split) in found} for role in ("images", "labels"))
    if "train" not in images:
        hint = ": save it as numpy.savez(path, images=..., labels=...)" if "arr_0" in keys else ""
        raise InputError(f"{what} must have training images under one of {KNOWN}; it has {', '.join(keys) or 'nothing'}{hint}")
    for split in labels.keys() - images.keys():
        raise InputError(f"{what} must have images for all labels; it has {labels[split]} and no images of {split}")
    return Layout(images, labels, tuple(others))


def source_of(layout: Layout, read: Callable[[str], NDArray[Any]], what: str, sentence: str, levels: int | None = None) -> Source:
    """The images and labels that a layout names, once `read` has fetched them."""
    parts = {
        split: Part(
            as_images(read(key), f"{key!r} of {what}"),
            as_labels(read(layout.labels[split]), f"{layout.labels[split]!r} of {what}") if split in layout.labels else None,
        )
        for split, key in layout.images.items()
    }
    notes = (f"left out: {', '.join(layout.others)}",) if layout.others else ()
    return Source(parts, levels, sentence, notes=notes)


def refuse_further_split(key: str, shape: tuple[int, ...], train: tuple[int, ...], what: str) -> None:
    """Refuses an array that nobody asked for if it looks like images as those of train.

    Raises:
        InputError: It does.
    """
    if len(shape) == len(train) >= 3 and shape[1:] == train[1:]:
        known = ", ".join(name for names in SPLIT_NAMES.values() for name in names[:3])
        raise InputError(f"{what} must call its splits by names such as {known}; it has images under {key!r} too")


def own_arrays(
    images: ArrayLike | Mapping[str, ArrayLike] | None, labels: Any, points: ArrayLike | Mapping[str, ArrayLike] | None
) -> Source:
    """What a caller has in memory: images or points, perhaps by split, perhaps with labels.

    Raises:
        InputError: Both or neither are given, a split has no name, or an array breaks the rules of `as_images` or `as_points`.
    """
    if (images is None) == (points is None):
        raise InputError("images or points must be given, and not both; got " + ("neither" if images is None else "both"))
    name, values, check = ("images", images, as_images) if points is None else ("points", points, as_points)
    by_split = _by_split(values, name)
    labels_by_split = {} if labels is None else _by_split(labels, "labels")
    if labels_by_split and labels_by_split.keys() != by_split.keys():
        theirs = ", ".join(labels_by_split)
        raise InputError(f"labels must have the splits of {name}, {', '.join(by_split)}; got {theirs}")
    parts = {}
    for split, array in by_split.items():
        of = f"{name} of {split}" if isinstance(values, Mapping) else name
        own = as_labels(_as_array(labels_by_split[split], "labels"), "labels") if labels_by_split else None
        parts[split] = Part(check(_as_array(array, of), of), own)
    return Source(parts, None, f"own {name}, given as arrays")


def _by_split(values: Any, name: str) -> dict[str, Any]:
    """One array for each split; a single one is training data."""
    if not isinstance(values, Mapping):
        return {"train": values}
    found: dict[str, Any] = {}
    for key, array in values.items():
        split = split_of(key) if isinstance(key, str) else None
        if split is None or split in found:
            raise InputError(f"{name} must have splits called train, valid and test, each once; got {', '.join(map(str, values))}")
        found[split] = array
    if "train" not in found:
        raise InputError(f"{name} must have a split called train; got {', '.join(found) or 'none'}")
    return found


def _as_array(values: Any, name: str) -> NDArray[Any]:
    """Whatever NumPy takes for an array: lists and CPU tensors too."""
    try:
        return np.asarray(values)
    except Exception as error:  # ragged lists, tensors that want gradients or lie on another device
        raise InputError(f"{name} must be an array; {error}") from error


def _place(key: str) -> tuple[str, str] | None:
    """What a key holds: ``("images" or "labels", split)``, or None if it does not say."""
    words = re.sub(r"[-. ]", "_", key.lower()).strip("_").split("_")
    if len(words) == 1:
        word = words[0]
        for role, known in (("images", IMAGE_WORDS), ("labels", LABEL_WORDS)):
            if word in known:
                return role, "train"
        if split_of(word):
            return "images", str(split_of(word))
        words = [word[:1], word[1:]] if split_of(word[1:]) else [word[:-1], word[-1:]]  # xtrain, trainx
    if len(words) != 2:
        return None
    for word, other in (words, words[::-1]):
        split = split_of(word)
        if split and other in IMAGE_WORDS:
            return "images", split
        if split and other in LABEL_WORDS:
            return "labels", split
    return None
