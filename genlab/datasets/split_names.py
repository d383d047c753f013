"""What people call the three splits, in files, folders and keys of archives."""

from __future__ import annotations

SPLIT_NAMES = {
    "train": ("train", "training", "trainset"),
    "valid": ("valid", "val", "validation", "dev", "development", "validset", "valset"),
    "test": ("test", "testing", "testset", "t10k"),
}
_SPLITS = {name: split for split, names in SPLIT_NAMES.items() for name in names}


def split_of(word: str) -> str | None:
    """``"train"``, ``"valid"`` or ``"test"`` if `word` is one of their names in any case, else None."""
    return _SPLITS.get(word.lower())
