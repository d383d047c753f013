"""A newcomer's own data: arrays, split names as people use them, torchvision's and EMNIST's files, and what is never left unsaid."""

from __future__ import annotations

import gzip
import os
import socket
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import genlab
from genlab.errors import InputError
from tests.files import everything, idx, npz, picture, png, some_images, splits, write_mnist

GREY = some_images(20, 5, 4)


# --- arrays in memory ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("images", "described"),
    [
        (GREY, "16/2/2 images 1x5x4, 256 levels"),
        (GREY.tolist(), "16/2/2 images 1x5x4, 256 levels"),
        (GREY > 99, "16/2/2 images 1x5x4, 2 levels"),
        (GREY.astype(np.float32), "16/2/2 images 1x5x4, 256 levels"),
        (GREY.astype(">i8"), "16/2/2 images 1x5x4, 256 levels"),
        (some_images(20, 3, 5, 4), "16/2/2 images 3x5x4, 256 levels"),
        (some_images(20, 5, 4, 3), "16/2/2 images 3x5x4, 256 levels"),
        ({"train": GREY, "Val": GREY[:3], "testing": GREY[:2]}, "20/3/2 images 1x5x4, 256 levels"),
    ],
)
def test_own_images(images: Any, described: str) -> None:
    data = genlab.load_dataset(images=images)
    assert data.describe() == f"own arrays: {described}"
    assert data.settings.name == data.name == "own arrays"


def test_own_labels_stay_with_their_images() -> None:
    images = np.arange(20, dtype=np.uint8)[:, None, None] * np.ones((2, 2), np.uint8)
    data = genlab.load_dataset(images=images, labels=range(20), seed=3)
    for split in splits(data):
        assert split.labels is not None
        np.testing.assert_array_equal(split.images[:, 0, 0, 0], split.labels)
    both = genlab.load_dataset(images={"train": images, "test": images + 100}, labels={"train": range(20), "test": range(100, 120)})
    np.testing.assert_array_equal(both.test.images[:, 0, 0, 0], both.test.labels)


def test_own_tensors_and_a_model_made_for_them() -> None:
    torch = pytest.importorskip("torch")
    data = genlab.load_dataset(images=torch.as_tensor(GREY), labels=torch.zeros(20, dtype=torch.int64))
    assert everything(data) == everything(genlab.load_dataset(images=GREY))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "name_or_path must be a name or a path; got None"),
        ({"labels": [1, 2]}, "images or points must be given, and not both; got neither"),
        ({"images": GREY, "points": [[1.0, 2.0]]}, "images or points must be given, and not both; got both"),
        ({"name_or_path": "digits", "images": GREY}, "name_or_path must be None with images, labels or points; got 'digits'"),
        ({"images": GREY / 255}, r"images must hold integers from 0 to 255; got 0\.\d+: scale and round it first \(such as np.rint"),
        ({"images": GREY.reshape(5, 4, 4, 5, 1)}, r"images must have shape \(N, H, W\).*got \(5, 4, 4, 5, 1\)"),
        ({"images": np.zeros((9, 784), np.uint8)}, r"got \(9, 784\): reshape it to \(N, 28, 28\) first"),
        ({"images": [[1, 2], [3]]}, "images must be an array; "),
        ({"images": "digits"}, r"images must have shape .*got \(\)"),
        (
            {"images": {"train": GREY, "holdout": GREY}},
            "images must have splits called train, valid and test, each once; got train, holdout",
        ),
        ({"images": {"val": GREY, "valid": GREY, "train": GREY}}, "each once; got val, valid, train"),
        ({"images": {"test": GREY}}, "images must have a split called train; got test"),
        ({"images": {}}, "images must have a split called train; got none"),
        ({"images": {"train": GREY, "val": GREY}, "labels": {"train": range(20)}}, "the splits of images, train, valid; got train"),
        (
            {"images": GREY, "labels": range(19)},
            "own images, given as arrays: train must have one label for each image; got 19 labels for 20",
        ),
        ({"points": [[1.0, np.nan]] * 9}, "points must hold finite numbers of float32's range; got nan"),
        ({"points": [[1.0, 1e300]] * 9}, r"points must hold finite numbers of float32's range; got 1e\+300"),
        ({"points": [1.0, 2.0]}, r"points must have shape \(N, D\), none of them 0; got \(2,\)"),
        ({"points": [["a", "b"]] * 9}, "points must hold real numbers; got dtype <U1"),
        ({"points": [[1.0, 2.0]] * 9, "levels": 4}, "levels must be None for points, which have real values; got 4"),
        ({"points": [[1.0, 2.0]] * 9, "binarize": "dynamic"}, "binarize must be None for points"),
        ({"name_or_path": "own arrays"}, "stands for arrays that were given in Python: give them again, as images= or points="),
        ({"name_or_path": "digit"}, "got 'digit': did you mean 'digits'"),
    ],
)
def test_own_data_that_is_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        genlab.load_dataset(**arguments)


LABELS = [np.inf, -np.inf, np.nan, 2**64 - 1, 2**31, -1, 0.5, -1.0, 1e300]


@pytest.mark.parametrize("label", LABELS)
def test_labels_that_are_no_numbers_of_classes(tmp_path: Path, label: float) -> None:
    labels = np.array([0] * 19 + [label], np.uint64 if label == 2**64 - 1 else None)
    for load in (
        lambda: genlab.load_dataset(images=GREY, labels=labels),
        lambda: genlab.load_dataset(npz(tmp_path, images=GREY, labels=labels)),
    ):
        with pytest.raises(InputError, match=r"labels.* must hold integers( from 0 to 2147483647)?; got (dtype float64 with )?-?[\dein.]"):
            load()


def test_points_are_data_too() -> None:
    ring = np.random.default_rng(0).normal(size=(50, 2))
    data = genlab.load_dataset(points=ring, labels=np.arange(50) % 2)
    assert data.describe() == "own arrays: 40/5/5 points of 2 real values"
    assert (data.domain.shape, data.domain.levels, data.levels) == ((2,), None, None)
    batch = data.train.batch(np.random.default_rng(0), np.array([3, 1]))
    assert batch.values.dtype == np.float32
    np.testing.assert_array_equal(batch.values, data.train.images[[3, 1]])
    assert data.train.labels is not None
    np.testing.assert_array_equal(batch.labels, data.train.labels[[3, 1]])
    assert sorted(map(tuple, np.concatenate([split.images for split in splits(data)]))) == sorted(map(tuple, ring.astype(np.float32)))
    assert data.record["points"] == {"train": 40, "valid": 5, "test": 5}
    assert genlab.load_dataset(points=ring + 1, labels=np.arange(50) % 2).record["sha256"] != data.record["sha256"]


# --- single arrays and archives --------------------------------------------------------------------------------------------------


def test_one_array_alone(tmp_path: Path) -> None:
    np.save(tmp_path / "faces.npy", GREY)
    np.savez(tmp_path / "lone.npz", GREY)
    for name in ("faces.npy", "lone.npz"):
        data = genlab.load_dataset(tmp_path / name)
        assert data.describe() == f"{Path(name).stem}: 16/2/2 images 1x5x4, 256 levels"
        assert everything(data) == everything(genlab.load_dataset(images=GREY))
    np.savez(tmp_path / "two.npz", GREY, GREY)
    with pytest.raises(InputError, match=r"it has arr_0, arr_1: save it as numpy.savez\(path, images=..., labels=...\)"):
        genlab.load_dataset(tmp_path / "two.npz")


@pytest.mark.parametrize(
    "array", [np.asfortranarray(GREY), GREY.astype(">u2"), GREY.astype("<i4"), GREY.astype(">f8"), GREY.astype(np.float16)]
)
def test_any_order_of_bytes_and_axes(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "faces.npy", array)
    for path in (npz(tmp_path, images=array), tmp_path / "faces.npy"):
        assert everything(genlab.load_dataset(path)) == sorted(map(bytes, array.astype(np.uint8)))


@pytest.mark.parametrize(
    "names",
    [
        ("train", "val", "test"),
        ("TRAIN", "Dev", "Test"),
        ("training", "validation", "testing"),
        ("X_train", "X_val", "X_test"),
        ("train_images", "val_images", "test_images"),
        ("images_train", "images_valid", "images_test"),
        ("xtrain", "xval", "xtest"),
    ],
)
def test_splits_as_people_call_them_in_archives(tmp_path: Path, names: tuple[str, ...]) -> None:
    arrays = {name: some_images(count, 5, 4) for name, count in zip(names, (9, 2, 1), strict=True)}
    assert genlab.load_dataset(npz(tmp_path, **arrays)).describe() == "faces: 9/2/1 images 1x5x4, 256 levels"


@pytest.mark.parametrize("labels", ["y_val", "val_labels", "labels_val", "val_targets", "validation_y", "yval"])
def test_labels_as_people_call_them(tmp_path: Path, labels: str) -> None:
    data = genlab.load_dataset(npz(tmp_path, **{"x_train": GREY, "y_train": np.arange(20), "x_val": GREY[:3], labels: [5, 6, 7]}))
    assert data.valid.labels is not None
    assert data.valid.labels.tolist() == [5, 6, 7]


def test_a_further_split_is_refused_by_its_name_and_anything_else_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must call its splits by names such as train, .*; it has images under 'holdout' too"):
        genlab.load_dataset(npz(tmp_path, train=GREY, test=GREY, holdout=GREY[:2]))
    with pytest.raises(InputError, match="it has train and training"):
        genlab.load_dataset(npz(tmp_path, train=GREY, training=GREY))
    with pytest.raises(InputError, match="must have images for all labels; it has y_test and no images of test"):
        genlab.load_dataset(npz(tmp_path, train=GREY, y_train=np.arange(20), y_test=np.arange(20)))
    data = genlab.load_dataset(npz(tmp_path, train=GREY, names=np.array(["a"]), mean=np.zeros((5, 4))))
    assert data.record["notes"] == ["left out: names, mean"]
    assert data.describe() == "faces: 16/2/2 images 1x5x4, 256 levels; left out: names, mean"


def test_few_of_the_levels_are_noted(tmp_path: Path) -> None:
    data = genlab.load_dataset(images=GREY % 16, levels=32)
    assert data.describe().endswith(
        "(quantised from 256); no value is above 15 of 255: if the source has fewer levels, source_levels says so"
    )
    assert genlab.load_dataset(images=GREY % 16, levels=16, source_levels=16).record["notes"] == []


# --- archives that promise too much ------------------------------------------------------------------------------------------------


def rewritten(path: Path, change: Any) -> Path:
    """An archive whose directory says something else of its first member."""
    content = bytearray(path.read_bytes())
    change(content, content.rindex(b"PK\x01\x02"))
    path.write_bytes(bytes(content))
    return path


def method(number: int) -> Any:
    return lambda content, at: content.__setitem__(slice(at + 10, at + 12), struct.pack("<H", number))


def encrypted(content: bytearray, at: int) -> None:
    content[at + 8] |= 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (encrypted, "'images' of npz file .* cannot be read: it is encrypted"),
        (method(12), "'images' of npz file .* must be stored or deflated, as NumPy does; its compression has number 12"),
        (method(99), "its compression has number 99"),
        (method(8), "'images' of npz file .* cannot be read: "),
    ],
)
def test_archives_of_other_kinds(tmp_path: Path, change: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        genlab.load_dataset(rewritten(npz(tmp_path, images=GREY), change))


def npy_bytes(header: str, values: bytes = b"") -> bytes:
    padded = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded + values


HEADERS = {
    "ten terabytes": "{'descr': '|u1', 'fortran_order': False, 'shape': (10000000000, 10, 100), }",
    "more than there is": "{'descr': '|u1', 'fortran_order': False, 'shape': (20, 5, 5), }",
    "less than there is": "{'descr': '|u1', 'fortran_order': False, 'shape': (20, 5, 3), }",
    "negative": "{'descr': '|u1', 'fortran_order': False, 'shape': (-20, -5, 4), }",
    "booleans": "{'descr': '|u1', 'fortran_order': False, 'shape': (True, 20, 20), }",
    "torn": "{'descr': '|u1', 'fortran_order",
    "deep": "(" * 9000,
    "code": "__import__('os').abort()",
    "objects": "{'descr': '|O', 'fortran_order': False, 'shape': (20, 5, 4), }",
    "structure": "{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (20, 5, 4), }",
    "wide": "{'descr': '|V1000000000', 'fortran_order': False, 'shape': (2000000000,), }",
    "no type": "{'descr': 'nonsense', 'fortran_order': False, 'shape': (20, 5, 4), }",
}


@pytest.mark.parametrize("kind", HEADERS)
def test_headers_of_arrays_that_say_anything(tmp_path: Path, kind: str) -> None:
    content = npy_bytes(HEADERS[kind], bytes(400))
    alone, packed = tmp_path / "a.npy", tmp_path / "a.npz"
    alone.write_bytes(content)
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("images.npy", content)
    for path in (alone, packed):
        with pytest.raises(InputError, match=r"np[yz] file '.*a\.np[yz]'") as caught:
            genlab.load_dataset(path)
        assert len(str(caught.value)) < 400


def test_a_zip_that_promises_ten_terabytes(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("images.npy", "w", force_zip64=True) as member:
            member.write(npy_bytes(HEADERS["ten terabytes"], bytes(9)))
        archive.infolist()[0].file_size = 10**13  # what the directory at the end says
    with pytest.raises(InputError, match=r"'images' of npz file .* must fit in the memory; it unpacks to 9313\.2 GiB, more than 4"):
        genlab.load_dataset(path)


def test_an_array_twice(tmp_path: Path) -> None:
    path = npz(tmp_path, images=GREY)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("images.npy", npy_bytes("{}"))
    with pytest.raises(InputError, match="must hold every array once; it holds 'images' twice"):
        genlab.load_dataset(path)


def test_what_unpacks_to_more_than_its_size_warrants(tmp_path: Path) -> None:
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (300000, 1000), }"
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", npy_bytes(header, bytes(3)))
    rewritten(tmp_path / "a.npz", lambda content, at: content.__setitem__(slice(at + 24, at + 28), struct.pack("<I", 3 * 10**8)))
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(struct.pack(">4B3I", 0, 0, 8, 3, 300_000, 10, 100) + bytes(9)))
    for path in (tmp_path / "a.npz", tmp_path / "train-images-idx3-ubyte.gz"):
        with pytest.raises(InputError, match=r"must unpack to at most 256 MiB or 100 times its size; its \d+ bytes promise 0\.3 GiB"):
            genlab.load_dataset(path)


# --- IDX files -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["MNIST/raw", "raw", "FashionMNIST/raw"])
def test_torchvisions_folders(tmp_path: Path, place: str) -> None:
    write_mnist(tmp_path / place)
    write_mnist(tmp_path / place, ending="")  # torchvision leaves what it unpacked beside the packed
    data = genlab.load_dataset(tmp_path)
    assert data.describe() == f"{tmp_path.name}: 25/5/5 images 1x28x28, 256 levels"
    assert place in data.record["source"]
    assert genlab.load_dataset(tmp_path / place).record["sha256"] == data.record["sha256"]


def test_several_of_torchvisions_folders(tmp_path: Path) -> None:
    for name in ("MNIST", "FashionMNIST"):
        write_mnist(tmp_path / name / "raw")
    with pytest.raises(InputError, match=r"holds several: choose one of '.*FashionMNIST/raw', '.*MNIST/raw'"):
        genlab.load_dataset(tmp_path)


def test_mnist_from_torchvisions_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mnist(tmp_path / "MNIST" / "raw")
    monkeypatch.setenv("GENLAB_DATA_DIR", str(tmp_path))
    assert genlab.load_dataset("mnist").describe() == "mnist: 25/5/5 images 1x28x28, 256 levels"


def write_emnist(folder: Path, name: str, train: int) -> None:
    for split, count in (("train", train), ("test", 5)):
        (folder / f"emnist-{name}-{split}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(some_images(count, 28, 28))))
        (folder / f"emnist-{name}-{split}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.arange(count) % 26 + 1)))


def test_emnists_files(tmp_path: Path) -> None:
    write_emnist(tmp_path, "letters", 30)
    data = genlab.load_dataset(tmp_path)
    assert data.describe().startswith(
        f"{tmp_path.name}: 25/5/5 images 1x28x28, 256 levels; EMNIST's own files hold every image with its rows"
    )
    write_emnist(tmp_path, "digits", 20)
    with pytest.raises(InputError, match=r"it holds emnist-digits, emnist-letters: choose one by a path such as '.*/emnist-letters'"):
        genlab.load_dataset(tmp_path)
    letters = genlab.load_dataset(tmp_path / "emnist-letters")
    assert letters.record["sha256"] == data.record["sha256"]
    assert letters.name == "emnist-letters"
    assert genlab.load_dataset(letters.settings.name).record == letters.record


def test_a_single_idx_file(tmp_path: Path) -> None:
    train, _ = write_mnist(tmp_path)
    data = genlab.load_dataset(tmp_path / "train-images-idx3-ubyte.gz")
    assert everything(data) == sorted(map(bytes, train))
    assert data.train.labels is not None
    (tmp_path / "shapes.idx").write_bytes(idx(train))
    assert genlab.load_dataset(tmp_path / "shapes.idx").train.labels is None
    with pytest.raises(InputError, match="must hold images; by its name it holds labels"):
        genlab.load_dataset(tmp_path / "train-labels-idx1-ubyte.gz")


def test_an_idx_split_that_nobody_knows(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    for name, words in (("extra", "must call its splits train, valid and test"), ("test", "one file for each part of a split")):
        path = tmp_path / f"{name}-images-idx3-ubyte"
        path.write_bytes(idx(some_images(3, 28, 28)))
        with pytest.raises(InputError, match=rf"{words}.*'{path.name}'"):
            genlab.load_dataset(tmp_path)
        path.unlink()
    for role, array in (("images-idx3", some_images(3, 28, 28)), ("labels-idx1", np.arange(3))):
        (tmp_path / f"valid-{role}-ubyte").write_bytes(idx(array))
    assert genlab.load_dataset(tmp_path).describe() == f"{tmp_path.name}: 30/3/5 images 1x28x28, 256 levels"


# --- folders of pictures -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names", [("train", "val", "test"), ("training", "validation", "testing"), ("Train", "Valid", "TEST"), ("train", "dev")]
)
@pytest.mark.parametrize("classes", [("",), ("ant", "bee")])
def test_splits_as_people_call_them_in_folders(tmp_path: Path, names: tuple[str, ...], classes: tuple[str, ...]) -> None:
    for name, count in zip(names, (9, 2, 1), strict=False):
        for label in classes:
            for number in range(count):
                picture(tmp_path / name / label / f"{number}.png", number)
    sizes = [count * len(classes) for count in ((9, 2, 1) if len(names) == 3 else (9, 2))]
    data = genlab.load_dataset(tmp_path)
    assert [len(data.train) + (len(data.test) if len(names) == 2 else 0), len(data.valid)] == sizes[:2]
    assert data.record["classes"] == (list(classes) if len(classes) > 1 else None)


@pytest.mark.parametrize(
    ("folders", "sentence"),
    [
        (
            ("train", "test", "holdout"),
            r"must hold the folders train, .*; it has 'holdout' beside 'test' \(splits are called train, training",
        ),
        (("bus", "car", "train"), "it has 'bus' beside 'train'"),
        (("cat", "dog", "test"), "it has 'cat' beside 'test'"),
        (("train", "val", "valid"), "it has 'val' and 'valid' for valid"),
        (("train", "Training"), "it has 'Training' and 'train' for train"),
        (("test", "val"), "it has only test, val"),
    ],
)
def test_folders_beside_splits(tmp_path: Path, folders: tuple[str, ...], sentence: str) -> None:
    for name in folders:
        picture(tmp_path / name / "0.png")
    with pytest.raises(InputError, match=sentence):
        genlab.load_dataset(tmp_path)


def test_a_picture_beside_splits(tmp_path: Path) -> None:
    picture(tmp_path / "train" / "0.png")
    picture(tmp_path / "cover.png")
    with pytest.raises(InputError, match=r"it has 'cover\.png' beside 'train'"):
        genlab.load_dataset(tmp_path)


def test_what_is_left_out_is_counted_and_named(tmp_path: Path) -> None:
    for number in range(9):
        picture(tmp_path / f"{number}.png", number)
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    (tmp_path / "phone.heic").write_bytes(b"ftypheic")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "readme.md").write_text("a companion")
    data = genlab.load_dataset(tmp_path)
    note = "4 left out: gone.png (a link to nothing), loop.png (a link to nothing), phone.heic (a kind that is not read) and 1 more"
    assert data.record["notes"] == [note]
    assert data.describe() == f"{tmp_path.name}: 7/1/1 images 1x4x6, 256 levels; {note}"
    for number in range(9):
        (tmp_path / f"{number}.png").unlink()
    with pytest.raises(InputError, match=r"must hold IDX files or images .*; it has none; 4 left out: gone\.png"):
        genlab.load_dataset(tmp_path)


def test_left_out_in_a_class(tmp_path: Path) -> None:
    for name in ("ant", "bee"):
        for number in range(5):
            picture(tmp_path / name / f"{number}.png", number)
    (tmp_path / "bee" / "raw.dng").write_bytes(b"")
    assert genlab.load_dataset(tmp_path).record["notes"] == ["1 left out: raw.dng (a kind that is not read)"]


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 6 4\n%%EndComments\nshowpage\n%%EOF\n"


@pytest.mark.parametrize(
    "content", [EPS, b"P6 6 4 255 junk", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"BM"], ids=["EPS", "PPM", "SVG", "BMP"]
)
def test_formats_are_told_by_content_and_only_those_named_are_read(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subprocess.check_call", lambda *_, **__: pytest.fail("Ghostscript was started"))
    for number in range(3):
        picture(tmp_path / f"{number}.png", number)
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match=r"^image '.*a\.png' cannot be read: "):
        genlab.load_dataset(tmp_path)


def test_a_few_bytes_that_promise_many_pixels(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(6000, 4000, rows=bytes(100)))
    with pytest.raises(InputError, match=r"at most 16777216 pixels or 1000 a byte; the header of its \d+ bytes says 6000 x 4000"):
        genlab.load_dataset(tmp_path, size=8)


def test_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/fotos-\xff"))
    for label in (b"a\xe9", b"b"):
        inside = Path(os.fsdecode(os.fsencode(folder) + b"/" + label))
        inside.mkdir(parents=True)
        for number in range(5):
            picture(inside / f"{number}.png", number)
    data = genlab.load_dataset(folder)
    assert data.name == "fotos-\ufffd"
    assert data.record["classes"] == ["a\ufffd", "b"]
    (data.describe() + str(data.record)).encode()
    assert genlab.load_dataset(data.settings.name).record == data.record
    (folder / "b" / "5.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"fotos-\ufffd/b/5\.png' cannot be read") as caught:
        genlab.load_dataset(folder)
    str(caught.value).encode()


def test_a_name_of_bytes_that_is_nowhere() -> None:
    with pytest.raises(InputError, match="or a path that exists; got 'nowhere-\ufffd'"):
        genlab.load_dataset(os.fsdecode(b"nowhere-\xff"))


# --- what is no file at all --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["npz", "npy", "idx"])
def test_pipes_sockets_and_devices_are_refused_at_once(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo(tmp_path / f"pipe.{suffix}")
    (tmp_path / f"zero.{suffix}").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"socket.{suffix}")
        for name, words in (("pipe", "a pipe"), ("zero", "a device"), ("socket", "")):
            with pytest.raises(InputError, match=rf"name_or_path '.*' cannot be read: .*{words}"):
                genlab.load_dataset(tmp_path / f"{name}.{suffix}")


def test_a_pipe_among_idx_files(tmp_path: Path) -> None:
    write_mnist(tmp_path, ending="")
    (tmp_path / "train-images-idx3-ubyte").unlink()
    os.mkfifo(tmp_path / "train-images-idx3-ubyte")
    with pytest.raises(InputError, match="must hold train-images-idx3-ubyte"):
        genlab.load_dataset(tmp_path)


def test_a_link_that_loops_and_one_to_its_parent(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(InputError, match="or a path that exists"):
        genlab.load_dataset(tmp_path / "loop")
    folder = tmp_path / "pictures"
    picture(folder / "ant" / "0.png")
    (folder / "bee").symlink_to(folder)
    with pytest.raises(InputError, match=r"class folder '.*bee' must hold images only; it has the folder"):
        genlab.load_dataset(folder)


@pytest.mark.parametrize("place", ["folder", "class", "file", "picture", "archive"])
def test_no_right_to_read(tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may read everything, so the system's answer is played."""
    for name in ("ant", "bee"):
        picture(tmp_path / name / "0.png")
    archive = npz(tmp_path, images=GREY)
    write_mnist(tmp_path / "idx", ending="")
    forbidden, asked = {
        "folder": (tmp_path, tmp_path),
        "class": (tmp_path / "bee", tmp_path),
        "file": (tmp_path / "idx" / "train-images-idx3-ubyte", tmp_path / "idx"),
        "picture": (tmp_path / "bee" / "0.png", tmp_path),
        "archive": (archive, archive),
    }[place]
    (archive if place != "archive" else tmp_path / "bee" / "0.png").unlink()
    if place in ("class", "picture"):
        for path in (tmp_path / "idx").iterdir():
            path.unlink()
        (tmp_path / "idx").rmdir()
    os_open, iterdir = os.open, Path.iterdir

    def refuse(path: Any) -> None:
        if Path(path) == forbidden:
            raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("genlab.datasets.files.os.open", lambda path, *rest: (refuse(path), os_open(path, *rest))[1])
    monkeypatch.setattr(Path, "iterdir", lambda path: (refuse(path), iterdir(path))[1])
    with pytest.raises(InputError, match=rf"{forbidden.name}.*Permission denied|Permission denied.*{forbidden.name}"):
        genlab.load_dataset(asked)


def test_a_folder_in_place_of_a_picture(tmp_path: Path) -> None:
    for number in range(3):
        picture(tmp_path / f"{number}.png", number)
    (tmp_path / "a.png").mkdir()
    with pytest.raises(InputError, match=r"must hold either images or class subfolders; it has '0\.png' and 'a\.png'"):
        genlab.load_dataset(tmp_path)
    with pytest.raises(InputError, match=r"got the file '.*0\.png', .*: give the folder that it lies in"):
        genlab.load_dataset(tmp_path / "0.png")


def test_a_data_folder_without_the_right_to_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mnist(tmp_path / "mnist")
    monkeypatch.setenv("GENLAB_DATA_DIR", str(tmp_path))
    iterdir = Path.iterdir

    def refuse(path: Path) -> Any:
        if path.name == "mnist":
            raise PermissionError(13, "Permission denied", str(path))
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(InputError, match=r"GENLAB_DATA_DIR must name a folder that can be read; '.*' cannot: Permission denied"):
        genlab.load_dataset("mnist")


def test_what_is_out_of_reach_is_not_called_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, strict: bool = False) -> Path:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "resolve", refuse)
    with pytest.raises(InputError, match=r"name_or_path 'private/digits' cannot be read: Permission denied"):
        genlab.load_dataset("private/digits")
